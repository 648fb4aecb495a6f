//! One stream of a run: fed by us, drained by us, or in the hands of a helper thread.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use super::callback::{BoxError, Lent};
use super::drain::Drain;
use super::interrupt::Interrupt;
use super::io_thread::Tether;
use super::pipe_growth::Busy;
use super::stream_end::StreamEnd;
use crate::stream::Stream;
use crate::sys::poll::Interest;
use crate::sys::{fds, signals, stream};

/// What went wrong with a stream.
#[derive(Debug)]
pub(crate) struct FlowFailure {
    pub(crate) stream: Stream,
    /// The number of the stream's pipe in the plan, where the stream alone does not tell whose it is.
    pub(crate) pipe: Option<usize>,
    pub(crate) what: FlowError,
}

#[derive(Debug)]
pub(crate) enum FlowError {
    /// Reading from or writing to a descriptor, the caller's reader or the caller's writer.
    Io(std::io::Error),
    /// A callback of the caller's returned an error.
    Callback(BoxError),
    /// A callback, reader or writer of the caller's panicked, with this text.
    Panic(String),
    /// More output than `Limit::Fail` allows.
    Limit(usize),
    /// These did not take all of it by the end of the time for that.
    Untaken(String),
}

pub(crate) enum Flow {
    Feed(Feed),
    Drain(Drain),
    Helper(Tether),
}

impl Flow {
    pub(crate) fn stream(&self) -> Stream {
        match self {
            Flow::Feed(feed) => feed.stream,
            Flow::Drain(drain) => drain.stream(),
            Flow::Helper(tether) => tether.stream(),
        }
    }

    /// Whether the run is not over before this stream is.
    pub(crate) fn is_awaited(&self) -> bool {
        match self {
            Flow::Feed(feed) => feed.pipe.is_some(),
            Flow::Drain(drain) => drain.is_awaited(),
            Flow::Helper(tether) => tether.is_awaited(),
        }
    }

    pub(crate) fn interests(&self, mut each: impl FnMut(BorrowedFd<'_>, Interest, StreamEnd)) {
        match self {
            Flow::Feed(Feed { pipe: Some(pipe), .. }) => each(pipe.as_fd(), Interest::Writable, StreamEnd::Pipe),
            Flow::Drain(drain) => drain.interests(each),
            Flow::Helper(tether) => {
                if let Some(fd) = tether.fd() {
                    each(fd, Interest::Readable, StreamEnd::Pipe);
                }
            }
            Flow::Feed(_) => {}
        }
    }

    /// A process has ended, and the stream may have.
    pub(crate) fn end_nap(&mut self) {
        if let Flow::Drain(drain) = self {
            drain.end_nap();
        }
    }

    pub(crate) fn reads_blocking(&self) -> bool {
        matches!(self, Flow::Drain(drain) if drain.reads_blocking())
    }

    pub(crate) fn may_read_on(&self) -> bool {
        matches!(self, Flow::Drain(drain) if drain.may_read_on())
    }

    /// Moves on what one of the stream's descriptors is ready for.
    pub(crate) fn ready(
        &mut self,
        end: StreamEnd,
        lent: &mut Lent<'_>,
        interrupt: Interrupt<'_>,
    ) -> Result<(), FlowFailure> {
        match (self, end) {
            (Flow::Drain(drain), StreamEnd::Pipe) => drain.step(lent, interrupt),
            (Flow::Drain(drain), StreamEnd::Sink(sink)) => drain.push_on(sink),
            (Flow::Feed(feed), _) => feed.step(),
            (Flow::Helper(tether), _) => tether.result(),
        }
    }

    /// A helper's result that came in after the last look.
    pub(crate) fn late_result(&mut self) -> Result<(), FlowFailure> {
        match self {
            Flow::Helper(tether) => tether.late_result(),
            Flow::Feed(_) | Flow::Drain(_) => Ok(()),
        }
    }

    /// Whether the stream waits for the other end alone, not for a sink of ours: once the processes have ended, a stranger
    /// holds it.
    pub(crate) fn waits_for_stranger(&self) -> bool {
        match self {
            Flow::Feed(feed) => feed.pipe.is_some(),
            Flow::Drain(drain) => drain.waits_for_stranger(),
            Flow::Helper(tether) => tether.waits_for_stranger(),
        }
    }

    /// Has the stream finish with what is there; false where nothing is, or nobody to finish with it.
    pub(crate) fn wrap_up(&mut self) -> bool {
        match self {
            Flow::Helper(tether) => tether.wrap_up(),
            Flow::Drain(drain) => drain.wrap_up(),
            Flow::Feed(_) => false,
        }
    }

    /// Whether a helper finished before the stream's end.
    pub(crate) fn was_cut_short(&self) -> bool {
        matches!(self, Flow::Helper(tether) if tether.was_cut_short())
    }

    /// Our end of a pipe that others write to.
    pub(crate) fn source(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Flow::Drain(drain) => drain.source(),
            Flow::Feed(_) | Flow::Helper(_) => None,
        }
    }

    /// The number of its pipe in the plan, if it has one.
    pub(crate) fn number(&self) -> Option<usize> {
        match self {
            Flow::Feed(feed) => Some(feed.number),
            Flow::Drain(drain) => drain.number(),
            Flow::Helper(tether) => tether.number(),
        }
    }

    /// Whether lines wait that a callback was halted before.
    pub(crate) fn is_behind(&self) -> bool {
        matches!(self, Flow::Drain(drain) if drain.is_behind())
    }

    /// Lets go of what has not taken all that it was to get; says what that is.
    pub(crate) fn give_up_on_legs(&mut self) -> Vec<String> {
        match self {
            Flow::Feed(_) => Vec::new(),
            Flow::Drain(drain) => drain.give_up_on_legs(),
            Flow::Helper(tether) => tether.give_up().into_iter().collect(),
        }
    }

    /// Takes what is there and closes our end; `cut`: the run is being ended. Of a helper's pipe, a helper that is not through is all there
    /// is to see.
    pub(crate) fn close(&mut self, cut: bool, time: Time, lent: &mut Lent<'_>) -> Closed {
        match self {
            Flow::Feed(feed) => {
                // A pipe that nobody reads refuses the next byte.
                let result = feed.write().map(drop);
                Closed { held: feed.pipe.take().is_some(), pipe: None, result }
            }
            Flow::Drain(drain) => drain.close(if cut { time } else { Time::IsLeft }, lent),
            Flow::Helper(tether) => {
                let held = !cut && tether.is_awaited();
                tether.cut();
                Closed { held, pipe: None, result: Ok(()) }
            }
        }
    }
}

/// Whether there is time to hand on what is taken from a stream as it is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Time {
    IsLeft,
    /// Callbacks get nothing more.
    IsUp,
}

/// A stream that was given up.
pub(crate) struct Closed {
    /// Whether somebody still holds the other end, as far as can be seen.
    pub(crate) held: bool,
    /// Our end, to find by it who writes to it. It is closed with this.
    pub(crate) pipe: Option<OwnedFd>,
    pub(crate) result: Result<(), FlowFailure>,
}

/// So many pieces are written before other streams and the time are looked at again.
const WRITES: usize = 4;

/// Bytes on their way into a child's stdin.
pub(crate) struct Feed {
    pipe: Option<OwnedFd>,
    stream: Stream,
    number: usize,
    bytes: Arc<Vec<u8>>,
    taken: usize,
    busy: Busy,
}

impl Feed {
    /// `pipe` is our own end of a pipe that we made, the plan's `number`; it is set not to block.
    pub(crate) fn new(pipe: OwnedFd, stream: Stream, number: usize, bytes: Arc<Vec<u8>>) -> io::Result<Feed> {
        fds::set_nonblocking(pipe.as_fd(), true)?;
        let pipe = (!bytes.is_empty()).then_some(pipe);
        Ok(Feed { pipe, stream, number, bytes, taken: 0, busy: Busy::default() })
    }

    /// With a pipe whose capacity is not to be touched, when `fixed`.
    pub(crate) fn of_capacity(mut self, fixed: bool) -> Feed {
        self.busy.fixed = fixed;
        self
    }

    pub(crate) fn stream(&self) -> Stream {
        self.stream
    }

    /// How many bytes the pipe took.
    pub(crate) fn taken(&self) -> u64 {
        self.taken as u64
    }

    /// A few pieces, while the pipe takes them whole.
    fn step(&mut self) -> Result<(), FlowFailure> {
        for _ in 0..WRITES {
            if !self.write()? {
                break;
            }
        }
        Ok(())
    }

    /// Writes one piece; whether all of it went and there is more.
    fn write(&mut self) -> Result<bool, FlowFailure> {
        let Some(pipe) = &self.pipe else { return Ok(false) };
        let rest = &self.bytes[self.taken..];
        let piece = &rest[..rest.len().min(self.busy.chunk())];
        match signals::without_sigpipe(|| stream::write(pipe.as_fd(), piece)) {
            Ok(written) => {
                let all = written == piece.len();
                self.taken += written;
                self.busy.saw(all, pipe.as_fd());
                if self.taken == self.bytes.len() {
                    self.pipe = None;
                }
                return Ok(all);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            // The child stopped reading, as `head` does. Not an error; `taken` tells.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => self.pipe = None,
            Err(error) => {
                self.pipe = None;
                let what = FlowError::Io(error);
                return Err(FlowFailure { stream: self.stream, pipe: Some(self.number), what });
            }
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::super::pipe_growth::CHUNK;
    use super::*;

    #[test]
    fn a_feed_writes_a_few_pieces_before_others_have_their_turn() {
        if !cfg!(target_os = "linux") {
            return;
        }
        let (reader, writer) = crate::pipe::kernel().unwrap();
        fds::set_capacity(reader.as_fd(), 8 * CHUNK).unwrap();
        let mut feed = Feed::new(writer.into(), Stream::Stdin, 0, Arc::new(vec![7; 8 * CHUNK])).unwrap();
        feed.step().unwrap();
        assert_eq!(fds::bytes_queued(reader.as_fd()).unwrap(), WRITES * CHUNK);
    }
}
