//! Runs that are ended from another thread.

use pipewright::CancelHandle;

use super::{GRACE, NO_GRACE_NEEDED, SLACK, captured};
use crate::prelude::*;
use crate::surface::verbs::*;

/// Cancels when the run's stderr says so: by then its processes run.
fn cancel_at_first_sign(pipeline: pipewright::Pipeline) -> (pipewright::Pipeline, CancelHandle) {
    let cancel = pipeline.cancel_handle();
    let (sign, seen) = channel();
    let canceller = cancel.clone();
    std::thread::spawn(move || {
        // A run that never came to say anything is not cancelled, and the watchdog shows where it hangs.
        if seen.recv().is_ok() {
            canceller.cancel();
        }
    });
    let each = move |_: &[u8]| {
        let _ = sign.send(());
    };
    (pipeline.stderr(Redirect::each_line(each)), cancel)
}

fn is_cancelled(name: &str, ran: Ran) {
    let error = ran.result.expect_err(name);
    assert_eq!(error.kind(), ErrorKind::Cancelled, "{name}: {error}");
    assert!(error.to_string().contains("cancelled"), "{error}");
}

#[test]
fn a_cancel_ends_every_verb() {
    isolated(|| {
        for _ in 0..count(1, 50) {
            all_at_once(&VERBS, |(name, verb)| {
                // "closed" on stderr, and then it waits for the end of a stdin that stays open.
                let wait = role("close-stdout-then-wait").stdin(Redirect::reader_with(|| Box::new(std::io::repeat(0))));
                let wait = captured(wait | role("hang")).grace(NO_GRACE_NEEDED);
                let (wait, _) = cancel_at_first_sign(wait);
                let ran = within(2 * SLACK, || verb(&wait));
                is_cancelled(name, ran);
            });
            progress();
        }
    });
}

#[test]
fn a_cancel_kills_what_does_not_listen_after_the_grace() {
    isolated(|| {
        all_at_once(&VERBS, |(name, verb)| {
            let stubborn = role("ignore-term") | role("ignore-term");
            let sign = role("say").args(["2", "sign\n"]);
            let (stubborn, _) = cancel_at_first_sign(captured(sign | stubborn).grace(GRACE));
            is_cancelled(name, within(GRACE + 2 * SLACK, || verb(&stubborn)));
        });
    });
}

#[test]
fn a_cancel_before_the_start_starts_nothing() {
    isolated(|| {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("precious");
        std::fs::write(&file, "precious").expect("it can be written");
        let echo = captured(role("echo").arg("x")).stdout(Redirect::file(&file));
        echo.cancel_handle().cancel();
        assert!(echo.cancel_handle().is_cancelled());
        for (name, verb) in VERBS.iter().filter(|(name, _)| !name.starts_with("line")) {
            let ran = verb(&echo);
            if matches!(*name, "for_each_line" | "reader") {
                assert_eq!(ran.result.expect_err(name).kind(), ErrorKind::Conflict, "its stdout is a file");
            } else {
                is_cancelled(name, ran);
            }
            assert_eq!(std::fs::read(&file).expect("it is there"), b"precious", "{name}");
        }
        let late = role("echo").stdout(Redirect::file(&file)).timeout(Duration::ZERO);
        assert_eq!(late.run().expect_err("it is too late").kind(), ErrorKind::Timeout);
        assert_eq!(std::fs::read(&file).expect("it is there"), b"precious", "a deadline that has passed");
        let lines = captured(role("echo"));
        lines.cancel_handle().cancel();
        assert_eq!(lines.lines().unwrap_err().kind(), ErrorKind::Cancelled);
    });
}

#[test]
fn clones_made_afterwards_share_the_handle_and_earlier_ones_do_not() {
    isolated(|| {
        let before = role("exit").arg("0");
        let earlier = before.clone();
        let cancel = before.cancel_handle();
        let later = before.clone().label("later").timeout(Duration::from_secs(60));
        cancel.cancel();
        assert!(before.cancel_handle().is_cancelled() && later.cancel_handle().is_cancelled());
        assert!(!earlier.cancel_handle().is_cancelled());
        assert_eq!(before.run().unwrap_err().kind(), ErrorKind::Cancelled);
        assert_eq!(later.run().unwrap_err().kind(), ErrorKind::Cancelled);
        earlier.run().expect("it has a handle of its own");
    });
}

#[test]
fn one_cancel_ends_all_the_runs_of_a_builder() {
    isolated(|| {
        let hang = role("hang").stdin(Redirect::null()).stdout(Redirect::piped());
        let cancel = hang.cancel_handle();
        let jobs: Vec<_> = (0..10).map(|_| hang.clone().spawn().expect("it starts")).collect();
        for job in &jobs {
            assert_eq!(read_line(job.take_stdout().expect("piped")), "ready");
        }
        std::thread::spawn(move || cancel.cancel());
        for job in jobs {
            assert_eq!(within(SLACK, || job.wait()).unwrap_err().kind(), ErrorKind::Cancelled);
            assert_eq!(job.wait().unwrap_err().kind(), ErrorKind::Cancelled, "and again");
        }
    });
}

#[test]
fn a_cancel_after_the_end_changes_nothing() {
    isolated(|| {
        let echo = role("echo").arg("x").stdout(Redirect::capture());
        let cancel = echo.cancel_handle();
        let job = echo.spawn().expect("it starts");
        assert!(job.wait().expect("a status").success());
        cancel.cancel();
        assert!(job.wait().expect("still").success());
        assert_eq!(job.output().expect("still").stdout, "x\n");
    });
}

#[test]
fn a_cancel_meets_a_start_at_any_moment() {
    isolated(|| {
        for _ in 0..count(50, 2000) {
            let hang = captured(role("hang") | role("hang")).grace(NO_GRACE_NEEDED);
            let cancel = hang.cancel_handle();
            std::thread::scope(|scope| {
                scope.spawn(|| cancel.cancel());
                is_cancelled("output", within(SLACK, || VERBS[2].1(&hang)));
            });
            assert_childless();
            progress();
        }
    });
}
