//! Assertions on a command's end and output, and what a failed one says. `cargo run --example assert_on_output`

use std::panic::catch_unwind;
use std::time::Duration;

use pipewright::testing::capture_stderr;
use pipewright::{Cmd, cmd};
use predicates::prelude::*;

fn main() {
    // In a test of a package: Cmd::new(env!("CARGO_BIN_EXE_its-program")). A run that takes longer than its timeout panics.
    let sorted = cmd!("printf", r"b\na\n") | cmd!("sort");
    sorted.timeout(Duration::from_secs(10)).assert().success().stdout("a\nb\n").stderr("");

    let broken = Cmd::sh("echo step 1 took 12 ms; echo step 3 took 15 ms; echo disk full >&2; exit 3");
    let run = broken.assert().failure().code(predicate::in_iter([3, 4])).stderr(predicate::str::ends_with("full\n"));

    // What differs from run to run is left out: by a predicate, or by the filters of a snapshot tool.
    run.stdout(predicate::str::starts_with("step 1 took ").and(predicate::str::contains(" ms\nstep 3 took ")));

    // What assert_cmd does not ask is asked of the run itself.
    let out = (cmd!("yes") | cmd!("head", "-n", "1")).output().expect("a success");
    assert_eq!(out.stages[0].status.signal(), Some(13), "killed by SIGPIPE");
    assert!(out.stages[1].wall < Duration::from_secs(10));

    // A failed assertion panics, with the lines that differ and the whole run.
    let failing = move || drop(broken.assert().stdout("step 1 took 12 ms\nstep 2 took 1 ms\nstep 3 took 15 ms\n"));
    let panic = capture_stderr(|| catch_unwind(std::panic::AssertUnwindSafe(failing)));
    println!("{}", panic.value.expect_err("there was no step 2").downcast_ref::<String>().expect("a text"));
}
