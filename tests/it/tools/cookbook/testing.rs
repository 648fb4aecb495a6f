//! What is there for tests.

use super::{cook, output};
use crate::prelude::*;

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
            let text = said.to_str().expect("text");
            assert!(text.contains("-step 2 took 1 ms\n"), "{text}");
            assert!(text.contains("disk full >&2; exit 3'`\nstages=`/bin/sh: exited with code 3`\ncode=3\n"), "{text}");
            assert!(text.contains("\nstderr=\"disk full\\n\"\n"), "{text}");
        });
    });
}
