//! Ends of pipes that are taken, and those that nobody takes.

use std::io::{Read, Write};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use pipewright::{Cmd, Redirect, cmd};

use crate::harness::*;

fn piped(cmd: Cmd) -> Cmd {
    cmd.stdin(Redirect::piped()).stdout(Redirect::piped()).stderr(Redirect::piped())
}

#[test]
fn taken_ends_are_ours_once() {
    isolated(|| {
        let job = piped(cmd!(fixture(), "fill-stderr", "5")).spawn().expect("it starts");
        let (mut stdin, mut stdout, mut stderr) =
            (job.take_stdin().expect("piped"), job.take_stdout().expect("piped"), job.take_stderr().expect("piped"));
        assert!(job.take_stdin().is_none() && job.take_stdout().is_none() && job.take_stderr().is_none());
        for round in 0..3 {
            stdin.write_all(format!("{round}\n").as_bytes()).expect("it reads");
            assert_eq!(read_line(&mut stdout), round.to_string());
        }
        drop(stdin);
        let (mut out, mut err) = (Vec::new(), Vec::new());
        stdout.read_to_end(&mut out).expect("its end comes");
        stderr.read_to_end(&mut err).expect("its end comes");
        assert_eq!((out, err), (vec![], b"eeeee".to_vec()));
        assert!(job.wait().expect("it ends").success());
    });
}

#[test]
fn what_is_not_piped_cannot_be_taken() {
    isolated(|| {
        let job = cmd!(fixture(), "exit", "0").stdin(Redirect::null()).spawn().expect("it starts");
        assert!(job.take_stdin().is_none() && job.take_stdout().is_none() && job.take_stderr().is_none());
        assert!(job.wait().expect("it ends").success());
        assert!(job.take_stdout().is_none());
    });
}

#[test]
fn an_untaken_stdin_is_closed_and_untaken_outputs_are_drained() {
    isolated(|| {
        // Ends only when its stdin does, and writes more than pipes hold.
        let loud = Cmd::sh("\"$0\" both 300000; exec \"$0\" cat").arg(fixture());
        let job = piped(loud.clone()).spawn().expect("it starts");
        assert!(job.try_wait().expect("no failure").is_none(), "a look closes nothing");
        assert!(job.wait().expect("it ends").success());
        assert!(job.take_stdout().is_none(), "it was drained");
        for verb in [Cmd::run, Cmd::output] {
            verb(&piped(loud.clone())).expect("it ends");
        }
        assert!(piped(loud.clone()).status().expect("it ends").success());
        let output = piped(loud).spawn().expect("it starts").output().expect("it ends");
        assert!(!output.stdout.is_captured(), "thrown away is not captured");
    });
}

#[test]
fn verbs_that_capture_capture_what_is_piped() {
    isolated(|| {
        let output = piped(cmd!(fixture(), "say", "1", "out", "2", "err")).output().expect("it ends");
        assert_eq!((&*output.stdout, &*output.stderr), (&b"out"[..], &b"err"[..]));
        assert_eq!(piped(cmd!(fixture(), "echo", "x")).read().expect("it ends"), "x");
    });
}

#[test]
fn the_ends_of_a_pipeline_are_its_own() {
    isolated(|| {
        let pipeline = cmd!(fixture(), "cat") | cmd!(fixture(), "upper");
        let job = pipeline.stdin(Redirect::piped()).stdout(Redirect::piped()).spawn().expect("it starts");
        let mut stdin = job.take_stdin().expect("piped");
        let mut stdout = job.take_stdout().expect("piped");
        stdin.write_all(b"through\n").expect("it reads");
        assert_eq!(read_line(&mut stdout), "THROUGH");
        drop(stdin);
        assert_eq!(stdout.read(&mut [0]).expect("its end comes"), 0);
        assert!(job.wait().expect("it ends").success());
    });
}

#[test]
fn a_wait_drains_also_while_another_thread_only_looks() {
    isolated(|| {
        for _ in 0..count(60, 2000) {
            let job = piped(cmd!(fixture(), "both", "300000")).spawn().expect("it starts");
            let over = AtomicBool::new(false);
            std::thread::scope(|scope| {
                for _ in 0..2 {
                    scope.spawn(|| {
                        while !over.load(SeqCst) {
                            job.try_wait().expect("no failure");
                        }
                    });
                }
                let status = job.wait().expect("it ends");
                over.store(true, SeqCst);
                assert!(status.success(), "{status}: what it wrote was thrown away, not refused");
            });
            progress();
        }
    });
}

#[test]
fn many_threads_may_wait_for_what_nobody_took() {
    isolated(|| {
        for _ in 0..count(10, 200) {
            let job = piped(cmd!(fixture(), "both", "300000")).spawn().expect("it starts");
            std::thread::scope(|scope| {
                let waiters: Vec<_> = (0..4).map(|_| scope.spawn(|| job.wait())).collect();
                for waiter in waiters {
                    let status = waiter.join().expect("no panic").expect("it ends");
                    assert!(status.success(), "{status}");
                }
            });
            progress();
        }
    });
}

#[test]
fn stages_whose_stderr_is_piped_share_the_one_end_there_is_to_take() {
    isolated(|| {
        let say = |text: &str| cmd!(fixture(), "say", "2", text).stderr(Redirect::piped());
        let job = (say("one\n") | say("two\n")).spawn().expect("it starts");
        let said = std::io::read_to_string(job.take_stderr().expect("it is piped")).expect("its end");
        let mut lines: Vec<&str> = said.lines().collect();
        lines.sort_unstable();
        assert_eq!(lines, ["one", "two"]);
        assert!(job.wait().expect("it ends").success());
        assert!(job.output().expect("nobody died").stages.iter().all(|stage| stage.status.success()));

        let merged = say("one\n") | say("two\n").stderr_to_stdout().stdout(Redirect::null());
        let job = merged.spawn().expect("it starts");
        let said = std::io::read_to_string(job.take_stderr().expect("it is piped")).expect("its end");
        assert_eq!(said, "one\n");
        assert!(job.wait().expect("it ends").success());
    });
}
