//! The [`suite`](super::suite) and the [isolated](super::isolated) tests under cargo-nextest itself, which is told where this test program
//! is, so that it builds nothing.

use std::process::Output;

use crate::prelude::*;

/// What of the package's description is asked for, besides noise: what passes under any harness.
const TESTS: &str = "test(/^tools::testing::suite::m0[0-7]/) | test(/^tools::testing::isolated::(the_body|in_the_body|a_panic|a_body)/)";

fn cargo(arguments: &[&str]) -> Option<Output> {
    let mut cargo = Command::new("cargo");
    cargo.args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null());
    // This process is the body of a test, and what it starts is none.
    cargo.env_remove("PIPEWRIGHT_ISOLATED_PROGRAM").env_remove("PIPEWRIGHT_ISOLATED_TEST");
    cargo.output().ok()
}

/// What nextest would have asked cargo for: one test program, this one.
fn binaries(metadata: &str) -> String {
    let program = std::env::current_exe().expect("the path of the test binary");
    // A string of Rust's is one of JSON's, for paths without control characters.
    let field = |name: &str| {
        let (_, rest) = metadata.split_once(&format!("\"{name}\":\"")).expect("a field");
        rest.split_once('"').expect("an end").0
    };
    let (id, target) = (field("id"), field("target_directory"));
    let build = format!(
        r#"{{"target-directory": {target:?}, "base-output-directories": ["debug"], "non-test-binaries": {{}},
            "build-script-out-dirs": {{}}, "linked-paths": [], "target-platforms": [], "target-platform": null}}"#
    );
    let binary = format!(
        r#"{{"binary-id": "pipewright::it", "binary-name": "it", "package-id": {id:?}, "kind": "test",
            "binary-path": {program:?}, "build-platform": "target"}}"#
    );
    format!(r#"{{"rust-build-meta": {build}, "rust-binaries": {{"pipewright::it": {binary}}}}}"#)
}

fn write(directory: &Path, name: &str, text: &str) -> String {
    let path = directory.join(name);
    std::fs::write(&path, text).expect("the file can be written");
    path.into_os_string().into_string().expect("text")
}

#[test]
fn captures_and_isolated_bodies_are_right_under_nextest() {
    isolated(|| {
        if !cargo(&["nextest", "--version"]).is_some_and(|output| output.status.success()) {
            return skip("cargo-nextest is not installed");
        }
        let metadata = cargo(&["metadata", "--format-version=1", "--offline", "--no-deps"]).expect("cargo starts");
        let description = String::from_utf8(metadata.stdout).expect("text");
        let directory = tempfile::tempdir().expect("a directory");
        let package = write(directory.path(), "package.json", &description);
        let binaries = write(directory.path(), "binaries.json", &binaries(&description));
        let nextest = |verb, more: &[&str]| {
            let place =
                ["--cargo-metadata", &package, "--binaries-metadata", &binaries, "-E", TESTS, "--run-ignored", "all"];
            cargo(&[&["nextest", verb], &place[..], more].concat()).expect("cargo starts")
        };
        let list = nextest("list", &[]);
        if !list.status.success() {
            return skip("this cargo-nextest wants another description of what was built");
        }
        let run = nextest("run", &["--no-fail-fast", "--status-level", "fail"]);
        let text = String::from_utf8_lossy(&run.stderr);
        assert!(run.status.success() && text.contains("21 tests run: 21 passed"), "{text}");
    });
}
