//! One stream of a run: fed by us, drained by us, or in the hands of a helper thread.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use super::helper::Tether;
use super::sink::Sink;
use super::wake::Halt;
use super::{FlowError, FlowFailure, Lent, Token};
use crate::pipe::budget::{self, Grant};
use crate::stdio::Stream;
use crate::sys::poll::Interest;
use crate::sys::{fds, signals, stream};

/// A quarter of a pipe at a time: a reader that empties the whole pipe at once leaves its writer asleep, and the two
/// run in turns.
const CHUNK: usize = budget::DEFAULT / 4;
const BULK_CHUNK: usize = budget::BULK / 4;
/// So many full chunks in a row, and the pipe is grown.
const BUSY: u32 = 8;

pub(crate) enum Flow {
    Feed(Feed),
    Drain(Drain),
    Helper(Tether),
}

impl Flow {
    pub(crate) fn stream(&self) -> Stream {
        match self {
            Flow::Feed(feed) => feed.stream,
            Flow::Drain(drain) => drain.stream,
            Flow::Helper(tether) => tether.stream(),
        }
    }

    /// Whether the run is not over before this stream is.
    pub(super) fn is_awaited(&self) -> bool {
        match self {
            Flow::Feed(feed) => feed.pipe.is_some(),
            // What is only thrown away is read as long as there is a run, no longer.
            Flow::Drain(drain) => drain.source.is_some() && !drain.sinks.iter().all(Sink::discards),
            Flow::Helper(tether) => tether.is_awaited(),
        }
    }

    pub(super) fn interests(&self, index: usize, each: &mut impl FnMut(BorrowedFd<'_>, Interest, Token)) {
        match self {
            Flow::Feed(Feed { pipe: Some(pipe), .. }) => each(pipe.as_fd(), Interest::Writable, Token::Flow(index)),
            Flow::Drain(drain) => drain.interests(index, each),
            Flow::Helper(tether) => {
                if let Some(fd) = tether.fd() {
                    each(fd, Interest::Readable, Token::Flow(index));
                }
            }
            Flow::Feed(_) => {}
        }
    }

    pub(super) fn reads_blocking(&self) -> bool {
        matches!(self, Flow::Drain(drain) if drain.blocking && drain.source.is_some() && !drain.pending())
    }

    pub(super) fn step(&mut self, lent: &mut Lent<'_>, halt: Halt<'_>) -> Result<(), FlowFailure> {
        match self {
            Flow::Feed(feed) => feed.step(),
            Flow::Drain(drain) => drain.step(lent, halt),
            Flow::Helper(tether) => tether.result(),
        }
    }

    /// The n-th sink can take more.
    pub(super) fn push_on(&mut self, sink: usize) -> Result<(), FlowFailure> {
        match self {
            Flow::Drain(drain) => drain.push_on(sink),
            Flow::Feed(_) | Flow::Helper(_) => Ok(()),
        }
    }

    /// A helper's result that came in after the last look.
    pub(super) fn late_result(&mut self) -> Result<(), FlowFailure> {
        match self {
            Flow::Helper(tether) => tether.late_result(),
            Flow::Feed(_) | Flow::Drain(_) => Ok(()),
        }
    }

    /// Whether the stream waits for the other end alone, not for a sink of ours: once the processes have ended, a stranger
    /// holds it.
    pub(super) fn waits_for_stranger(&self) -> bool {
        match self {
            Flow::Feed(feed) => feed.pipe.is_some(),
            Flow::Drain(drain) => {
                let ours = drain.pending() || drain.sinks.iter().any(Sink::is_behind);
                self.is_awaited() && !ours && drain.rest.is_none_or(|rest| rest == 0)
            }
            Flow::Helper(tether) => tether.waits_for_stranger(),
        }
    }

    /// Has the stream finish with what is there; false where nothing is, or nobody to finish with it.
    pub(super) fn wrap_up(&mut self) -> bool {
        match self {
            Flow::Helper(tether) => tether.wrap_up(),
            Flow::Drain(Drain { source: Some(source), rest: rest @ None, .. }) => {
                let queued = fds::bytes_queued(source.as_fd()).unwrap_or(0);
                *rest = Some(queued);
                queued > 0
            }
            Flow::Feed(_) | Flow::Drain(_) => false,
        }
    }

    /// Whether a helper finished before the stream's end.
    pub(super) fn was_cut_short(&self) -> bool {
        matches!(self, Flow::Helper(tether) if tether.was_cut_short())
    }

    /// Takes what is there and closes our end; `cut`: the run's time is up. Whether somebody still holds the other end, as far as
    /// can be seen: of a helper's pipe, a helper that is not through is all there is to see.
    pub(super) fn close(&mut self, cut: bool) -> (bool, Result<(), FlowFailure>) {
        match self {
            Flow::Feed(feed) => {
                // A pipe that nobody reads refuses the next byte.
                let result = feed.step();
                (feed.pipe.take().is_some(), result)
            }
            Flow::Drain(drain) => drain.close(cut),
            Flow::Helper(tether) => {
                let held = !cut && tether.is_awaited();
                tether.cut();
                (held, Ok(()))
            }
        }
    }
}

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
        self.busy.settled = fixed;
        self
    }

    pub(crate) fn stream(&self) -> Stream {
        self.stream
    }

    /// How many bytes the pipe took.
    pub(crate) fn taken(&self) -> u64 {
        self.taken as u64
    }

    fn step(&mut self) -> Result<(), FlowFailure> {
        let Some(pipe) = &self.pipe else { return Ok(()) };
        let rest = &self.bytes[self.taken..];
        let piece = &rest[..rest.len().min(self.busy.chunk())];
        match signals::without_sigpipe(|| stream::write(pipe.as_fd(), piece)) {
            Ok(written) => {
                self.taken += written;
                self.busy.saw(written == piece.len(), pipe.as_fd());
                if self.taken == self.bytes.len() {
                    self.pipe = None;
                }
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
        Ok(())
    }
}

/// A child's output on its way to one or several sinks.
pub(crate) struct Drain {
    source: Option<OwnedFd>,
    stream: Stream,
    number: Option<usize>,
    sinks: Vec<Sink>,
    /// What the sinks have not all taken yet.
    chunk: Vec<u8>,
    /// What may still be read, once the stream was given up: what was there then, and no more of a stranger's.
    rest: Option<usize>,
    /// Whether we stopped reading before the end, because every sink had enough or failed.
    stopped: bool,
    /// Whether the source was left to block, for a driver that reads it without asking.
    blocking: bool,
    busy: Busy,
}

impl Drain {
    /// `source` is our own end of a pipe that we made; unless `blocking`, it is set not to block.
    pub(crate) fn new(source: OwnedFd, stream: Stream, sinks: Vec<Sink>, blocking: bool) -> io::Result<Drain> {
        if !blocking {
            fds::set_nonblocking(source.as_fd(), true)?;
        }
        Ok(Drain {
            source: Some(source),
            stream,
            number: None,
            sinks,
            chunk: Vec::new(),
            rest: None,
            stopped: false,
            blocking,
            busy: Busy::default(),
        })
    }

    /// With a pipe whose capacity is not to be touched, when `fixed`.
    pub(crate) fn of_capacity(mut self, fixed: bool) -> Drain {
        self.busy.settled = fixed;
        self
    }

    /// The number of its pipe in the plan, if it has one.
    pub(crate) fn number(&self) -> Option<usize> {
        self.number
    }

    /// With the number of its pipe in the plan, for what is said of it later.
    pub(crate) fn numbered(self, number: usize) -> Drain {
        Drain { number: Some(number), ..self }
    }

    pub(crate) fn stream(&self) -> Stream {
        self.stream
    }

    /// The number of the pipe, if we stopped reading it before its end.
    pub(crate) fn stopped_reading(&self) -> Option<usize> {
        self.number.filter(|_| self.stopped)
    }

    pub(crate) fn into_sinks(self) -> Vec<Sink> {
        self.sinks
    }

    fn pending(&self) -> bool {
        self.sinks.iter().any(|sink| sink.pending(&self.chunk))
    }

    fn interests(&self, index: usize, each: &mut impl FnMut(BorrowedFd<'_>, Interest, Token)) {
        let Some(source) = &self.source else { return };
        let mut pending = false;
        for (number, sink) in self.sinks.iter().enumerate() {
            if let Some(fd) = sink.wants(&self.chunk) {
                pending = true;
                each(fd, Interest::Writable, Token::Sink(index, number));
            }
        }
        // The slowest sink sets the pace: nothing is read before all have taken what there is.
        if !pending {
            each(source.as_fd(), Interest::Readable, Token::Flow(index));
        }
    }

    /// Reads one chunk and hands it on. What a halt left of the last one comes first.
    fn step(&mut self, lent: &mut Lent<'_>, halt: Halt<'_>) -> Result<(), FlowFailure> {
        if self.source.is_some() && self.sinks.iter().any(Sink::is_behind) {
            self.chunk.clear();
            let caught_up = self.distribute(lent, halt);
            if caught_up.is_err() || self.sinks.iter().any(Sink::is_behind) {
                return caught_up;
            }
        }
        let Some(source) = &self.source else { return Ok(()) };
        let room = self.busy.chunk().min(self.rest.unwrap_or(usize::MAX));
        if room == 0 {
            return Ok(());
        }
        let direct = match self.sinks.as_mut_slice() {
            [Sink::Capture(capture)] => capture.direct(),
            _ => None,
        };
        let copied = direct.is_none();
        let read = match direct {
            Some(buffer) => stream::read_into(source.as_fd(), buffer, room),
            None => {
                self.chunk.clear();
                stream::read_into(source.as_fd(), &mut self.chunk, room)
            }
        };
        match read {
            Ok(0) => {
                self.source = None;
                self.finish_sinks(lent)
            }
            Ok(read) => {
                self.rest = self.rest.map(|rest| rest - read);
                self.busy.saw(read == room, source.as_fd());
                if copied { self.distribute(lent, halt) } else { Ok(()) }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(error) => {
                self.source = None;
                Err(self.failure(FlowError::Io(error)))
            }
        }
    }

    /// Gives the chunk to every sink. One that fails is dropped; with the last one gone the source is closed, so that the
    /// writer learns of it.
    fn distribute(&mut self, lent: &mut Lent<'_>, halt: Halt<'_>) -> Result<(), FlowFailure> {
        let mut first = Ok(());
        for sink in &mut self.sinks {
            if let Err(error) = sink.take(&self.chunk, lent, halt) {
                sink.fail();
                first = first.and(Err(error));
            }
        }
        self.close_if_unheard();
        first.map_err(|error| self.failure(error))
    }

    fn push_on(&mut self, sink: usize) -> Result<(), FlowFailure> {
        let sink = &mut self.sinks[sink];
        let result = sink.push_on(&self.chunk).inspect_err(|_| sink.fail());
        self.close_if_unheard();
        result.map_err(|error| self.failure(error))
    }

    fn close_if_unheard(&mut self) {
        if self.sinks.iter().all(Sink::is_dead) {
            self.source = None;
            self.stopped = true;
        }
    }

    fn finish_sinks(&mut self, lent: &mut Lent<'_>) -> Result<(), FlowFailure> {
        let mut first = Ok(());
        for sink in &mut self.sinks {
            if let Err(error) = sink.finish(lent) {
                first = first.and(Err(error));
            }
        }
        first.map_err(|error| self.failure(error))
    }

    /// One look at what waits in the pipe: a writer that never stops must not keep us here. And one behind it, for whether
    /// anybody is there who could write more.
    fn close(&mut self, cut: bool) -> (bool, Result<(), FlowFailure>) {
        let Some(source) = self.source.take() else { return (false, Ok(())) };
        let mut rest = match self.sinks.as_mut_slice() {
            [Sink::Capture(_)] | [] => Vec::new(),
            _ => std::mem::take(&mut self.chunk),
        };
        rest.clear();
        let queued = fds::bytes_queued(source.as_fd()).unwrap_or(0);
        while rest.len() < queued {
            let missing = queued - rest.len();
            match stream::read_into(source.as_fd(), &mut rest, missing) {
                Ok(0) | Err(_) => break,
                Ok(_) => {}
            }
        }
        let held = !self.blocking && !matches!(stream::read_into(source.as_fd(), &mut rest, CHUNK), Ok(0));
        let mut first = Ok(());
        for sink in &mut self.sinks {
            // Sinks that are other people's descriptors are not waited for any more.
            if let Err(error) = sink.take_at_close(&rest, cut) {
                first = first.and(Err(error));
            }
        }
        (held, first.map_err(|error| self.failure(error)))
    }

    fn failure(&self, what: FlowError) -> FlowFailure {
        FlowFailure { stream: self.stream, pipe: self.number, what }
    }
}

/// How busy one of our own pipe ends is; one that proves busy is grown, once, unless its capacity was asked for.
#[derive(Default)]
struct Busy {
    full: u32,
    settled: bool,
    grant: Option<Grant>,
}

impl Busy {
    fn chunk(&self) -> usize {
        if self.grant.is_some() { BULK_CHUNK } else { CHUNK }
    }

    fn saw(&mut self, full: bool, pipe: BorrowedFd<'_>) {
        if self.settled {
            return;
        }
        self.full = if full { self.full + 1 } else { 0 };
        if self.full >= BUSY {
            self.settled = true;
            self.grant = budget::grow(pipe);
        }
    }
}
