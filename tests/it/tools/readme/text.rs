//! The README as a text: its examples run, its error is the real one, and it stays short.

use pipewright::testing::capture_stdout;

use super::examples;
use crate::prelude::*;

/// The most words of the README: some six minutes of reading.
const WORDS: usize = 1300;
/// The most columns of a line of code that rustdoc shows whole in a window of 1,100 pixels.
const COLUMNS: usize = 80;

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect(path)
}

/// The blocks of code in this language.
fn blocks<'t>(text: &'t str, language: &str) -> Vec<&'t str> {
    let fence = format!("```{language}\n");
    text.split(&fence).skip(1).map(|rest| rest.split_once("```").expect("a block has an end").0).collect()
}

/// The body of a function with this code, before its `Ok(())`.
fn body(block: &str) -> String {
    block.lines().map(|line| if line.is_empty() { "\n".into() } else { format!("    {line}\n") }).collect()
}

#[test]
fn every_example_of_the_readme_is_one_that_runs_here() {
    isolated(|| {
        let dir = tempfile::tempdir().expect("a directory");
        // One of them writes a file to where it is.
        std::env::set_current_dir(dir.path()).expect("it is there");
        let code = read("tests/it/tools/readme/examples.rs");
        let readme = read("README.md");
        let functions = code.split("\npub(super) fn ").skip(1).collect::<Vec<_>>();
        let is_import = |block: &&str| block.lines().all(|line| line.starts_with("use "));
        let (imports, examples): (Vec<&str>, Vec<&str>) = blocks(&readme, "rust").into_iter().partition(is_import);
        assert!(imports.iter().all(|imports| code.contains(&format!("\n\n{imports}\n"))), "{imports:?}");
        assert_eq!(examples.len(), functions.len());
        for (block, function) in examples.iter().zip(functions) {
            let expected = format!("() -> Tried {{\n{}    Ok(())\n}}\n", body(block));
            assert!(function.trim_end().ends_with(expected.trim_end()), "{expected}");
        }
        for example in [
            examples::what_sells,
            examples::run_and_read,
            examples::streams,
            examples::closures,
            examples::a_live_job,
            examples::in_tests,
        ] {
            example().expect("it works");
        }
    });
}

#[test]
fn the_error_that_the_readme_shows_is_the_real_one() {
    isolated(|| {
        let printed = capture_stdout(|| examples::what_sells().expect("it works"));
        assert_eq!(blocks(&read("README.md"), "text"), [printed.text()]);
    });
}

#[test]
fn the_readme_is_short() {
    let words = read("README.md").split_whitespace().count();
    assert!(words <= WORDS, "{words} words");
}

#[test]
fn the_readme_names_the_oldest_rust_of_the_package() {
    let manifest = read("Cargo.toml");
    let oldest = manifest.split("rust-version = \"").nth(1).and_then(|rest| rest.split('"').next()).expect("one line");
    let readme = read("README.md");
    for claim in ["[![Rust RUST or later]", "badge/rust-RUST+-blue", "You need Rust RUST or later"] {
        assert!(readme.contains(&claim.replace("RUST", oldest)), "{claim}: {oldest}");
    }
}

#[test]
fn no_line_of_code_is_clipped_in_the_readme_and_the_guide() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let pages = root.join("src/guide").read_dir().expect("the guide").map(|page| page.expect("a page").path());
    let mut long = Vec::new();
    for path in pages.chain([root.join("README.md"), root.join("src/lib.rs")]) {
        long.extend(clipped(&path, &fs::read_to_string(&path).expect("a text")));
    }
    assert!(long.is_empty(), "\n{}", long.join("\n"));
}

/// Each line of code with more columns than are shown.
fn clipped(path: &Path, text: &str) -> Vec<String> {
    let mut is_code = false;
    let mut long = Vec::new();
    for (index, line) in text.lines().enumerate() {
        // In Rust, only what its documentation shows.
        let is_rust = path.extension().is_some_and(|ending| ending == "rs");
        let Some(line) = (if is_rust { line.strip_prefix("//! ") } else { Some(line) }) else { continue };
        if line.starts_with("```") {
            is_code = !is_code;
        } else if is_code && line.chars().count() > COLUMNS {
            long.push(format!("{}:{}: {line}", path.display(), index + 1));
        }
    }
    long
}

#[test]
fn a_clipped_line_is_reported() {
    let long = "x".repeat(COLUMNS + 1);
    let text = format!("{long}\n```\n{}\n{long}\n```\n{long}\n", "x".repeat(COLUMNS));
    assert_eq!(clipped(Path::new("a.md"), &text), [format!("a.md:4: {long}")]);
    let rust = text.lines().map(|line| format!("//! {line}\n")).collect::<String>() + &long;
    assert_eq!(clipped(Path::new("a.rs"), &rust).len(), 1);
}
