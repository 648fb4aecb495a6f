//! The pipe in memory: two ends in one process, and no descriptor.

mod end;
mod reader;
#[cfg(test)]
mod tests;
mod writer;

use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::{fmt, io};

use crate::sys::rendezvous::{Rendezvous, Side, TransferError};
use end::{End, Failure, Refusal};
pub use reader::MemReader;
pub use writer::MemWriter;

/// A new pipe within this process that keeps nothing: a write returns when its bytes have been read.
///
/// The bytes are copied once, from the writer's slice into the reader's. No descriptor is used and no memory kept. Either end
/// can be cloned and sent to other threads:
///
/// - One write may feed several reads; one read never gives bytes of two writes.
/// - Several writers take turns, each for a whole write: their bytes are never mixed. A vectored write is one write,
///   and so is a `write!`.
/// - Several readers share what comes; each byte goes to one of them.
/// - A write of nothing is `Ok(0)` at once, and wakes no reader.
///
/// **The end.** Closing the writing side, or dropping its last handle, is the end for readers: `Ok(0)`, each time. Closing the
/// reading side, or dropping its last handle, is `BrokenPipe` to writers. [`MemWriter::close_with_error`] and
/// [`MemReader::close_with_error`] send an error of yours to the other side instead. Of several closings of a side the first counts.
/// Either wakes who is blocked, on both sides. A write of which a part was read is `Ok` of that part; the next one says why.
/// A [`MemWriter`] dropped by a panic makes the end an error: what came before it may be half of what was meant.
///
/// **Errors keep what they are.** What the other side gets reads like the original and has it as its `source()`. An [`io::Error`]
/// keeps its kind (those that have nothing but a kind or a code are rebuilt from it); any other error has the kind `Other`.
/// `Interrupted` becomes `Other`, too: it would be retried for ever.
///
/// A handle that is leaked (`mem::forget`) counts as one that is still there.
///
/// ```
/// use std::io::{Read, Write};
/// let (mut reader, mut writer) = pipewright::pipe::memory();
/// let thread = std::thread::spawn(move || writer.write_all(b"from slice to slice"));
/// let mut text = String::new();
/// reader.read_to_string(&mut text)?;
/// assert_eq!(text, "from slice to slice");
/// thread.join().unwrap()?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[doc(alias = "io.Pipe")]
pub fn memory() -> (MemReader, MemWriter) {
    buffered(0)
}

/// A new pipe within this process that keeps up to `capacity` bytes: a write returns when all of its bytes are kept or read.
///
/// All else is as with [`memory()`], but that a read may give bytes of several writes. What was written is read, also after the
/// writers are gone; what is still kept when the readers go is lost with them. `buffered(0)` is `memory()`. A big write to a
/// reader that waits may be copied to it directly.
///
/// # Panics
/// When there is no memory for `capacity` bytes, or no program could have as much.
///
/// ```
/// use std::io::{Read, Write};
/// let (mut reader, mut writer) = pipewright::pipe::buffered(16);
/// writer.write_all(b"nobody ")?;
/// writer.write_all(b"waits")?;
/// drop(writer);
/// let mut text = String::new();
/// reader.read_to_string(&mut text)?;
/// assert_eq!(text, "nobody waits");
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn buffered(capacity: usize) -> (MemReader, MemWriter) {
    let pipe = Arc::new(Pipe {
        rendezvous: Rendezvous::new(capacity),
        reader: OnceLock::new(),
        writer: OnceLock::new(),
        has_panicked: AtomicBool::new(false),
    });
    (MemReader::new(Arc::clone(&pipe)), MemWriter::new(pipe))
}

/// What both sides share.
struct Pipe {
    rendezvous: Rendezvous,
    /// How each side ended: written before the rendezvous is told.
    reader: OnceLock<End>,
    writer: OnceLock<End>,
    /// A writer was dropped by a panic; for the end of the writing side, unless that is an error of its own.
    has_panicked: AtomicBool,
}

impl Pipe {
    /// Ends a side; without effect on one that has ended.
    fn close(&self, side: Side, end: End) {
        let _ = self.end(side).set(end);
        self.rendezvous.close(side);
    }

    fn close_writer(&self) {
        self.close(Side::Writer, if self.has_panicked.load(Relaxed) { End::Panicked } else { End::Closed });
    }

    fn end(&self, side: Side) -> &OnceLock<End> {
        match side {
            Side::Reader => &self.reader,
            Side::Writer => &self.writer,
        }
    }

    /// An error once `side` is closed, to that side's own use.
    fn check_open(&self, side: Side) -> io::Result<()> {
        if self.rendezvous.is_closed(side) { Err(self.refusal(side)) } else { Ok(()) }
    }

    fn refusal(&self, side: Side) -> io::Error {
        self.end(side).get().map_or_else(|| Refusal::Closed.into(), End::to_owner)
    }

    /// What a reader's stop comes out as.
    fn stopped_reader(&self, stop: TransferError) -> io::Result<usize> {
        match stop {
            TransferError::Closed => Err(self.refusal(Side::Reader)),
            TransferError::PeerClosed => self.writer.get().map_or(Ok(0), End::to_readers),
            TransferError::TimedOut => Err(Refusal::TimedOut.into()),
        }
    }

    /// What a writer's stop comes out as.
    fn stopped_writer(&self, stop: TransferError) -> io::Error {
        match stop {
            TransferError::Closed => self.refusal(Side::Writer),
            TransferError::PeerClosed => self.reader.get().map_or_else(|| Refusal::ReaderGone.into(), End::to_writers),
            TransferError::TimedOut => Refusal::TimedOut.into(),
        }
    }

    fn debug(&self, name: &str, side: Side, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_closed = self.rendezvous.is_closed(side);
        f.debug_struct(name).field("is_closed", &is_closed).finish_non_exhaustive()
    }
}

/// Ends both sides with an error, from outside. It keeps neither of them open.
#[derive(Clone)]
pub(crate) struct Breaker(Arc<Pipe>);

impl Breaker {
    /// Closes both sides with the error, which the use of either gets from now on, what is kept notwithstanding; a side
    /// that is closed stays as it is. Wakes everybody.
    pub(crate) fn break_with(&self, error: impl Into<Box<dyn Error + Send + Sync>>) {
        let failure = Failure::new(error.into());
        self.0.close(Side::Reader, End::Broken(failure.clone()));
        self.0.close(Side::Writer, End::Broken(failure));
    }
}

impl fmt::Debug for Breaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Breaker")
    }
}
