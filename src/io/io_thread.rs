//! Threads for the caller's own `Read` and `Write`, which have no descriptor to poll.
//!
//! Each stands between its reader or writer and a kernel pipe. A socket pair ties it to its run: the run lets go of its end to
//! stop the helper, the helper lets go of its end when it is through.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use super::callback::panic_text;
use super::failure::{FlowError, FlowFailure};
use crate::clock::Deadline;
use crate::stream::Stream;
use crate::sys::poll::{Interest, PollSet};
use crate::sys::{fds, signals, stream, thread};

const BUFFER: usize = 64 * 1024;

/// Whether the stream was seen to end, once the helper is through.
type Slot = Arc<Mutex<Option<Result<bool, FlowError>>>>;
/// How many bytes a feed has written; locked during a write, which does not block, so that a child that saw bytes has them counted.
type Count = Arc<Mutex<u64>>;

/// The run's side of a helper.
pub(crate) struct Tether {
    /// Readable when the helper is through; `None` once that was seen.
    line: Option<UnixStream>,
    slot: Slot,
    stream: Stream,
    number: Option<usize>,
    fed: Count,
    /// Whether a thread is at the other end, which can be told to finish with what is there.
    threaded: bool,
    /// Whether it is this process that writes to the helper's pipe, which then ends when the stream does.
    of_a_tee: bool,
    wrapping_up: bool,
    cut_short: bool,
}

impl Tether {
    /// With the number of its stream's pipe in the plan, for what is said of it later.
    pub(crate) fn numbered(self, number: usize) -> Tether {
        Tether { number: Some(number), ..self }
    }

    /// For a writer inside a tee.
    pub(crate) fn of_a_tee(self) -> Tether {
        Tether { of_a_tee: true, ..self }
    }

    pub(crate) fn stream(&self) -> Stream {
        self.stream
    }

    /// A writer must have got everything before the run is over. A reader may block for ever in the caller's `read`, after
    /// the child it feeds is gone: it is not waited for.
    pub(crate) fn is_awaited(&self) -> bool {
        self.line.is_some() && !self.stream.is_input()
    }

    pub(crate) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.line.as_ref().map(AsFd::as_fd)
    }

    /// The bytes that a feed has put into its pipe so far.
    pub(crate) fn fed(&self) -> u64 {
        *self.fed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn result(&mut self) -> Result<(), FlowFailure> {
        self.line = None;
        self.late_result()
    }

    /// What the helper left, if it is through. It leaves it before it closes its end of the pipe, so whoever saw the
    /// consequences finds the cause here.
    pub(crate) fn late_result(&mut self) -> Result<(), FlowFailure> {
        let left = self.slot.lock().unwrap_or_else(PoisonError::into_inner).take();
        match left {
            None => Ok(()),
            Some(Ok(ended)) => {
                self.cut_short = !ended;
                Ok(())
            }
            Some(Err(what)) => Err(FlowFailure { stream: self.stream, pipe: self.number, what }),
        }
    }

    /// Whether the run still waits for a stranger to let go of the stream.
    pub(crate) fn waits_for_stranger(&self) -> bool {
        self.is_awaited() && !self.wrapping_up && !self.of_a_tee
    }

    /// Whether the helper finished without having seen the stream's end.
    pub(crate) fn was_cut_short(&self) -> bool {
        self.cut_short && !self.stream.is_input()
    }

    /// Tells a helper thread to finish with what is in the pipe; the run waits for that. False where there is no thread.
    pub(crate) fn wrap_up(&mut self) -> bool {
        let told = self.threaded && self.line.as_ref().is_some_and(|line| line.shutdown(Shutdown::Write).is_ok());
        self.wrapping_up |= told;
        told
    }

    pub(crate) fn number(&self) -> Option<usize> {
        self.number
    }

    /// Lets go of a writer that has not taken all; says what it is.
    pub(crate) fn give_up(&mut self) -> Option<String> {
        let late = self.is_awaited() && self.threaded;
        late.then(|| {
            self.cut();
            "a writer".to_owned()
        })
    }

    /// Lets go: the helper finishes with what is in the pipe, and nobody waits for that. It may still sit in the caller's code, which nothing can interrupt.
    pub(crate) fn cut(&mut self) {
        self.line = None;
    }
}

/// The side of a caller that reads a stream of the run. Dropping it says that the stream is through.
pub(crate) struct Leash(OwnedFd);

impl Leash {
    /// Waits for the pipe; false when the run was cut first.
    pub(crate) fn wait_readable(&self, pipe: BorrowedFd<'_>) -> io::Result<bool> {
        ready_before_cut(pipe, Interest::Readable, self.0.as_fd())
    }
}

/// The helper's side.
struct Post {
    line: OwnedFd,
    slot: Slot,
}

/// The unstarted helper: its descriptors are made before the first child.
pub(crate) struct Helper {
    tether: Tether,
    post: Post,
}

impl Helper {
    pub(crate) fn new(stream: Stream) -> io::Result<Helper> {
        let (ours, theirs) = UnixStream::pair()?;
        let slot = Slot::default();
        let line = fds::clear_of_stdio(ours.into())?;
        let post = Post { line: fds::clear_of_stdio(theirs.into())?, slot: Arc::clone(&slot) };
        Ok(Helper {
            tether: Tether {
                line: Some(line.into()),
                slot,
                stream,
                number: None,
                fed: Count::default(),
                threaded: false,
                of_a_tee: false,
                wrapping_up: false,
                cut_short: false,
            },
            post,
        })
    }

    /// Starts the thread that reads from the caller's reader into `pipe`.
    pub(crate) fn feed(self, reader: Box<dyn Read + Send>, pipe: OwnedFd) -> io::Result<Tether> {
        fds::set_nonblocking(pipe.as_fd(), true)?;
        let count = Arc::clone(&self.tether.fed);
        self.start("pipewright-feed", move |line| {
            // The reader is dropped in there, too: its destructor is the caller's code like its `read`.
            let fed = guarded(|| feed(&mut *{ reader }, pipe.as_fd(), line, &count));
            (fed, pipe)
        })
    }

    /// Starts the thread that writes what comes out of `pipe` to the caller's writer.
    pub(crate) fn drain(self, writer: Box<dyn Write + Send>, pipe: OwnedFd) -> io::Result<Tether> {
        fds::set_nonblocking(pipe.as_fd(), true)?;
        self.start("pipewright-drain", move |line| {
            let drained = guarded(|| drain(&mut *{ writer }, pipe.as_fd(), line));
            (drained, pipe)
        })
    }

    /// Ties the run to a stream that its caller reads: the run goes on until the caller lets go of the leash, and a run that is
    /// cut lets go of its end, which the caller sees.
    pub(crate) fn into_leash(self) -> (Tether, Leash) {
        (self.tether, Leash(self.post.line))
    }

    fn start(
        self,
        name: &str,
        work: impl FnOnce(BorrowedFd<'_>) -> (Result<bool, FlowError>, OwnedFd) + Send + 'static,
    ) -> io::Result<Tether> {
        let Helper { tether, post } = self;
        thread::start(name, move || {
            signals::block_sigpipe_here();
            let (result, pipe) = work(post.line.as_fd());
            // In this order: the result, then the pipe whose end the child sees, then the news to the run.
            *post.slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
            drop(pipe);
            drop(post.line);
        })?;
        Ok(Tether { threaded: true, ..tether })
    }
}

fn guarded(work: impl FnOnce() -> io::Result<bool>) -> Result<bool, FlowError> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(FlowError::Io),
        Err(panic) => Err(FlowError::Panic(panic_text(&*panic))),
    }
}

fn feed(reader: &mut dyn Read, pipe: BorrowedFd<'_>, line: BorrowedFd<'_>, count: &Count) -> io::Result<bool> {
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
            // Asked each time: a pipe that always has room must not hide that the run let go.
            if !ready_before_cut(pipe, Interest::Writable, line)? {
                return Ok(false);
            }
            let mut fed = count.lock().unwrap_or_else(PoisonError::into_inner);
            let result = stream::write(pipe, rest).inspect(|written| *fed += *written as u64);
            drop(fed);
            match result {
                Ok(written) => rest = &rest[written..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // The child had enough.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(true),
                Err(error) => return Err(error),
            }
        }
    }
}

fn drain(writer: &mut dyn Write, pipe: BorrowedFd<'_>, line: BorrowedFd<'_>) -> io::Result<bool> {
    let mut buffer = vec![0; BUFFER];
    // What may still be taken, once the run has let go: what was there then, and no more of a stranger's.
    let mut rest = usize::MAX;
    let ended = loop {
        if rest == usize::MAX && !ready_before_cut(pipe, Interest::Readable, line)? {
            rest = fds::bytes_queued(pipe)?;
        }
        // With nothing left, one more look: at the end, or at somebody who still holds the stream.
        let room = buffer.len().min(rest.max(1));
        match stream::read(pipe, &mut buffer[..room]) {
            Ok(0) => break true,
            Ok(_) if rest == 0 => break false,
            Ok(read) => {
                writer.write_all(&buffer[..read])?;
                rest = if rest == usize::MAX { rest } else { rest - read };
            }
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
            Err(_) if rest != usize::MAX => break false,
            Err(_) => {}
        }
    };
    writer.flush()?;
    Ok(ended)
}

/// Waits for the pipe; false when the run let go first.
fn ready_before_cut(pipe: BorrowedFd<'_>, interest: Interest, line: BorrowedFd<'_>) -> io::Result<bool> {
    let mut set = PollSet::default();
    set.push(pipe, interest);
    set.push(line, Interest::Readable);
    set.wait(Deadline::NEVER)?;
    Ok(!set.ready(1))
}
