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
/// Writes block while the pipe is full and nobody reads, and fail with `BrokenPipe` once the next stage has had enough; a closure that
/// returns that error ended as a process does that dies of SIGPIPE, which is no failure as a rule. When the run's time is
/// up, when it is cancelled or dropped, a blocked write wakes up with an error, and so does every later one.
///
/// Nothing is kept back: what was written is on its way, and `flush` has nothing to do. One `write!` is one write. For many tiny pieces,
/// put a [`BufWriter`](io::BufWriter) around it, and flush that before you return.
///
/// Dropped when the closure returns, which is the end of the next stage's input; an error, where the closure failed and the next stage
/// is one, too.
///
/// ```
/// use pipewright::Stage;
/// use std::io::Write;
/// let greeting = Stage::from_fn(|_, output| Ok(writeln!(output, "hello")?));
/// assert_eq!(greeting.pipe(pipewright::cmd!("tr", "a-z", "A-Z")).read()?, "HELLO");
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

/// So much goes into a pipe at once: more would hold up its reader.
const CHUNK: usize = 64 * 1024;

impl StageWriter {
    pub(crate) fn new(target: Target, cancellation: Arc<Cancellation>) -> StageWriter {
        StageWriter { target, cancellation, scratch: Vec::new(), broken: false }
    }

    /// Whether a write found that the next stage had enough.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken
    }

    /// For one who goes on without the next stage: a later broken pipe is somebody else's.
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

    /// Nothing to do: nothing is kept back.
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
