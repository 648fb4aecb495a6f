//! Questions to and changes of single descriptors.

use std::os::fd::BorrowedFd;

use nix::sys::stat::Mode;
use pipewright::fd::{self, BadFd};

use super::{bad, file_with};
use crate::prelude::*;

#[test]
fn close_on_exec_is_what_a_child_of_std_sees() {
    isolated(|| {
        let copy = fd::dup_above(std::io::stderr(), 150).expect("a copy");
        let seen = || {
            let output = Command::new(fixture()).arg("count-fds").output().expect("it runs");
            String::from_utf8(output.stdout).expect("text").lines().any(|fd| fd == copy.as_raw_fd().to_string())
        };
        assert!(fd::cloexec(&copy).expect("it is open") && !seen());
        fd::set_cloexec(&copy, false).expect("it can be set");
        assert!(!fd::cloexec(&copy).expect("it is open") && seen());
        fd::set_cloexec(&copy, true).expect("it can be set");
        assert!(fd::cloexec(&copy).expect("it is open") && !seen());
    });
}

#[test]
fn a_copy_lies_where_it_was_asked_for_and_shares_the_offset() {
    isolated(|| {
        let mut file = file_with(b"abcdef");
        let copies = [0, 3, 77, 77].map(|min| (min, fd::dup_above(&file, min).expect("a copy")));
        for (min, copy) in &copies {
            assert!(copy.as_raw_fd() >= *min && fd::cloexec(copy).expect("it is open"));
        }
        assert_eq!([copies[2].1.as_raw_fd(), copies[3].1.as_raw_fd()], [77, 78]);
        file.read_exact(&mut [0; 4]).expect("four bytes");
        for (_, copy) in copies {
            assert_eq!(File::from(copy).stream_position().expect("a file"), 4);
        }
    });
}

#[test]
fn a_number_that_cannot_be_is_named_with_the_limit() {
    isolated(|| {
        let null = File::open("/dev/null").expect("it opens");
        spare_fds(5, || {
            for min in [-1, i32::MIN, 256, i32::MAX] {
                let error = fd::dup_above(&null, min).expect_err("no such number");
                assert!(
                    matches!(bad(&error), BadFd::OutOfRange { number, limit: 256, .. } if number == min),
                    "{error:?}"
                );
                let text = error.to_string();
                assert!(text.contains(&min.to_string()) && text.contains("256 (RLIMIT_NOFILE)"), "{text}");
            }
            fd::dup_above(&null, 255).expect("the last number");
        });
        let full = spare_fds(0, || fd::dup_above(&null, 3).expect_err("none is free"));
        assert_eq!(full.raw_os_error(), Some(libc::EMFILE));
    });
}

#[test]
fn a_capacity_is_what_the_kernel_gave() {
    isolated(|| {
        let (reader, mut writer) = pipe::kernel().expect("a pipe");
        for (asked, given) in [(0, 4096), (1, 4096), (4097, 8192), (70_000, 131_072), (65_536, 65_536)] {
            assert_eq!(fd::set_capacity(&writer, asked).expect("it can be set"), given);
            assert_eq!(fd::capacity(&reader).expect("a pipe"), given, "both ends are one pipe");
        }
        writer.write_all(&[0; 8000]).expect("it fits");
        let error = fd::set_capacity(&writer, 4096).expect_err("more than that waits in it");
        assert_eq!(error.raw_os_error(), Some(libc::EBUSY));
        let error = fd::set_capacity(&writer, usize::MAX).expect_err("no machine has so much");
        assert!(error.raw_os_error().is_some(), "{error:?}");
        assert_eq!(fd::capacity(&reader).expect("a pipe"), 65_536, "a refusal changes nothing");
    });
}

#[test]
fn what_waits_in_a_pipe_is_counted_and_shared_with_none() {
    isolated(|| {
        let (mut reader, mut writer) = pipe::kernel().expect("a pipe");
        for expected in [0, 3, 6] {
            assert_eq!(fd::bytes_queued(&reader).expect("a pipe"), expected);
            writer.write_all(b"abc").expect("it fits");
        }
        reader.read_exact(&mut [0; 4]).expect("four bytes");
        assert_eq!(fd::bytes_queued(&reader).expect("a pipe"), 5);
        assert_eq!(fd::bytes_queued(file_with(b"abcdef")).expect("a file"), 6);
        let refused = fd::bytes_queued(File::open("/").expect("it opens")).expect_err("a directory");
        assert_eq!(refused.raw_os_error(), Some(libc::ENOTTY));
    });
}

#[test]
fn one_pipe_is_told_from_another() {
    isolated(|| {
        let (reader, writer) = pipe::kernel().expect("a pipe");
        let (other, _writer) = pipe::kernel().expect("a pipe");
        let (null, second) = (File::open("/dev/null").expect("it opens"), File::open("/dev/null").expect("it opens"));
        let same = |a: BorrowedFd<'_>, b: BorrowedFd<'_>| {
            assert_eq!(fd::same_pipe(a, b).expect("both are open"), fd::same_pipe(b, a).expect("both are open"));
            fd::same_pipe(a, b).expect("both are open")
        };
        assert!(same(reader.as_fd(), writer.as_fd()) && same(reader.as_fd(), reader.as_fd()));
        assert!(same(reader.as_fd(), reader.try_clone().expect("a copy").as_fd()));
        assert!(!same(reader.as_fd(), other.as_fd()));
        assert!(!same(null.as_fd(), second.as_fd()), "the same, but no pipe");
        assert!(fd::is_pipe(&writer).expect("it is open") && !fd::is_pipe(&null).expect("it is open"));

        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("fifo");
        nix::unistd::mkfifo(&path, Mode::S_IRWXU).expect("a fifo");
        let open = || File::options().read(true).write(true).open(&path).expect("it opens");
        let (first, second) = (open(), open());
        assert!(fd::is_pipe(&first).expect("it is open") && same(first.as_fd(), second.as_fd()));
    });
}

#[test]
fn a_call_for_pipes_names_what_it_was_given_instead() {
    isolated(|| {
        let (socket, _peer) = std::os::unix::net::UnixStream::pair().expect("a pair");
        let (file, dir) = (file_with(b""), File::open("/").expect("it opens"));
        for (fd, what) in [
            (socket.as_fd(), "a socket"),
            (file.as_fd(), "a regular file"),
            (dir.as_fd(), "a directory"),
            (File::open("/dev/null").expect("it opens").as_fd(), "a character device"),
        ] {
            let number = fd.as_raw_fd();
            for (call, result) in [
                ("capacity", fd::capacity(fd).map(drop)),
                ("set_capacity", fd::set_capacity(fd, 4096).map(drop)),
                ("holders", fd::holders(fd).map(drop)),
            ] {
                let error = result.expect_err("no pipe");
                assert!(matches!(bad(&error), BadFd::NotAPipe { fd, .. } if fd == number), "{error:?}");
                let text = format!("{call}: descriptor {number} is {what} and must be a pipe");
                assert_eq!(error.to_string(), text);
            }
        }
    });
}

#[test]
fn a_closed_descriptor_is_an_error_of_every_call() {
    isolated(|| {
        assert!(!open_fds().contains_key(&199));
        // SAFETY: what must not be: a borrow of nothing. Every call only asks the kernel about the number.
        let closed = unsafe { BorrowedFd::borrow_raw(199) };
        let null = File::options().read(true).write(true).open("/dev/null").expect("it opens");
        let (reader, writer) = pipe::kernel().expect("a pipe");
        let results: Vec<(&str, io::Result<()>)> = vec![
            ("cloexec", fd::cloexec(closed).map(drop)),
            ("set_cloexec", fd::set_cloexec(closed, true)),
            ("dup_above", fd::dup_above(closed, 3).map(drop)),
            ("capacity", fd::capacity(closed).map(drop)),
            ("set_capacity", fd::set_capacity(closed, 4096).map(drop)),
            ("bytes_queued", fd::bytes_queued(closed).map(drop)),
            ("is_pipe", fd::is_pipe(closed).map(drop)),
            ("same_pipe", fd::same_pipe(&reader, closed).map(drop)),
            ("wait_readable", fd::wait_readable(closed, None).map(drop)),
            ("wait_writable", fd::wait_writable(closed, None).map(drop)),
            ("splice from", fd::splice(closed, &writer, 1).map(drop)),
            ("splice to", fd::splice(&reader, closed, 1).map(drop)),
            ("tee_pipes from", fd::tee_pipes(closed, &writer, 1).map(drop)),
            ("tee_pipes to", fd::tee_pipes(&reader, closed, 1).map(drop)),
            ("holders", fd::holders(closed).map(drop)),
        ];
        for (call, result) in results {
            assert_eq!(result.expect_err(call).raw_os_error(), Some(libc::EBADF), "{call}");
        }
        let error = fd::copy(closed, &null).expect_err("closed");
        assert_eq!((error.raw_os_error(), error.role()), (Some(libc::EBADF), Some(fd::Role::Source)));
        let error = fd::copy(&null, closed).expect_err("closed");
        assert_eq!((error.raw_os_error(), error.role()), (Some(libc::EBADF), Some(fd::Role::Target)));
        assert!(error.to_string().contains("to descriptor 199"), "{error}");
    });
}
