//! Threads for the caller's own `Read` and `Write`, which have no descriptor to poll.
//!
//! Each thread copies between its reader or writer and a kernel pipe. A socket pair connects it with its run: the run closes its
//! end, or shuts it down, to end the thread; the thread closes its end when it has finished.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use super::callback::panic_text;
use super::failure::{FlowError, FlowFailure};
use crate::clock::Deadline;
use crate::lock::lock;
use crate::stream::Stream;
use crate::sys::poll::{Interest, PollSet};
use crate::sys::{fds, signals, stream, thread};

/// Bytes a read: what a pipe holds by default.
const BUFFER: usize = 64 * 1024;

/// A finished thread's result: whether it saw the stream's end.
type Slot = Arc<Mutex<Option<Result<bool, FlowError>>>>;
/// How many bytes a feed has written. It is locked during each write, which does not block: so a child that has read bytes finds
/// them counted.
type Count = Arc<Mutex<u64>>;

/// The run's side of a thread.
pub(crate) struct IoThreadHandle {
    worker: Worker,
    state: State,
    stream: Stream,
    /// The index of the stream's pipe in the plan.
    pipe: Option<usize>,
    slot: Slot,
}

/// What is at the other end of the socket pair.
enum Worker {
    /// A thread that copies from the caller's `Read`.
    Feed(Count),
    /// A thread that copies to the caller's `Write`.
    Writer,
    /// The same, inside a tee: this process writes to its pipe, which then ends when the tee's stream does.
    WriterInTee,
    /// The caller, who reads the stream through a `Reader` and holds a [`ReaderGuard`].
    Caller,
}

enum State {
    /// The run's end of the socket pair is readable when the other end is closed.
    Running(UnixStream),
    /// The thread was told to finish with the bytes that are in the pipe.
    WrappingUp(UnixStream),
    /// The run waits for it no longer.
    Closed,
    /// It finished before the stream's end.
    CutShort,
}

impl IoThreadHandle {
    /// Starts the thread that copies from the caller's reader into `pipe`.
    pub(crate) fn feed(stream: Stream, reader: Box<dyn Read + Send>, pipe: OwnedFd) -> io::Result<IoThreadHandle> {
        let count = Count::default();
        let (handle, socket) = IoThreadHandle::new(stream, Worker::Feed(Arc::clone(&count)))?;
        // The reader is dropped inside, too: its `drop` is the caller's code like its `read`.
        handle.start("pipewright-feed", socket, pipe, move |pipe, socket| feed(&mut *{ reader }, pipe, socket, &count))
    }

    /// Starts the thread that copies from `pipe` to the caller's writer.
    pub(crate) fn drain(stream: Stream, writer: Box<dyn Write + Send>, pipe: OwnedFd) -> io::Result<IoThreadHandle> {
        let (handle, socket) = IoThreadHandle::new(stream, Worker::Writer)?;
        handle.start("pipewright-drain", socket, pipe, move |pipe, socket| drain(&mut *{ writer }, pipe, socket))
    }

    /// Connects the run with a caller that reads its stream: the run goes on until the guard is dropped, and a run that is ended
    /// closes its end, which wakes the caller.
    pub(crate) fn reader_guard(stream: Stream) -> io::Result<(IoThreadHandle, ReaderGuard)> {
        let (handle, socket) = IoThreadHandle::new(stream, Worker::Caller)?;
        Ok((handle, ReaderGuard(socket)))
    }

    fn new(stream: Stream, worker: Worker) -> io::Result<(IoThreadHandle, OwnedFd)> {
        let (run_end, other_end) = UnixStream::pair()?;
        let state = State::Running(fds::clear_of_stdio(run_end.into())?.into());
        let handle = IoThreadHandle { worker, state, stream, pipe: None, slot: Slot::default() };
        Ok((handle, fds::clear_of_stdio(other_end.into())?))
    }

    fn start(
        self,
        name: &str,
        socket: OwnedFd,
        pipe: OwnedFd,
        copy: impl FnOnce(BorrowedFd<'_>, BorrowedFd<'_>) -> io::Result<bool> + Send + 'static,
    ) -> io::Result<IoThreadHandle> {
        fds::set_nonblocking(pipe.as_fd(), true)?;
        let slot = Arc::clone(&self.slot);
        thread::start(name, move || {
            signals::block_sigpipe_here();
            let result = match catch_unwind(AssertUnwindSafe(|| copy(pipe.as_fd(), socket.as_fd()))) {
                Ok(result) => result.map_err(FlowError::Io),
                Err(panic) => Err(FlowError::Panic(panic_text(&*panic))),
            };
            // The order matters: the result is stored before the child can see the end of the pipe, and both before the run hears
            // of it by the socket.
            *lock(&slot) = Some(result);
            drop(pipe);
            drop(socket);
        })?;
        Ok(self)
    }

    /// Enters the index of the stream's pipe in the plan, for messages.
    pub(crate) fn with_pipe(self, pipe: usize) -> IoThreadHandle {
        IoThreadHandle { pipe: Some(pipe), ..self }
    }

    /// Enters that the thread's writer is inside a tee.
    pub(crate) fn in_tee(self) -> IoThreadHandle {
        IoThreadHandle { worker: Worker::WriterInTee, ..self }
    }

    pub(crate) fn stream(&self) -> Stream {
        self.stream
    }

    pub(crate) fn pipe(&self) -> Option<usize> {
        self.pipe
    }

    /// Whether the run is not over before the thread is. A writer must get all bytes. A feed may block for ever in the caller's
    /// `read`, after its child has ended: the run does not wait for it.
    pub(crate) fn is_awaited(&self) -> bool {
        self.socket().is_some() && !self.is_feed()
    }

    pub(crate) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.socket().map(AsFd::as_fd)
    }

    fn socket(&self) -> Option<&UnixStream> {
        match &self.state {
            State::Running(socket) | State::WrappingUp(socket) => Some(socket),
            State::Closed | State::CutShort => None,
        }
    }

    fn is_feed(&self) -> bool {
        matches!(self.worker, Worker::Feed(_))
    }

    /// The number of bytes that a feed has written so far.
    pub(crate) fn taken(&self) -> u64 {
        match &self.worker {
            Worker::Feed(count) => *lock(count),
            Worker::Writer | Worker::WriterInTee | Worker::Caller => 0,
        }
    }

    /// The other end is closed: takes the result.
    pub(crate) fn result(&mut self) -> Result<(), FlowFailure> {
        self.close();
        self.late_result()
    }

    /// Takes the thread's result, if it has finished. The thread stores it before it closes its end of the pipe: a run that has seen
    /// the consequences of a failure finds the failure here.
    pub(crate) fn late_result(&mut self) -> Result<(), FlowFailure> {
        match lock(&self.slot).take() {
            None | Some(Ok(true)) => {}
            Some(Ok(false)) => self.state = State::CutShort,
            Some(Err(what)) => return Err(FlowFailure { stream: self.stream, pipe: self.pipe, what }),
        }
        Ok(())
    }

    /// Whether only the stream's other end keeps the run waiting.
    pub(crate) fn waits_for_peer(&self) -> bool {
        matches!((&self.worker, &self.state), (Worker::Writer | Worker::Caller, State::Running(_)))
    }

    /// Whether an output thread finished before the stream's end.
    pub(crate) fn was_cut_short(&self) -> bool {
        matches!(self.state, State::CutShort) && !self.is_feed()
    }

    /// Tells a thread to finish with the bytes that are in the pipe; the run waits for that. False if there is no thread.
    pub(crate) fn wrap_up(&mut self) -> bool {
        let is_thread = !matches!(self.worker, Worker::Caller);
        self.state = match std::mem::replace(&mut self.state, State::Closed) {
            State::Running(socket) if is_thread && socket.shutdown(Shutdown::Write).is_ok() => {
                State::WrappingUp(socket)
            }
            other => other,
        };
        matches!(self.state, State::WrappingUp(_))
    }

    /// Waits no longer for a writer that has not taken all bytes; returns its description.
    pub(crate) fn give_up(&mut self) -> Option<String> {
        let is_late = self.is_awaited() && !matches!(self.worker, Worker::Caller);
        is_late.then(|| {
            self.close();
            "a writer".to_owned()
        })
    }

    /// Closes the run's end of the socket pair: the thread finishes with the bytes that are in the pipe, and the run does not wait for
    /// that. The thread may be in the caller's code, which nothing can interrupt.
    pub(crate) fn close(&mut self) {
        if self.socket().is_some() {
            self.state = State::Closed;
        }
    }
}

/// The side of a caller that reads a stream of the run. Dropping it tells the run that the caller has finished.
pub(crate) struct ReaderGuard(OwnedFd);

impl ReaderGuard {
    /// Waits for the pipe; false if the run was ended first.
    pub(crate) fn wait_readable(&self, pipe: BorrowedFd<'_>) -> io::Result<bool> {
        ready_before_hangup(pipe, Interest::Readable, self.0.as_fd())
    }
}

fn feed(reader: &mut dyn Read, pipe: BorrowedFd<'_>, socket: BorrowedFd<'_>, count: &Count) -> io::Result<bool> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let read = match reader.read(&mut buffer) {
            Ok(0) => return Ok(true),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let mut rest = &buffer[..read];
        while !rest.is_empty() {
            // Before each write: a pipe that always has room must not hide that the run has closed its end.
            if !ready_before_hangup(pipe, Interest::Writable, socket)? {
                return Ok(false);
            }
            let mut fed = lock(count);
            let result = stream::write(pipe, rest).inspect(|written| *fed += *written as u64);
            drop(fed);
            match result {
                Ok(written) => rest = &rest[written..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // The child stopped reading, like `head`.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(true),
                Err(error) => return Err(error),
            }
        }
    }
}

fn drain(writer: &mut dyn Write, pipe: BorrowedFd<'_>, socket: BorrowedFd<'_>) -> io::Result<bool> {
    let mut buffer = vec![0; BUFFER];
    // Set when the run has closed its end: the bytes that were in the pipe then. Later ones are of a process that is not the run's.
    let mut left: Option<usize> = None;
    let ended = loop {
        if left.is_none() && !ready_before_hangup(pipe, Interest::Readable, socket)? {
            left = Some(fds::bytes_queued(pipe)?);
        }
        // With nothing left, one more byte is asked for: the answer tells the stream's end from a write end that is still open.
        let room = left.map_or(BUFFER, |left| left.clamp(1, BUFFER));
        match stream::read(pipe, &mut buffer[..room]) {
            Ok(0) => break true,
            Ok(_) if left == Some(0) => break false,
            Ok(read) => {
                writer.write_all(&buffer[..read])?;
                left = left.map(|left| left - read);
            }
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
            Err(_) if left.is_some() => break false,
            Err(_) => {}
        }
    };
    writer.flush()?;
    Ok(ended)
}

/// Waits for the pipe; false if the run closed its end of the socket pair first.
fn ready_before_hangup(pipe: BorrowedFd<'_>, interest: Interest, socket: BorrowedFd<'_>) -> io::Result<bool> {
    let mut set = PollSet::default();
    set.push(pipe, interest);
    set.push(socket, Interest::Readable);
    set.wait(Deadline::NEVER)?;
    Ok(!set.ready(1))
}
