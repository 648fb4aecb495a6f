//! Where drained bytes go.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use super::capture::Capture;
use super::helper::panic_text;
use super::lines::LineSplitter;
use super::wake::Halt;
use super::{BoxError, FlowError, Lent};
use crate::sys::{fds, signals, stream};

/// A callback that a builder holds, for one line at a time.
pub(crate) type LineCallback = Arc<Mutex<dyn FnMut(&[u8]) -> Result<(), BoxError> + Send>>;

pub(crate) enum Sink {
    Capture(Capture),
    Lines(LineSplitter, LineCallback),
    /// To the callback that the driver was lent.
    LentLines(LineSplitter),
    Fd(FdSink),
    Discard,
    /// A capture that went over its limit: what it holds stays, for the error to carry.
    Full(Capture),
    /// One that failed, or whose reader is gone.
    Dead,
}

impl Sink {
    pub(super) fn is_dead(&self) -> bool {
        matches!(self, Sink::Dead | Sink::Full(_))
    }

    pub(super) fn discards(&self) -> bool {
        matches!(self, Sink::Discard)
    }

    pub(super) fn pending(&self, chunk: &[u8]) -> bool {
        self.wants(chunk).is_some()
    }

    /// The descriptor to wait for before more of the chunk can be taken.
    pub(super) fn wants(&self, chunk: &[u8]) -> Option<BorrowedFd<'_>> {
        match self {
            Sink::Fd(sink) if sink.taken < chunk.len() => Some(sink.to.as_fd()),
            _ => None,
        }
    }

    /// Whether lines wait that a callback was halted before.
    pub(super) fn is_behind(&self) -> bool {
        matches!(self, Sink::Lines(splitter, _) | Sink::LentLines(splitter) if splitter.is_behind())
    }

    /// Takes a new chunk, or as much of it as goes at once.
    pub(super) fn take(&mut self, chunk: &[u8], lent: &mut Lent<'_>, halt: Halt<'_>) -> Result<(), FlowError> {
        match self {
            Sink::Capture(capture) => {
                capture.push(chunk).map_err(|error| FlowError::Limit(error.limit))?;
                if capture.had_enough() {
                    self.fail();
                }
                Ok(())
            }
            Sink::Lines(splitter, callback) => unless_halted(splitter, chunk, halt, |line| call(callback, line)),
            Sink::LentLines(splitter) => unless_halted(splitter, chunk, halt, |line| call_lent(lent, line)),
            Sink::Fd(sink) => {
                sink.taken = 0;
                match sink.kind {
                    // Whether these take anything is to be asked first.
                    FdKind::MayBlock | FdKind::Reopened => Ok(()),
                    FdKind::Ours | FdKind::NeverBlocks => self.push_on(chunk),
                }
            }
            Sink::Discard | Sink::Full(_) | Sink::Dead => Ok(()),
        }
    }

    /// Goes on with a chunk that was not taken whole.
    pub(super) fn push_on(&mut self, chunk: &[u8]) -> Result<(), FlowError> {
        let Sink::Fd(sink) = self else { return Ok(()) };
        match sink.push_on(chunk) {
            Ok(()) => Ok(()),
            // A reader of a tee that had enough: the others go on.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe && sink.kind == FdKind::Ours => {
                *self = Sink::Dead;
                Ok(())
            }
            Err(error) => Err(FlowError::Io(error)),
        }
    }

    /// The stream has ended.
    pub(super) fn finish(&mut self, lent: &mut Lent<'_>) -> Result<(), FlowError> {
        match self {
            Sink::Lines(splitter, callback) => splitter.finish(|line| call(callback, line)),
            Sink::LentLines(splitter) => splitter.finish(|line| call_lent(lent, line)),
            // Closed now, not when the run is taken apart: its reader waits for the end.
            Sink::Fd(_) => {
                *self = Sink::Dead;
                Ok(())
            }
            Sink::Capture(_) | Sink::Discard | Sink::Full(_) | Sink::Dead => Ok(()),
        }
    }

    /// What was left in the pipe when it was given up. Descriptors that might block get nothing any more, nor do callbacks of
    /// a run that was `cut`: its time is up.
    pub(super) fn take_at_close(&mut self, rest: &[u8], cut: bool) -> Result<(), FlowError> {
        match self {
            Sink::Lines(..) if cut => Ok(()),
            Sink::Capture(_) | Sink::Lines(..) | Sink::Fd(FdSink { kind: FdKind::NeverBlocks, .. }) => {
                self.take(rest, &mut None, Halt::NEVER)?;
                self.finish(&mut None)
            }
            Sink::Fd(_) => self.finish(&mut None),
            Sink::LentLines(_) | Sink::Discard | Sink::Full(_) | Sink::Dead => Ok(()),
        }
    }

    /// Takes no more: after a failure, or when it has enough.
    pub(super) fn fail(&mut self) {
        *self = match std::mem::replace(self, Sink::Dead) {
            Sink::Capture(capture) | Sink::Full(capture) => Sink::Full(capture),
            _ => Sink::Dead,
        };
    }
}

/// Calls back for each line of the chunk, until halted: the rest then comes with the next chunk, which may be empty.
fn unless_halted(
    splitter: &mut LineSplitter,
    chunk: &[u8],
    halt: Halt<'_>,
    mut call: impl FnMut(&[u8]) -> Result<(), FlowError>,
) -> Result<(), FlowError> {
    let each = |line: &[u8]| {
        call(line).map_err(Some)?;
        if halt.now() { Err(None) } else { Ok(()) }
    };
    match splitter.push(chunk, each) {
        Err(Some(error)) => Err(error),
        Ok(()) | Err(None) => Ok(()),
    }
}

fn call(callback: &LineCallback, line: &[u8]) -> Result<(), FlowError> {
    // A callback that panicked in an earlier run is called again: what state it left is its own affair.
    let mut callback = callback.lock().unwrap_or_else(PoisonError::into_inner);
    match catch_unwind(AssertUnwindSafe(|| callback(line))) {
        Ok(result) => result.map_err(FlowError::Callback),
        Err(panic) => Err(FlowError::Panic(panic_text(&*panic))),
    }
}

fn call_lent(lent: &mut Lent<'_>, line: &[u8]) -> Result<(), FlowError> {
    match lent {
        Some(callback) => callback(line).map_err(FlowError::Callback),
        None => Ok(()),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FdKind {
    /// Our own end of a pipe that we made, set not to block.
    Ours,
    /// A regular file.
    NeverBlocks,
    /// A terminal, a pipe or a socket of somebody else's.
    MayBlock,
    /// The same, opened anew for ourselves, not to block.
    Reopened,
}

/// A descriptor that gets the bytes.
pub(crate) struct FdSink {
    to: SinkFd,
    kind: FdKind,
    /// How much of the present chunk it has taken; all of it before the first.
    taken: usize,
}

enum SinkFd {
    Owned(OwnedFd),
    Shared(Arc<OwnedFd>),
    Stdio(BorrowedFd<'static>),
}

impl AsFd for SinkFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            SinkFd::Owned(fd) => fd.as_fd(),
            SinkFd::Shared(fd) => fd.as_fd(),
            SinkFd::Stdio(fd) => *fd,
        }
    }
}

impl FdSink {
    /// Our own end of a pipe that we made; it is set not to block.
    pub(crate) fn ours(pipe: OwnedFd) -> io::Result<FdSink> {
        fds::set_nonblocking(pipe.as_fd(), true)?;
        Ok(FdSink { to: SinkFd::Owned(pipe), kind: FdKind::Ours, taken: usize::MAX })
    }

    pub(crate) fn shared(fd: Arc<OwnedFd>) -> FdSink {
        FdSink::of(SinkFd::Shared(fd))
    }

    /// This process's own stdout or stderr, by its number: never through `std::io::stdout()`.
    pub(crate) fn stdio(fd: BorrowedFd<'static>) -> FdSink {
        FdSink::of(SinkFd::Stdio(fd))
    }

    fn of(to: SinkFd) -> FdSink {
        if fds::is_regular_file(to.as_fd()) {
            return FdSink { to, kind: FdKind::NeverBlocks, taken: usize::MAX };
        }
        // O_NONBLOCK on somebody else's description would reach everybody who shares it. A description of our own does not, and no
        // readiness promises that a blocking write of more than a byte comes back: a terminal waits for all of it, and
        // another writer may take the room in a pipe.
        match fds::reopen_nonblocking(to.as_fd()) {
            Some(own) => FdSink { to: SinkFd::Owned(own), kind: FdKind::Reopened, taken: usize::MAX },
            None => FdSink { to, kind: FdKind::MayBlock, taken: usize::MAX },
        }
    }

    fn push_on(&mut self, chunk: &[u8]) -> io::Result<()> {
        let rest = &chunk[self.taken.min(chunk.len())..];
        let written = match self.kind {
            FdKind::NeverBlocks => {
                stream::write_all(self.to.as_fd(), rest)?;
                rest.len()
            }
            FdKind::Ours | FdKind::Reopened => write_some(self.to.as_fd(), rest)?,
            // A socket, or no /proc to open it anew by: after a readiness, so much goes without blocking as a rule.
            FdKind::MayBlock => write_some(self.to.as_fd(), &rest[..rest.len().min(libc::PIPE_BUF)])?,
        };
        self.taken += written;
        Ok(())
    }
}

fn write_some(fd: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    match signals::without_sigpipe(|| stream::write(fd, bytes)) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
        result => result,
    }
}
