//! One thread, many runs: a third way to drive them, beside the blocking verb and the job's own thread. Nothing but the pump's own
//! questions and answers is used, so a pool or a reactor can do the same.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::conclude::Ended;
use super::launch::{Drive, Wants, start};
use super::started::Run;
use crate::cmd::Cmd;
use crate::outcome::ErrorKind;
use crate::pipeline::Pipeline;
use crate::plan::{Verb, lower};
use crate::redirect::Redirect;
use crate::sys::poll::PollSet;

fn run(pipeline: impl Into<Pipeline>) -> Run {
    let plan = lower(&pipeline.into().spec, Verb::Output).unwrap();
    start(Arc::new(plan), Drive::ByJob, Wants::default()).unwrap()
}

/// Drives all of them to their ends on this thread; what each left, in order.
fn drive_all(mut runs: Vec<Run>) -> Vec<Ended> {
    let mut set = PollSet::default();
    while runs.iter().any(|run| !run.pump.done()) {
        set.clear();
        let mut tokens = Vec::new();
        let mut deadline = crate::clock::Deadline::NEVER;
        for (index, run) in runs.iter().enumerate().filter(|(_, run)| !run.pump.done()) {
            deadline = deadline.earlier(run.pump.deadline());
            run.pump.interests(|fd, interest, token| {
                set.push(fd, interest);
                tokens.push((index, token));
            });
        }
        set.wait(deadline).unwrap();
        for (place, (index, token)) in tokens.into_iter().enumerate() {
            if set.ready(place) {
                runs[index].pump.ready(token, &mut None);
            }
        }
        for run in &mut runs {
            if run.pump.deadline().passed() {
                run.pump.time_is_up();
            }
        }
    }
    runs.into_iter().map(Run::conclude).collect()
}

#[test]
fn a_hundred_runs_are_driven_by_one_thread() {
    // More than a pipe takes, so that feeding and draining take turns, and each its own; less than makes a pipe a busy one, and
    // no pipe grown at birth: other tests of this process have the budget for themselves.
    let text = |index: usize| format!("{index:03} ").repeat(25_000);
    let cat = |index: usize| Cmd::new("/bin/cat").stdin(Redirect::bytes(text(index)));
    let both = |index: usize| (cat(index) | Cmd::new("/bin/cat")).pipe_capacity(64 * 1024);
    let runs = (0..100).map(|index| if index % 2 == 0 { run(cat(index)) } else { run(both(index)) });
    let ended = drive_all(runs.collect());
    assert_eq!(ended.len(), 100);
    for (index, ended) in ended.into_iter().enumerate() {
        let output = ended.unwrap().output;
        assert!(output.status.success());
        assert!(output.stdout == text(index), "run {index} lost or mixed up something");
        assert_eq!(output.stages.len(), 1 + index % 2);
        assert_eq!(output.stdin_taken, Some(text(index).len() as u64));
    }
}

#[test]
fn each_run_keeps_its_own_time() {
    // These read from a pipe that nobody writes to, until they are ended.
    let (reader, writer) = os_pipe::pipe().unwrap();
    let reader = Arc::new(std::os::fd::OwnedFd::from(reader));
    let hang = || Cmd::new("/bin/cat").stdin(Redirect::shared_fd(Arc::clone(&reader)));
    let began = Instant::now();
    let runs = (0..20u64).map(|index| match index % 2 {
        0 => run(hang().timeout(Duration::from_millis(300 + 5 * index))),
        _ => run(Cmd::new("/bin/echo").arg("well")),
    });
    for (index, ended) in drive_all(runs.collect()).into_iter().enumerate() {
        match (index % 2, ended) {
            (0, Err(fault)) => assert_eq!(fault.into_bare_error().kind(), ErrorKind::Timeout),
            (1, Ok(over)) => assert_eq!(over.output.stdout, "well\n"),
            (_, other) => panic!("run {index}: {other:?}"),
        }
    }
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    drop(writer);
}

#[test]
fn runs_that_are_let_go_of_halfway_are_ended() {
    let mut runs: Vec<Run> =
        (0..20).map(|_| run(Cmd::new("/bin/cat").stdin(Redirect::bytes(vec![b'x'; 100_000])))).collect();
    for run in &mut runs {
        let mut tokens = Vec::new();
        run.pump.interests(|_, _, token| tokens.push(token));
        // Readiness that is not there does no harm.
        tokens.into_iter().for_each(|token| run.pump.ready(token, &mut None));
    }
    let processes: Vec<_> = runs.iter().flat_map(|run| run.processes.clone()).collect();
    drop(runs);
    // On a busy machine one may outlive its drop by a moment, and is the reaper's then.
    let began = Instant::now();
    for process in processes {
        while process.try_wait().unwrap().is_none() {
            assert!(began.elapsed() < Duration::from_secs(5), "it was not reaped");
        }
    }
}
