//! The log of a build and its tests as one text: the warnings from stderr, the results from stdout, in the order in which
//! they were written. `cargo run --example capture_build [DIRECTORY]` tests the crate there, or a tiny one of its own.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs};

use pipewright::cmd;

const MANIFEST: &str =
    "[package]\nname = \"tiny\"\nedition = \"2024\"\n[lib]\npath = \"lib.rs\"\ndoctest = false\n[workspace]\n";
const SOURCE: &str = "#[test]\nfn adds_up() {\n    let unused = 1;\n    assert_eq!(1 + 1, 2);\n}\n";

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let scratch = tempfile::tempdir()?;
    let directory = match env::args_os().nth(1) {
        Some(directory) => PathBuf::from(directory),
        None => tiny_crate(scratch.path())?,
    };
    let output = cmd!("cargo", "test", "--color=never")
        .current_dir(directory)
        .env("CARGO_TARGET_DIR", scratch.path().join("target"))
        .stderr_to_stdout()
        .unchecked() // a build that fails has a log, too
        .output()?;

    let log = output.stdout_lossy();
    for line in log.lines() {
        println!("| {line}");
    }
    println!("{} lines; cargo {} after {:.1?}", log.lines().count(), output.status, output.stages[0].wall);
    Ok(if output.status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn tiny_crate(directory: &Path) -> Result<PathBuf, Box<dyn Error>> {
    fs::write(directory.join("Cargo.toml"), MANIFEST)?;
    fs::write(directory.join("lib.rs"), SOURCE)?;
    Ok(directory.to_owned())
}
