//! Ending a run by hand.

use pipewright::pipe::PipeReader;

use crate::prelude::*;

const NO_GRACE_NEEDED: Duration = Duration::from_secs(30);
const GRACE: Duration = Duration::from_millis(100);

/// Starts it and waits for the line that its last stage says; what it may still say goes into the pipe.
fn ready(pipeline: impl Into<Pipeline>) -> (Job, PipeReader) {
    let pipeline = pipeline.into().stdin(Redirect::null()).stdout(Redirect::piped());
    let job = pipeline.spawn().expect("it starts");
    let mut stdout = job.take_stdout().expect("piped");
    assert_eq!(read_line(&mut stdout), "ready");
    (job, stdout)
}

#[test]
fn kill_reaches_every_process_and_says_what_it_came_to() {
    isolated(|| {
        let (job, _stdout) =
            ready(role("ignore-term") | role("cat").stdout(Redirect::tee([Redirect::null()])) | role("ignore-term"));
        let report = job.kill().expect("nothing refuses");
        assert_eq!(report.means, if cfg!(target_os = "linux") { Means::Walk } else { Means::Children });
        assert_eq!(report.signalled, job.pids());
        assert!(report.survivors.is_empty());
        assert!(!report.proven, "a walk proves nothing");
        assert_eq!(job.wait().expect("a status").signal(), Some(libc::SIGKILL));
        let error = job.output().expect_err("a death by signal");
        assert_eq!(error.kind(), ErrorKind::Status);
        let ends = error.into_output().expect("it ran").stages;
        assert!([0, 2].into_iter().all(|stage: usize| ends[stage].status.signal() == Some(libc::SIGKILL)), "{ends:?}");
        assert_eq!(children(), []);
    });
}

#[test]
fn terminate_and_other_signals_arrive() {
    isolated(|| {
        let (job, _stdout) = ready(role("term-exit").arg("5"));
        job.terminate().expect("it is there");
        assert_eq!(job.wait().expect("a status").code(), Some(5));
        let (job, _stdout) = ready(role("hang"));
        job.send_signal(libc::SIGUSR1).expect("it is there");
        assert_eq!(job.wait().expect("a status").signal(), Some(libc::SIGUSR1));
        let (job, _stdout) = ready(role("hang"));
        let error = job.send_signal(4711).expect_err("no signal");
        assert_eq!((error.raw_os_error(), error.stage()), (Some(libc::EINVAL), Some(0)));
        assert_eq!(
            error.to_string(),
            format!("`{}` refused the signal 4711: Invalid argument (os error 22)", fixture())
        );
    });
}

#[test]
fn signal_zero_and_stops_are_no_ends() {
    isolated(|| {
        let (job, _stdout) = ready(role("hang"));
        job.send_signal(0).expect("it is there");
        job.send_signal(libc::SIGSTOP).expect("it is there");
        assert_eq!(job.wait_timeout(Duration::from_millis(20)).expect("it is stopped"), None);
        job.send_signal(libc::SIGCONT).expect("it is there");
        assert_eq!(job.try_wait().expect("it goes on"), None);
        job.send_signal(libc::SIGSTOP).expect("it is there");
        job.terminate().expect("it is there");
        assert_eq!(within(SLACK, || job.wait()).expect("a status").signal(), Some(libc::SIGTERM));
    });
}

#[test]
fn shutdown_is_back_when_they_are_gone() {
    isolated(|| {
        let (job, _stdout) = ready(role("hang") | role("term-exit").arg("5"));
        let report = within(SLACK, || job.shutdown(NO_GRACE_NEEDED)).expect("it ends");
        assert_eq!(report.signalled, job.pids());
        assert_eq!(children(), [], "they were reaped");
        assert_eq!(job.wait().expect("a status").code(), Some(5));
        // Nothing to do, nothing to wait for.
        within(SLACK, || job.shutdown(Duration::MAX)).expect("they are gone");
    });
}

#[test]
fn shutdown_kills_what_does_not_listen() {
    isolated(|| {
        let (job, _stdout) = ready(role("ignore-term"));
        within(GRACE + SLACK, || job.shutdown(GRACE)).expect("it ends");
        assert_eq!(children(), []);
        assert_eq!(job.wait().expect("a status").signal(), Some(libc::SIGKILL));
        let (job, _stdout) = ready(role("ignore-term"));
        within(SLACK, || job.shutdown(Duration::ZERO)).expect("it ends");
        assert_eq!(job.wait().expect("a status").signal(), Some(libc::SIGKILL));
    });
}

#[test]
fn shutdown_ends_what_has_stopped_itself() {
    isolated(|| {
        let (job, _stdout) = ready(role("stop-self").arg("ready\n"));
        within(SLACK, || job.shutdown(NO_GRACE_NEEDED)).expect("it ends");
        assert_eq!(children(), []);
    });
}

#[test]
fn a_held_pipe_does_not_hold_up_a_shutdown() {
    isolated(|| {
        let hold = role("fork-and-hold").arg("30000").stdin(Redirect::null()).stdout(Redirect::capture());
        let job = hold.eof_grace(Duration::ZERO).spawn().expect("it starts");
        job.processes()[0].wait().expect("ours");
        within(SLACK, || job.shutdown(NO_GRACE_NEEDED)).expect("its process is gone");
        kill_stranger(job.output().expect("it ended well").stdout_str().expect("a pid"));
    });
}

#[test]
fn signals_after_the_end_reach_no_process() {
    isolated(|| {
        let job = role("exit").arg("0").stdin(Redirect::null()).spawn().expect("it starts");
        job.wait().expect("a status");
        let (stranger, _stdout) = ready(role("hang"));
        let process = &job.processes()[0];
        for _ in 0..count(100, 10_000) {
            job.terminate().expect("no error");
            job.send_signal(libc::SIGINT).expect("no error");
            job.send_signal(0).expect("no error");
            process.kill().expect("no error");
            process.terminate().expect("no error");
        }
        let report = job.kill().expect("no error");
        assert_eq!((report.signalled, report.survivors.len()), (job.pids(), 0));
        assert!(process.try_wait().expect("ours").is_some_and(|status| status.success()));
        assert_eq!(stranger.try_wait().expect("it hangs"), None);
    });
}

/// Sets back which number the next process gets, until it is dropped; `None` where that cannot be done.
struct NextPid(String);

impl NextPid {
    const LAST: &str = "/proc/sys/kernel/ns_last_pid";

    fn is(pid: u32) -> Option<NextPid> {
        let old = std::fs::read_to_string(Self::LAST).ok()?;
        std::fs::write(Self::LAST, (pid - 1).to_string()).ok()?;
        Some(NextPid(old))
    }
}

impl Drop for NextPid {
    fn drop(&mut self) {
        let _ = std::fs::write(Self::LAST, &self.0);
    }
}

#[test]
fn a_stranger_with_the_same_number_is_never_signalled() {
    isolated(|| {
        let mut met = 0;
        for _ in 0..count(10, 1000) {
            let job = role("exit").arg("0").stdin(Redirect::null()).spawn().expect("it starts");
            job.wait().expect("a status");
            let pid = job.pids()[0];
            let Some(next) = NextPid::is(pid) else {
                return skip("the numbers of processes cannot be chosen here");
            };
            // Another process of this machine may get the number first; then this is an ordinary run.
            let (stranger, _stdout) = ready(role("hang"));
            drop(next);
            met += usize::from(stranger.pids()[0] == pid);
            job.kill().expect("no error");
            job.send_signal(libc::SIGTERM).expect("no error");
            job.processes()[0].kill().expect("no error");
            drop(job);
            assert_eq!(stranger.wait_timeout(Duration::from_millis(1)).expect("it hangs"), None);
            progress();
        }
        if met == 0 {
            skip("no number was met again");
        }
    });
}
