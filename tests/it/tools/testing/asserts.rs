//! Assertions of `assert_cmd` on runs: what becomes of a run's end, and what is shown with an assertion that fails.

use assert_cmd::assert::{Assert, OutputAssertExt};
use pipewright::testing::capture_stderr;
use predicates::prelude::*;

use crate::prelude::*;

/// The words of the assertion that fails.
#[track_caller]
fn refusal(assertion: impl FnOnce() -> Assert + Send) -> String {
    let caught = capture_stderr(|| catch_unwind(AssertUnwindSafe(|| drop(assertion()))));
    caught.value.expect_err("it holds").downcast_ref::<String>().expect("a text").clone()
}

#[track_caller]
fn assert_holds(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "no {word:?} in: {text}");
    }
}

fn failing() -> Cmd {
    role("fail-with").args(["3", "no space left"])
}

#[test]
fn a_bad_status_is_for_the_assertions_to_judge() {
    isolated(|| {
        role("out-err")
            .arg("1")
            .assert()
            .success()
            .code(0)
            .stdout("out 0\n")
            .stderr(predicate::str::starts_with("err"));
        failing().assert().failure().code(3).stderr("no space left\n").stdout("");
        role("signal").arg("9").assert().interrupted();
        (role("echo").arg("x") | role("cat")).assert().success().stdout("x\n");
        (role("echo").arg("x") | role("exit").arg("4")).assert().code(4);
    });
}

#[test]
fn what_fails_shows_the_command_and_each_stage() {
    isolated(|| {
        let text = refusal(|| failing().assert().success());
        assert_holds(&text, &[&format!("{} fail-with 3 'no space left'", fixture()), "exited with code 3"]);
        let text = refusal(|| (role("signal").arg("15").label("first") | role("cat").label("last")).assert().success());
        assert_holds(&text, &["first: killed by SIGTERM; last: exited with code 0"]);
    });
}

#[test]
fn a_run_that_was_cut_is_nothing_to_assert_on() {
    isolated(|| {
        let cut = Cmd::sh("trap 'exit 0' TERM; echo begun; while :; do :; done").timeout(Duration::from_millis(300));
        assert_holds(&refusal(|| cut.assert()), &["timed out"]);
    });
}

#[test]
fn what_cannot_start_is_told_in_full() {
    isolated(|| {
        let text = refusal(|| Cmd::new("/no/such/program").assert());
        assert_holds(&text, &["cannot start `/no/such/program`"]);
    });
}

#[test]
fn no_secret_of_the_command_is_shown() {
    isolated(|| {
        let text = refusal(|| role("exit").arg("1").secret_arg("hunter2").assert().success());
        assert_holds(&text, &["exit 1 "]);
        assert!(!text.contains("hunter2"), "{text}");
    });
}

#[test]
fn outputs_go_to_std_and_back() {
    isolated(|| {
        let out = failing().unchecked().output().expect("unchecked");
        let std = std::process::Output::try_from(out).expect("a known status");
        std.clone().assert().code(3).stderr("no space left\n");
        let back = Output::from(std);
        assert_eq!((back.status.code(), back.stderr_str()), (Some(3), Ok("no space left\n")));
    });
}
