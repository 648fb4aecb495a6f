//! The caller's code that never comes back: it delays no deadline, no drop, and no other run.

use crate::prelude::*;
use crate::time::DROPPED_WITHIN;

/// Code of the caller's that sits in a read until the other end is dropped; a drop of the test's stack frees it.
struct Stuck(pipe::PipeReader);

impl Stuck {
    fn new() -> (Stuck, pipe::PipeWriter) {
        let (reader, writer) = pipe::kernel().expect("a pipe");
        (Stuck(reader), writer)
    }

    fn sit(&mut self) {
        assert_eq!(self.0.read(&mut [0]).expect("it is freed in the end"), 0);
    }
}

impl Read for Stuck {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        self.sit();
        Ok(0)
    }
}

impl Write for Stuck {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.sit();
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Commands whose end waits for stuck code, and what frees it.
fn stuck() -> Vec<(Cmd, pipe::PipeWriter)> {
    let fed = {
        let (stuck, free) = Stuck::new();
        (cmd!(fixture(), "cat").stdin(Redirect::from_reader(stuck)), free)
    };
    let drained = {
        let (stuck, free) = Stuck::new();
        (cmd!(fixture(), "yes").stdout(Redirect::to_writer(stuck)), free)
    };
    let teed = {
        let (stuck, free) = Stuck::new();
        let tee = Redirect::tee([Redirect::null(), Redirect::to_writer(stuck)]);
        (cmd!(fixture(), "lines", "100000").stdout(tee), free)
    };
    vec![fed, drained, teed]
}

#[test]
fn a_deadline_does_not_wait_for_a_reader_or_a_writer() {
    isolated(|| {
        const TIMEOUT: Duration = Duration::from_millis(100);
        const GRACE: Duration = Duration::from_millis(50);
        let short = |cmd: Cmd| cmd.timeout(TIMEOUT).grace(GRACE);
        for verb in 0..3 {
            for (cmd, free) in stuck() {
                let cmd = short(cmd);
                let result = within(TIMEOUT + GRACE + SLACK, || match verb {
                    0 => cmd.run().map(drop),
                    1 => cmd.output().map(drop),
                    _ => cmd.spawn().and_then(|job| job.wait()).map(drop),
                });
                let error = result.expect_err("it cannot end by itself");
                assert_eq!(error.kind(), ErrorKind::Timeout, "{error:?}");
                assert_childless();
                drop(free);
            }
        }
    });
}

#[test]
fn a_drop_does_not_wait_for_the_callers_code() {
    isolated(|| {
        let begun: Vec<_> = stuck().into_iter().map(|(cmd, free)| (cmd.spawn().expect("it starts"), free)).collect();
        for (job, free) in begun {
            within(DROPPED_WITHIN, || drop(job));
            drop(free);
        }
    });
}

#[test]
fn a_stuck_callback_holds_up_no_other_run() {
    isolated(|| {
        let (mut stuck, free) = Stuck::new();
        let each = move |_: &[u8]| stuck.sit();
        let job = cmd!(fixture(), "echo", "x").stdout(Redirect::each_line(each)).spawn().expect("it starts");
        assert_eq!(cmd!(fixture(), "echo", "y").read().expect("it runs"), "y");
        assert!(job.try_wait().expect("no failure").is_none());
        drop(free);
        assert!(job.wait().expect("it ends").success());
    });
}

#[test]
fn a_jobs_callback_never_runs_on_a_thread_that_waits() {
    isolated(|| {
        let here = std::thread::current().id();
        for _ in 0..count(100, 5000) {
            let each = move |_: &[u8]| assert_ne!(std::thread::current().id(), here);
            let job = cmd!(fixture(), "echo", "x").stdout(Redirect::each_line(each)).spawn().expect("it starts");
            // At once, and again: before the job's own thread is there, and beside it.
            while job.try_wait().expect("the callback did not fail").is_none() {
                std::thread::yield_now();
            }
        }
    });
}

#[test]
fn a_callback_may_run_commands_itself() {
    isolated(|| {
        let mut answers = Vec::new();
        let each = |line: &[u8]| {
            let line = String::from_utf8_lossy(line).into_owned();
            cmd!(fixture(), "upper").stdin(Redirect::bytes(line)).read().map(|answer| answers.push(answer))
        };
        cmd!(fixture(), "say", "1", "a\nb\n").for_each_line(each).expect("all run");
        assert_eq!(answers, ["A", "B"]);
    });
}

#[test]
fn one_builder_serves_many_threads_at_once() {
    isolated(|| {
        let input: Vec<u8> = (0..=255).cycle().take(300_000).collect();
        let cmd = cmd!(fixture(), "fill-stderr", "100000").stdin(Redirect::bytes(input.clone()));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..count(5, 200) {
                        let output = cmd.output().expect("it runs");
                        assert!(output.stdout == input && output.stderr.len() == 100_000);
                        progress();
                    }
                });
            }
        });
    });
}
