//! Assertions on a command's end and output, and what a failed one says. `cargo run --example assert_on_output`

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use pipewright::testing::{Normalize, capture_stderr};
use pipewright::{Cmd, cmd};

fn main() {
    // In a test of a package: Cmd::cargo_bin("its-program").unwrap().
    let sorted = cmd!("printf", r"b\na\n") | cmd!("sort");
    sorted.assert().success().stdout("a\nb\n").stderr("").within(Duration::from_secs(10));

    let broken = Cmd::sh("echo step 1 took 12 ms; echo step 3 took 15 ms; echo disk full >&2; exit 3");
    let run = broken.assert().failure().code([3, 4]).stderr(|text: &[u8]| text.ends_with(b"full\n"));

    // What differs from run to run is taken out before it is compared, here or by a snapshot tool.
    let text = Normalize::new().times().apply(&run.get_output().stdout);
    assert_eq!(text, "step 1 took [TIME]\nstep 3 took [TIME]\n");

    // A failed assertion panics, with the lines that differ and the whole run.
    let expected = "step 1 took 12 ms\nstep 2 took 1 ms\nstep 3 took 15 ms\n";
    let failing = AssertUnwindSafe(|| drop(broken.assert().stdout(expected)));
    let panic = capture_stderr(|| catch_unwind(failing)).value.expect_err("there was no step 2");
    println!("{}", panic.downcast_ref::<String>().expect("a text"));
}
