//! What can be copied from and to, with a process at the other end.

use std::thread::JoinHandle;

use nix::fcntl::OFlag;

use super::file_with;
use crate::prelude::*;

/// One end to copy from or to, and the thread that is at its other end.
pub(super) struct End {
    pub(super) fd: OwnedFd,
    /// Gives what arrived, once this end is closed.
    pub(super) other: Option<JoinHandle<Vec<u8>>>,
    /// The file that was written to.
    file: Option<File>,
}

impl End {
    fn alone(fd: impl Into<OwnedFd>) -> End {
        End { fd: fd.into(), other: None, file: None }
    }

    /// Fed by a thread.
    fn fed(fd: impl Into<OwnedFd>, mut feed: impl Write + Send + 'static, bytes: &[u8]) -> End {
        let bytes = bytes.to_vec();
        let feeder = std::thread::spawn(move || {
            feed.write_all(&bytes).expect("it is read");
            Vec::new()
        });
        End { other: Some(feeder), ..End::alone(fd) }
    }

    /// Drained by a thread.
    fn drained(fd: impl Into<OwnedFd>, mut drain: impl Read + Send + 'static) -> End {
        let drainer = std::thread::spawn(move || {
            let mut arrived = Vec::new();
            drain.read_to_end(&mut arrived).expect("it ends");
            arrived
        });
        End { other: Some(drainer), ..End::alone(fd) }
    }

    /// What is in the file, or has come out at the other end.
    pub(super) fn arrived(self) -> Vec<u8> {
        drop(self.fd);
        if let Some(mut file) = self.file {
            let mut bytes = Vec::new();
            file.rewind().expect("a file");
            file.read_to_end(&mut bytes).expect("a file");
            return bytes;
        }
        self.other.map_or_else(Vec::new, |other| other.join().expect("no panic"))
    }
}

pub(super) fn source(kind: &str, bytes: &[u8]) -> End {
    match kind {
        "file" => End::alone(file_with(bytes)),
        "pipe" => {
            let (reader, writer) = pipe::kernel().expect("a pipe");
            End::fed(reader, writer, bytes)
        }
        "socket" => {
            let (ours, theirs) = UnixStream::pair().expect("a pair");
            End::fed(ours, theirs, bytes)
        }
        _ => unreachable!("{kind}"),
    }
}

pub(super) fn target(kind: &str) -> End {
    match kind {
        "file" => {
            let file = file_with(b"");
            End { file: Some(file.try_clone().expect("a copy")), ..End::alone(file) }
        }
        "append" => {
            let named = tempfile::NamedTempFile::new().expect("a file");
            let append = File::options().append(true).open(named.path()).expect("it opens");
            End { file: Some(File::open(named.path()).expect("it opens")), ..End::alone(append) }
        }
        "pipe" => {
            let (reader, writer) = pipe::kernel().expect("a pipe");
            End::drained(writer, reader)
        }
        "socket" => {
            let (ours, theirs) = UnixStream::pair().expect("a pair");
            End::drained(ours, theirs)
        }
        "null" => End::alone(File::create("/dev/null").expect("it opens")),
        _ => unreachable!("{kind}"),
    }
}

pub(super) fn nonblocking(fd: impl AsFd + Copy) {
    let flags = OFlag::from_bits_retain(fcntl(fd, FcntlArg::F_GETFL).expect("it is open"));
    fcntl(fd, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK)).expect("it can be set");
}
