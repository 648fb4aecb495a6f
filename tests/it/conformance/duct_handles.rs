//! What duct's own suite checks of started runs.
//!
//! | behaviour | test |
//! |---|---|
//! | 3 two handles started together | `two_jobs_at_once_are_captured_apart_and_waited_for_in_any_order` |
//! | 9 kill on a pipeline | `kill_ends_every_stage_and_the_status_says_so` |
//! | 11 wait while another thread kills | `a_waiter_returns_when_another_thread_kills` |
//! | 12 try_wait on a running pipeline | `try_wait_on_a_running_pipeline_is_none` |
//! | 24 a grandchild holds a pipe of an ended child | `a_grandchild_on_a_captured_stderr_…`, `a_grandchild_on_a_fed_stdin_…` |
//! | 25 reader and try_wait | `a_reader_is_waited_for_at_its_end` |
//! | 26 pids | `pids_are_one_for_each_stage` |
//! | 27 Debug text | `debug_is_the_command_line_of_the_whole_tree` |
//! | 28 dropped handles | `dropped_jobs_leave_no_process_and_no_zombie` |
//! | 29 wait_timeout and wait_deadline | `a_wait_that_ran_out_can_be_repeated` |
//! | 30 race soak | `pipelines_beside_long_lived_children_see_their_end` |
//! | 31 send_signal from another thread, to a pipeline | `a_signal_from_another_thread_reaches_every_stage` |
//! | 32 kill after exit; odd arguments | `a_kill_after_the_exit_changes_nothing`; odd arguments: `subprocess_spawn` |

use std::io::Read;
use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use pipewright::{ErrorKind, Job, Redirect};

use crate::harness::*;
use crate::support::{assert_childless, kill_stranger, role, within};

/// Item 3: Two jobs run side by side; each has its own output, in whatever order they are waited for.
#[test]
fn two_jobs_at_once_are_captured_apart_and_waited_for_in_any_order() {
    isolated(|| {
        let start = |role_name| role(role_name).stdin(Redirect::piped()).stdout(Redirect::capture()).spawn().unwrap();
        let (first, second): (Job, Job) = (start("cat"), start("upper"));
        first.take_stdin().unwrap().write_all(b"first").unwrap();
        second.take_stdin().unwrap().write_all(b"second").unwrap();
        assert_eq!(second.output().unwrap().stdout, "SECOND");
        assert_eq!(first.output().unwrap().stdout, "first");
    });
}

/// Item 9: `Job::kill` ends every stage; `wait` reports it as a status, `output` as an error.
#[test]
fn kill_ends_every_stage_and_the_status_says_so() {
    isolated(|| {
        let job = (role("hang") | role("hang")).stdout(Redirect::null()).spawn().unwrap();
        assert_eq!(job.kill().unwrap().killed, job.pids());
        assert_eq!(job.wait().unwrap().signal(), Some(libc::SIGKILL));
        let error = job.output().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Status);
        let stages = &error.output().unwrap().stages;
        assert!(stages.iter().all(|stage| stage.status.signal() == Some(libc::SIGKILL)), "{stages:?}");
    });
}

/// Item 11: A thread that waits comes back when another one kills.
#[test]
fn a_waiter_returns_when_another_thread_kills() {
    isolated(|| {
        let job = role("hang").stdout(Redirect::null()).spawn().unwrap();
        thread::scope(|scope| {
            let waiter = scope.spawn(|| job.wait().unwrap());
            job.kill().unwrap();
            assert_eq!(waiter.join().unwrap().signal(), Some(libc::SIGKILL));
        });
    });
}

/// Item 12: `try_wait` on a running pipeline gives nothing, at once.
#[test]
fn try_wait_on_a_running_pipeline_is_none() {
    isolated(|| {
        let job = (role("hang") | role("hang")).stdout(Redirect::null()).spawn().unwrap();
        assert_eq!(within(Duration::from_secs(5), || job.try_wait().unwrap()), None);
    });
}

/// Item 24: While a grandchild holds a captured stderr the run is not over, and waiting keeps its limit; but the child's own exit is known.
/// (duct withholds the status.)
#[test]
fn a_grandchild_on_a_captured_stderr_keeps_the_run_open_but_no_wait_from_its_limit() {
    isolated(|| {
        let cmd = role("fork-and-hold").arg("50000").stdout(Redirect::piped()).stderr(Redirect::capture());
        let job = cmd.spawn().unwrap();
        let grandchild = read_line(job.take_stdout().unwrap());
        assert!(job.processes()[0].wait().unwrap().success());
        assert_eq!(within(Duration::from_secs(5), || job.wait_timeout(Duration::from_millis(50)).unwrap()), None);
        assert_eq!(job.try_wait().unwrap(), None);
        kill_stranger(&grandchild);
        assert!(job.wait().unwrap().success());
    });
}

/// Item 24: The same with a stdin that is being fed.
#[test]
fn a_grandchild_on_a_fed_stdin_keeps_the_run_open_but_no_wait_from_its_limit() {
    isolated(|| {
        let input = Redirect::bytes(vec![0; 1 << 20]);
        let job = role("fork-and-hold").arg("50000").stdin(input).stdout(Redirect::piped()).spawn().unwrap();
        let grandchild = read_line(job.take_stdout().unwrap());
        assert!(job.processes()[0].wait().unwrap().success());
        assert_eq!(within(Duration::from_secs(5), || job.wait_timeout(Duration::from_millis(50)).unwrap()), None);
        kill_stranger(&grandchild);
        assert!(job.wait().unwrap().success());
    });
}

/// Item 25: A reader's job runs while its child is blocked on a full pipe; at the end of the stream it was waited for.
#[test]
fn a_reader_is_waited_for_at_its_end() {
    isolated(|| {
        let mut reader = role("blocks").arg("1000000").reader().unwrap();
        assert_eq!(reader.job().unwrap().try_wait().unwrap(), None);
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes.len(), 1_000_000);
        assert!(reader.job().is_none());
        assert_childless();
    });
}

/// Item 26: One pid for a command, one for each stage of nested pipes, for jobs and readers alike; they stay after the end.
#[test]
fn pids_are_one_for_each_stage() {
    isolated(|| {
        let alone = role("exit").arg("0").spawn().unwrap();
        assert_eq!(alone.pids().len(), 1);
        let nested = || role("cat") | (role("cat") | role("cat"));
        let job = nested().spawn().unwrap();
        let before = job.pids();
        assert_eq!(before.len(), 3);
        assert!(before.iter().all(|pid| !alone.pids().contains(pid)));
        job.wait().unwrap();
        assert_eq!(job.pids(), before);
        assert_eq!(nested().reader().unwrap().job().unwrap().pids().len(), 3);
    });
}

/// Item 27: `Debug` of a builder is its command line, without the values of variables.
#[test]
fn debug_is_the_command_line_of_the_whole_tree() {
    isolated(|| {
        let left = pipewright::cmd!("a", "b c").env("KEY", "value").stderr_to_stdout();
        let right = pipewright::cmd!("d").current_dir("/e").stdout(Redirect::file("f"));
        assert_eq!(format!("{left:?}"), r#"Cmd(KEY="${KEY:?}" a 'b c' 2>&1)"#);
        let both = left | right;
        assert_eq!(format!("{both:?}"), r#"Pipeline(KEY="${KEY:?}" a 'b c' 2>&1 | (cd /e && d > f))"#);
    });
}

/// Item 28: Jobs that are dropped, ended or not, leave neither process nor zombie, right after the drop. (duct waits for the next spawn.)
#[test]
fn dropped_jobs_leave_no_process_and_no_zombie() {
    isolated(|| {
        let quick: Vec<Job> = (0..10).map(|_| role("exit").arg("0").spawn().unwrap()).collect();
        let blocked = || role("hang").stdout(Redirect::piped()).spawn().unwrap();
        let blocked: Vec<Job> = (0..10).map(|_| blocked()).collect();
        assert!(children().len() >= 10);
        drop(quick);
        drop(blocked);
        assert_childless();
    });
}

/// Item 29: A wait that ran out gives nothing and ends nothing; a later one gives the result, as often as asked.
#[test]
fn a_wait_that_ran_out_can_be_repeated() {
    isolated(|| {
        let job = role("cat").stdin(Redirect::piped()).stdout(Redirect::capture()).spawn().unwrap();
        let mut stdin = job.take_stdin().unwrap();
        assert_eq!(job.wait_timeout(Duration::from_millis(20)).unwrap(), None);
        assert_eq!(job.wait_deadline(Instant::now()).unwrap(), None);
        stdin.write_all(b"late").unwrap();
        drop(stdin);
        let later = Duration::from_secs(60);
        assert!(job.wait_timeout(later).unwrap().unwrap().success());
        assert!(job.wait_deadline(Instant::now() + later).unwrap().unwrap().success());
        assert_eq!(job.output().unwrap().stdout, "late");
    });
}

/// Item 30: No child that is started meanwhile inherits the write end of somebody's pipe: pipelines see their end beside children that live on.
#[test]
fn pipelines_beside_long_lived_children_see_their_end() {
    isolated(|| {
        let rounds = count(20, 100);
        thread::scope(|scope| {
            let sleepers = scope.spawn(move || -> Vec<Job> {
                (0..rounds).map(|_| role("hang").stdout(Redirect::null()).spawn().unwrap()).collect()
            });
            for _ in 0..rounds {
                let cats = role("cat") | role("cat");
                assert_eq!(cats.stdin(Redirect::bytes("ends")).read().unwrap(), "ends");
                progress();
            }
            // They lived through all of it.
            let sleepers = sleepers.join().unwrap();
            assert!(sleepers.iter().all(|job| job.try_wait().unwrap().is_none()));
        });
    });
}

/// Item 31: A signal sent from another thread reaches every stage, and the status names it.
#[test]
fn a_signal_from_another_thread_reaches_every_stage() {
    isolated(|| {
        let job = (role("hang") | role("hang")).stdout(Redirect::null()).spawn().unwrap();
        thread::scope(|scope| {
            scope.spawn(|| job.send_signal(libc::SIGUSR1).unwrap());
        });
        assert_eq!(job.wait().unwrap().signal(), Some(libc::SIGUSR1));
        for process in job.processes() {
            assert_eq!(process.wait().unwrap().signal(), Some(libc::SIGUSR1));
        }
    });
}

/// Item 32: A kill between the exit and the wait is no error, and the status is the exit's.
#[test]
fn a_kill_after_the_exit_changes_nothing() {
    isolated(|| {
        let job = role("exit").arg("5").stdout(Redirect::piped()).spawn().unwrap();
        // The end of its output: it is exiting, and nobody has waited for it.
        assert_eq!(read_line(job.take_stdout().unwrap()), "");
        assert_eq!(job.kill().unwrap().survivors, []);
        assert_eq!(job.wait().unwrap().code(), Some(5));
        assert_eq!(job.kill().unwrap().survivors, []);
    });
}
