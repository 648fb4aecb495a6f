//! Reading a child's output, and writing it to the stream's sinks.

use std::io;
use std::mem;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::callback::BorrowedCallback;
use super::failure::{Closed, FlowError, FlowFailure, Time};
use super::interrupt::Interrupt;
use super::line_observer::LineObserver;
use super::pipe_growth::{CHUNK, PipeGrowth};
use super::read_backoff::ReadBackoff;
use super::sink::Sink;
use super::stream_end::StreamEnd;
use super::zero_copy::{Progress, ZeroCopy};
use crate::clock::Deadline;
use crate::stream::Stream;
use crate::sys::poll::Interest;
use crate::sys::{fds, stream};

#[cfg(test)]
mod tests;

/// Chunks of a captured stream that are read before other streams and deadlines get their turn.
const READS: usize = 4;

/// A child's output on its way to one or several sinks.
pub(crate) struct Drain {
    stream: Stream,
    /// The pipe's index in the plan.
    pipe: Option<usize>,
    /// The only stage that writes to the stream.
    writer: Option<usize>,
    sinks: Vec<Sink>,
    /// The last bytes that were read; some sinks may not have taken all of them.
    chunk: Vec<u8>,
    state: State,
    policy: Policy,
    /// Set once the run has observers of lines.
    observer: Option<LineObserver>,
}

enum State {
    Open(OwnedFd, Mode),
    /// Closed before the stream's end, because every sink had enough or failed.
    StoppedEarly,
    /// Closed at the stream's end, after a failed read, or by the engine.
    Closed,
}

enum Mode {
    /// Reads and writes, until the stream is busy enough to try zero-copy.
    Copy,
    /// Reads and writes to the end: zero-copy did not work, or the stream's lines are observed.
    CopyOnly,
    ZeroCopy(Box<ZeroCopy>),
    /// The stream is wrapped up: only the bytes that were in the pipe then are still read. Later ones are of a process that is not
    /// the run's.
    Remainder(usize),
}

/// How the source is read.
struct Policy {
    /// O_NONBLOCK is not set: the driver may read without polling.
    blocking: bool,
    growth: PipeGrowth,
    backoff: ReadBackoff,
}

impl Drain {
    /// `source` is the read end of a pipe that this library made. Sets O_NONBLOCK on it, unless `blocking`.
    pub(crate) fn new(source: OwnedFd, stream: Stream, sinks: Vec<Sink>, blocking: bool) -> io::Result<Drain> {
        if !blocking {
            fds::set_nonblocking(source.as_fd(), true)?;
        }
        Ok(Drain {
            stream,
            pipe: None,
            writer: None,
            sinks,
            chunk: Vec::new(),
            state: State::Open(source, Mode::Copy),
            policy: Policy { blocking, growth: PipeGrowth::default(), backoff: ReadBackoff::default() },
            observer: None,
        })
    }

    /// Leaves the pipe's capacity as it is, if `fixed`.
    pub(crate) fn with_fixed_capacity(mut self, fixed: bool) -> Drain {
        self.policy.growth.fixed = fixed;
        self
    }

    /// Enters the pipe's index in the plan, and the only stage that writes to it, for messages and events.
    pub(crate) fn with_pipe(self, pipe: usize, writer: Option<usize>) -> Drain {
        Drain { pipe: Some(pipe), writer, ..self }
    }

    pub(crate) fn stream(&self) -> Stream {
        self.stream
    }

    pub(crate) fn pipe(&self) -> Option<usize> {
        self.pipe
    }

    pub(crate) fn writer(&self) -> Option<usize> {
        self.writer
    }

    /// The pipe's index, if reading stopped before the stream's end.
    pub(crate) fn stopped_reading(&self) -> Option<usize> {
        self.pipe.filter(|_| matches!(self.state, State::StoppedEarly))
    }

    pub(crate) fn into_sinks(self) -> Vec<Sink> {
        self.sinks
    }

    /// Keeps the stream's lines for [`take_lines`](Self::take_lines) from now on. `each` gets the earlier lines, if a capture has all
    /// of them. Zero-copy ends: the bytes must come through this process.
    pub(crate) fn observe_lines(&mut self, mut each: impl FnMut(&[u8])) -> Result<(), FlowFailure> {
        let so_far = self.sinks.iter().find_map(|sink| match sink {
            Sink::Capture(capture) => capture.whole(),
            _ => None,
        });
        let mut observer = LineObserver::after(so_far.unwrap_or_default(), &mut each);
        if !self.is_open() {
            observer.finish();
            observer.take_lines().iter().for_each(|line| each(line));
            return Ok(());
        }
        if self.observer.is_none() {
            self.observer = Some(observer);
            self.leave_zero_copy()?;
        }
        Ok(())
    }

    /// The lines since the last call.
    pub(crate) fn take_lines(&mut self) -> Vec<Vec<u8>> {
        self.observer.as_mut().map(LineObserver::take_lines).unwrap_or_default()
    }

    pub(crate) fn source(&self) -> Option<BorrowedFd<'_>> {
        match &self.state {
            State::Open(source, _) => Some(source.as_fd()),
            State::StoppedEarly | State::Closed => None,
        }
    }

    fn is_open(&self) -> bool {
        self.source().is_some()
    }

    fn zero_copy(&self) -> Option<&ZeroCopy> {
        match &self.state {
            State::Open(_, Mode::ZeroCopy(zero_copy)) => Some(zero_copy),
            _ => None,
        }
    }

    /// The number of bytes that may still be read, once the stream is wrapped up.
    fn left(&self) -> Option<usize> {
        match &self.state {
            State::Open(_, Mode::Remainder(left)) => Some(*left),
            _ => self.zero_copy()?.left,
        }
    }

    /// Whether the run is not over before the stream is. Output that is discarded is only read while there is a run.
    pub(crate) fn is_awaited(&self) -> bool {
        self.is_open() && !self.sinks.iter().all(Sink::discards)
    }

    /// Whether the next read may block in place of a poll.
    pub(crate) fn reads_blocking(&self) -> bool {
        let is_paused = !self.policy.backoff.until().is_never();
        self.policy.blocking && self.is_open() && self.zero_copy().is_none() && !self.is_pending() && !is_paused
    }

    /// A process has ended, and the stream may have: it is polled now.
    pub(crate) fn end_backoff(&mut self) {
        self.policy.backoff.end();
    }

    /// Whether whole lines wait because a callback was interrupted before them.
    pub(crate) fn is_behind(&self) -> bool {
        self.is_open() && self.sinks.iter().any(Sink::is_behind)
    }

    /// Whether a step would read, without blocking.
    pub(crate) fn may_read_on(&self) -> bool {
        self.is_open() && !self.policy.blocking && self.left().is_none() && !self.is_pending() && !self.is_behind()
    }

    /// Whether only the stream's other end keeps the run waiting, not a sink.
    pub(crate) fn waits_for_peer(&self) -> bool {
        self.is_awaited() && !self.is_pending() && !self.is_behind() && self.left().is_none_or(|left| left == 0)
    }

    /// Closes the sinks that have not taken what they were given; returns their descriptions. The pipe of a writer has none: the
    /// writer's thread names it.
    pub(crate) fn drop_slow_sinks(&mut self) -> Vec<String> {
        let blocked = self.zero_copy().and_then(|zero_copy| zero_copy.blocked);
        // As a chunk, it is known of the bytes in the kernel what each sink has taken. A failure to write them is the sink's own.
        let _ = self.leave_zero_copy();
        let mut slow = Vec::new();
        for (index, sink) in self.sinks.iter_mut().enumerate() {
            if blocked == Some(index) || sink.pending(&self.chunk).is_some() || sink.is_behind() {
                slow.extend(sink.description());
                sink.close();
            }
        }
        self.close_if_unwanted();
        slow
    }

    /// From now on reads only the bytes that are in the pipe; false if there are none.
    pub(crate) fn wrap_up(&mut self) -> bool {
        let was_told = self.left().is_some();
        let State::Open(source, mode) = &mut self.state else { return false };
        if was_told {
            return false;
        }
        let queued = fds::bytes_queued(source.as_fd()).unwrap_or(0);
        match mode {
            // The next step leaves zero-copy: a sink that fails in that must be reported.
            Mode::ZeroCopy(zero_copy) => zero_copy.left = Some(queued),
            _ => *mode = Mode::Remainder(queued),
        }
        queued > 0
    }

    /// Whether a sink must take more bytes before the next read.
    fn is_pending(&self) -> bool {
        self.blocked_sink().is_some() || self.sinks.iter().any(|sink| sink.pending(&self.chunk).is_some())
    }

    fn blocked_sink(&self) -> Option<(usize, BorrowedFd<'_>)> {
        let blocked = self.zero_copy()?.blocked?;
        Some((blocked, self.sinks[blocked].fd_writer()?.fd()))
    }

    pub(crate) fn interests(&self, mut each: impl FnMut(BorrowedFd<'_>, Interest, StreamEnd)) {
        let Some(source) = self.source() else { return };
        if let Some((number, sink)) = self.blocked_sink() {
            return each(sink, Interest::Writable, StreamEnd::Sink(number));
        }
        let mut pending = false;
        for (number, sink) in self.sinks.iter().enumerate() {
            if let Some(fd) = sink.pending(&self.chunk) {
                pending = true;
                each(fd, Interest::Writable, StreamEnd::Sink(number));
            }
        }
        // The slowest sink sets the pace: nothing is read before all sinks have the chunk.
        if !pending {
            let pause = if self.left().is_none() { self.policy.backoff.until() } else { Deadline::NEVER };
            let interest = if pause.is_never() { Interest::Readable } else { Interest::ReadableAfter(pause) };
            each(source, interest, StreamEnd::Pipe);
        }
    }

    /// Reads a chunk and writes it to the sinks; a few chunks of a captured stream. Lines that an interrupt left come first.
    pub(crate) fn step(
        &mut self,
        callback: &mut BorrowedCallback<'_>,
        interrupt: Interrupt<'_>,
    ) -> Result<(), FlowFailure> {
        if self.is_behind() {
            self.chunk.clear();
            let caught_up = self.distribute(callback, interrupt);
            if caught_up.is_err() || self.is_behind() {
                return caught_up;
            }
        }
        if let State::Open(_, mode @ Mode::Copy) = &mut self.state {
            if self.policy.growth.is_busy() && self.observer.is_none() {
                let zero_copy = ZeroCopy::new(&self.sinks, self.policy.growth.fixed);
                *mode = zero_copy.map_or(Mode::CopyOnly, |zero_copy| Mode::ZeroCopy(Box::new(zero_copy)));
            }
        }
        if self.zero_copy().is_some() {
            return self.step_zero_copy(callback);
        }
        // Only the first read of a blocking source is known not to keep the driver from its deadlines.
        let reads = if self.policy.blocking || !self.is_kept() { 1 } else { READS };
        for _ in 0..reads {
            if !self.read(callback, interrupt)? {
                break;
            }
        }
        Ok(())
    }

    /// Whether nothing shows the bytes before the stream's end.
    fn is_kept(&self) -> bool {
        self.observer.is_none() && self.sinks.iter().all(Sink::keeps)
    }

    /// Reads one chunk and writes it to the sinks; returns whether the read was full, so that there may be more.
    fn read(&mut self, callback: &mut BorrowedCallback<'_>, interrupt: Interrupt<'_>) -> Result<bool, FlowFailure> {
        let left = self.left().unwrap_or(usize::MAX);
        let State::Open(source, mode) = &mut self.state else { return Ok(false) };
        let room = self.policy.backoff.read_size(self.policy.growth.chunk()).min(left);
        if room == 0 {
            return Ok(false);
        }
        let direct = match self.sinks.as_mut_slice() {
            [Sink::Capture(capture)] if self.observer.is_none() => capture.direct(room),
            _ => None,
        };
        let is_direct = direct.is_some();
        let buffer = direct.unwrap_or_else(|| {
            self.chunk.clear();
            &mut self.chunk
        });
        match stream::read_into(source.as_fd(), buffer, room) {
            Ok(0) => {
                self.state = State::Closed;
                self.finish_sinks(callback).map(|()| false)
            }
            Ok(read) => {
                if let Mode::Remainder(left) = mode {
                    *left -= read;
                }
                self.policy.growth.record(read == room, source.as_fd());
                if cfg!(target_os = "linux") && self.is_kept() {
                    self.policy.backoff.record(read, read == room);
                }
                if let Some(observer) = &mut self.observer {
                    observer.push(&self.chunk);
                }
                if !is_direct {
                    self.distribute(callback, interrupt)?;
                }
                Ok(read == room)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(self.read_failed(error)),
        }
    }

    /// Writes the chunk to every sink, and closes those that fail.
    fn distribute(&mut self, callback: &mut BorrowedCallback<'_>, interrupt: Interrupt<'_>) -> Result<(), FlowFailure> {
        let result =
            self.each_sink(|_, sink, chunk| sink.write(chunk, callback, interrupt).inspect_err(|_| sink.close()));
        self.close_if_unwanted();
        result
    }

    /// Calls `f` for every sink, with its index and the chunk; returns the first failure.
    fn each_sink(
        &mut self,
        mut f: impl FnMut(usize, &mut Sink, &[u8]) -> Result<(), FlowError>,
    ) -> Result<(), FlowFailure> {
        let mut first = Ok(());
        for (index, sink) in self.sinks.iter_mut().enumerate() {
            let result = f(index, sink, &self.chunk);
            first = first.and(result);
        }
        first.map_err(|error| self.failure(error))
    }

    /// Moves bytes inside the kernel, or goes back to reading and writing where that does not work any more.
    fn step_zero_copy(&mut self, callback: &mut BorrowedCallback<'_>) -> Result<(), FlowFailure> {
        let State::Open(source, Mode::ZeroCopy(zero_copy)) = &mut self.state else { return Ok(()) };
        match zero_copy.step(source.as_fd(), &self.sinks) {
            Progress::Moved | Progress::WouldBlock => Ok(()),
            Progress::End => {
                zero_copy.restore_capacities(&self.sinks);
                self.state = State::Closed;
                self.finish_sinks(callback)
            }
            Progress::Unsupported => self.leave_zero_copy(),
            Progress::Failed(sink, error) => {
                let failed = self.sinks[sink].close_after(error).map_err(|error| self.failure(error));
                let left = self.leave_zero_copy();
                failed.and(left)
            }
        }
    }

    /// Reads what some sinks have received and others have not into the chunk, which is then partly taken. Sinks that never block take
    /// their part at once, like that of any chunk: if the stream is given up next, only sinks that would block lose bytes.
    fn leave_zero_copy(&mut self) -> Result<(), FlowFailure> {
        let State::Open(source, mode) = &mut self.state else { return Ok(()) };
        let zero_copy = match mem::replace(mode, Mode::CopyOnly) {
            Mode::ZeroCopy(zero_copy) => zero_copy,
            other => {
                *mode = other;
                return Ok(());
            }
        };
        self.chunk.clear();
        let wanted = zero_copy.most_received();
        while self.chunk.len() < wanted {
            let missing = wanted - self.chunk.len();
            match stream::read_into(source.as_fd(), &mut self.chunk, missing) {
                // Not reached: the bytes are in the pipe, and nothing else reads it.
                Ok(0) => break,
                Ok(_) => {}
                Err(error) => return Err(self.read_failed(error)),
            }
        }
        if let Some(left) = zero_copy.left {
            *mode = Mode::Remainder(left.saturating_sub(self.chunk.len()));
        }
        let result = self.each_sink(|index, sink, chunk| sink.set_taken(zero_copy.received[index], chunk));
        self.close_if_unwanted();
        result
    }

    /// The sink's descriptor is ready for more of the chunk.
    pub(crate) fn write_on(&mut self, sink: usize) -> Result<(), FlowFailure> {
        if self.zero_copy().is_some() {
            return self.step_zero_copy(&mut None);
        }
        let sink = &mut self.sinks[sink];
        let result = sink.write_on(&self.chunk).inspect_err(|_| sink.close());
        self.close_if_unwanted();
        result.map_err(|error| self.failure(error))
    }

    /// Closes the source when every sink is closed: the writer then gets EPIPE or SIGPIPE.
    fn close_if_unwanted(&mut self) {
        if self.is_open() && self.sinks.iter().all(Sink::is_closed) {
            self.state = State::StoppedEarly;
        }
    }

    fn finish_sinks(&mut self, callback: &mut BorrowedCallback<'_>) -> Result<(), FlowFailure> {
        self.observer.iter_mut().for_each(LineObserver::finish);
        self.each_sink(|_, sink, _| sink.finish(callback))
    }

    /// Reads what is in the pipe, in one go: a writer that never stops must not keep this process here. One more read tells whether a
    /// process still holds the write end.
    pub(crate) fn close(&mut self, time: Time, callback: &mut BorrowedCallback<'_>) -> Closed {
        let source = match mem::replace(&mut self.state, State::Closed) {
            State::Open(source, _) => source,
            closed => {
                self.state = closed;
                return Closed { held: false, pipe: None, result: Ok(()) };
            }
        };
        let mut rest = mem::take(&mut self.chunk);
        rest.clear();
        let queued = fds::bytes_queued(source.as_fd()).unwrap_or(0);
        while rest.len() < queued {
            let missing = queued - rest.len();
            match stream::read_into(source.as_fd(), &mut rest, missing) {
                Ok(0) | Err(_) => break,
                Ok(_) => {}
            }
        }
        let held = !self.policy.blocking && !matches!(stream::read_into(source.as_fd(), &mut rest, CHUNK), Ok(0));
        if let Some(observer) = &mut self.observer {
            observer.push(&rest);
            observer.finish();
        }
        let result = self.each_sink(|_, sink, _| sink.write_rest(&rest, time, callback));
        Closed { held, pipe: Some(source), result }
    }

    fn read_failed(&mut self, error: io::Error) -> FlowFailure {
        self.state = State::Closed;
        self.failure(FlowError::Io(error))
    }

    fn failure(&self, what: FlowError) -> FlowFailure {
        FlowFailure { stream: self.stream, pipe: self.pipe, what }
    }
}
