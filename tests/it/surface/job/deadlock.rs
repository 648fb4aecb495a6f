//! A callback that waits for its own run: the run waits for the callback, so the wait is an error at once.

use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::{Duration, Instant};

use pipewright::{Error, ErrorKind, Event, EventKind, Job, Pipeline, Redirect};

use crate::harness::*;
use crate::support::*;

type Wait = (&'static str, fn(&Job) -> Result<(), Error>);

const WAITS: [Wait; 3] = [
    ("wait", |job| job.wait().map(drop)),
    ("wait_timeout", |job| job.wait_timeout(Duration::from_secs(3600)).map(drop)),
    ("wait_deadline", |job| job.wait_deadline(Instant::now() + Duration::from_secs(3600)).map(drop)),
];

/// The job, for callbacks that are made before it is.
type Own = Arc<OnceLock<Weak<Job>>>;

fn own(job: &Own) -> Arc<Job> {
    loop {
        if let Some(job) = job.get() {
            return job.upgrade().expect("the test holds it");
        }
        std::thread::yield_now();
    }
}

fn start(pipeline: &Pipeline, slot: &Own) -> Arc<Job> {
    let job = Arc::new(pipeline.spawn().expect("it starts"));
    slot.set(Arc::downgrade(&job)).expect("once");
    job
}

/// What a callback sees of its own run: it ends its waits at once, whatever the run's own timeout is.
fn try_all(job: &Job, wait: Wait, said: &Sender<ErrorKind>) {
    assert!(job.try_wait().expect("a look is no wait").is_none(), "{}", wait.0);
    let _ = said.send(wait.1(job).expect_err("it cannot end").kind());
}

#[test]
fn a_callback_for_lines_that_waits_for_its_own_run_gets_an_error() {
    isolated(|| {
        for wait in WAITS {
            let (slot, (said, kinds)) = (Own::default(), channel());
            let (it, said) = (Arc::clone(&slot), Mutex::new(said));
            let talk = role("say").args(["1", "a line\n"]).stdout(Redirect::each_line(move |_| {
                try_all(&own(&it), wait, &said.lock().unwrap());
            }));
            let job = start(&talk.timeout(Duration::from_secs(40)).into(), &slot);
            assert_eq!(kinds.recv(), Ok(ErrorKind::Deadlock), "{}", wait.0);
            assert!(job.wait().expect("the run goes on").success());
        }
    });
}

/// At each event that a callback can wait in: those of the driver, and that of a kill. With a thread of the run's own, and without.
#[test]
fn a_callback_for_events_that_waits_for_its_own_run_gets_an_error() {
    isolated(|| {
        for wait in WAITS {
            for at in ["Exited", "Killed", "Finished"] {
                for threaded in [false, true] {
                    let (slot, (said, kinds)) = (Own::default(), channel());
                    let (it, said) = (Arc::clone(&slot), Mutex::new(said));
                    let asks = move |event: &Event| {
                        if format!("{:?}", event.kind).starts_with(at) {
                            try_all(&own(&it), wait, &said.lock().unwrap());
                        }
                    };
                    let sleep = role("sleep").arg("50000").on_event(asks);
                    let sleep = if threaded { sleep.timeout(Duration::from_secs(40)) } else { sleep };
                    let job = start(&sleep.into(), &slot);
                    job.kill().expect("a report");
                    assert_eq!(job.wait().expect("it goes on").signal(), Some(9), "{at} {threaded}");
                    assert_eq!(kinds.recv(), Ok(ErrorKind::Deadlock), "{} {at} {threaded}", wait.0);
                }
            }
        }
    });
}

/// An iterator has no error: in a callback of its own run it ends after what has happened so far.
#[test]
fn the_events_of_its_own_run_end_in_a_callback() {
    isolated(|| {
        for at in ["Exited", "Finished"] {
            for threaded in [false, true] {
                let (slot, (said, counts)) = (Own::default(), channel());
                let (it, said) = (Arc::clone(&slot), Mutex::new(said));
                let asks = move |event: &Event| {
                    if format!("{:?}", event.kind).starts_with(at) {
                        let kinds = own(&it).events().map(|event| event.kind);
                        let started = kinds.filter(|kind| matches!(kind, EventKind::Started { .. })).count();
                        let _ = said.lock().unwrap().send(started);
                    }
                };
                let exit = role("exit").arg("0").on_event(asks);
                let exit = if threaded { exit.timeout(Duration::from_secs(40)) } else { exit };
                let job = start(&exit.into(), &slot);
                assert!(job.wait().expect("it goes on").success());
                assert_eq!(counts.recv(), Ok(1), "{at} {threaded}");
            }
        }
    });
}
