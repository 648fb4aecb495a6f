//! Further streams in pipelines: each stage has its own, by its own numbers.

use super::*;
use crate::prelude::*;

/// A stage that copies its stdin to stdout and to its fd 3.
fn through() -> Cmd {
    role("fan").args(["0", "1", "3"])
}

#[test]
fn the_same_number_in_several_stages_is_as_many_streams() {
    isolated(|| {
        let line = through().fd_out(3, Redirect::piped()).stdin(Redirect::bytes("abc"))
            | role("upper")
            | through().fd_out(3, Redirect::piped())
            | through().fd_out(3, Redirect::piped());
        let output = line.output().expect("it runs");
        let seen: Vec<_> =
            output.fds.iter().map(|fd| (fd.stage, fd.number, fd.bytes.to_str().expect("text"))).collect();
        assert_eq!(seen, [(0, 3, "abc"), (2, 3, "ABC"), (3, 3, "ABC")]);
        assert_eq!(*output.fd(3).expect("captured"), "abc");
        assert_eq!(output.stdout, "ABC");
    });
}

#[test]
fn what_was_captured_is_listed_by_stage_and_number_however_it_was() {
    isolated(|| {
        let say = |text: &str| role("say").args(["3", text, "4", text, "9", text]);
        let plain =
            say("first").fd_out(9, Redirect::capture()).fd_out(4, Redirect::piped()).fd_out(3, Redirect::piped());
        // A tee is served by something else than a plain capture.
        let tee = || Redirect::tee([Redirect::capture(), Redirect::null()]);
        let output = (plain | say("second").fd_out(9, tee()).fd_out(3, tee()).fd_out(4, Redirect::piped()))
            .output()
            .expect("it runs");
        let order: Vec<_> = output.fds.iter().map(|fd| (fd.stage, fd.number)).collect();
        assert_eq!(order, [(0, 3), (0, 4), (0, 9), (1, 3), (1, 4), (1, 9)]);
        assert_eq!(*output.fd(3).expect("captured"), "first");
        let output = (say("first").fd_out(3, tee()) | say("second").fd_out(3, Redirect::capture())).output();
        // The first did not write to 4 and 9, for it has none.
        assert_eq!(output.expect_err("a closed descriptor").output().expect("it ran").fds.len(), 2);
    });
}

#[test]
fn two_captures_in_one_tee_are_both_there() {
    isolated(|| {
        let twice = || Redirect::tee([Redirect::capture(), Redirect::capture()]);
        let output = role("say").args(["1", "x", "3", "y"]).stdout(twice()).fd_out(3, twice()).run().expect("it runs");
        assert_eq!(output.stdout, "xx");
        assert_eq!(*output.fd(3).expect("captured"), "yy");
    });
}

#[test]
fn piped_streams_of_one_number_are_taken_stage_by_stage() {
    isolated(|| {
        let stage = || role("fan").args(["3", "4"]).fd_in(3, Redirect::piped()).fd_out(4, Redirect::piped());
        let job = (stage() | stage() | stage()).spawn().expect("it starts");
        let mut ends: Vec<_> = (0..3).map(|_| (job.take_fd_in(3).unwrap(), job.take_fd_out(4).unwrap())).collect();
        assert!(job.take_fd_in(3).is_none() && job.take_fd_out(4).is_none());
        for (at, (to, _)) in ends.iter_mut().enumerate() {
            write!(to, "to stage {at}").expect("the child reads");
        }
        for (at, (to, mut from)) in ends.into_iter().enumerate() {
            drop(to);
            let mut text = String::new();
            from.read_to_string(&mut text).expect("its end");
            assert_eq!(text, format!("to stage {at}"));
        }
        assert!(job.wait().expect("it ends").success());
    });
}

#[test]
fn every_stage_may_write_to_one_shared_file() {
    isolated(|| {
        let dir = tempfile::tempdir().expect("a directory");
        let log = dir.path().join("log");
        let say = |text: &str| role("say").args(["5", text]).fd_out(5, Redirect::file(&log));
        (say("one,") | say("two,") | say("six,")).run().expect("it runs");
        // One offset for all: none overwrote another.
        let text = std::fs::read_to_string(&log).expect("written");
        let mut words: Vec<&str> = text.split_inclusive(',').collect();
        words.sort_unstable();
        assert_eq!(words, ["one,", "six,", "two,"]);
    });
}

#[test]
fn a_stage_that_reads_two_streams_gets_each_of_them_whole() {
    isolated(|| {
        let cat = |path: &str| paths().args(["/dev/fd/0", path]);
        let both = role("echo").arg("in") | cat("/dev/fd/3").fd_in(3, Redirect::bytes("three\n"));
        assert_eq!(both.read().expect("it runs"), "in\nthree");
    });
}

#[test]
fn a_pipe_between_two_stages_beside_the_line_can_be_made_by_hand() {
    isolated(|| {
        // The first stage's fd 3 is the third's fd 4.
        let (reader, writer) = os_pipe::pipe().expect("a pipe");
        let first = role("say").args(["3", "around", "1", "along "]).map_fd(writer, 3);
        let last = paths().args(["/dev/fd/0", "/dev/fd/4"]).map_fd(reader, 4);
        assert_eq!((first | role("cat") | last).read().expect("it runs"), "along around");
    });
}

#[test]
fn an_error_names_the_stage_and_the_number() {
    isolated(|| {
        let (reader, writer) = os_pipe::pipe().expect("a pipe");
        drop(reader);
        let cmd = role("say").args(["3", "x"]).map_fd(writer, 3);
        let line = role("cat").stdin(Redirect::null()) | cmd;
        line.run().expect_err("a broken pipe");
        let again = line.run().expect_err("used");
        assert_eq!((again.kind(), again.stage()), (ErrorKind::AlreadyUsed, Some(1)));
        assert!(again.to_string().contains("fd 3"), "{again}");
        let missing = role("cat").stdin(Redirect::null()) | role("cat").fd_in(7, Redirect::file("/no/such/file"));
        let error = missing.run().expect_err("no file");
        assert_eq!((error.kind(), error.stage()), (ErrorKind::Redirect, Some(1)));
        assert!(error.to_string().contains("as its fd 7"), "{error}");
        let limited = role("say").args(["3", "x"]).fd_out(3, Redirect::piped())
            | role("say").args(["3", "123"]).fd_out(3, Redirect::piped());
        let error = limited.fd_limit(3, pipewright::Limit::Fail(2)).run().expect_err("too much");
        assert_eq!((error.kind(), error.stage()), (ErrorKind::LimitExceeded, Some(1)), "{error}");
    });
}
