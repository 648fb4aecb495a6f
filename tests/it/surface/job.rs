//! The live run: how threads wait for it, and what its methods promise.

mod deadlock;
mod detach;
mod ends;
mod streams;

use crate::prelude::*;

/// A cat that ends when its stdin does; one without a thread of its own, and one with.
fn cats() -> [(&'static str, Job); 2] {
    let cat = role("cat").stdin(Redirect::piped());
    let driven = cat.clone().stdout(Redirect::capture()).timeout(Duration::from_secs(60));
    [("undriven", cat.stdout(Redirect::null()).spawn().unwrap()), ("driven", driven.spawn().unwrap())]
}

type Wait = fn(&Job) -> pipewright::Result<Option<Status>>;

/// The ways to wait for the end, however long it takes.
const WAITS: [Wait; 5] = [
    |job| job.wait().map(Some),
    |job| job.wait_timeout(Duration::MAX),
    |job| job.wait_timeout(Duration::from_secs(3600)),
    |job| job.wait_deadline(Instant::now() + Duration::from_secs(3600)),
    |job| {
        loop {
            if let Some(status) = job.try_wait()? {
                return Ok(Some(status));
            }
            std::thread::yield_now();
        }
    },
];

#[test]
fn any_number_of_threads_may_wait_and_all_hear_the_same() {
    isolated(|| {
        for _ in 0..count(8, 500) {
            for (name, job) in cats() {
                let stdin = job.take_stdin().expect("piped");
                std::thread::scope(|scope| {
                    let waiters: Vec<_> = WAITS.iter().chain(&WAITS).map(|wait| scope.spawn(|| wait(&job))).collect();
                    let process = job.processes()[0].clone();
                    let on_process = scope.spawn(move || process.wait());
                    drop(stdin);
                    for waiter in waiters {
                        let status = waiter.join().unwrap().expect(name).expect("long enough");
                        assert!(status.success(), "{name}: {status}");
                    }
                    assert!(on_process.join().unwrap().expect("ours").success());
                });
                for wait in WAITS {
                    assert_eq!(wait(&job).expect(name).map(|status| status.code()), Some(Some(0)), "{name}");
                }
                assert_eq!(job.output().expect(name).status.code(), Some(0));
            }
            progress();
        }
    });
}

#[test]
fn a_wait_that_runs_out_ends_nothing() {
    isolated(|| {
        for (name, job) in cats() {
            let mut stdin = job.take_stdin().expect("piped");
            let short = Duration::from_millis(5);
            for _ in 0..3 {
                assert_eq!(within(SLACK, || job.wait_timeout(short)).expect(name), None, "{name}");
                assert_eq!(within(SLACK, || job.wait_deadline(Instant::now() + short)).expect(name), None, "{name}");
                assert_eq!(job.wait_deadline(Instant::now() - short).expect(name), None, "{name}");
                assert_eq!(job.wait_timeout(Duration::ZERO).expect(name), None, "{name}");
                assert_eq!(job.try_wait().expect(name), None, "{name}");
                assert_eq!(job.processes()[0].wait_timeout(short).expect(name), None, "{name}");
                assert_eq!(job.processes()[0].try_wait().expect(name), None, "{name}");
            }
            stdin.write_all(b"still here").expect("it reads");
            drop(stdin);
            let output = job.output().expect(name);
            if name == "driven" {
                assert_eq!(output.stdout, "still here");
            } else {
                assert!(!output.stdout.is_captured());
            }
        }
    });
}

/// A waiter's deadline is its own.
#[test]
fn a_waiter_that_leaves_hands_over_to_the_next() {
    isolated(|| {
        for _ in 0..count(10, 300) {
            let (_, job) = cats().into_iter().next().expect("the undriven one");
            let stdin = job.take_stdin().expect("piped");
            let left = AtomicBool::new(false);
            std::thread::scope(|scope| {
                let patient = scope.spawn(|| job.wait());
                while !left.load(SeqCst) {
                    let hasty: Vec<_> =
                        (1..4).map(|ms| (ms, scope.spawn(|| job.wait_timeout(Duration::from_millis(2))))).collect();
                    for (_, hasty) in hasty {
                        assert_eq!(hasty.join().unwrap().expect("it runs"), None);
                    }
                    left.store(true, SeqCst);
                }
                drop(stdin);
                assert!(patient.join().unwrap().expect("it ends").success());
            });
        }
    });
}

#[test]
fn one_thread_waits_while_another_kills() {
    isolated(|| {
        for driven in [false, true] {
            let mut hang = role("hang").stdin(Redirect::null()).stdout(Redirect::piped());
            if driven {
                hang = hang.timeout(Duration::from_secs(60));
            }
            let job = hang.spawn().expect("it starts");
            let stdout = job.take_stdout().expect("piped");
            std::thread::scope(|scope| {
                let waiters: Vec<_> = WAITS.iter().map(|wait| scope.spawn(|| wait(&job))).collect();
                assert_eq!(read_line(stdout), "ready");
                job.kill().expect("nothing refuses");
                for waiter in waiters {
                    assert_eq!(waiter.join().unwrap().expect("a status").and_then(|status| status.signal()), Some(9));
                }
            });
        }
    });
}

#[test]
fn a_process_is_waited_for_and_ended_from_another_thread() {
    isolated(|| {
        let job =
            (role("hang").stdin(Redirect::null()) | role("cat")).stdout(Redirect::piped()).spawn().expect("starts");
        let stdout = job.take_stdout().expect("piped");
        assert_eq!(read_line(stdout), "ready");
        let pids = job.pids();
        let processes = job.processes().to_vec();
        assert_eq!(processes.iter().map(|process| process.pid()).collect::<Vec<_>>(), pids);
        let [first, last] = processes.try_into().expect("two");
        assert!(first.usage().is_none() && first.wall().is_none(), "it runs");
        let ended = std::thread::spawn(move || {
            first.terminate().expect("it is there");
            (first.wait().expect("ours").signal(), first)
        });
        let (signal, first) = ended.join().unwrap();
        assert_eq!(signal, Some(libc::SIGTERM));
        assert!(last.wait().expect("ours").success());
        assert_eq!(job.wait().expect("a status").signal(), Some(libc::SIGTERM));
        drop(job);
        // It outlives its job, and still knows.
        assert_eq!(first.wait().expect("ours").signal(), Some(libc::SIGTERM));
        assert_eq!(first.pid(), pids[0]);
        assert!(first.usage().is_some() && first.wall().is_some());
    });
}

#[test]
fn usage_and_wall_time_are_kept_for_each_stage() {
    isolated(|| {
        let work =
            (role("blocks").arg("20000000") | role("check-blocks") | role("cat")).output().expect("it ends well");
        assert_eq!(work.stages.len(), 3);
        for stage in &work.stages {
            let usage = stage.usage.expect("ours");
            assert!(usage.max_rss > 100_000, "bytes, not KiB: {usage:?}");
            assert!(usage.minor_faults > 0 && stage.wall > Duration::ZERO, "{stage:?}");
            assert!(usage.cpu_time() <= stage.wall * 3, "{stage:?}");
        }
        let sleep = role("sleep").arg("30").output().expect("it ends well");
        assert!(sleep.stages[0].wall >= Duration::from_millis(30), "{sleep:?}");
        let error = (role("exit").arg("3") | role("cat")).run().expect_err("it fails");
        assert!(error.output().expect("there is one").stages.iter().all(|stage| stage.usage.is_some()));
    });
}

#[test]
fn all_there_is_goes_to_other_threads() {
    fn anywhere<T: Send + Sync + 'static>() {}
    fn cloned<T: Send + Sync + Clone + 'static>() {}
    cloned::<pipewright::Cmd>();
    cloned::<pipewright::Pipeline>();
    cloned::<pipewright::Process>();
    cloned::<pipewright::Error>();
    cloned::<pipewright::Output>();
    cloned::<pipewright::StageReport>();
    cloned::<pipewright::Plan>();
    cloned::<pipewright::CancelHandle>();
    cloned::<pipewright::KillReport>();
    cloned::<pipewright::Status>();
    cloned::<pipewright::Usage>();
    cloned::<pipewright::Captured>();
    cloned::<Redirect<pipewright::In>>();
    cloned::<Redirect<pipewright::Out>>();
    anywhere::<Job>();
    anywhere::<pipewright::Reader>();
    anywhere::<pipewright::Lines>();
    anywhere::<pipewright::LinesBytes>();
    anywhere::<pipewright::pipe::PipeReader>();
    anywhere::<pipewright::pipe::PipeWriter>();
    isolated(|| {
        let job = std::thread::spawn(|| cmd!(fixture(), "exit", "4").spawn()).join().unwrap().expect("it starts");
        assert_eq!(std::thread::spawn(move || job.wait()).join().unwrap().expect("a status").code(), Some(4));
    });
}
