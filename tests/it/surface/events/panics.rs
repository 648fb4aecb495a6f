//! A callback for events that panics, at each event and under each verb: the run is ended, and the panic is the caller's.

use std::panic::panic_any;
use std::sync::atomic::AtomicU32;
use std::sync::{OnceLock, Weak};

use pipewright::{CancelHandle, Event};

use crate::prelude::*;

/// What the callback panics with.
#[derive(Debug, PartialEq)]
struct Mine;

const PATIENCE: Duration = Duration::from_secs(10);

/// An event, and a run in which it happens.
type Case = (&'static str, fn() -> Pipeline);

fn is(kind: &EventKind, name: &str) -> bool {
    format!("{kind:?}").starts_with(name)
}

/// Two stages of which the second waits for ever. Neither writes to stdout.
fn endless(first: pipewright::Cmd) -> Pipeline {
    (first | role("sleep").arg("50000")).timeout(Duration::from_secs(40))
}

const CASES: [Case; 7] = [
    ("Started", || endless(role("sleep").arg("50000"))),
    ("Line", || endless(role("say").args(["2", "a line\n"])).stderr(Redirect::capture())),
    ("Exited", || endless(role("exit").arg("0"))),
    ("Stopped", || endless(role("stop-self"))),
    ("Killed", || endless(role("sleep").arg("50000")).timeout(Duration::from_millis(500))),
    ("Leaked", || {
        let hold = role("exit").arg("0") | role("fork-and-hold").arg("30000");
        hold.stderr(Redirect::capture()).on_leak(OnLeak::Kill).timeout(Duration::from_secs(40))
    }),
    ("Finished", || role("exit").arg("0") | role("exit").arg("0")),
];

/// A verb; what it returns does not matter where the callback panics on this thread.
type Verb = (&'static str, fn(&Pipeline) -> Result<(), Error>);

/// Those that see to the run on the thread that calls them.
const BLOCKING: [Verb; 7] = [
    ("run", |it| it.run().map(drop)),
    ("status", |it| it.status().map(drop)),
    ("output", |it| it.output().map(drop)),
    ("output_into", |it| it.output_into(&mut Vec::new()).map(drop)),
    ("read", |it| it.read().map(drop)),
    ("for_each_line", |it| it.for_each_line(|_| ()).map(drop)),
    ("scoped", |it| it.clone().scoped(|it| it.tap(|_| ()).run()).map(drop)),
];

/// Those behind which a thread of the library sees to it, and which tell of its end later.
const LATER: [Verb; 3] = [
    ("lines", |it| it.lines()?.try_for_each(|line| line.map(drop))),
    ("reader", |it| {
        let read = std::io::read_to_string(it.reader()?);
        read.map(drop).map_err(|error| *error.into_inner().expect("the run's").downcast().expect("the run's"))
    }),
    ("spawn", |it| {
        let job = it.spawn()?;
        let first = job.wait().map(drop);
        assert_eq!(first.as_ref().err().map(Error::kind), job.wait().err().map(|error| error.kind()), "once more");
        first
    }),
];

/// The run, with a callback that panics at such an event and is not called again.
fn watched(case: Case) -> (Pipeline, Arc<AtomicU32>) {
    let (name, pipeline) = case;
    let (calls, stopped) = (Arc::new(AtomicU32::new(0)), AtomicBool::new(false));
    let count = Arc::clone(&calls);
    let pipeline = pipeline().on_event(move |Event { kind, .. }| {
        assert!(!stopped.load(SeqCst), "called after its panic: {kind:?}");
        if is(kind, name) {
            count.fetch_add(1, SeqCst);
            stopped.store(true, SeqCst);
            panic_any(Mine);
        }
    });
    (pipeline, calls)
}

#[test]
fn a_blocking_verb_ends_the_run_and_panics_on_at_every_event() {
    isolated(|| {
        for case in CASES {
            for (verb, run) in BLOCKING {
                progress();
                // The closure behind it waits for the end of what is held.
                if (case.0, verb) == ("Leaked", "scoped") {
                    continue;
                }
                let (pipeline, calls) = watched(case);
                let result = within(PATIENCE, || catch_unwind(AssertUnwindSafe(|| run(&pipeline))));
                let panic = result.map(|result| format!("{result:?}")).expect_err(&format!("{verb} at {}", case.0));
                assert_eq!(panic.downcast_ref(), Some(&Mine), "{verb} at {}", case.0);
                assert_eq!(calls.load(SeqCst), 1, "{verb} at {}", case.0);
                assert_childless();
            }
        }
    });
}

#[test]
fn a_run_with_a_thread_is_ended_and_every_wait_says_so_at_every_event() {
    isolated(|| {
        for case in CASES {
            for (verb, run) in LATER {
                progress();
                let (pipeline, calls) = watched(case);
                // So that there is a thread, for those that would be driven by the last read.
                let pipeline = if case.0 == "Finished" { pipeline.timeout(Duration::from_secs(40)) } else { pipeline };
                let result = within(PATIENCE, || catch_unwind(AssertUnwindSafe(|| run(&pipeline))));
                match (case.0, result) {
                    // On the thread that starts it.
                    ("Started", Err(panic)) => assert_eq!(panic.downcast_ref(), Some(&Mine), "{verb}"),
                    (event, Ok(result)) => {
                        let error = result.expect_err(&format!("{verb} at {event}"));
                        assert_eq!(error.kind(), ErrorKind::Panic, "{verb} at {event}: {error}");
                    }
                    (event, Err(_)) => panic!("{verb} at {event} panicked"),
                }
                assert_eq!(calls.load(SeqCst), 1, "{verb} at {}", case.0);
                assert_childless();
            }
        }
    });
}

#[test]
fn a_signal_by_the_handle_ends_the_run_though_a_callback_panics_at_it() {
    isolated(|| {
        type Act = fn(&Job);
        let acts: [(&str, Act); 3] = [
            ("kill", |job| drop(job.kill())),
            ("terminate", |job| drop(job.terminate())),
            ("shutdown", |job| drop(job.shutdown(Duration::from_secs(30)))),
        ];
        // No thread drives it, its own does, and one that waits does.
        for driver in ["none", "thread", "waiter"] {
            for (name, act) in acts {
                progress();
                let (pipeline, calls) = watched(("Killed", || role("ignore-term").stdout(Redirect::null()).into()));
                let pipeline = if driver == "thread" { pipeline.timeout(Duration::from_secs(40)) } else { pipeline };
                let job = pipeline.spawn().expect("it starts");
                std::thread::scope(|scope| {
                    let waiter = (driver == "waiter").then(|| scope.spawn(|| job.wait().map(drop)));
                    let panic = within(PATIENCE, || catch_unwind(AssertUnwindSafe(|| act(&job))))
                        .expect_err(&format!("{name} with {driver}"));
                    assert_eq!(panic.downcast_ref(), Some(&Mine), "{name} with {driver}");
                    let result = within(PATIENCE, || job.wait());
                    if let Ok(status) = result {
                        assert_eq!(status.signal(), Some(libc::SIGKILL), "{name} with {driver}");
                    }
                    waiter.into_iter().for_each(|waiter| drop(waiter.join().expect("no panic")));
                });
                assert_childless();
                assert_eq!(calls.load(SeqCst), 1, "{name} with {driver}");
            }
        }
    });
}

#[test]
fn a_panic_while_a_job_is_dropped_leaves_nothing_and_goes_on() {
    isolated(|| {
        let (pipeline, calls) = watched(("Exited", || {
            role("sleep").arg("50000") | role("sleep").arg("50000") | role("sleep").arg("50000")
        }));
        let job = pipeline.spawn().expect("it starts");
        let processes = job.processes().to_vec();
        let panic = within(PATIENCE, || catch_unwind(AssertUnwindSafe(|| drop(job)))).expect_err("it panicked");
        assert_eq!((panic.downcast_ref(), calls.load(SeqCst)), (Some(&Mine), 1));
        // All of them, not only those that had been looked at by then.
        assert_no_child();
        drop(processes);
    });
}

#[test]
fn a_reader_that_cannot_be_made_ends_what_was_started() {
    isolated(|| {
        let reader = || -> std::io::Empty { panic_any(Mine) };
        for with_closure in [false, true] {
            let sleep = role("sleep").arg("50000").stdin(Redirect::reader_with(reader));
            let pipeline = Pipeline::from(sleep);
            let pipeline = if with_closure { pipeline.map_lines(str::to_owned) } else { pipeline };
            let panic =
                within(PATIENCE, || catch_unwind(AssertUnwindSafe(|| pipeline.run()))).expect_err("it panicked");
            assert_eq!(panic.downcast_ref(), Some(&Mine));
            assert_no_child();
        }
    });
}

/// Panics when it is dropped, as a writer may whose last bytes find no room.
struct Brittle;

impl Drop for Brittle {
    fn drop(&mut self) {
        panic!("the destructor's own");
    }
}

impl std::io::Read for Brittle {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        Ok(0)
    }
}

impl std::io::Write for Brittle {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_destructor_that_panics_is_the_runs_error() {
    isolated(|| {
        let echo = || role("echo").arg("text");
        let runs = [
            role("cat").stdin(Redirect::from_reader(Brittle)),
            echo().stdout(Redirect::to_writer(Brittle)),
            echo().stdout(Redirect::tee([Redirect::to_writer(Brittle), Redirect::capture()])),
        ];
        for (index, run) in runs.into_iter().enumerate() {
            let error = within(PATIENCE, || run.run()).expect_err("the writer is broken");
            assert_eq!(error.kind(), ErrorKind::Panic, "{index}: {error}");
            assert!(error.to_string().contains("the destructor's own"), "{index}: {error}");
            assert_childless();
        }
        let brittle = Brittle;
        let closure = Pipeline::from(echo()).pipe(Stage::from_fn_once(move |input, _| {
            let _brittle = &brittle;
            std::io::copy(input, &mut std::io::sink())?;
            Ok(())
        }));
        let error = within(PATIENCE, || closure.run()).expect_err("the closure is broken");
        assert_eq!(error.kind(), ErrorKind::Panic, "{error}");
    });
}

#[test]
fn a_callback_may_end_its_own_run_at_every_event() {
    isolated(|| {
        for case in CASES {
            progress();
            let slot: Arc<OnceLock<Weak<Job>>> = Arc::default();
            let cancel: Arc<OnceLock<CancelHandle>> = Arc::default();
            let (job, handle) = (Arc::clone(&slot), Arc::clone(&cancel));
            let pipeline = case.1().on_event(move |event| {
                if is(&event.kind, case.0) {
                    handle.get().into_iter().for_each(CancelHandle::cancel);
                    job.get().and_then(Weak::upgrade).into_iter().for_each(|job| {
                        // An event itself, to which the callback says nothing more.
                        if case.0 != "Killed" {
                            drop(job.kill());
                        }
                    });
                }
            });
            assert!(cancel.set(pipeline.cancel_handle()).is_ok());
            let spawned = Arc::new(pipeline.spawn().expect("it starts"));
            assert!(slot.set(Arc::downgrade(&spawned)).is_ok());
            drop(within(PATIENCE, || spawned.wait()));
            drop(spawned);
            assert_childless();
        }
    });
}

#[test]
fn a_callback_may_drop_the_job_of_its_event() {
    isolated(|| {
        let slot: Arc<Mutex<Option<Job>>> = Arc::default();
        let job = Arc::clone(&slot);
        let dropped = Arc::new(AtomicBool::new(false));
        let done = Arc::clone(&dropped);
        let endless = endless(role("say").args(["2", "a line\n"]).stdin(Redirect::piped()));
        let pipeline = endless.stderr(Redirect::capture()).on_event(move |event| {
            if let EventKind::Line { .. } = event.kind {
                let job = loop {
                    // It may not be there yet.
                    if let Some(job) = job.lock().unwrap().take() {
                        break job;
                    }
                    std::thread::yield_now();
                };
                drop(job);
                done.store(true, SeqCst);
            }
        });
        let spawned = pipeline.spawn().expect("it starts");
        let events = spawned.events();
        *slot.lock().unwrap() = Some(spawned);
        within(PATIENCE, || events.count());
        assert!(dropped.load(SeqCst));
        assert_childless();
    });
}
