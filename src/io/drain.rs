//! A child's output, read here and handed on.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::callback::Lent;
use super::flow::Closed;
use super::flow::Time;
use super::flow::{FlowError, FlowFailure};
use super::interrupt::Interrupt;
use super::line_observer::Ear;
use super::pipe_growth::{Busy, CHUNK};
use super::read_backoff::Nap;
use super::sink::Sink;
use super::stream_end::StreamEnd;
use super::zero_copy::{Conduit, Progress};
use crate::clock::Deadline;
use crate::stream::Stream;
use crate::sys::poll::Interest;
use crate::sys::{fds, stream};

#[cfg(test)]
mod tests;

/// So many chunks of a captured stream are read before other streams and the time are looked at again.
const READS: usize = 4;

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
    nap: Nap,
    /// Instead of reading and writing, once the stream proved busy.
    conduit: Option<Box<Conduit>>,
    conduit_tried: bool,
    /// The stage that alone writes to it.
    writer: Option<usize>,
    /// Cuts what comes into lines for those who watch, once there are any.
    ear: Option<Ear>,
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
            nap: Nap::default(),
            conduit: None,
            conduit_tried: false,
            writer: None,
            ear: None,
        })
    }

    /// With a pipe whose capacity is not to be touched, when `fixed`.
    pub(crate) fn of_capacity(mut self, fixed: bool) -> Drain {
        self.busy.fixed = fixed;
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

    /// With the stage that alone writes to it.
    pub(crate) fn written_by(self, writer: Option<usize>) -> Drain {
        Drain { writer, ..self }
    }

    pub(crate) fn writer(&self) -> Option<usize> {
        self.writer
    }

    /// From now on its lines are [`heard`](Self::heard); those that a capture has whole are told at once. Bytes then come through this
    /// process, whatever they did before.
    pub(crate) fn listen(&mut self, mut each: impl FnMut(&[u8])) -> Result<(), FlowFailure> {
        let so_far = self.sinks.iter().find_map(|sink| match sink {
            Sink::Capture(capture) => capture.whole(),
            _ => None,
        });
        let mut ear = Ear::after(so_far.unwrap_or_default(), &mut each);
        if self.source.is_none() {
            // Nothing comes any more.
            ear.finish();
            ear.heard().iter().for_each(|line| each(line));
            return Ok(());
        }
        if self.ear.is_some() {
            return Ok(());
        }
        self.ear = Some(ear);
        self.conduit_tried = true;
        self.leave_conduit()
    }

    /// The lines since the last call.
    pub(crate) fn heard(&mut self) -> Vec<Vec<u8>> {
        self.ear.as_mut().map(Ear::heard).unwrap_or_default()
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

    pub(crate) fn source(&self) -> Option<BorrowedFd<'_>> {
        self.source.as_ref().map(AsFd::as_fd)
    }

    /// What is only thrown away is read as long as there is a run, no longer.
    pub(crate) fn is_awaited(&self) -> bool {
        self.source.is_some() && !self.sinks.iter().all(Sink::discards)
    }

    pub(crate) fn reads_blocking(&self) -> bool {
        let waits = self.conduit.is_none() && !self.pending() && self.nap.until().is_never();
        self.blocking && self.source.is_some() && waits
    }

    pub(crate) fn end_nap(&mut self) {
        self.nap.end();
    }

    /// Whether lines wait that a callback was halted before.
    pub(crate) fn is_behind(&self) -> bool {
        self.source.is_some() && self.sinks.iter().any(Sink::is_behind)
    }

    /// Whether a step would read, without blocking.
    pub(crate) fn may_read_on(&self) -> bool {
        self.source.is_some() && !self.blocking && self.rest.is_none() && !self.pending() && !self.is_behind()
    }

    /// Whether it waits for the other end alone, not for a sink of ours.
    pub(crate) fn waits_for_stranger(&self) -> bool {
        let ours = self.pending() || self.is_behind();
        self.is_awaited() && !ours && self.rest.is_none_or(|rest| rest == 0)
    }

    /// Lets go of the sinks that have not taken what they were given; says what they are. A writer's is told of by its helper.
    pub(crate) fn give_up_on_legs(&mut self) -> Vec<String> {
        let blocked = self.conduit.as_ref().and_then(|conduit| conduit.blocked());
        // What moves inside the kernel has to be a chunk first, of which it is known what each has taken. A failure is the sink's own.
        let _ = self.leave_conduit();
        let mut legs = Vec::new();
        for (index, sink) in self.sinks.iter_mut().enumerate() {
            if blocked == Some(index) || sink.pending(&self.chunk) || sink.is_behind() {
                legs.extend(sink.name());
                sink.fail();
            }
        }
        self.close_if_unheard();
        legs
    }

    /// Has it finish with what is there; false where nothing is.
    pub(crate) fn wrap_up(&mut self) -> bool {
        let (Some(source), None) = (&self.source, self.rest) else { return false };
        let queued = fds::bytes_queued(source.as_fd()).unwrap_or(0);
        self.rest = Some(queued);
        queued > 0
    }

    fn pending(&self) -> bool {
        let blocked = self.conduit.as_ref().is_some_and(|conduit| conduit.blocked().is_some());
        blocked || self.sinks.iter().any(|sink| sink.pending(&self.chunk))
    }

    pub(crate) fn interests(&self, mut each: impl FnMut(BorrowedFd<'_>, Interest, StreamEnd)) {
        let Some(source) = &self.source else { return };
        if let Some((number, sink)) =
            self.conduit.as_ref().and_then(|conduit| conduit.blocked()).zip(self.blocked_sink())
        {
            return each(sink, Interest::Writable, StreamEnd::Sink(number));
        }
        let mut pending = false;
        for (number, sink) in self.sinks.iter().enumerate() {
            if let Some(fd) = sink.wants(&self.chunk) {
                pending = true;
                each(fd, Interest::Writable, StreamEnd::Sink(number));
            }
        }
        // The slowest sink sets the pace: nothing is read before all have taken what there is.
        if !pending {
            let nap = if self.rest.is_none() { self.nap.until() } else { Deadline::NEVER };
            let interest = if nap.is_never() { Interest::Readable } else { Interest::ReadableAfter(nap) };
            each(source.as_fd(), interest, StreamEnd::Pipe);
        }
    }

    /// Reads a chunk and hands it on; a few of a stream that is captured and has more. What a halt left of the last one comes first.
    pub(crate) fn step(&mut self, lent: &mut Lent<'_>, interrupt: Interrupt<'_>) -> Result<(), FlowFailure> {
        if self.is_behind() {
            self.chunk.clear();
            let caught_up = self.distribute(lent, interrupt);
            if caught_up.is_err() || self.is_behind() {
                return caught_up;
            }
        }
        if self.source.is_some() && self.busy.proven && !self.conduit_tried {
            self.conduit_tried = true;
            self.conduit = Conduit::new(&self.sinks, self.busy.fixed).map(Box::new);
        }
        if self.conduit.is_some() {
            return self.convey(lent);
        }
        // A read that blocks is done without asking first, and once.
        let reads = if self.blocking || !self.is_kept() { 1 } else { READS };
        for _ in 0..reads {
            if !self.read(lent, interrupt)? {
                break;
            }
        }
        Ok(())
    }

    /// Whether nobody sees the bytes before the stream's end.
    fn is_kept(&self) -> bool {
        self.ear.is_none() && self.sinks.iter().all(Sink::keeps)
    }

    /// Reads one chunk and hands it on; whether all came that was asked for, and so there may be more.
    fn read(&mut self, lent: &mut Lent<'_>, interrupt: Interrupt<'_>) -> Result<bool, FlowFailure> {
        let Some(source) = &self.source else { return Ok(false) };
        let room = self.nap.room(self.busy.chunk()).min(self.rest.unwrap_or(usize::MAX));
        if room == 0 {
            return Ok(false);
        }
        let direct = match self.sinks.as_mut_slice() {
            [Sink::Capture(capture)] if self.ear.is_none() => capture.direct(room),
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
                self.finish_sinks(lent).map(|()| false)
            }
            Ok(read) => {
                self.rest = self.rest.map(|rest| rest - read);
                self.busy.saw(read == room, source.as_fd());
                if cfg!(target_os = "linux") && self.is_kept() {
                    self.nap.saw(read, read == room);
                }
                if let Some(ear) = &mut self.ear {
                    ear.hear(&self.chunk);
                }
                if copied {
                    self.distribute(lent, interrupt)?;
                }
                Ok(read == room)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => {
                self.source = None;
                Err(self.failure(FlowError::Io(error)))
            }
        }
    }

    /// Gives the chunk to every sink. One that fails is dropped; with the last one gone the source is closed, so that the
    /// writer learns of it.
    fn distribute(&mut self, lent: &mut Lent<'_>, interrupt: Interrupt<'_>) -> Result<(), FlowFailure> {
        let mut first = Ok(());
        for sink in &mut self.sinks {
            if let Err(error) = sink.take(&self.chunk, lent, interrupt) {
                sink.fail();
                first = first.and(Err(error));
            }
        }
        self.close_if_unheard();
        first.map_err(|error| self.failure(error))
    }

    /// Moves on inside the kernel, or goes back to reading and writing: where a sink is not for that any more, and to take no more
    /// than what was there when the stream was given up.
    fn convey(&mut self, lent: &mut Lent<'_>) -> Result<(), FlowFailure> {
        let (Some(source), Some(conduit)) = (&self.source, &mut self.conduit) else { return Ok(()) };
        if self.rest.is_some() {
            return self.leave_conduit();
        }
        match conduit.step(source.as_fd(), &self.sinks) {
            Progress::Moved | Progress::Waits => Ok(()),
            Progress::End => {
                conduit.give_back(&self.sinks);
                self.conduit = None;
                self.source = None;
                self.finish_sinks(lent)
            }
            Progress::Refused => self.leave_conduit(),
            Progress::Failed(sink, error) => {
                let failed = self.sinks[sink].give_up(error).map_err(|error| self.failure(error));
                let left = self.leave_conduit();
                failed.and(left)
            }
        }
    }

    /// What some sink has and others have not becomes a chunk that is partly taken. What never blocks has all of it at once, as of
    /// any other chunk: when the stream is given up next, only those are left behind that would be waited for.
    fn leave_conduit(&mut self) -> Result<(), FlowFailure> {
        let (Some(source), Some(conduit)) = (&self.source, self.conduit.take()) else { return Ok(()) };
        self.chunk.clear();
        let wanted = conduit.most_ahead();
        while self.chunk.len() < wanted {
            let missing = wanted - self.chunk.len();
            match stream::read_into(source.as_fd(), &mut self.chunk, missing) {
                // They are in the pipe, and nobody else reads it.
                Ok(0) => break,
                Ok(_) => {}
                Err(error) => {
                    self.source = None;
                    return Err(self.failure(FlowError::Io(error)));
                }
            }
        }
        self.rest = self.rest.map(|rest| rest.saturating_sub(self.chunk.len()));
        let mut first = Ok(());
        for (index, sink) in self.sinks.iter_mut().enumerate() {
            if let Err(error) = sink.took(conduit.ahead(index), &self.chunk) {
                first = first.and(Err(error));
            }
        }
        self.close_if_unheard();
        first.map_err(|error| self.failure(error))
    }

    fn blocked_sink(&self) -> Option<BorrowedFd<'_>> {
        let blocked = self.conduit.as_ref()?.blocked()?;
        Some(self.sinks[blocked].outlet()?.fd())
    }

    pub(crate) fn push_on(&mut self, sink: usize) -> Result<(), FlowFailure> {
        if self.conduit.is_some() {
            return self.convey(&mut None);
        }
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
        self.ear.iter_mut().for_each(Ear::finish);
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
    pub(crate) fn close(&mut self, time: Time, lent: &mut Lent<'_>) -> Closed {
        let Some(source) = self.source.take() else { return Closed { held: false, pipe: None, result: Ok(()) } };
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
        if let Some(ear) = &mut self.ear {
            ear.hear(&rest);
            ear.finish();
        }
        let mut first = Ok(());
        for sink in &mut self.sinks {
            // Sinks that are other people's descriptors are not waited for any more.
            if let Err(error) = sink.take_at_close(&rest, time, lent) {
                first = first.and(Err(error));
            }
        }
        Closed { held, pipe: Some(source), result: first.map_err(|error| self.failure(error)) }
    }

    fn failure(&self, what: FlowError) -> FlowFailure {
        FlowFailure { stream: self.stream, pipe: self.number, what }
    }
}
