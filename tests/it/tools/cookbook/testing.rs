//! What is there for tests.

use super::{cook, output};
use crate::harness::*;

#[test]
fn capture_println_captures_what_is_printed() {
    isolated(|| {
        cook("capture_println", |example| {
            let out = example.output().unwrap_or_else(|error| panic!("{error:#}"));
            assert_eq!(out.stdout, "captured: \"1 names\\n- ada\\ndone\\n\"\n");
            // The first time, stderr was not captured.
            assert_eq!(out.stderr, "done\n");
        });
    });
}

#[test]
fn assert_on_output_says_what_differs() {
    isolated(|| {
        cook("assert_on_output", |example| {
            let said = output(&example).stdout;
            let lines = "  step 1 took 12 ms\n- step 2 took 1 ms\n  step 3 took 15 ms\ncommand: ";
            let text = said.to_str().expect("text");
            assert!(text.starts_with(&format!("stdout is not as expected (- expected, + found)\n{lines}")), "{text}");
            assert!(text.ends_with("ended: exited with code 3\nstdout, 36 bytes:\n    step 1 took 12 ms\n    step 3 took 15 ms\nstderr, 10 bytes:\n    disk full\n"), "{text}");
        });
    });
}
