//! Closures that are blocked in a read or a write, wherever that may be, wake up when their run is ended.

use std::any::Any;

use super::*;
use crate::prelude::*;

/// A pipeline that blocks, and what must live as long.
type Site = (Pipeline, Box<dyn Any>);

/// A reading end whose writer is kept.
fn silent_pipe() -> (OwnedFd, Box<dyn Any>) {
    let (reader, writer) = pipe::kernel().expect("a pipe");
    (reader.into(), Box::new(writer))
}

/// A writing end whose reader is kept, and does not read.
fn unread_pipe() -> (OwnedFd, Box<dyn Any>) {
    let (reader, writer) = pipe::kernel().expect("a pipe");
    (writer.into(), Box::new(reader))
}

fn socket() -> (OwnedFd, Box<dyn Any>) {
    let (ours, theirs) = UnixStream::pair().expect("a pair");
    (theirs.into(), Box::new(ours))
}

fn terminal() -> (OwnedFd, Box<dyn Any>) {
    let pty = nix::pty::openpty(None, None).expect("a terminal");
    (pty.slave, Box::new(pty.master))
}

fn from(fd: (OwnedFd, Box<dyn Any>), line: impl Into<Pipeline>) -> Site {
    (line.into().stdin(Redirect::fd(fd.0)).stdout(Redirect::null()), fd.1)
}

fn to(fd: (OwnedFd, Box<dyn Any>), line: impl Into<Pipeline>) -> Site {
    (without_input(line).stdout(Redirect::fd(fd.0)), fd.1)
}

fn alone_there(line: impl Into<Pipeline>) -> Site {
    (without_input(line).stdout(Redirect::null()), Box::new(()))
}

type MakeSite = fn() -> Site;

/// Each place where a closure can be stuck in a call of the library.
const SITES: [(&str, MakeSite); 15] = [
    ("a read from a process", || alone_there(role("hang") | count_bytes())),
    ("a read of lines from a process", || alone_there(role("hang") | upper())),
    ("a read from a process that ignores TERM", || alone_there(role("ignore-term") | count_bytes())),
    ("a read from a foreign pipe", || from(silent_pipe(), copy())),
    ("a read of lines from a foreign pipe", || from(silent_pipe(), upper())),
    ("a read from a socket", || from(socket(), copy())),
    ("a read from a terminal", || from(terminal(), copy())),
    ("a read from memory", || from(silent_pipe(), copy() | copy())),
    ("a read of lines from memory", || from(silent_pipe(), copy() | upper() | upper())),
    ("a write to a process that does not read", || alone_there(yes() | role("hang"))),
    ("a write to memory", || alone_there(yes() | yes() | role("hang"))),
    ("a write to a full foreign pipe", || to(unread_pipe(), yes())),
    ("a write to a full socket", || to(socket(), yes() | copy())),
    ("a write to a full terminal", || to(terminal(), yes())),
    ("a write to a tee whose target is full", || {
        let (fd, keep) = unread_pipe();
        let tee = Redirect::tee([Redirect::fd(fd), Redirect::null()]);
        (without_input(yes()).stdout(tee), keep)
    }),
];

/// Ends each site in one way; nothing of it is left.
fn at_every_site(each: impl Fn(&str, Pipeline)) {
    at_every_site_but(assert_no_new_fd, each);
}

fn at_every_site_but(look: impl Fn(&BTreeMap<i32, String>), each: impl Fn(&str, Pipeline)) {
    let before = open_fds();
    for (what, site) in SITES {
        for _ in 0..count(2, 40) {
            let (line, keep) = site();
            each(what, line);
            assert_childless();
            drop(keep);
            progress();
        }
    }
    look(&before);
}

/// A drop waits only so long: on a busy machine the closures let go of what they hold a moment later.
fn assert_no_new_fd_soon(before: &BTreeMap<i32, String>) {
    let start = Instant::now();
    while open_fds().keys().any(|fd| !before.contains_key(fd)) && start.elapsed() < SLACK {
        std::thread::yield_now();
    }
    assert_no_new_fd(before);
}

#[test]
fn a_deadline_wakes_a_blocked_closure() {
    isolated(|| {
        at_every_site(|what, line| {
            let time = Duration::from_millis(100);
            let stubborn = what.ends_with("TERM");
            let grace = if stubborn { Duration::from_millis(50) } else { NO_GRACE_NEEDED };
            let line = line.timeout(time).grace(grace);
            let error = within(time + SLACK, || line.run()).expect_err(what);
            assert_eq!(error.kind(), ErrorKind::Timeout, "{what}: {error:?}");
            let stages = &error.output().expect("it ran").stages;
            assert!(stages.iter().all(|stage| !stage.status.is_unknown()), "{what}: {error:?}");
            assert!(!error.to_string().contains("left behind"), "{what}: {error}");
        });
    });
}

#[test]
fn a_cancel_wakes_a_blocked_closure() {
    isolated(|| {
        at_every_site(|what, line| {
            let line = line.grace(Duration::from_millis(50));
            let cancel = line.cancel_handle();
            let job = line.spawn().expect(what);
            cancel.cancel();
            let error = within(SLACK, || job.wait()).expect_err(what);
            assert_eq!(error.kind(), ErrorKind::Cancelled, "{what}: {error:?}");
        });
    });
}

#[test]
fn a_cancel_wakes_a_verb_that_waits_for_a_blocked_closure() {
    isolated(|| {
        at_every_site(|what, line| {
            let line = line.grace(Duration::from_millis(50));
            let cancel = line.cancel_handle();
            std::thread::scope(|scope| {
                scope.spawn(|| cancel.cancel());
                let error = within(SLACK, || line.run()).expect_err(what);
                assert_eq!(error.kind(), ErrorKind::Cancelled, "{what}: {error:?}");
            });
        });
    });
}

#[test]
fn a_kill_wakes_a_blocked_closure() {
    isolated(|| {
        at_every_site(|what, line| {
            if what.contains("a tee") {
                // A kill does not end the streams: what was written still goes to the target, when that is read.
                return;
            }
            let job = line.spawn().expect(what);
            assert!(job.kill().expect(what).survivors.is_empty());
            let status = within(SLACK, || job.wait()).unwrap_or_else(|error| panic!("{what}: {error:?}"));
            assert_eq!(status.signal(), Some(libc::SIGKILL), "{what}: {status}");
        });
    });
}

#[test]
fn a_drop_wakes_a_blocked_closure() {
    isolated(|| {
        at_every_site_but(assert_no_new_fd_soon, |what, line| {
            let job = line.spawn().expect(what);
            // The promised 50 ms, ten times over.
            within(Duration::from_millis(500), || drop(job));
        });
    });
}

#[test]
fn dropped_lines_and_readers_wake_closures() {
    isolated(|| {
        let read = || -> Vec<Site> {
            let (fd, keep) = silent_pipe();
            let timed = yes() | copy();
            vec![
                (without_input(yes()), Box::new(())),
                (without_input(role("yes") | copy()), Box::new(())),
                (without_input(timed.timeout(Duration::from_secs(60))), Box::new(())),
                (without_input(yes() | role("hang")), Box::new(())),
                (alone(copy()).stdin(Redirect::fd(fd)), keep),
            ]
        };
        for _ in 0..count(3, 100) {
            let before = open_fds();
            for (line, _keep) in read() {
                let lines = line.lines().expect("it starts");
                within(Duration::from_millis(500), || drop(lines));
                assert_childless();
            }
            for (line, _keep) in read() {
                let reader = line.reader().expect("it starts");
                within(Duration::from_millis(500), || drop(reader));
                assert_childless();
            }
            let mut lines = (yes() | copy()).lines().expect("it starts");
            assert_eq!(lines.next().expect("endless").expect("a line"), "y");
            within(Duration::from_millis(500), || drop(lines));
            assert_no_new_fd_soon(&before);
            progress();
        }
    });
}

#[test]
fn closures_of_runs_that_share_an_input_take_turns_and_all_can_be_ended() {
    isolated(|| {
        // A byte at a time, so that the closure that saw it first may find it gone.
        let sip = Stage::from_fn(|input, _| {
            while input.read(&mut [0])? > 0 {}
            Ok(())
        });
        for round in 0..count(40, 1000) {
            let (input, mut feed): (OwnedFd, std::fs::File) = if round % 2 == 0 {
                let (reader, writer) = pipe::kernel().expect("a pipe");
                (reader.into(), OwnedFd::from(writer).into())
            } else {
                let (theirs, ours) = UnixStream::pair().expect("a pair");
                (theirs.into(), OwnedFd::from(ours).into())
            };
            let line = alone(sip.clone()).stdin(Redirect::shared_fd(Arc::new(input)));
            let jobs: Vec<_> = (0..3).map(|_| line.spawn().expect("it starts")).collect();
            for _ in 0..200 {
                feed.write_all(b"x").expect("it is read");
            }
            for job in &jobs {
                job.kill().expect("it can be told");
                let status = job.wait_timeout(2 * SLACK).expect("a status");
                assert_eq!(status.map(|status| status.signal()), Some(Some(libc::SIGKILL)), "stuck in a read");
            }
            progress();
        }
    });
}

#[test]
fn closures_of_runs_that_share_a_full_output_can_all_be_ended() {
    isolated(|| {
        for round in 0..count(40, 1000) {
            let (output, drain): (OwnedFd, std::fs::File) = if round % 2 == 0 {
                let (reader, writer) = pipe::kernel().expect("a pipe");
                (writer.into(), OwnedFd::from(reader).into())
            } else {
                let (theirs, ours) = UnixStream::pair().expect("a pair");
                (theirs.into(), OwnedFd::from(ours).into())
            };
            let line = alone(yes()).stdout(Redirect::shared_fd(Arc::new(output)));
            let jobs: Vec<_> = (0..3).map(|_| line.spawn().expect("it starts")).collect();
            // So that they find room, and find it gone.
            for _ in 0..200 {
                assert_eq!((&drain).read(&mut [0; 5000]).map(|read| read > 0).ok(), Some(true));
            }
            for job in &jobs {
                job.kill().expect("it can be told");
                let status = job.wait_timeout(2 * SLACK).expect("a status");
                assert_eq!(status.map(|status| status.signal()), Some(Some(libc::SIGKILL)), "stuck in a write");
            }
            progress();
        }
    });
}
