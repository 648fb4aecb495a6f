//! Where drained bytes go.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use super::callback::panic_text;
use super::callback::{BoxError, Lent};
use super::capture::Capture;
use super::fd_writer::{Fd, Outlet, OutletKind};
use super::flow::FlowError;
use super::flow::Time;
use super::interrupt::Interrupt;
use super::lines::LineSplitter;

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
    pub(crate) fn is_dead(&self) -> bool {
        matches!(self, Sink::Dead | Sink::Full(_))
    }

    pub(crate) fn discards(&self) -> bool {
        matches!(self, Sink::Discard)
    }

    /// Whether nobody sees what it takes before the stream's end.
    pub(crate) fn keeps(&self) -> bool {
        matches!(self, Sink::Capture(_) | Sink::Full(_) | Sink::Discard)
    }

    pub(crate) fn pending(&self, chunk: &[u8]) -> bool {
        self.wants(chunk).is_some()
    }

    /// The descriptor to wait for before more of the chunk can be taken.
    pub(crate) fn wants(&self, chunk: &[u8]) -> Option<BorrowedFd<'_>> {
        match self {
            Sink::Fd(sink) if sink.taken < chunk.len() => Some(sink.to.fd()),
            _ => None,
        }
    }

    /// The descriptor that gets the bytes, if it is one and still does.
    pub(crate) fn outlet(&self) -> Option<&Outlet> {
        match self {
            Sink::Fd(sink) => Some(&sink.to),
            _ => None,
        }
    }

    /// It has so much of the present chunk already; one that never blocks takes the rest now.
    pub(crate) fn took(&mut self, bytes: usize, chunk: &[u8]) -> Result<(), FlowError> {
        let Sink::Fd(sink) = self else { return Ok(()) };
        sink.taken = bytes;
        if sink.to.kind() == OutletKind::NeverBlocks { self.push_on(chunk) } else { Ok(()) }
    }

    /// What a failed write does to it: a reader of a tee that had enough is no error, and the others go on.
    pub(crate) fn give_up(&mut self, error: io::Error) -> Result<(), FlowError> {
        let ours = self.outlet().is_some_and(|outlet| outlet.kind() == OutletKind::Ours);
        *self = Sink::Dead;
        if ours && error.kind() == io::ErrorKind::BrokenPipe { Ok(()) } else { Err(FlowError::Io(error)) }
    }

    /// Whether lines wait that a callback was halted before.
    pub(crate) fn is_behind(&self) -> bool {
        matches!(self, Sink::Lines(splitter, _) | Sink::LentLines(splitter) if splitter.is_behind())
    }

    /// Takes a new chunk, or as much of it as goes at once.
    pub(crate) fn take(
        &mut self,
        chunk: &[u8],
        lent: &mut Lent<'_>,
        interrupt: Interrupt<'_>,
    ) -> Result<(), FlowError> {
        match self {
            Sink::Capture(capture) => {
                capture.push(chunk).map_err(|error| FlowError::Limit(error.limit))?;
                if capture.had_enough() {
                    self.fail();
                }
                Ok(())
            }
            Sink::Lines(splitter, callback) => unless_halted(splitter, chunk, interrupt, |line| call(callback, line)),
            Sink::LentLines(splitter) => unless_halted(splitter, chunk, interrupt, |line| call_lent(lent, line)),
            Sink::Fd(sink) => {
                sink.taken = 0;
                match sink.to.kind() {
                    // Whether these take anything is to be asked first.
                    OutletKind::MayBlock | OutletKind::Reopened => Ok(()),
                    OutletKind::Ours | OutletKind::NeverBlocks => self.push_on(chunk),
                }
            }
            Sink::Discard | Sink::Full(_) | Sink::Dead => Ok(()),
        }
    }

    /// Goes on with a chunk that was not taken whole.
    pub(crate) fn push_on(&mut self, chunk: &[u8]) -> Result<(), FlowError> {
        let Sink::Fd(sink) = self else { return Ok(()) };
        match sink.push_on(chunk) {
            Ok(()) => Ok(()),
            Err(error) => self.give_up(error),
        }
    }

    /// The stream has ended.
    pub(crate) fn finish(&mut self, lent: &mut Lent<'_>) -> Result<(), FlowError> {
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

    /// What was left in the pipe when it was given up: where all has flowed out, no more than its end. Descriptors that might block get
    /// nothing any more; callbacks do while there is time.
    pub(crate) fn take_at_close(&mut self, rest: &[u8], time: Time, lent: &mut Lent<'_>) -> Result<(), FlowError> {
        match self {
            Sink::Lines(..) | Sink::LentLines(_) if time == Time::IsUp => Ok(()),
            Sink::Fd(sink) if sink.to.kind() != OutletKind::NeverBlocks => self.finish(lent),
            Sink::LentLines(_) if lent.is_none() => Ok(()),
            Sink::Capture(_) | Sink::Lines(..) | Sink::LentLines(_) | Sink::Fd(_) => {
                self.take(rest, lent, Interrupt::NEVER)?;
                self.finish(lent)
            }
            Sink::Discard | Sink::Full(_) | Sink::Dead => Ok(()),
        }
    }

    /// What it is called where it did not take all. A pipe of our own leads to what has a name itself.
    pub(crate) fn name(&self) -> Option<String> {
        match self {
            Sink::Lines(..) | Sink::LentLines(_) => Some("a callback".to_owned()),
            Sink::Fd(sink) => sink.to.name(),
            Sink::Capture(_) | Sink::Discard | Sink::Full(_) | Sink::Dead => None,
        }
    }

    /// Takes no more: after a failure, or when it has enough.
    pub(crate) fn fail(&mut self) {
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
    interrupt: Interrupt<'_>,
    mut call: impl FnMut(&[u8]) -> Result<(), FlowError>,
) -> Result<(), FlowError> {
    if interrupt.is_never() {
        return splitter.push(chunk, call);
    }
    let each = |line: &[u8]| {
        call(line).map_err(Some)?;
        if interrupt.now() { Err(None) } else { Ok(()) }
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

/// A descriptor that gets the bytes.
pub(crate) struct FdSink {
    to: Outlet,
    /// How much of the present chunk it has taken; all of it before the first.
    taken: usize,
}

impl FdSink {
    /// Our own end of a pipe that we made; it is set not to block.
    pub(crate) fn ours(pipe: OwnedFd) -> io::Result<FdSink> {
        Ok(FdSink { to: Outlet::ours(pipe)?, taken: usize::MAX })
    }

    pub(crate) fn shared(fd: Arc<OwnedFd>) -> FdSink {
        FdSink { to: Outlet::shared(fd), taken: usize::MAX }
    }

    /// This process's own stdout or stderr, by its descriptor: never through `std::io::stdout()`.
    pub(crate) fn stdio(fd: Fd) -> FdSink {
        FdSink { to: Outlet::stdio(fd), taken: usize::MAX }
    }

    fn push_on(&mut self, chunk: &[u8]) -> io::Result<()> {
        self.taken += self.to.write_some(&chunk[self.taken.min(chunk.len())..])?;
        Ok(())
    }
}
