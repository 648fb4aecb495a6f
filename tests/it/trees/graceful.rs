//! A graceful end leaves the clean-up alone that it asks for, and comes back when nothing of the run is left.

use std::sync::atomic::Ordering::Relaxed;

use pipewright::forward;

use crate::prelude::*;
use crate::trees::cgroups::{Cgroup, containments};

/// Longer than any clean-up here takes.
const LONG: Duration = Duration::from_secs(60);

/// Ends with 7 when its clean-up came to its end, and with 9 when that was killed.
const CLEANS_UP: &str = "trap 'sleep 0.1 || exit 9; exit 7' TERM INT; echo up; sleep 60 & wait";

/// The ways to end a run by a first signal.
const ENDS: [&str; 6] = ["shutdown", "shutdown_with", "terminate", "timeout", "cancel", "forward"];

/// A busy loop on every CPU, in a full run.
struct Busy(Arc<AtomicBool>, Vec<std::thread::JoinHandle<()>>);

impl Busy {
    fn new() -> Busy {
        let over = Arc::new(AtomicBool::new(false));
        let cpus = count(0, std::thread::available_parallelism().map_or(2, usize::from));
        let spin = |over: Arc<AtomicBool>| std::thread::spawn(move || while !over.load(Relaxed) {});
        let threads = (0..cpus).map(|_| spin(Arc::clone(&over))).collect();
        Busy(over, threads)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
        self.1.drain(..).for_each(|thread| thread.join().expect("it spins"));
    }
}

/// None, and each kind of containment that there is here.
fn none_and_containments(cgroup: Option<&Cgroup>) -> Vec<Option<Containment>> {
    std::iter::once(None).chain(containments(cgroup).into_iter().map(Some)).collect()
}

fn contained(cmd: Cmd, how: Option<&Containment>) -> Cmd {
    how.into_iter().fold(cmd, |cmd, how| cmd.contain(how.clone()))
}

/// Starts it, and returns when it has said "up".
fn up(cmd: &Cmd) -> Job {
    let job = cmd.spawn().expect("it starts");
    let line = job.events().find_map(|event| match event.kind {
        EventKind::Line { line, .. } => Some(line),
        _ => None,
    });
    assert_eq!(line.as_deref(), Some(&b"up"[..]));
    job
}

fn code_of(error: &Error) -> Option<i32> {
    error.output().and_then(|output| output.stages[0].status.code())
}

/// Runs a shell that says "up", ends it in this way, with so much grace, and returns the code that it left.
fn ended(cmd: Cmd, end: &str, grace: Duration) -> Option<i32> {
    let cmd = cmd.stdin(Redirect::null()).stdout(Redirect::capture()).stderr(Redirect::null()).grace(grace);
    match end {
        "shutdown" | "shutdown_with" => {
            let job = up(&cmd);
            let report = match end {
                "shutdown" => job.shutdown(grace),
                _ => job.shutdown_with([(libc::SIGTERM, grace), (libc::SIGINT, grace)]),
            };
            assert_eq!(report.expect("a report").survivors, []);
            job.wait().expect("a status").code()
        }
        "terminate" => {
            let job = up(&cmd);
            job.terminate().expect("it is there");
            job.wait().expect("a status").code()
        }
        "timeout" => {
            let said = |error: &Error| error.output().is_some_and(|output| output.stdout_lossy().starts_with("up"));
            code_of(&timed_out(|time| cmd.clone().timeout(time).output().expect_err("it waits"), said).0)
        }
        "cancel" => {
            let handle = cmd.cancel_handle();
            let job = up(&cmd);
            handle.cancel();
            code_of(&job.wait().expect_err("it was cancelled"))
        }
        _ => {
            let _forwarding = forward::signals().expect("it is installed").keep_running(true);
            let job = up(&cmd.forward_signals(true));
            kill(Pid::this(), Signal::SIGTERM).expect("this process is there");
            code_of(&job.wait().expect_err("it was interrupted"))
        }
    }
}

#[test]
fn a_clean_up_that_answers_the_first_signal_is_not_killed() {
    isolated(|| {
        let cgroup = Cgroup::new();
        let busy = Busy::new();
        for containment in none_and_containments(cgroup.as_ref()) {
            for end in ENDS {
                for round in 0..count(2, 200) {
                    let code = ended(contained(Cmd::sh(CLEANS_UP), containment.as_ref()), end, LONG);
                    assert_eq!(code, Some(7), "{end}, {containment:?}, round {round}");
                    progress();
                }
            }
        }
        drop(busy);
    });
}

/// Seconds to sleep that no other test's sleeper has, as text.
fn own_time(end: &str) -> String {
    format!("61.{}{}", std::process::id(), ENDS.iter().position(|it| *it == end).unwrap_or(ENDS.len()))
}

/// The processes that sleep for so long.
fn sleepers(time: &str) -> Vec<i32> {
    let wanted = format!("sleep\0{time}\0");
    let numbers = std::fs::read_dir("/proc").expect("there is one").flatten();
    let numbers = numbers.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let sleeps = |pid: &i32| {
        let is_there = process_state(*pid).is_some_and(|state| state != 'Z');
        is_there && std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line == wanted.as_bytes())
    };
    numbers.filter(sleeps).collect()
}

/// Ends what is left, after saying how many that is.
fn left(time: &str) -> usize {
    let left = sleepers(time);
    for pid in &left {
        let _ = kill(Pid::from_raw(*pid), Signal::SIGKILL);
    }
    left.len()
}

#[test]
fn what_is_started_in_answer_and_left_behind_ends_with_the_run() {
    if !cfg!(target_os = "linux") {
        return skip("it takes a look at the holders of a pipe");
    }
    isolated(|| {
        let cgroup = Cgroup::new();
        let busy = Busy::new();
        for containment in none_and_containments(cgroup.as_ref()) {
            // Without a container the stream that it holds shows it; in one it may hold nothing.
            let redirect = containment.as_ref().map_or("", |_| "> /dev/null 2>&1");
            for end in ENDS {
                let time = own_time(end);
                let text =
                    format!("trap 'sleep {time} {redirect} & exit 7' TERM INT; echo up; while :; do sleep 0.02; done");
                // Without a stream that it holds, nothing is waited for by a `wait` that gives no grace.
                if end == "terminate" && containment.is_some() {
                    continue;
                }
                for round in 0..count(2, 200) {
                    let code = ended(contained(Cmd::sh(&text), containment.as_ref()), end, LONG);
                    let left = left(&time);
                    assert_eq!((code, left), (Some(7), 0), "{end}, {containment:?}, round {round}");
                    progress();
                }
            }
        }
        drop(busy);
    });
}

#[test]
fn what_an_ended_process_left_with_a_stream_ends_when_the_run_is_asked_to() {
    if !cfg!(target_os = "linux") {
        return skip("it takes a look at the holders of a pipe");
    }
    isolated(|| {
        let time = own_time("");
        for round in 0..count(5, 100) {
            let cmd = Cmd::sh(format!("sleep {time} & exit 7")).stdin(Redirect::null()).stdout(Redirect::capture());
            let job = cmd.unchecked().spawn().expect("it starts");
            assert!(job.events().any(|event| matches!(event.kind, EventKind::Exited { .. })));
            job.terminate().expect("it has ended");
            assert_eq!((job.wait().expect("a status").code(), left(&time)), (Some(7), 0), "round {round}");
            progress();
        }
    });
}

#[test]
fn what_is_left_behind_and_ignores_the_signal_is_killed_by_the_end_of_the_same_grace() {
    if !cfg!(target_os = "linux") {
        return skip("it takes a look at the holders of a pipe");
    }
    isolated(|| {
        let grace = Duration::from_millis(300);
        for containment in none_and_containments(None) {
            for end in ["shutdown", "timeout", "cancel", "forward"] {
                let time = own_time(end);
                let text =
                    format!("trap 'trap \"\" TERM; sleep {time} & exit 7' TERM; echo up; while :; do sleep 0.02; done");
                let start = Instant::now();
                // On a busy machine the shell itself may take all of the grace.
                ended(contained(Cmd::sh(&text), containment.as_ref()), end, grace);
                assert!(start.elapsed() >= grace, "it had its time");
                assert_eq!(left(&time), 0, "{end}, {containment:?}");
                progress();
            }
        }
    });
}

#[test]
fn what_is_forked_just_after_the_look_ends_with_the_run() {
    isolated(|| {
        let busy = Busy::new();
        let time = own_time("");
        let text = format!("trap 'sleep 0.1; exit 7' TERM; echo up; sleep {time} & wait");
        for round in 0..count(3, 200) {
            let code = ended(Cmd::sh(&text), "shutdown", Duration::from_secs(2));
            assert_eq!((code, left(&time)), (Some(7), 0), "round {round}");
            progress();
        }
        drop(busy);
    });
}
