//! How closures end their neighbours, and endless data that hides no deadline.

use super::*;
use crate::prelude::*;
use crate::surface::verbs::*;

#[test]
fn a_closure_that_returns_early_or_never_reads_ends_the_stage_before() {
    isolated(|| {
        let never = || Stage::from_fn(|_, _| Ok(()));
        let some = || {
            Stage::from_fn(|input, output| {
                let mut bytes = [0; 4];
                input.read_exact(&mut bytes)?;
                Ok(output.write_all(&bytes)?)
            })
        };
        let firsts: [fn() -> Pipeline; 4] =
            [|| role("yes").into(), || alone(yes()), || role("yes") | copy(), || yes() | role("cat")];
        for first in firsts {
            assert_eq!(without_input(first() | never()).read().expect("it ends"), "");
            assert_eq!(without_input(first() | head()).read().expect("it ends"), "y");
            assert_eq!(without_input(first() | some() | upper_process()).read().expect("it ends"), "Y\nY");
            assert_childless();
            progress();
        }
    });
}

#[test]
fn a_closure_sees_the_end_when_the_stage_before_ends_while_others_still_run() {
    isolated(|| {
        // The last stage runs on until its stdin ends, which only the closure's return brings.
        let (tell, told) = channel();
        let line = role("echo").arg("x")
            | Stage::from_fn_once(move |input, output| {
                io::copy(input, output)?;
                Ok(tell.send(())?)
            })
            | role("close-stdout-then-wait");
        let job = line.stderr(Redirect::null()).spawn().expect("it starts");
        told.recv().expect("the end came");
        assert!(job.wait().expect("it ends").success());
    });
}

#[test]
fn a_closure_may_go_on_after_both_its_neighbours_ended() {
    isolated(|| {
        let (go, gone) = channel::<()>();
        let line = role("exit").arg("0")
            | Stage::from_fn_once(move |input, output| {
                assert_eq!(input.read(&mut [0])?, 0);
                let _ = gone.recv();
                // Whether this is taken or broken, the run waited.
                drop(output.write_all(b"x"));
                Ok(())
            })
            | role("exit").arg("0");
        let job = without_input(line).spawn().expect("it starts");
        assert!(job.processes().iter().all(|process| process.wait().expect("a status").success()));
        assert!(job.try_wait().expect("no failure").is_none(), "the closure is a part of the run");
        drop(go);
        assert!(job.wait().expect("it ends").success());
    });
}

#[test]
fn endless_data_through_closures_hides_no_deadline_from_any_verb() {
    isolated(|| {
        let lines: [fn() -> Pipeline; 5] = [
            || alone(yes()),
            || yes() | copy() | copy(),
            || role("yes") | copy() | role("cat"),
            || yes() | role("cat") | copy(),
            || role("stubborn-yes") | copy() | copy() | role("stubborn-yes"),
        ];
        let kept = Limit::HeadTail { head: 4096, tail: 0 };
        for line in lines {
            for verbs in VERBS.chunks(4) {
                all_at_once(verbs, |(name, verb)| {
                    let (timeout, grace) = (Duration::from_millis(60), Duration::from_millis(40));
                    let line = without_input(line()).stdout(Redirect::capture()).stdout_limit(kept);
                    let line = line.timeout(timeout).grace(grace);
                    let ran = within(timeout + grace + 2 * SLACK, || verb(&line));
                    assert_eq!(ran.result.expect_err(name).kind(), ErrorKind::Timeout, "{name}");
                });
                assert_childless();
                progress();
            }
        }
    });
}

#[test]
fn endless_input_that_a_closure_throws_away_hides_no_deadline() {
    isolated(|| {
        for stdin in [Redirect::file("/dev/zero"), Redirect::reader_with(|| io::repeat(0))] {
            for stdout in [Redirect::null(), Redirect::file("/dev/null"), Redirect::tee([Redirect::null()])] {
                for stage in [count_bytes(), copy()] {
                    let line = alone(stage).stdin(stdin.clone()).stdout(stdout.clone());
                    let line = line.timeout(Duration::from_millis(50)).grace(NO_GRACE_NEEDED);
                    let error = within(2 * SLACK, || line.run()).expect_err("endless");
                    assert_eq!(error.kind(), ErrorKind::Timeout, "{error:?}");
                }
            }
        }
    });
}

#[test]
fn after_the_deadline_every_read_and_write_fails_and_says_why() {
    isolated(|| {
        let (tell, told) = channel();
        let line = role("hang")
            | Stage::from_fn_once(move |input, output| {
                let mut text = String::new();
                let read = input.read_to_string(&mut text).map(drop);
                let again = input.read(&mut [0]).map(drop);
                let buffered = input.fill_buf().map(drop);
                // As long as the next stage is on its way out, it may still take something.
                let write = loop {
                    if let Err(error) = output.write_all(b"x") {
                        break Err(error);
                    }
                };
                let formatted = write!(output, "{}", 1);
                Ok(tell.send([read, again, buffered, write, formatted])?)
            })
            | role("cat");
        let error = without_input(line).timeout(Duration::from_millis(100)).run().expect_err("it hangs");
        assert_eq!(error.kind(), ErrorKind::Timeout);
        assert!(error.to_string().contains("still running: "), "{error}");
        for result in told.recv().expect("the closure went on") {
            let error = result.expect_err("the time is up");
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
            assert_eq!(error.to_string(), "the run's time is up");
        }
        // A closure that made do with it is a success in the report; one that passed it on was ended.
        let stages = &error.output().expect("it ran").stages;
        assert!(stages[1].status.success(), "{stages:?}");
        let passes = without_input(role("hang") | copy()).stdout(Redirect::null()).timeout(Duration::from_millis(100));
        let error = passes.run().expect_err("it hangs");
        let report = &error.output().expect("it ran").stages[1];
        assert_eq!((report.status.signal(), report.error.is_none()), (Some(libc::SIGTERM), true), "{report:?}");
    });
}

#[test]
fn what_a_process_says_when_it_is_asked_to_end_still_gets_through() {
    isolated(|| {
        let run = |time| {
            let line = role("term-exit").arg("0") | upper();
            without_input(line).timeout(time).output().expect_err("it hangs")
        };
        let (error, _) = timed_out(run, |error| error.output().is_some_and(|output| output.stdout == "READY\nBYE\n"));
        assert_eq!(error.kind(), ErrorKind::Timeout);
    });
}

#[test]
fn a_run_is_not_over_before_its_closures_are_and_then_nothing_of_them_is_open() {
    isolated(|| {
        for _ in 0..count(50, 2000) {
            let before = open_fds();
            let done = Arc::new(AtomicBool::new(false));
            let told = Arc::clone(&done);
            let line = role("echo").arg("x")
                | Stage::from_fn_once(move |input, output| {
                    io::copy(input, output)?;
                    told.store(true, SeqCst);
                    Ok(())
                })
                | copy();
            line.read().expect("it runs");
            assert!(done.load(SeqCst));
            assert_no_new_fd(&before);
            progress();
        }
    });
}

#[test]
fn shutdown_and_terminate_end_a_run_with_closures() {
    isolated(|| {
        let line = || without_input(role("hang") | copy() | role("cat")).stdout(Redirect::null());
        let job = line().spawn().expect("it starts");
        job.terminate().expect("it is there");
        // The first dies of it, and the rest of the ends that come.
        within(SLACK, || job.wait()).expect("a status");
        for line in [line(), yes() | role("cat").stdout(Redirect::null()), yes() | copy().pipe(role("ignore-term"))] {
            let job = line.stdout(Redirect::null()).spawn().expect("it starts");
            let report = job.shutdown(Duration::from_millis(100)).expect("it can be ended");
            assert!(report.survivors.is_empty());
            within(2 * SLACK, || job.wait()).expect("a status");
            assert_childless();
        }
    });
}

#[test]
fn a_shutdown_lets_closures_have_what_the_processes_said_last() {
    isolated(|| {
        for _ in 0..count(20, 500) {
            let line = role("term-exit").arg("0") | copy() | copy();
            let job = without_input(line).stdout(Redirect::piped()).spawn().expect("it starts");
            let mut stdout = job.take_stdout().expect("piped");
            assert_eq!(read_line(&mut stdout), "ready");
            job.shutdown(NO_GRACE_NEEDED).expect("it can be ended");
            assert_eq!(read_line(&mut stdout), "bye");
            assert!(job.wait().expect("a status").success());
            progress();
        }
    });
}
