//! What a closure stage writes.

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;

use crate::engine::cancellation::Cancellation;
use crate::io::fd_writer::{Blocking, FdWriter};
use crate::pipe::{self, MemWriter};
use crate::sys::poll::Interest;

/// The output of a closure stage: into the next stage, or where the pipeline's stdout goes.
///
/// Writes block while the pipe is full, and fail with `BrokenPipe` when the next stage has stopped reading. A closure that returns this
/// error counts as killed by SIGPIPE, which is usually not a failure. When a timeout, a cancel or a drop ends the run, a blocked write
/// wakes up with an error, and every later one fails.
///
/// It is not buffered, so `flush` does nothing. One `write!` is one write. For many tiny pieces, put a [`BufWriter`](io::BufWriter) around
/// it, and flush that before you return.
///
/// It is dropped when the closure returns, which ends the next stage's input. If the closure failed and the next stage is a closure too,
/// that gets the error.
///
/// ```
/// use pipewright::Stage;
/// use std::io::Write;
/// let greeting = Stage::from_fn(|_, output| Ok(writeln!(output, "hello")?));
/// let upper = greeting.pipe(pipewright::cmd!("tr", "a-z", "A-Z"));
/// assert_eq!(upper.read()?, "HELLO");
/// # Ok::<(), pipewright::Error>(())
/// ```
pub struct StageWriter {
    target: Target,
    cancellation: Arc<Cancellation>,
    /// What a `write!` puts together.
    scratch: Vec<u8>,
    broken: bool,
}

/// Where it goes.
pub(crate) enum Target {
    /// `/dev/null`.
    Discard,
    Fd(FdWriter),
    Memory(MemWriter),
}

/// In bytes: at most this much goes into a pipe at once, because more would delay its reader.
const CHUNK: usize = 64 * 1024;

impl StageWriter {
    pub(crate) fn new(target: Target, cancellation: Arc<Cancellation>) -> StageWriter {
        StageWriter { target, cancellation, scratch: Vec::new(), broken: false }
    }

    /// Whether a write found that the next stage had enough.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken
    }

    /// For a stage that goes on without the next one: a later broken pipe is another stream's.
    pub(crate) fn forget_broken(&mut self) {
        self.broken = false;
    }

    /// The next stage, if it is a closure, gets this error in place of an end.
    pub(crate) fn close_with_error(self, error: io::Error) {
        if let Target::Memory(pipe) = self.target {
            pipe.close_with_error(error);
        }
    }
}

impl Write for StageWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.cancellation.check()?;
        if bytes.is_empty() {
            return Ok(0);
        }
        let result = match &mut self.target {
            Target::Discard => Ok(bytes.len()),
            Target::Fd(writer) => write(writer, &bytes[..bytes.len().min(CHUNK)], &self.cancellation),
            Target::Memory(pipe) => pipe.write(bytes),
        };
        if matches!(&result, Err(error) if error.kind() == io::ErrorKind::BrokenPipe) {
            self.cancellation.check_announced()?;
            self.broken = true;
        }
        result
    }

    /// Does nothing, because nothing is buffered.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// One write, however many pieces there are.
    fn write_fmt(&mut self, text: fmt::Arguments<'_>) -> io::Result<()> {
        let mut scratch = std::mem::take(&mut self.scratch);
        let result = pipe::in_one_piece(text, &mut scratch).and_then(|text| self.write_all(text));
        self.scratch = scratch;
        result
    }
}

fn write(writer: &FdWriter, bytes: &[u8], cancellation: &Cancellation) -> io::Result<usize> {
    loop {
        if writer.blocking() == Blocking::Possible {
            cancellation.wait_for(writer.fd(), Interest::Writable)?;
        }
        match writer.write_some(bytes)? {
            0 => cancellation.wait_for(writer.fd(), Interest::Writable)?,
            written => return Ok(written),
        }
    }
}

impl fmt::Debug for StageWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StageWriter")
    }
}
