//! No descriptor goes where it was not sent.

use std::sync::atomic::Ordering;

use nix::fcntl::FdFlag;

use crate::prelude::*;

/// A neighbour that opens pipes inheritable and marks them only afterwards.
pub(crate) fn careless_neighbour(stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        let (reader, writer) = nix::unistd::pipe().expect("a pipe");
        for end in [&reader, &writer] {
            fcntl(end, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).expect("it can be marked");
        }
    }
}

/// What children had beyond 0, 1 and 2, by each of 16 threads that start many.
pub(crate) fn found_in_children() -> Vec<Option<String>> {
    let worker = || {
        (0..count(8, 625)).find_map(|_| {
            progress();
            let told = role("count-fds").read().expect("it runs");
            (told != "0\n1\n2").then_some(told)
        })
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..16).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().map(|worker| worker.join().expect("no panic")).collect()
    })
}

#[test]
fn no_undeclared_fd_reaches_a_child() {
    isolated(|| {
        let hostile = hostile_fd();
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| careless_neighbour(&stop));
            }
            let found = found_in_children();
            stop.store(true, Ordering::Relaxed);
            assert_eq!(found, [const { None }; 16]);
        });
        drop(hostile);
    });
}

#[test]
fn a_pipelines_ends_are_each_held_by_one() {
    isolated(|| {
        let before = open_fds();
        let line: Pipeline = (0..5).map(|_| role("hang")).collect();
        let line = line.stdin(Redirect::piped()).stdout(Redirect::piped());
        let job = line.spawn().expect("it starts");
        let children: Vec<_> = job.pids().into_iter().map(three_fds).collect();
        for (left, right) in children.iter().zip(&children[1..]) {
            assert_eq!(left[1], right[0]);
        }
        // Of all these pipes this process holds its own two ends by now, once.
        let new: Vec<_> = open_fds().into_iter().filter(|(fd, _)| !before.contains_key(fd)).collect();
        let held = |link: &String| new.iter().filter(|(_, target)| target == link).count();
        assert_eq!((held(&children[0][0]), held(&children[4][1])), (1, 1));
        for fds in &children[..4] {
            assert_eq!(held(&fds[1]), 0, "{new:?}");
        }
        drop(job);
        assert_no_new_fd(&before);
        assert_no_child();
    });
}

#[test]
fn inherit_fds_passes_on_what_is_inheritable_and_nothing_else() {
    isolated(|| {
        let hostile = hostile_fd();
        let (marked, _writer) = os_pipe::pipe().expect("a pipe");
        assert_eq!(role("count-fds").inherit_fds(true).read().expect("it runs"), "0\n1\n2\n7");
        assert_eq!(role("count-fds").inherit_fds(true).inherit_fds(false).read().expect("it runs"), "0\n1\n2");
        assert!(marked.as_raw_fd() > 2);
        drop(hostile);
    });
}

/// The ways to fail, by the kind that comes of it.
fn failures() -> Vec<(ErrorKind, Pipeline)> {
    let ok = || role("cat").stdin(Redirect::piped());
    let yes = || role("yes").stdout(Redirect::capture());
    let used = {
        let (_, writer) = os_pipe::pipe().expect("a pipe");
        let cmd = role("exit").arg("0").stdout(Redirect::fd(writer));
        cmd.run().expect("it runs");
        cmd
    };
    let cancelled = {
        let cmd = role("exit").arg("0");
        cmd.cancel_handle().cancel();
        cmd
    };
    let each = |callback: fn(&[u8]) -> Result<(), std::fmt::Error>| role("yes").stdout(Redirect::each_line(callback));
    vec![
        (ErrorKind::InvalidInput, Cmd::new("").into()),
        (ErrorKind::ProgramNotFound, ok() | role("cat") | Cmd::new("/no/such/program")),
        (ErrorKind::CurrentDir, ok() | role("cat").current_dir("/no/such/directory") | role("cat")),
        (ErrorKind::Redirect, ok() | role("cat").stdout(Redirect::file("/no/such/directory/file"))),
        (ErrorKind::Redirect, role("cat").stdin(Redirect::file("/no/such/file")) | role("cat")),
        (ErrorKind::Conflict, ok().stdout(Redirect::null()) | role("cat")),
        (ErrorKind::AlreadyUsed, ok() | used),
        (ErrorKind::Cancelled, cancelled.into()),
        (ErrorKind::Status, ok() | role("exit").arg("3")),
        (ErrorKind::Status, Pipeline::from(role("signal").arg("9"))),
        (ErrorKind::LimitExceeded, yes().stdout_limit(Limit::Fail(100)).into()),
        (ErrorKind::Timeout, role("hang").stdout(Redirect::capture()).timeout(Duration::from_millis(30)).into()),
        (ErrorKind::Callback, each(|_| Err(std::fmt::Error)).into()),
        (ErrorKind::Panic, each(|_| panic!("on purpose")).into()),
    ]
}

#[test]
fn no_fd_and_no_child_stays_on_any_error_path() {
    isolated(|| {
        for (kind, failing) in failures() {
            let before = open_fds();
            let error = failing.run().expect_err("it fails");
            assert_eq!(error.kind(), kind, "{error:?}");
            assert_no_new_fd(&before);
            assert_no_child();
        }
    });
}

#[test]
fn no_fd_and_no_child_stays_when_handles_are_dropped() {
    isolated(|| {
        let before = open_fds();
        let yes = || role("yes").stdin(Redirect::piped()) | role("cat");
        let mut lines = yes().lines().expect("it starts");
        assert_eq!(lines.next().expect("a line").expect("it is text"), "y");
        drop(lines);
        drop(yes().reader().expect("it starts"));
        drop(yes().stdout(Redirect::capture()).stderr(Redirect::capture()).spawn().expect("it starts"));
        let job = yes().stdout(Redirect::piped()).stderr(Redirect::piped()).spawn().expect("it starts");
        let ends = (job.take_stdin(), job.take_stdout(), job.take_stderr());
        assert!(ends.0.is_some() && ends.1.is_some() && ends.2.is_some());
        drop(job);
        drop(ends);
        assert_no_child();
        assert_no_new_fd(&before);
    });
}
