//! Where the bytes of a child's output go.

use std::io;
use std::os::fd::BorrowedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use super::callback::{BorrowedCallback, BoxError, panic_text};
use super::capture::Capture;
use super::failure::{FlowError, Time};
use super::fd_writer::{Blocking, FdWriter};
use super::interrupt::Interrupt;
use super::lines::LineSplitter;
use crate::lock::lock;

/// A callback that a builder holds, for one line at a time.
pub(crate) type LineCallback = Arc<Mutex<dyn FnMut(&[u8]) -> Result<(), BoxError> + Send>>;

pub(crate) enum Sink {
    Capture(Capture),
    Lines(LineSplitter, LineCallback),
    /// Lines for the callback that the driver has borrowed.
    BorrowedLines(LineSplitter),
    Fd(FdSink),
    Discard,
    /// A capture that reached its limit: the result, or the error, carries what it holds.
    Full(Capture),
    /// It failed, or its reader is gone, or the stream has ended.
    Closed,
}

/// A descriptor, and how far it is in the present chunk.
pub(crate) struct FdSink {
    writer: FdWriter,
    /// Bytes of the present chunk that it has taken; `usize::MAX` before the first chunk.
    taken: usize,
}

impl Sink {
    pub(crate) fn fd(writer: FdWriter) -> Sink {
        Sink::Fd(FdSink { writer, taken: usize::MAX })
    }

    pub(crate) fn is_closed(&self) -> bool {
        matches!(self, Sink::Closed | Sink::Full(_))
    }

    pub(crate) fn discards(&self) -> bool {
        matches!(self, Sink::Discard)
    }

    /// Whether nothing shows the bytes before the stream's end.
    pub(crate) fn keeps(&self) -> bool {
        matches!(self, Sink::Capture(_) | Sink::Full(_) | Sink::Discard)
    }

    /// The descriptor that must be ready before more of the chunk can be written; `None` when the sink has all of it.
    pub(crate) fn pending(&self, chunk: &[u8]) -> Option<BorrowedFd<'_>> {
        match self {
            Sink::Fd(sink) if sink.taken < chunk.len() => Some(sink.writer.fd()),
            _ => None,
        }
    }

    pub(crate) fn fd_writer(&self) -> Option<&FdWriter> {
        match self {
            Sink::Fd(sink) => Some(&sink.writer),
            _ => None,
        }
    }

    /// Enters that it has this many bytes of the present chunk already; a descriptor that never blocks takes the rest now.
    pub(crate) fn set_taken(&mut self, bytes: usize, chunk: &[u8]) -> Result<(), FlowError> {
        let Sink::Fd(sink) = self else { return Ok(()) };
        sink.taken = bytes;
        if sink.writer.blocking() == Blocking::Never { self.write_on(chunk) } else { Ok(()) }
    }

    /// Closes it after a failed write. EPIPE of a pipe of a tee is no error: its reader had enough, and the other sinks go on.
    pub(crate) fn close_after(&mut self, error: io::Error) -> Result<(), FlowError> {
        let is_own = self.fd_writer().is_some_and(|writer| writer.blocking() == Blocking::OwnPipe);
        *self = Sink::Closed;
        if is_own && error.kind() == io::ErrorKind::BrokenPipe { Ok(()) } else { Err(FlowError::Io(error)) }
    }

    /// Whether whole lines wait because a callback was interrupted before them.
    pub(crate) fn is_behind(&self) -> bool {
        matches!(self, Sink::Lines(splitter, _) | Sink::BorrowedLines(splitter) if splitter.is_behind())
    }

    /// Takes a new chunk, or as much of it as goes without blocking.
    pub(crate) fn write(
        &mut self,
        chunk: &[u8],
        callback: &mut BorrowedCallback<'_>,
        interrupt: Interrupt<'_>,
    ) -> Result<(), FlowError> {
        match self {
            Sink::Capture(capture) => {
                capture.push(chunk).map_err(|error| FlowError::Limit(error.0))?;
                if capture.had_enough() {
                    self.close();
                }
                Ok(())
            }
            Sink::Lines(splitter, callback) => unless_halted(splitter, chunk, interrupt, |line| call(callback, line)),
            Sink::BorrowedLines(splitter) => {
                unless_halted(splitter, chunk, interrupt, |line| call_borrowed(callback, line))
            }
            Sink::Fd(sink) => {
                sink.taken = 0;
                match sink.writer.blocking() {
                    // Only poll tells whether these take anything.
                    Blocking::Possible | Blocking::Reopened => Ok(()),
                    Blocking::OwnPipe | Blocking::Never => self.write_on(chunk),
                }
            }
            Sink::Discard | Sink::Full(_) | Sink::Closed => Ok(()),
        }
    }

    /// Writes more of a chunk that it has not taken whole.
    pub(crate) fn write_on(&mut self, chunk: &[u8]) -> Result<(), FlowError> {
        let Sink::Fd(sink) = self else { return Ok(()) };
        match sink.writer.write_some(&chunk[sink.taken.min(chunk.len())..]) {
            Ok(written) => {
                sink.taken += written;
                Ok(())
            }
            Err(error) => self.close_after(error),
        }
    }

    /// The stream has ended.
    pub(crate) fn finish(&mut self, callback: &mut BorrowedCallback<'_>) -> Result<(), FlowError> {
        match self {
            Sink::Lines(splitter, callback) => splitter.finish(|line| call(callback, line)),
            Sink::BorrowedLines(splitter) => splitter.finish(|line| call_borrowed(callback, line)),
            // Closed now, not with the run: the reader of the descriptor waits for the end.
            Sink::Fd(_) => {
                *self = Sink::Closed;
                Ok(())
            }
            Sink::Capture(_) | Sink::Discard | Sink::Full(_) | Sink::Closed => Ok(()),
        }
    }

    /// Takes what was left in the pipe when the stream was given up, and finishes. Descriptors that may block get no more bytes;
    /// callbacks get lines while there is time.
    pub(crate) fn write_rest(
        &mut self,
        rest: &[u8],
        time: Time,
        callback: &mut BorrowedCallback<'_>,
    ) -> Result<(), FlowError> {
        match self {
            Sink::Lines(..) | Sink::BorrowedLines(_) if time == Time::IsUp => Ok(()),
            Sink::Fd(sink) if sink.writer.blocking() != Blocking::Never => self.finish(callback),
            Sink::BorrowedLines(_) if callback.is_none() => Ok(()),
            Sink::Capture(_) | Sink::Lines(..) | Sink::BorrowedLines(_) | Sink::Fd(_) => {
                self.write(rest, callback, Interrupt::NEVER)?;
                self.finish(callback)
            }
            Sink::Discard | Sink::Full(_) | Sink::Closed => Ok(()),
        }
    }

    /// What a message calls it when it did not take all bytes. A pipe that this library made has no name: it leads to a writer,
    /// which has one.
    pub(crate) fn description(&self) -> Option<String> {
        match self {
            Sink::Lines(..) | Sink::BorrowedLines(_) => Some("a callback".to_owned()),
            Sink::Fd(sink) => sink.writer.description(),
            Sink::Capture(_) | Sink::Discard | Sink::Full(_) | Sink::Closed => None,
        }
    }

    /// Takes no more bytes: after a failure, or when it has enough. A capture keeps what it has.
    pub(crate) fn close(&mut self) {
        *self = match std::mem::replace(self, Sink::Closed) {
            Sink::Capture(capture) | Sink::Full(capture) => Sink::Full(capture),
            _ => Sink::Closed,
        };
    }
}

/// Calls back for each line of the chunk until interrupted: the other lines come with the next chunk, which may be empty.
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
    // A callback that panicked in an earlier run is called again: only the caller knows what state it left.
    let mut callback = lock(callback);
    match catch_unwind(AssertUnwindSafe(|| callback(line))) {
        Ok(result) => result.map_err(FlowError::Callback),
        Err(panic) => Err(FlowError::Panic(panic_text(&*panic))),
    }
}

fn call_borrowed(callback: &mut BorrowedCallback<'_>, line: &[u8]) -> Result<(), FlowError> {
    match callback {
        Some(callback) => callback(line).map_err(FlowError::Callback),
        None => Ok(()),
    }
}
