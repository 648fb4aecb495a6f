//! One-shot and shared descriptors: what holds them, and when they are closed.

use std::io::read_to_string;

use os_pipe::{PipeReader, pipe};

use super::*;
use crate::prelude::*;

/// A way to give the first end of a pipe to a command.
type Give = fn(Cmd, OwnedFd) -> Cmd;

const ONE_SHOT: [(&str, Give); 5] = [
    ("stderr", |cmd, fd| cmd.stderr(Redirect::fd(fd))),
    ("map_fd", |cmd, fd| cmd.map_fd(fd, 9)),
    ("fd_out", |cmd, fd| cmd.fd_out(9, Redirect::fd(fd))),
    ("arg_fd", |cmd, fd| cmd.arg_fd(fd)),
    ("tee", |cmd, fd| cmd.fd_out(9, Redirect::tee([Redirect::fd(fd), Redirect::null()]))),
];

/// A command that holds a writer, and the reader that ends when no writer is open.
fn holding(program: Cmd, give: Give) -> (Cmd, PipeReader) {
    let (reader, writer) = pipe().expect("a pipe");
    (give(program, writer.into()), reader)
}

#[test]
fn a_one_shot_is_closed_here_before_the_start_returns() {
    isolated(|| {
        for (name, give) in ONE_SHOT {
            let before = open_fds();
            let (cmd, reader) = holding(role("hang").stdout(Redirect::piped()), give);
            let twin = cmd.clone();
            let job = cmd.spawn().expect("it starts");
            if name != "tee" {
                let ends = open_fds().values().filter(|target| **target == link(&reader)).count();
                assert_eq!(ends, 1, "{name}: a writer is still open here");
            }
            let again = twin.run().expect_err("it was used");
            assert_eq!((again.kind(), again.stage()), (ErrorKind::AlreadyUsed, Some(0)), "{name}: {again}");
            let stream = if name == "stderr" { name } else { "fd " };
            assert!(again.to_string().contains(stream), "{name}: {again}");
            drop(job);
            // The builders live on, and hold nothing.
            assert_eq!(within(SLACK, || read_to_string(reader)).expect("its end"), "", "{name}");
            drop((cmd, twin));
            assert_no_new_fd(&before);
            assert_no_child();
        }
    });
}

fn link(fd: impl AsFd) -> String {
    open_fds()[&fd.as_fd().as_raw_fd()].clone()
}

#[test]
fn a_start_that_fails_further_on_took_it_too_and_holds_nothing() {
    isolated(|| {
        for (name, give) in ONE_SHOT {
            let before = open_fds();
            let (cmd, reader) = holding(Cmd::new("/no/such/program"), give);
            assert_eq!(cmd.run().expect_err("no program").kind(), ErrorKind::ProgramNotFound);
            assert_eq!(within(SLACK, || read_to_string(reader)).expect("its end"), "", "{name}");
            assert_eq!(cmd.run().expect_err("it was used").kind(), ErrorKind::AlreadyUsed, "{name}");
            drop(cmd);
            assert_no_new_fd(&before);
        }
    });
}

#[test]
fn a_start_that_fails_the_check_takes_nothing() {
    isolated(|| {
        let used = {
            let cmd = role("exit").arg("0").map_fd(null(), 5);
            cmd.run().expect("it runs");
            cmd
        };
        let wrong: [(ErrorKind, Pipeline); 6] = [
            (ErrorKind::AlreadyUsed, used.into()),
            (ErrorKind::Conflict, role("exit").map_fd(null(), 2).into()),
            (ErrorKind::Conflict, role("exit").map_fd(null(), 4).fd_out(4, Redirect::piped()).into()),
            (ErrorKind::InvalidInput, role("exit").map_fd(null(), -1).into()),
            (ErrorKind::InvalidInput, role("exit").fd_in(i32::MAX, Redirect::piped()).into()),
            (ErrorKind::Redirect, role("cat").stderr(Redirect::fd(File::open("/").expect("it opens"))).into()),
        ];
        for (kind, wrong) in wrong {
            for (name, give) in ONE_SHOT {
                let before = open_fds();
                let (cmd, reader) = holding(role("exit").arg("0"), give);
                let error = (cmd.clone() | wrong.clone()).run().expect_err("the second stage is wrong");
                assert_eq!((error.kind(), error.stage()), (kind, Some(1)), "{name}: {error}");
                // The failed start did not use it up: it serves another run.
                cmd.run().unwrap_or_else(|error| panic!("{name} after {kind:?}: {error}"));
                drop(cmd);
                assert_eq!(within(SLACK, || read_to_string(reader)).expect("its end"), "");
                assert_no_new_fd(&before);
            }
        }
        assert_no_child();
    });
}

#[test]
fn a_shared_one_serves_any_number_of_starts_and_goes_with_its_last_owner() {
    isolated(|| {
        let (reader, writer) = pipe().expect("a pipe");
        let writer = Arc::new(OwnedFd::from(writer));
        let say = role("say").args(["7", "x", "8", "y"]);
        let cmd = say.map_fd(Arc::clone(&writer), 7).map_fd(writer, 8);
        for _ in 0..3 {
            cmd.clone().run().expect("it runs");
        }
        (cmd.clone() | cmd.clone()).run().expect("it runs");
        drop(cmd);
        // Two stages of one run write in any order.
        let mut said = within(SLACK, || read_to_string(reader)).expect("its end").into_bytes();
        said[6..].sort_unstable();
        assert_eq!(String::from_utf8_lossy(&said), "xyxyxyxxyy");
    });
}

#[test]
fn one_start_may_give_a_cloned_one_shot_to_several_stages() {
    isolated(|| {
        let (reader, writer) = pipe().expect("a pipe");
        let cmd = role("say").args(["7", "x"]).map_fd(writer, 7);
        (cmd.clone() | cmd.clone() | cmd.clone()).run().expect("it runs");
        assert_eq!(cmd.run().expect_err("it was used").kind(), ErrorKind::AlreadyUsed);
        assert_eq!(within(SLACK, || read_to_string(reader)).expect("its end"), "xxx");
    });
}

#[test]
fn a_builder_that_is_never_run_closes_what_it_was_given() {
    isolated(|| {
        for (name, give) in ONE_SHOT {
            let (cmd, reader) = holding(role("cat"), give);
            let copy = cmd.clone();
            drop(cmd.dry_run().expect("nothing is wrong with it"));
            drop(cmd);
            drop(copy);
            assert_eq!(within(SLACK, || read_to_string(reader)).expect("its end"), "", "{name}");
        }
    });
}
