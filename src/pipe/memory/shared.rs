//! What the two sides of a pipe in memory share.

use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::{fmt, io};

use super::end::{End, MemPipeError, SharedError};
use crate::sys::rendezvous::{Rendezvous, Side, TransferError};

/// What both sides share.
pub(super) struct Pipe {
    pub(super) rendezvous: Rendezvous,
    /// How each side ended; set before the rendezvous closes the side.
    reader: OnceLock<End>,
    writer: OnceLock<End>,
    /// A writer was dropped by a panic. It becomes the end of the writing side, unless that was closed with an error.
    pub(super) has_panicked: AtomicBool,
}

impl Pipe {
    pub(super) fn new(capacity: usize) -> Arc<Pipe> {
        Arc::new(Pipe {
            rendezvous: Rendezvous::new(capacity),
            reader: OnceLock::new(),
            writer: OnceLock::new(),
            has_panicked: AtomicBool::new(false),
        })
    }

    /// Ends a side. Does nothing to a side that has ended.
    pub(super) fn close(&self, side: Side, end: End) {
        let _ = self.end(side).set(end);
        self.rendezvous.close(side);
    }

    pub(super) fn close_writer(&self) {
        self.close(Side::Writer, if self.has_panicked.load(Relaxed) { End::Panicked } else { End::Closed });
    }

    fn end(&self, side: Side) -> &OnceLock<End> {
        match side {
            Side::Reader => &self.reader,
            Side::Writer => &self.writer,
        }
    }

    /// The error that a use of `side` itself gets once it is closed.
    pub(super) fn check_open(&self, side: Side) -> io::Result<()> {
        if self.rendezvous.is_closed(side) { Err(self.refusal(side)) } else { Ok(()) }
    }

    fn refusal(&self, side: Side) -> io::Error {
        self.end(side).get().map_or_else(|| MemPipeError::Closed.into(), End::to_owner)
    }

    /// What `read` returns for this error of the rendezvous.
    pub(super) fn reader_result(&self, error: TransferError) -> io::Result<usize> {
        match error {
            TransferError::Closed => Err(self.refusal(Side::Reader)),
            TransferError::PeerClosed => self.writer.get().map_or(Ok(0), End::to_readers),
            TransferError::TimedOut => Err(MemPipeError::TimedOut.into()),
        }
    }

    /// What `write` returns for this error of the rendezvous.
    pub(super) fn writer_error(&self, error: TransferError) -> io::Error {
        match error {
            TransferError::Closed => self.refusal(Side::Writer),
            TransferError::PeerClosed => {
                self.reader.get().map_or_else(|| MemPipeError::ReaderGone.into(), End::to_writers)
            }
            TransferError::TimedOut => MemPipeError::TimedOut.into(),
        }
    }

    pub(super) fn debug(&self, name: &str, side: Side, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_closed = self.rendezvous.is_closed(side);
        f.debug_struct(name).field("is_closed", &is_closed).finish_non_exhaustive()
    }
}

/// Ends both sides with an error, from outside. It keeps neither side open.
#[derive(Clone)]
pub(crate) struct Breaker(pub(super) Arc<Pipe>);

impl Breaker {
    /// Closes both sides with the error: each read and write fails with it from now on, and bytes that are kept are lost. A side that is
    /// closed already stays as it is. Wakes all threads that wait.
    pub(crate) fn break_with(&self, error: impl Into<Box<dyn Error + Send + Sync>>) {
        let error = SharedError::new(error.into());
        self.0.close(Side::Reader, End::Broken(error.clone()));
        self.0.close(Side::Writer, End::Broken(error));
    }
}

impl fmt::Debug for Breaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Breaker")
    }
}
