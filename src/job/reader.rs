//! A run's stdout, read while it is written.

use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use super::Job;
use crate::io::io_thread::Leash;
use crate::io::lines::LineSplitter;
use crate::outcome::{Error, ErrorKind, Fault};
use crate::plan::Plan;
use crate::setup_step::Step;
use crate::sys::{fds, stream};

/// A run's stdout as a reader, from [`Cmd::reader`](crate::Cmd::reader).
///
/// Reads block until there is something. At the end of the stream the run is waited for and checked: a bad status, a passed
/// timeout or a failed feed is an `io::Error` with this library's [`Error`] inside, once; after it, and after a good end,
/// reads give 0.
///
/// A thread of the library's drives the rest of the run exactly when there is something for it to do: a deadline or a cancel
/// handle, a feed of stdin, an `eof_grace`, or another stream that passes through this process, as a captured stderr does.
///
/// Dropping it ends the run, as dropping a [`Job`] does: the processes are killed and reaped, within 50 ms.
///
/// ```
/// use pipewright::cmd;
/// use std::io::Read;
/// let mut text = String::new();
/// cmd!("echo", "streamed").reader()?.read_to_string(&mut text)?;
/// assert_eq!(text, "streamed\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Reader {
    /// `None` once the end was reported.
    job: Option<Job>,
    stdout: Option<OwnedFd>,
    leash: Option<Leash>,
    /// The run was cut: so many bytes were in the pipe then and are still to be read. Whoever goes on writing writes to nobody.
    rest: Option<usize>,
    plan: Arc<Plan>,
}

impl std::fmt::Debug for Leash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Leash")
    }
}

impl Reader {
    pub(super) fn start(plan: Arc<Plan>) -> Result<Reader, Fault> {
        let job = Job::start(Arc::clone(&plan), true)?;
        let stdout = job.shared.take_end(crate::stream::Stream::Stdout);
        let leash = job.shared.take_leash();
        Ok(Reader { job: Some(job), stdout, leash, rest: None, plan })
    }

    /// The job behind it, until the end was reported: to signal it, or to know its processes.
    ///
    /// ```
    /// let reader = pipewright::cmd!("sleep", "60").reader()?;
    /// reader.job().expect("not at its end").terminate()?;
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn job(&self) -> Option<&Job> {
        self.job.as_ref()
    }

    /// The next bytes; 0 at the end, after the run was waited for and found good.
    fn next(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        if buffer.is_empty() {
            return Ok(0);
        }
        match self.read_some(buffer) {
            Ok(0) => self.end().map(|()| 0),
            Ok(read) => Ok(read),
            Err(error) => {
                self.stdout = None;
                self.job = None;
                Err(Fault::new(ErrorKind::Io, "cannot read the run's stdout").because(error).into_error(&self.plan))
            }
        }
    }

    fn read_some(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(stdout) = &self.stdout else { return Ok(0) };
        if let Some(leash) = &self.leash {
            if self.rest.is_none() && !leash.wait_readable(stdout.as_fd())? {
                self.rest = Some(fds::bytes_queued(stdout.as_fd())?);
            }
            if let Some(rest) = &mut self.rest {
                let wanted = buffer.len().min(*rest);
                if wanted == 0 {
                    return Ok(0);
                }
                let read = stream::read(stdout.as_fd(), &mut buffer[..wanted])?;
                *rest -= read;
                return Ok(read);
            }
        }
        stream::read(stdout.as_fd(), buffer)
    }

    /// The stream is over: lets go of it, waits, checks. Only once.
    fn end(&mut self) -> Result<(), Error> {
        self.stdout = None;
        self.leash = None;
        match self.job.take() {
            Some(job) => job.output().map(drop),
            None => Ok(()),
        }
    }
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(self.next(buffer)?)
    }
}

/// A run's stdout line by line, as bytes, from [`Cmd::lines_bytes`](crate::Cmd::lines_bytes).
///
/// As [`Lines`], without a claim to be text; only `\n` is cut. Blocks, drives and drops as [`Lines`] does.
///
/// ```
/// use pipewright::cmd;
/// let mut lines = cmd!("printf", r"a\r\n\377").lines_bytes()?;
/// assert_eq!(lines.next().transpose()?.as_deref(), Some(&b"a\r"[..]));
/// assert_eq!(lines.next().transpose()?.as_deref(), Some(&b"\xff"[..]));
/// assert!(lines.next().is_none());
/// # Ok::<(), pipewright::Error>(())
/// ```
#[derive(Debug)]
pub struct LinesBytes {
    reader: Reader,
    splitter: LineSplitter,
    ready: std::collections::VecDeque<Vec<u8>>,
    buffer: Vec<u8>,
    over: bool,
}

/// So many bytes are read at once.
const CHUNK: usize = 16 * 1024;

impl LinesBytes {
    pub(super) fn start(plan: Arc<Plan>) -> Result<LinesBytes, Fault> {
        Ok(LinesBytes {
            reader: Reader::start(plan)?,
            splitter: LineSplitter::default(),
            ready: std::collections::VecDeque::new(),
            buffer: vec![0; CHUNK],
            over: false,
        })
    }
}

impl LinesBytes {
    /// The job behind it, until the end was reported; see [`Lines::job`].
    ///
    /// ```
    /// use pipewright::cmd;
    /// let lines = cmd!("echo", "x").lines_bytes()?;
    /// assert_eq!(lines.job().unwrap().pids().len(), 1);
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn job(&self) -> Option<&Job> {
        self.reader.job()
    }
}

impl Iterator for LinesBytes {
    type Item = Result<Vec<u8>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(line) = self.ready.pop_front() {
                return Some(Ok(line));
            }
            if self.over {
                // After the last line, whether it had a newline or not, the error, if there is one.
                return self.reader.end().err().map(Err);
            }
            let ready = &mut self.ready;
            let mut keep = |line: &[u8]| -> Result<(), std::convert::Infallible> {
                ready.push_back(line.to_vec());
                Ok(())
            };
            // Keeping a line cannot fail.
            let _ = match self.reader.read_some(&mut self.buffer) {
                Ok(0) => {
                    self.over = true;
                    self.splitter.finish(&mut keep)
                }
                Ok(read) => self.splitter.push(&self.buffer[..read], &mut keep),
                Err(error) => {
                    self.over = true;
                    self.reader.job = None;
                    let what = "cannot read the run's stdout";
                    let fault = Fault::new(ErrorKind::Io, what).step_failed(Step::Pipe).because(error);
                    return Some(Err(fault.into_error(&self.reader.plan)));
                }
            };
        }
    }
}

/// A run's stdout line by line, as text, from [`Cmd::lines`](crate::Cmd::lines).
///
/// Blocks until the next line is there: each comes when the child has written it, without its `\n` or `\r\n`. The iterator ends once: after the last line, with the run's
/// error as its last item if there is one, then `None` for ever. A line that is not UTF-8 is a
/// [`NotUtf8`](ErrorKind::NotUtf8) item; the next ones still come.
///
/// A thread of the library's drives the rest of the run exactly when there is something for it to do: a deadline or a cancel
/// handle, a feed of stdin, an `eof_grace`, or another stream that passes through this process, as a captured stderr does.
///
/// Dropping it ends the run, as dropping a [`Job`] does: the processes are killed and reaped, within 50 ms. That the child then
/// dies is nobody's failure.
///
/// ```
/// use pipewright::cmd;
/// // Endless, and stopped by dropping the iterator.
/// let first: Vec<String> = cmd!("yes").lines()?.take(2).collect::<Result<_, _>>()?;
/// assert_eq!(first, ["y", "y"]);
/// # Ok::<(), pipewright::Error>(())
/// ```
#[derive(Debug)]
pub struct Lines(pub(super) LinesBytes);

impl Lines {
    /// The job behind it, until the end was reported: to know its processes, or to signal one of them from another thread.
    ///
    /// ```
    /// use pipewright::cmd;
    /// let mut lines = cmd!("yes").lines()?;
    /// let process = lines.job().unwrap().processes()[0].clone();
    /// std::thread::spawn(move || process.terminate());
    /// let error = lines.find_map(Result::err).unwrap();
    /// assert_eq!(error.status().unwrap().signal(), Some(15));
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn job(&self) -> Option<&Job> {
        self.0.job()
    }
}

impl Iterator for Lines {
    type Item = Result<String, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let line = match self.0.next()? {
            Ok(line) => line,
            Err(error) => return Some(Err(error)),
        };
        Some(match String::from_utf8(line) {
            Ok(mut text) => {
                if text.ends_with('\r') {
                    text.pop();
                }
                Ok(text)
            }
            Err(error) => {
                let fault = Fault::new(ErrorKind::NotUtf8, "a line of the output is not UTF-8");
                Err(fault.because(error.utf8_error()).into_error(&self.0.reader.plan))
            }
        })
    }
}
