//! Assertions on runs: what passes, and what is said of what does not.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use assert_cmd::assert::OutputAssertExt;
use pipewright::testing::{Assert, Normalize, capture_stderr};
use pipewright::{Cmd, ErrorKind, Output, Redirect};
use predicates::prelude::*;

use crate::harness::{fixture, isolated};
use crate::support::role;

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

type Check = fn(Assert) -> Assert;

fn failing() -> Cmd {
    role("fail-with").args(["3", "no space left"])
}

#[test]
fn what_holds_passes_and_can_go_on() {
    isolated(|| {
        let run = role("out-err").arg("1").assert().success().code(0).code([0, 1]).code(&[0][..]);
        let run = run.code(|code| code < 1).code(predicate::in_iter([0, 7])).within(Duration::from_secs(60));
        let run = run.stdout("out 0\n").stdout(String::from("out 0\n")).stdout(b"out 0\n").stdout(b"out 0\n".to_vec());
        let run = run.stdout(|out: &[u8]| out.len() == 6).stdout(predicate::str::starts_with("out"));
        let run = run.stderr(predicate::eq(&b"err 0\n"[..])).stderr(predicate::str::ends_with("0\n"));
        assert_eq!(run.get_output().stages.len(), 1);
        let printed = capture_stderr(|| eprintln!("err 0"));
        let run = run.stderr(printed.text()).stderr(&printed.stderr).stderr(printed.stderr.clone());
        assert_holds(&refusal(|| run.stdout(&printed.stdout)), &["(what is expected was not captured)"]);
        failing().assert().failure().code(3).stderr("no space left\n").stdout("");
        role("signal").arg("9").assert().failure().killed_by(9);
        (role("echo").arg("x") | role("cat")).assert().success().stdout("x\n");
        let out = role("exit").arg("4").unchecked().output().expect("unchecked");
        out.assert().failure().code(4);
        role("hang").timeout(Duration::from_millis(200)).assert().failure().cut_by(ErrorKind::Timeout);
    });
}

#[test]
fn what_does_not_hold_says_so_with_all_of_the_run() {
    isolated(|| {
        let all = [
            format!("command: {} fail-with 3 'no space left'", fixture()),
            "ended: exited with code 3\nstdout: empty\nstderr, 14 bytes:\n    no space left".to_owned(),
        ];
        let checks: [(&str, Check); 10] = [
            ("a success was expected\n", Assert::success),
            ("the exit code is not as expected (expected: 4)\n", |run| run.code(4)),
            ("the exit code is not as expected (expected: one of [4, 5])\n", |run| run.code([4, 5])),
            ("the exit code is not as expected (the closure says no)\n", |run| run.code(|code| code == 4)),
            ("an end by SIGTERM was expected\n", |run| run.killed_by(15)),
            ("an error of the kind Timeout was expected\n", |run| run.cut_by(ErrorKind::Timeout)),
            (" was expected\n", |run| run.within(Duration::ZERO)),
            ("stdout is not as expected (- expected, + found)\n- x (no newline)\n", |run| run.stdout("x")),
            ("stderr is not as expected (- expected, + found)\n- no room\n+ no space left\n", |run| {
                run.stderr("no room\n")
            }),
            ("stderr is not as expected (the closure says no)\n", |run| run.stderr(|_: &[u8]| false)),
        ];
        for (words, check) in checks {
            let text = refusal(|| check(failing().assert()));
            assert_holds(&text, &[words, &all[0], &all[1]]);
        }
        assert_holds(&refusal(|| role("exit").arg("0").assert().failure()), &["a failure was expected"]);
        assert_holds(
            &refusal(|| role("signal").arg("9").assert().code(0)),
            &["(there is none)", "ended: killed by SIGKILL"],
        );
        let predicted = refusal(|| failing().assert().stderr(predicate::str::contains("memory")));
        assert_holds(&predicted, &["stderr is not as expected (expected: var.contains(memory))"]);
    });
}

#[test]
fn a_run_that_was_cut_is_no_success_and_has_no_code() {
    isolated(|| {
        let cut = || Cmd::sh("trap 'exit 0' TERM; while :; do :; done").timeout(Duration::from_millis(300)).assert();
        assert_holds(&refusal(|| cut().success()), &["a success was expected", "ended: ", "timed out"]);
        assert_holds(&refusal(|| cut().code(0)), &["(there is none)"]);
    });
}

#[test]
fn what_was_not_captured_is_not_empty() {
    isolated(|| {
        let run = || role("exit").arg("0").stdout(Redirect::null()).assert();
        assert_holds(
            &refusal(|| run().stdout("")),
            &["stdout is not as expected (it was not captured)", "stdout: not captured"],
        );
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
fn no_secret_is_shown() {
    isolated(|| {
        let run = || role("echo").secret_arg("hunter2").arg("and more").assert();
        let text = refusal(|| run().stdout("hunter2 and less\n"));
        assert_holds(&text, &["- *** and less", "+ *** and more"]);
        assert!(!text.contains("hunter2"), "{text}");
    });
}

#[test]
fn outputs_go_to_std_and_back() {
    isolated(|| {
        let out = failing().unchecked().output().expect("unchecked");
        let std = std::process::Output::try_from(out).expect("a known status");
        OutputAssertExt::assert(std.clone()).code(3).stderr("no space left\n");
        let back = Output::from(std);
        back.assert().code(3).stderr("no space left\n");
        assert_holds(&refusal(|| back.assert().within(Duration::MAX)), &["how long it took is not known"]);
    });
}

#[test]
fn a_program_of_the_package_is_found_by_its_name() {
    isolated(|| {
        Cmd::cargo_bin("pipewright-fixture").expect("it is built").args(["echo", "hi"]).assert().stdout("hi\n");
        let error = Cmd::cargo_bin("no-such-program").expect_err("there is none");
        let beside = std::path::Path::new(fixture()).with_file_name("no-such-program");
        assert_eq!(error.looked_for(), [beside.as_path()]);
        assert_holds(&error.to_string(), &["`no-such-program`", &beside.display().to_string()]);
    });
}

#[test]
fn a_normalized_output_is_a_snapshot() {
    isolated(|| {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("a.log");
        let out = role("echo").arg(&file).arg("written in 1.5s").assert().success();
        let text = Normalize::new().path(directory.path(), "[DIR]").times().apply(&out.get_output().stdout);
        insta::assert_snapshot!(text, @"[DIR]/a.log written in [TIME]");
    });
}
