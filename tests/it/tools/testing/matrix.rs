//! The [`suite`](super::suite), run as `cargo test` runs it, in each of the ways it can be told to; and as cargo-nextest does.

use pipewright::testing::capture_stdout;

use super::{among_others, assert_printed};
use crate::prelude::*;

/// Runs this test program for the suite with these arguments; what it printed. It has to pass.
#[track_caller]
fn run_suite(arguments: &[&str], nextest: bool) -> String {
    let mut suite = Command::new(std::env::current_exe().expect("the path of the test binary"));
    suite.args(arguments).stdin(Stdio::null()).env_remove("NEXTEST_EXECUTION_MODE");
    if nextest {
        suite.env("NEXTEST_EXECUTION_MODE", "process-per-test");
    }
    let output = suite.output().expect("it starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    let tail: String = text.chars().rev().take(4000).collect::<Vec<_>>().into_iter().rev().collect();
    assert!(output.status.success(), "{arguments:?}: {}\n{tail}\n{errors}", output.status);
    text
}

/// All of the suite, noise included: 40 tests of ten captures.
#[track_caller]
fn run_all(arguments: &[&str]) {
    for _ in 0..count(1, 5) {
        let text = run_suite(&[&["tools::testing::suite::", "--include-ignored"], arguments].concat(), false);
        assert!(text.contains("80 passed; 0 failed; 0 ignored"), "{text}");
        progress();
    }
}

#[test]
fn four_hundred_captures_beside_noise_are_exact() {
    isolated(|| run_all(&["--test-threads=8"]));
}

#[test]
fn they_are_where_the_harness_captures_nothing() {
    isolated(|| run_all(&["--test-threads=8", "--nocapture"]));
}

#[test]
fn they_are_where_one_test_runs_at_a_time() {
    isolated(|| {
        run_all(&["--test-threads=1"]);
        run_all(&["--test-threads=1", "--nocapture"]);
    });
}

#[test]
fn they_are_where_each_test_has_a_process() {
    isolated(|| {
        for number in 0..8 {
            let name = format!("tools::testing::suite::m0{number}::what_is_captured_is_exact");
            let text = run_suite(&["--exact", &name, "--nocapture"], true);
            assert!(text.contains("1 passed; 0 failed; 0 ignored"), "{text}");
            progress();
        }
    });
}

#[test]
fn a_thousand_captures_of_eight_threads_are_each_their_own() {
    among_others(|| {
        std::thread::scope(|scope| {
            for thread in 0..8 {
                scope.spawn(move || {
                    for round in 0..125 {
                        let said = capture_stdout(|| {
                            println!("{thread} {round}");
                            print!("more of {thread}");
                        });
                        assert_printed(&said, &format!("{thread} {round}\nmore of {thread}"));
                    }
                });
            }
        });
    });
}
