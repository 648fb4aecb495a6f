//! `copy`: every pair of ends, whichever way the kernel takes.

use std::io::{ErrorKind, read_to_string};
use std::thread::JoinHandle;

use nix::sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr};
use pipewright::fd::{self, BadFd, CopyMethod, Role};

use super::ends::*;
use super::{bad, content, file_with};
use crate::prelude::*;

#[test]
fn every_pair_of_ends_is_copied_whole_and_the_way_is_told() {
    use CopyMethod::{CopyFileRange, ReadWrite, Sendfile, Splice};
    isolated(|| {
        const LEN: usize = 300_000;
        let bytes = content(LEN);
        let table: [(&str, &str, &[CopyMethod]); 15] = [
            // A file system may refuse what another does.
            ("file", "file", &[CopyFileRange, Sendfile]),
            ("file", "append", &[ReadWrite]),
            ("file", "pipe", &[Splice]),
            ("file", "socket", &[Sendfile]),
            ("file", "null", &[Sendfile]),
            ("pipe", "file", &[Splice]),
            ("pipe", "append", &[ReadWrite]),
            ("pipe", "pipe", &[Splice]),
            ("pipe", "socket", &[Splice]),
            ("pipe", "null", &[Splice]),
            ("socket", "file", &[ReadWrite]),
            ("socket", "append", &[ReadWrite]),
            ("socket", "pipe", &[Splice]),
            ("socket", "socket", &[ReadWrite]),
            ("socket", "null", &[ReadWrite]),
        ];
        for (from, to, methods) in table {
            for nonblock in [false, true] {
                let (from_end, to_end) = (source(from, &bytes), target(to));
                if nonblock {
                    nonblocking(&from_end.fd);
                    nonblocking(&to_end.fd);
                }
                let copied =
                    fd::copy(&from_end.fd, &to_end.fd).unwrap_or_else(|error| panic!("{from} to {to}: {error:?}"));
                assert_eq!(copied.bytes, LEN as u64, "{from} to {to}");
                assert!(methods.contains(&copied.method), "{from} to {to}: {:?}", copied.method);
                from_end.arrived();
                let arrived = to_end.arrived();
                assert!(to == "null" || arrived == bytes, "{from} to {to}: other bytes");
                progress();
            }
        }
    });
}

#[test]
fn a_limit_leaves_the_rest_where_it_is() {
    isolated(|| {
        let bytes = content(1000);
        for (from, to) in [
            ("file", "file"),
            ("file", "append"),
            ("file", "pipe"),
            ("pipe", "pipe"),
            ("pipe", "file"),
            ("file", "socket"),
            ("socket", "file"),
            ("pipe", "append"),
        ] {
            let (from_end, to_end) = (source(from, &bytes), target(to));
            for (limit, expected) in [(0, 0), (1, 1), (600, 600)] {
                let copied = fd::copy_at_most(&from_end.fd, &to_end.fd, limit).expect("it copies");
                assert_eq!(copied.bytes, expected, "{from} to {to}");
            }
            let rest = fd::copy_at_most(&from_end.fd, &to_end.fd, u64::MAX).expect("it copies");
            assert_eq!(rest.bytes, 399, "{from} to {to}");
            from_end.arrived();
            assert!(to_end.arrived() == bytes, "{from} to {to}");
        }
    });
}

#[test]
fn a_file_that_says_it_is_empty_is_read_all_the_same() {
    isolated(|| {
        for to in ["file", "append", "pipe", "socket", "null"] {
            let version = File::open("/proc/version").expect("it opens");
            let end = target(to);
            let copied = fd::copy(&version, &end.fd).expect("it copies");
            let text = std::fs::read("/proc/version").expect("it is there");
            assert!(!text.is_empty() && version.metadata().expect("a file").len() == 0);
            assert_eq!(copied.bytes, text.len() as u64, "to {to}");
            assert!(to == "null" || end.arrived() == text, "to {to}");
        }
    });
}

#[test]
fn files_are_copied_from_and_to_their_offsets() {
    isolated(|| {
        let (mut from, mut to) = (file_with(b"0123456789"), file_with(b"abcdef"));
        from.seek(SeekFrom::Start(7)).expect("a file");
        to.seek(SeekFrom::End(0)).expect("a file");
        assert_eq!(fd::copy(&from, &to).expect("it copies").bytes, 3);
        assert_eq!(from.stream_position().expect("a file"), 10);
        to.rewind().expect("a file");
        assert_eq!(read_to_string(to).expect("text"), "abcdef789");
        // From its end on there is nothing.
        let (again, method) = (fd::copy(&from, file_with(b"")).expect("it copies"), CopyMethod::ReadWrite);
        assert_eq!((again.bytes, again.method), (0, method));
    });
}

#[test]
fn a_terminal_is_copied_to_and_from() {
    isolated(|| {
        let Ok(terminal) = openpty(None, None) else {
            return skip("no terminal can be made here");
        };
        let (master, slave) = (terminal.master, terminal.slave);
        let mut raw = tcgetattr(&slave).expect("a terminal");
        cfmakeraw(&mut raw);
        tcsetattr(&slave, SetArg::TCSANOW, &raw).expect("a terminal");
        let text = b"to the terminal";
        let copied = fd::copy(file_with(text), &slave).expect("it copies");
        assert_eq!(copied.bytes, text.len() as u64);
        let sheet = file_with(b"");
        let copied = fd::copy_at_most(&master, &sheet, text.len() as u64).expect("it copies");
        assert_eq!(copied.bytes, text.len() as u64);

        let (reader, mut writer) = pipe::kernel().expect("a pipe");
        writer.write_all(text).expect("it fits");
        drop(writer);
        assert_eq!(fd::copy(&reader, &slave).expect("it copies").bytes, text.len() as u64);
        let (arrived, target) = pipe::kernel().expect("a pipe");
        fd::copy_at_most(&master, &target, text.len() as u64).expect("it copies");
        drop(target);
        assert_eq!(read_to_string(arrived).expect("text").as_bytes(), text);
    });
}

#[test]
fn much_goes_through_between_children_by_splice_alone() {
    isolated(|| {
        let len = count(8, 1024) * 1024 * 1024;
        let job = role("blocks").arg(len.to_string()).stdout(Redirect::piped()).spawn().expect("it starts");
        let check = role("check-blocks").stdin(Redirect::piped()).stdout(Redirect::piped()).spawn().expect("it starts");
        let from = job.take_stdout().expect("it is there");
        let to = check.take_stdin().expect("it is there");
        let copied = fd::copy(&from, &to).expect("it copies");
        assert_eq!((copied.bytes, copied.method), (len as u64, CopyMethod::Splice));
        drop(to);
        let seen = read_to_string(check.take_stdout().expect("it is there")).expect("text");
        assert_eq!(seen.trim(), len.to_string());
        assert!(check.wait().expect("it ends").success() && job.wait().expect("it ends").success());
    });
}

#[test]
fn a_copy_that_stops_says_how_far_it_came_and_keeps_what_it_took() {
    isolated(|| {
        // By reading and writing: what was taken is what arrived, what is kept, and nothing else.
        let bytes = content(5000);
        let full = File::options().write(true).open("/dev/full").expect("it opens");
        let end = source("socket", &bytes);
        let error = fd::copy(&end.fd, &full).expect_err("no space");
        assert_eq!((error.raw_os_error(), error.role()), (Some(libc::ENOSPC), Some(Role::Target)));
        assert_eq!(error.copied().bytes, 0);
        let mut left = Vec::new();
        UnixStream::from(end.fd).read_to_end(&mut left).expect("it ends");
        assert!([error.unwritten(), &left].concat() == bytes);
        let number = full.as_raw_fd();
        let text = error.to_string();
        assert!(text.ends_with(&format!("to descriptor {number} stopped after 0 bytes, writing")), "{text}");
        let error = std::io::Error::from(error);
        assert_eq!(error.kind(), ErrorKind::StorageFull);
        assert_eq!(
            std::error::Error::source(error.get_ref().expect("inside")).expect("the cause").to_string(),
            "No space left on device (os error 28)"
        );

        // By the kernel, which takes no more than it can place.
        let (reader, writer) = pipe::kernel().expect("a pipe");
        let room = fd::capacity(&writer).expect("a pipe");
        let mut from = file_with(&content(room * 3));
        let gone = std::thread::spawn(move || {
            let mut taken = vec![0; room + 1];
            (&reader).read_exact(&mut taken).expect("that many bytes");
        });
        let error = fd::copy(&from, &writer).expect_err("no reader");
        gone.join().expect("no panic");
        assert_eq!((error.kind(), error.role()), (ErrorKind::BrokenPipe, Some(Role::Target)));
        assert!(error.copied().bytes > room as u64 && error.unwritten().is_empty(), "{error:?}");
        assert_eq!(from.stream_position().expect("a file"), error.copied().bytes);
    });
}

#[test]
fn a_copy_to_a_pipe_without_a_reader_is_an_error_and_no_signal() {
    isolated(|| {
        whatever_sigpipe_does(|| {
            for (from, to) in
                [("file", "pipe"), ("file", "socket"), ("pipe", "pipe"), ("pipe", "socket"), ("socket", "socket")]
            {
                let (ours, theirs): (OwnedFd, OwnedFd) = match to {
                    "pipe" => pipe::kernel().map(|(reader, writer)| (writer.into(), reader.into())),
                    _ => UnixStream::pair().map(|(ours, theirs)| (ours.into(), theirs.into())),
                }
                .expect("a pair of ends");
                drop(theirs);
                let end = source(from, b"bytes");
                let error = fd::copy(&end.fd, &ours).expect_err("no reader");
                assert_eq!(error.kind(), ErrorKind::BrokenPipe, "{from} to {to}: {error:?}");
                assert_eq!(error.role(), Some(Role::Target));
                end.other.map(JoinHandle::join);
            }
        });
    });
}

#[test]
fn what_would_never_end_is_refused_before_anything_is_moved() {
    isolated(|| {
        let named = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(named.path(), "abc").expect("a file");
        let from = File::open(named.path()).expect("it opens");
        let append = File::options().append(true).open(named.path()).expect("it opens");
        let inner = |error: fd::CopyError| {
            assert_eq!((error.copied().bytes, error.kind()), (0, ErrorKind::InvalidInput));
            let source =
                std::error::Error::source(&error).and_then(|source| source.downcast_ref()).expect("an io::Error");
            bad(source)
        };
        let error = fd::copy(&from, &append).expect_err("onto itself");
        assert!(matches!(inner(error), BadFd::Same { what: "file", .. }));
        assert_eq!(fd::copy_at_most(&from, &append, 2).expect("that ends").bytes, 2);
        assert_eq!(std::fs::read_to_string(named.path()).expect("a file"), "abcab");

        let (reader, writer) = pipe::kernel().expect("a pipe");
        (&writer).write_all(b"x").expect("it fits");
        let error = fd::copy(&reader, &writer).expect_err("onto itself");
        assert!(matches!(inner(error), BadFd::Same { what: "pipe", .. }));
        for (from, to, wanted) in
            [(writer.as_fd(), append.as_fd(), Role::Source), (from.as_fd(), reader.as_fd(), Role::Target)]
        {
            let error = fd::copy(from, to).expect_err("the wrong direction");
            assert_eq!(error.role(), Some(wanted));
            assert!(matches!(inner(error), BadFd::Access { role, .. } if role == wanted));
        }
        let error = fd::copy(File::open("/").expect("it opens"), &writer).expect_err("a directory");
        assert!(matches!(inner(error), BadFd::Directory { role: Role::Source, .. }));
        assert_eq!(fd::bytes_queued(&reader).expect("a pipe"), 1);
    });
}

#[test]
fn a_copy_needs_no_descriptor_of_its_own() {
    isolated(|| {
        let bytes = content(1000);
        let (from, to) = (file_with(&bytes), target("append"));
        assert_eq!(spare_fds(0, || fd::copy(&from, &to.fd)).expect("it copies").bytes, 1000);
        assert!(to.arrived() == bytes);
    });
}
