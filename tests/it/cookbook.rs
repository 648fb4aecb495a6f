//! The cookbook: every example does what the README says of it, and leaves nothing behind.

mod builds;
mod memory;
mod stages;
mod streams;
mod table;
mod web;

use std::time::Duration;

use nix::sys::prctl;
use pipewright::{Cmd, Output};

use crate::support::built_example;

/// Lets `taste` run an example, any number of times, and looks for what it left: files here, and processes at the end of the
/// body, because orphans become children of this process.
#[track_caller]
fn cook(name: &str, taste: impl FnOnce(Cmd)) {
    let Some(path) = built_example(name) else { return };
    prctl::set_child_subreaper(true).expect("can ask for orphans");
    let temp = tempfile::tempdir().expect("a directory");
    // It runs in its own temporary directory, so a file beside it would be seen, too.
    taste(Cmd::new(path).current_dir(temp.path()).env("TMPDIR", temp.path()).timeout(Duration::from_secs(60)));
    let left = temp.path().read_dir().expect("the directory is there");
    let left: Vec<_> = left.map(|entry| entry.expect("an entry").file_name()).collect();
    assert!(left.is_empty(), "{name} left {left:?}");
}

/// What a good run gives, with nothing on stderr.
#[track_caller]
fn output(example: &Cmd) -> Output {
    let output = example.output().unwrap_or_else(|error| panic!("{error:#}"));
    assert_eq!(output.stderr, "");
    output
}
