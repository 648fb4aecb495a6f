//! `splice` and `tee_pipes`: one call each, and what they refuse.

use std::io::{ErrorKind, read_to_string};
use std::os::fd::BorrowedFd;

use pipewright::fd::{self, BadFd, Role};

use super::ends::nonblocking;
use super::{bad, content, file_with};
use crate::prelude::*;

type Call = fn(BorrowedFd<'_>, BorrowedFd<'_>, usize) -> io::Result<usize>;

const CALLS: [Call; 2] = [|from, to, len| fd::splice(from, to, len), |from, to, len| fd::tee_pipes(from, to, len)];

#[test]
fn a_file_goes_through_a_pipe_and_both_offsets_move_on() {
    isolated(|| {
        let bytes = content(100_000);
        let (mut from, mut to) = (file_with(&bytes), file_with(b""));
        let (reader, writer) = pipe::kernel().expect("a pipe");
        let mut moved = 0;
        while moved < bytes.len() {
            let some = fd::splice(&from, &writer, 70_000).expect("from a file");
            moved += some;
            assert_eq!(from.stream_position().expect("a file"), moved as u64);
            let mut left = some;
            while left > 0 {
                left -= fd::splice(&reader, &to, left).expect("to a file");
            }
        }
        assert_eq!(fd::splice(&from, &writer, 1).expect("its end"), 0);
        assert_eq!(to.stream_position().expect("a file"), moved as u64);
        to.rewind().expect("a file");
        let mut arrived = Vec::new();
        to.read_to_end(&mut arrived).expect("a file");
        assert!(arrived == bytes);
    });
}

#[test]
fn an_end_and_a_length_of_nothing_are_zero() {
    isolated(|| {
        let (reader, mut writer) = pipe::kernel().expect("a pipe");
        let (_other, target) = pipe::kernel().expect("a pipe");
        writer.write_all(b"x").expect("it fits");
        assert_eq!(fd::splice(&reader, &target, 0).expect("nothing"), 0);
        assert_eq!(fd::tee_pipes(&reader, &target, 0).expect("nothing"), 0);
        assert_eq!(fd::splice(&reader, &target, 9).expect("a byte"), 1);
        drop(writer);
        assert_eq!(fd::splice(&reader, &target, 9).expect("its end"), 0);
        assert_eq!(fd::tee_pipes(&reader, &target, 9).expect("its end"), 0);
    });
}

#[test]
fn a_tee_shows_and_takes_nothing() {
    isolated(|| {
        let bytes = content(200_000);
        let (first, mut input) = pipe::kernel().expect("a pipe");
        let (second, output) = pipe::kernel().expect("a pipe");
        let feed = bytes.clone();
        let feeder = std::thread::spawn(move || input.write_all(&feed));
        let mut sheet = file_with(b"");
        let mut shown = Vec::new();
        loop {
            let some = fd::tee_pipes(&first, &output, usize::MAX).expect("two pipes");
            if some == 0 {
                break;
            }
            let mut part = vec![0; some];
            (&second).read_exact(&mut part).expect("what was shown");
            shown.append(&mut part);
            let mut left = some;
            while left > 0 {
                left -= fd::splice(&first, &sheet, left).expect("to a file");
            }
        }
        feeder.join().expect("no panic").expect("all was taken");
        assert!(shown == bytes);
        sheet.rewind().expect("a file");
        let mut arrived = Vec::new();
        sheet.read_to_end(&mut arrived).expect("a file");
        assert!(arrived == bytes);
    });
}

#[test]
fn what_would_block_says_so_and_has_moved_nothing() {
    isolated(|| {
        let (empty, _input) = pipe::kernel().expect("a pipe");
        let (output, mut full) = pipe::kernel().expect("a pipe");
        let room = fd::capacity(&full).expect("a pipe");
        full.write_all(&vec![b'x'; room]).expect("it fits");
        nonblocking(&empty);
        nonblocking(&full);
        let (source, mut feed) = pipe::kernel().expect("a pipe");
        feed.write_all(b"abc").expect("it fits");
        let (_sink, target) = pipe::kernel().expect("a pipe");
        for call in CALLS {
            for (from, to) in [(empty.as_fd(), target.as_fd()), (source.as_fd(), full.as_fd())] {
                assert_eq!(call(from, to, 3).expect_err("it would block").kind(), ErrorKind::WouldBlock);
            }
        }
        assert_eq!(fd::bytes_queued(&source).expect("a pipe"), 3);
        assert_eq!(fd::bytes_queued(&output).expect("a pipe"), room);
    });
}

#[test]
fn a_pipe_without_a_reader_is_an_error_and_no_signal() {
    isolated(|| {
        whatever_sigpipe_does(|| {
            for call in CALLS {
                let (source, mut input) = pipe::kernel().expect("a pipe");
                input.write_all(b"abc").expect("it fits");
                let (reader, target) = pipe::kernel().expect("a pipe");
                drop(reader);
                let error = call(source.as_fd(), target.as_fd(), 3).expect_err("no reader");
                assert_eq!(error.kind(), ErrorKind::BrokenPipe);
                drop(input);
                assert_eq!(read_to_string(source).expect("text"), "abc", "nothing was taken");
            }
        });
    });
}

#[test]
fn what_cannot_be_is_named_with_its_number_and_role() {
    isolated(|| {
        let (reader, writer) = pipe::kernel().expect("a pipe");
        let (other_reader, other_writer) = pipe::kernel().expect("a pipe");
        (&writer).write_all(b"abc").expect("it fits");
        let (file, second) = (file_with(b"abc"), file_with(b""));
        let named = tempfile::NamedTempFile::new().expect("a file");
        let append = File::options().append(true).open(named.path()).expect("it opens");
        let read_only = File::open(named.path()).expect("it opens");
        let write_only = File::options().write(true).open(named.path()).expect("it opens");
        let dir = File::open("/").expect("it opens");
        let refused = |from: &dyn AsFd, to: &dyn AsFd| -> (BadFd, String) {
            let error = fd::splice(from.as_fd(), to.as_fd(), 3).expect_err("it cannot be");
            (bad(&error), error.to_string())
        };
        let n = |fd: &dyn AsFd| fd.as_fd().as_raw_fd();

        let (misfit, text) = refused(&file, &second);
        assert!(matches!(misfit, BadFd::NoPipe { from, to, .. } if (from, to) == (n(&file), n(&second))));
        assert_eq!(
            text,
            format!(
                "splice: the source, descriptor {}, is a regular file and the target, descriptor {}, is a regular file: one \
                 of them must be a pipe",
                n(&file),
                n(&second)
            )
        );
        let (misfit, text) = refused(&reader, &writer);
        assert!(matches!(misfit, BadFd::Same { what: "pipe", .. }), "{text}");
        let (misfit, text) = refused(&reader, &append);
        assert!(matches!(misfit, BadFd::Append { fd, .. } if fd == n(&append)), "{text}");
        for (from, to, bad_role, bad_fd) in [
            (&writer as &dyn AsFd, &other_writer as &dyn AsFd, Role::Source, n(&writer)),
            (&reader, &other_reader, Role::Target, n(&other_reader)),
            (&write_only, &writer, Role::Source, n(&write_only)),
            (&reader, &read_only, Role::Target, n(&read_only)),
        ] {
            let (misfit, text) = refused(from, to);
            assert!(
                matches!(misfit, BadFd::Access { role, fd, .. } if (role, fd) == (bad_role, bad_fd)),
                "{misfit:?} {text}"
            );
        }
        let (misfit, text) = refused(&dir, &writer);
        assert!(matches!(misfit, BadFd::Directory { role: Role::Source, .. }), "{text}");

        for (from, to, bad_role) in
            [(&file as &dyn AsFd, &writer as &dyn AsFd, Role::Source), (&reader, &file, Role::Target)]
        {
            let error: io::Error = fd::tee_pipes(from.as_fd(), to.as_fd(), 3).expect_err("no pipe");
            assert!(matches!(bad(&error), BadFd::NotAPipe { role, .. } if role == bad_role), "{error}");
        }
        let error = fd::tee_pipes(&reader, &writer, 3).expect_err("one pipe");
        assert!(matches!(bad(&error), BadFd::Same { .. }), "{error}");
        assert_eq!(fd::bytes_queued(&reader).expect("a pipe"), 3, "no refusal took anything");
    });
}
