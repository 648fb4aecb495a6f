//! When other code reaps the library's children, a run gets the right status or a typed "status stolen", and never hangs.

use nix::sys::wait::waitpid;
use pipewright::StatusStolen;

use crate::prelude::*;
use crate::trees::cgroups::{Cgroup, containments};

/// Runs `f` with SIGCHLD handled so, and puts it back.
fn with_sigchld(handler: SigHandler, flags: SaFlags, f: impl FnOnce()) {
    let action = SigAction::new(handler, flags, SigSet::empty());
    // SAFETY: default and ignore run no code.
    let before = unsafe { sigaction(Signal::SIGCHLD, &action) }.expect("SIGCHLD can be set");
    f();
    // SAFETY: as it was.
    unsafe { sigaction(Signal::SIGCHLD, &before) }.expect("SIGCHLD can be put back");
}

/// Runs `f` beside a thread that reaps whatever child it can get.
fn with_thief(flags: Option<WaitPidFlag>, f: impl FnOnce()) {
    struct Over<'a>(&'a AtomicBool);
    // A failure must end the thread, too.
    impl Drop for Over<'_> {
        fn drop(&mut self) {
            self.0.store(true, SeqCst);
        }
    }
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let got_one = || waitpid(None, flags).is_ok_and(|status| status.pid().is_some());
            while got_one() || !over.load(SeqCst) {
                std::thread::yield_now();
            }
        });
        let _over = Over(&over);
        f();
    });
}

#[track_caller]
fn right_or_stolen(status: Result<Status, pipewright::Error>, code: i32) {
    match status {
        Ok(status) => assert_eq!(status.code(), Some(code)),
        Err(error) => assert_eq!(error.kind(), ErrorKind::StatusStolen, "{error:?}"),
    }
}

/// All that a run may meet while its children are reaped behind its back.
fn live_with_it() {
    for _ in 0..count(8, 500) {
        right_or_stolen(cmd!(fixture(), "exit", "3").status(), 3);
        right_or_stolen(cmd!(fixture(), "exit", "3").spawn().and_then(|job| job.wait()), 3);

        let said = cmd!(fixture(), "say", "1", "out", "2", "err").output();
        let output = said.or_else(|error| match error.kind() {
            ErrorKind::StatusStolen => Ok(error.into_output().expect("what was captured")),
            _ => Err(error),
        });
        let output = output.expect("the right status or a stolen one");
        assert_eq!(output.stdout, "out");
        assert_eq!(output.stderr, "err");

        let three = cmd!(fixture(), "blocks", "100000") | cmd!(fixture(), "cat") | cmd!(fixture(), "exit", "5");
        right_or_stolen(three.status(), 5);

        let missing = cmd!("/no/such/program").run().expect_err("there is none");
        assert_eq!(missing.kind(), ErrorKind::ProgramNotFound, "{missing:?}");
        let late = (cmd!(fixture(), "hang") | cmd!("/no/such/program")).run().expect_err("there is none");
        assert_eq!((late.kind(), late.stage()), (ErrorKind::ProgramNotFound, Some(1)), "{late:?}");

        let job = cmd!(fixture(), "hang").stdout(Redirect::piped()).spawn().expect("it starts");
        assert_eq!(read_line(job.take_stdout().expect("piped")), "ready");
        let process = job.processes()[0].clone();
        drop(job);
        match process.wait() {
            Ok(status) => assert_eq!(status.signal(), Some(9)),
            Err(error) => {
                assert!(error.get_ref().is_some_and(|inner| inner.is::<StatusStolen>()), "{error:?}");
            }
        }
        progress();
    }
}

/// The same with runs in a container, whose leaders other code reaps too.
fn live_with_it_in_a_container() {
    let cgroup = Cgroup::new();
    for containment in containments(cgroup.as_ref()) {
        for _ in 0..count(5, 300) {
            // The leader is gone before the others come.
            let three = cmd!(fixture(), "exit", "0") | cmd!(fixture(), "exit", "0") | cmd!(fixture(), "exit", "5");
            right_or_stolen(three.stdin(Redirect::null()).contain(containment.clone()).status(), 5);
            let hang = cmd!(fixture(), "hang").contain(containment.clone());
            let job = hang.stdout(Redirect::piped()).spawn().expect("it starts");
            assert_eq!(read_line(job.take_stdout().expect("piped")), "ready");
            let report = job.kill().expect("a report");
            assert!(report.survivors.is_empty(), "{report:?}");
            assert!(
                job.wait().map_or_else(|error| error.kind() == ErrorKind::StatusStolen, |status| !status.success())
            );
            progress();
        }
    }
}

#[test]
fn in_a_container_with_sigchld_ignored() {
    isolated(|| with_sigchld(SigHandler::SigIgn, SaFlags::empty(), live_with_it_in_a_container));
}

#[test]
fn in_a_container_with_a_thread_that_asks_for_any_child() {
    isolated(|| with_thief(Some(WaitPidFlag::WNOHANG), live_with_it_in_a_container));
}

#[test]
fn in_a_container_with_a_thread_that_sleeps_until_any_child_ends() {
    isolated(|| with_thief(None, live_with_it_in_a_container));
}

#[test]
fn with_sigchld_ignored() {
    isolated(|| with_sigchld(SigHandler::SigIgn, SaFlags::empty(), live_with_it));
}

#[test]
fn with_children_that_leave_no_zombie() {
    isolated(|| with_sigchld(SigHandler::SigDfl, SaFlags::SA_NOCLDWAIT, live_with_it));
}

#[test]
fn with_a_thread_that_asks_for_any_child() {
    isolated(|| with_thief(Some(WaitPidFlag::WNOHANG), live_with_it));
}

#[test]
fn with_a_thread_that_sleeps_until_any_child_ends() {
    isolated(|| with_thief(None, live_with_it));
}
