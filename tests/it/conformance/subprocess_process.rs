//! What subprocess's own suite checks of handles on processes.
//!
//! | behaviour | test |
//! |---|---|
//! | 63 pids | `the_pid_is_there_while_it_runs_and_after` |
//! | 64 poll | `try_wait_is_none_then_some` |
//! | 65 wait repeatedly | `duct_kin::ten_waiters_and_a_kill_agree` |
//! | 66 wait_timeout | `wait_timeout_knows_running_ended_and_zero` |
//! | 67 terminate, twice, after exit | `terminate_ends_and_may_be_repeated` |
//! | 68 kill | `kill_ends_what_ignores_term` |
//! | 69 any signal | `any_signal_is_delivered_and_shows` |
//! | 70 stolen by another waitpid | `a_stolen_status_is_right_or_said_to_be_stolen` |
//! | 71, 72 poll, terminate beside a blocked wait | `looking_and_terminating_do_not_queue_behind_a_wait` |
//! | 73 a group signal | `a_group_of_its_own_can_be_signalled_whole` |
//! | 74 a signal after the end | `terminate_ends_and_may_be_repeated` (signals go to processes; there is no call for groups) |
//! | 75 detached handle | `a_detached_job_returns_at_once_and_lives` |
//! | 76 timeouts of join and capture | `timeouts_of_run_and_output` |
//! | 77 expiry, then terminate | `terminate_after_a_wait_that_ran_out` |
//! | 78 decoding of statuses | `a_status_is_a_code_or_a_signal_in_words_and_back` |
//! | 79 Send + Sync | `public_types_can_be_shared` |

use std::process::ExitStatus;
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::waitpid;
use nix::unistd::Pid;
use pipewright::*;

use crate::harness::*;
use crate::support::{role, within};

/// Far less than what a blocked call would take, far more than a busy machine needs.
const SOON: Duration = Duration::from_secs(5);

/// A job that says nothing and waits for a signal.
fn hang() -> Job {
    role("hang").stdout(Redirect::null()).spawn().unwrap()
}

/// Item 63: A job's pids and its processes' are the child's own.
#[test]
fn the_pid_is_there_while_it_runs_and_after() {
    isolated(|| {
        let job = role("ids").stdout(Redirect::piped()).spawn().unwrap();
        let ids = read_line(job.take_stdout().unwrap());
        let own = ids.split(' ').next().unwrap().parse::<u32>().unwrap();
        assert_eq!(job.pids(), [own]);
        job.wait().unwrap();
        assert_eq!(job.processes()[0].pid(), own);
    });
}

/// Item 64: A look gives nothing while the child runs and the status once it has ended.
#[test]
fn try_wait_is_none_then_some() {
    isolated(|| {
        let job = role("cat").stdin(Redirect::piped()).spawn().unwrap();
        assert_eq!((job.try_wait().unwrap(), job.processes()[0].try_wait().unwrap()), (None, None));
        drop(job.take_stdin());
        let ended = job.processes()[0].wait().unwrap();
        assert_eq!(job.processes()[0].try_wait().unwrap(), Some(ended));
        assert_eq!(job.try_wait().unwrap(), Some(ended));
    });
}

/// Item 66: A timed wait: none for a child that runs, the status for one that ended in time or before, at once for a limit of zero.
#[test]
fn wait_timeout_knows_running_ended_and_zero() {
    isolated(|| {
        let job = hang();
        assert_eq!(job.wait_timeout(Duration::from_millis(20)).unwrap(), None);
        assert_eq!(within(SOON, || job.wait_timeout(Duration::ZERO).unwrap()), None);
        job.kill().unwrap();
        let day = Duration::from_secs(86_400);
        let status = within(SOON, || job.wait_timeout(day).unwrap()).unwrap();
        assert_eq!(status.signal(), Some(libc::SIGKILL));
        assert_eq!(within(SOON, || job.wait_timeout(day).unwrap()), Some(status));
        assert_eq!(job.wait_timeout(Duration::ZERO).unwrap(), Some(status));
    });
}

/// Items 67, 74: TERM ends the child; a second one, and one after its end, are no errors and change nothing.
#[test]
fn terminate_ends_and_may_be_repeated() {
    isolated(|| {
        let job = hang();
        job.terminate().unwrap();
        job.terminate().unwrap();
        assert_eq!(job.wait().unwrap().signal(), Some(libc::SIGTERM));
        job.terminate().unwrap();
        job.send_signal(libc::SIGKILL).unwrap();
        job.processes()[0].kill().unwrap();
        assert_eq!(job.wait().unwrap().signal(), Some(libc::SIGTERM));
    });
}

/// Item 68: KILL ends a child that ignores TERM, which TERM left alone.
#[test]
fn kill_ends_what_ignores_term() {
    isolated(|| {
        let job = role("ignore-term").stdout(Redirect::piped()).spawn().unwrap();
        assert_eq!(read_line(job.take_stdout().unwrap()), "ready");
        job.terminate().unwrap();
        assert_eq!(job.wait_timeout(Duration::from_millis(20)).unwrap(), None);
        job.kill().unwrap();
        assert_eq!(job.wait().unwrap().signal(), Some(libc::SIGKILL));
        let gentle = role("term-exit").arg("4").stdout(Redirect::piped()).spawn().unwrap();
        let stdout = gentle.take_stdout().unwrap();
        assert_eq!(read_line(&stdout), "ready");
        gentle.shutdown(Duration::from_secs(60)).unwrap();
        assert_eq!((read_line(&stdout).as_str(), gentle.wait().unwrap().code()), ("bye", Some(4)));
    });
}

/// Item 69: Any signal is delivered and shows in the status; a number that is no signal is refused.
#[test]
fn any_signal_is_delivered_and_shows() {
    isolated(|| {
        for signal in [libc::SIGHUP, libc::SIGINT, libc::SIGUSR2, libc::SIGALRM, 40] {
            let job = hang();
            job.send_signal(signal).unwrap();
            let status = job.wait().unwrap();
            assert_eq!((status.signal(), status.code()), (Some(signal), None));
        }
        let job = hang();
        assert_eq!(job.send_signal(4711).unwrap_err().raw_os_error(), Some(libc::EINVAL));
    });
}

/// Item 70: A child that somebody else here reaped: its right status, where the kernel keeps it, or an error that says stolen. (subprocess
/// succeeds with an undetermined status.)
#[test]
fn a_stolen_status_is_right_or_said_to_be_stolen() {
    isolated(|| {
        let job = role("cat").stdin(Redirect::piped()).spawn().unwrap();
        let pid = Pid::from_raw(job.pids()[0] as i32);
        drop(job.take_stdin());
        // Another waiter of this process, who may come too late.
        let _ = waitpid(pid, None);
        match within(SOON, || job.wait()) {
            Ok(status) => assert!(status.success()),
            Err(error) => assert_eq!(error.kind(), ErrorKind::StatusStolen),
        }
        let stolen = job.processes()[0].wait();
        assert!(stolen.is_ok_and(|status| status.success()) || job.output().is_err());
    });
}

/// Items 71, 72: While one thread is blocked in `wait`, looks of another come back at once, and its TERM reaches the child.
#[test]
fn looking_and_terminating_do_not_queue_behind_a_wait() {
    isolated(|| {
        let job = hang();
        thread::scope(|scope| {
            let waiter = scope.spawn(|| job.wait().unwrap());
            for _ in 0..50 {
                assert_eq!(within(SOON, || job.try_wait().unwrap()), None);
                assert_eq!(within(SOON, || job.processes()[0].try_wait().unwrap()), None);
            }
            within(SOON, || job.terminate().unwrap());
            assert_eq!(waiter.join().unwrap().signal(), Some(libc::SIGTERM));
        });
    });
}

/// Item 73: A child in a group of its own leads it: one signal to the group ends it and what it left in the background.
#[test]
fn a_group_of_its_own_can_be_signalled_whole() {
    isolated(|| {
        let cmd = Cmd::sh("\"$1\" hang & exec \"$1\" hang").args(["sh", fixture()]).process_group(0);
        let job = cmd.stdout(Redirect::piped()).spawn().unwrap();
        let stdout = job.take_stdout().unwrap();
        assert_eq!((read_line(&stdout), read_line(&stdout)), ("ready".into(), "ready".into()));
        killpg(Pid::from_raw(job.pids()[0] as i32), Signal::SIGTERM).unwrap();
        // The end of the stream: the last holder of it is gone.
        assert_eq!(read_line(&stdout), "");
        assert_eq!(job.wait().unwrap().signal(), Some(libc::SIGTERM));
    });
}

/// Item 75: Detaching returns at once; the child lives, and when it ends it leaves no zombie.
#[test]
fn a_detached_job_returns_at_once_and_lives() {
    isolated(|| {
        let job = hang();
        let process = job.processes()[0].clone();
        within(SOON, || job.detach());
        assert_eq!(process.try_wait().unwrap(), None);
        process.kill().unwrap();
        assert_eq!(process.wait().unwrap().signal(), Some(libc::SIGKILL));
    });
}

/// Item 76: The builder's timeout: an error of its kind on expiry, within it and the grace; none when the child ends in time.
#[test]
fn timeouts_of_run_and_output() {
    isolated(|| {
        let short = role("hang").stdout(Redirect::null()).timeout(Duration::from_millis(400));
        for error in [
            within(SOON, || short.run().unwrap_err()),
            within(SOON, || short.output().unwrap_err()),
            within(SOON, || short.status().unwrap_err()),
            within(SOON, || short.spawn().unwrap().wait().unwrap_err()),
        ] {
            assert_eq!(error.kind(), ErrorKind::Timeout);
            assert_eq!(error.output().unwrap().stages[0].status.signal(), Some(libc::SIGTERM));
            assert_eq!(std::io::Error::from(error).kind(), std::io::ErrorKind::TimedOut);
        }
        let ample = role("echo").arg("in time").timeout(Duration::from_secs(60));
        assert_eq!(ample.read().unwrap(), "in time");
    });
}

/// Item 77: After a wait that ran out, the job can be terminated and waited for.
#[test]
fn terminate_after_a_wait_that_ran_out() {
    isolated(|| {
        let job = hang();
        assert_eq!(job.wait_timeout(Duration::from_millis(20)).unwrap(), None);
        job.terminate().unwrap();
        assert_eq!(job.wait().unwrap().signal(), Some(libc::SIGTERM));
    });
}

/// Item 78: A code for an exit alone, a signal for a death by signal alone, words for both, and std's status there and back.
#[test]
fn a_status_is_a_code_or_a_signal_in_words_and_back() {
    isolated(|| {
        let exited = role("exit").arg("3").status().unwrap();
        assert_eq!((exited.code(), exited.signal(), exited.success()), (Some(3), None, false));
        assert_eq!(exited.to_string(), "exited with code 3");
        let killed = role("signal").arg("15").status().unwrap();
        assert_eq!((killed.code(), killed.signal(), killed.success()), (None, Some(15), false));
        assert_eq!(killed.to_string(), "killed by SIGTERM");
        for status in [exited, killed] {
            assert_eq!(Status::from(ExitStatus::try_from(status).unwrap()), status);
        }
    });
}

/// Item 79: What is public can be sent to other threads and shared by them. (Compiling is the test.)
#[test]
fn public_types_can_be_shared() {
    fn shared<T: Send + Sync>() {}
    isolated(|| {
        shared::<Cmd>();
        shared::<Pipeline>();
        shared::<Redirect<In>>();
        shared::<Redirect<Out>>();
        shared::<CancelHandle>();
        shared::<Plan>();
        shared::<Job>();
        shared::<Process>();
        shared::<KillReport>();
        shared::<Lines>();
        shared::<LinesBytes>();
        shared::<Reader>();
        shared::<Output>();
        shared::<Status>();
        shared::<Error>();
        shared::<pipe::PipeReader>();
        shared::<pipe::PipeWriter>();
    });
}
