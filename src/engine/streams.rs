//! The streams of a run: what they wait for, the lines that observers get of them, and how they are closed.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use super::broadcast::Observer;
use super::end_reason::EndReason;
use super::events::{Event, EventKind};
use super::leak::Leaks;
use super::observers::Observers;
use super::termination::Pipes;
use crate::clock::Deadline;
use crate::fd::HeldPipe;
use crate::io::callback::BorrowedCallback;
use crate::io::failure::{FlowError, FlowFailure, Time};
use crate::io::flow::Flow;
use crate::io::interrupt::Interrupt;
use crate::io::stream_end::StreamEnd;
use crate::stream::Stream;
use crate::sys::poll::{Interest, PollSet};

#[derive(Default)]
pub(super) struct Streams {
    flows: Vec<Flow>,
    /// The first failure of any of them.
    failure: Option<FlowFailure>,
}

/// What the closing of a stream depends on, and where it puts what it finds.
pub(super) struct CloseContext<'a> {
    /// Why the run is being ended, if it is.
    pub(super) reason: Option<EndReason>,
    pub(super) stages_ended: bool,
    pub(super) leaks: &'a mut Leaks,
    pub(super) observers: &'a Observers,
}

impl Streams {
    pub(super) fn add(&mut self, flow: Flow, observers: &Observers) {
        self.flows.push(flow);
        if observers.want_lines() {
            self.observe_lines(self.flows.len() - 1, &[]);
        }
    }

    pub(super) fn interests(&self, mut each: impl FnMut(BorrowedFd<'_>, Interest, usize, StreamEnd)) {
        for (index, flow) in self.flows.iter().enumerate() {
            flow.interests(|fd, interest, end| each(fd, interest, index, end));
        }
    }

    pub(super) fn ready(
        &mut self,
        (index, end): (usize, StreamEnd),
        callback: &mut BorrowedCallback<'_>,
        interrupt: Interrupt<'_>,
        observers: &Observers,
    ) {
        let result = self.flows[index].ready(end, callback, interrupt);
        self.emit_lines(index, observers);
        self.note(result);
    }

    /// A single stream that may be read without a poll.
    pub(super) fn has_lone_reader(&self) -> bool {
        matches!(self.flows.as_slice(), [flow] if flow.reads_blocking())
    }

    /// Whether a stream whose other end is closed can be read to its end at once.
    pub(super) fn may_read_on(&self, index: usize) -> bool {
        self.flows[index].may_read_on()
    }

    /// A process has ended, and its streams may have: they are read without further delay.
    pub(super) fn end_backoff(&mut self) {
        self.flows.iter_mut().for_each(Flow::end_backoff);
    }

    /// The streams that have lines which a callback has not got yet. They need no more bytes to go on.
    pub(super) fn behind(&self) -> Vec<usize> {
        (0..self.flows.len()).filter(|&index| self.flows[index].is_behind()).collect()
    }

    /// Whether the run goes on until a stream ends.
    pub(super) fn are_awaited(&self) -> bool {
        self.flows.iter().any(Flow::is_awaited)
    }

    /// Whether a stream waits for the process at its other end, and for nothing else. When all processes of the run have ended, that is an
    /// outsider.
    pub(super) fn wait_for_others(&self) -> bool {
        self.flows.iter().any(Flow::waits_for_peer)
    }

    /// The pipes that are read and have not ended.
    pub(super) fn pipes(&self) -> Pipes {
        self.pipes_of(Flow::is_awaited)
    }

    /// Of these, the ones that wait for the process at the other end.
    pub(super) fn pipes_of_others(&self) -> Pipes {
        self.pipes_of(Flow::waits_for_peer)
    }

    /// The streams that outsiders can still write to, when all processes of the run have ended: poll(2) reports `POLLHUP` for a pipe that no
    /// process can write to.
    pub(super) fn held(&self) -> io::Result<Vec<Stream>> {
        let waiting = self.flows.iter().filter(|flow| flow.is_awaited() && flow.waits_for_peer());
        let pipes: Vec<_> = waiting.filter_map(|flow| Some((flow.stream(), flow.source()?))).collect();
        let mut set = PollSet::default();
        pipes.iter().for_each(|(_, pipe)| set.push(*pipe, Interest::Readable));
        set.wait(Deadline::after(Duration::ZERO))?;
        let held = pipes.iter().enumerate().filter(|(index, _)| !set.hung_up(*index));
        Ok(held.map(|(_, (stream, _))| *stream).collect())
    }

    fn pipes_of(&self, wanted: impl Fn(&Flow) -> bool) -> Pipes {
        let wanted = self.flows.iter().filter(|flow| wanted(flow));
        // A pipe that cannot be identified cannot be searched for.
        wanted.filter_map(|flow| Some((flow.stream(), HeldPipe::new(flow.source()?).ok()?))).collect()
    }

    pub(super) fn have_failed(&self) -> bool {
        self.failure.is_some()
    }

    /// Gives newcomers the lines so far, as far as they are kept.
    pub(super) fn replay(&mut self, newcomers: &[Observer]) {
        if newcomers.is_empty() {
            return;
        }
        for index in 0..self.flows.len() {
            self.observe_lines(index, newcomers);
        }
    }

    /// Emits a stream's lines from now on, and gives newcomers the earlier ones.
    fn observe_lines(&mut self, index: usize, newcomers: &[Observer]) {
        let Flow::Drain(drain) = &mut self.flows[index] else { return };
        let (stage, stream) = (drain.writer(), drain.stream());
        let result = drain.observe_lines(|line| {
            let kind = EventKind::Line { stage, stream, line: line.to_vec() };
            let event = Event { at: Instant::now(), kind };
            for observer in newcomers {
                // An observer that wants no more says so again at the next event.
                let _ = observer(&event);
            }
        });
        self.note(result);
    }

    /// Emits the lines that a stream has had since the last call.
    fn emit_lines(&mut self, index: usize, observers: &Observers) {
        let (Some(broadcast), Flow::Drain(drain)) = (&observers.broadcast, &mut self.flows[index]) else { return };
        let (stage, stream) = (drain.writer(), drain.stream());
        for line in drain.take_lines() {
            broadcast.emit(EventKind::Line { stage, stream, line });
        }
    }

    /// Closes the streams that wait for outsiders alone, once what was in the pipe has been taken and passed on.
    pub(super) fn close_held(&mut self, context: &mut CloseContext<'_>, callback: &mut BorrowedCallback<'_>) {
        for index in 0..self.flows.len() {
            let flow = &mut self.flows[index];
            if flow.waits_for_peer() && !flow.wrap_up() {
                self.close_one(index, Time::IsLeft, context, callback);
            }
        }
    }

    /// Takes what is in the pipes without waiting for more, and closes this process's ends.
    pub(super) fn close_all(&mut self, context: &mut CloseContext<'_>) {
        for index in 0..self.flows.len() {
            self.close_one(index, Time::IsUp, context, &mut None);
        }
    }

    /// A process that still has the other end of a pipe when all processes of the run have ended is an outsider: the stream leaked.
    fn close_one(
        &mut self,
        index: usize,
        time: Time,
        context: &mut CloseContext<'_>,
        callback: &mut BorrowedCallback<'_>,
    ) {
        let flow = &mut self.flows[index];
        let (awaited, stream) = (flow.is_awaited(), flow.stream());
        let closed = flow.close(context.reason.is_some(), time, callback);
        self.emit_lines(index, context.observers);
        if closed.held && awaited && context.stages_ended {
            context.leaks.add_stream(stream);
            // A drop has no time for this search.
            if context.reason != Some(EndReason::Aborted) {
                closed.pipe.iter().for_each(|pipe| context.leaks.find_holders(pipe.as_fd()));
            }
        }
        self.note(closed.result);
    }

    /// Lets go of the sinks that have not taken everything in their time, and names them in the failure. The other sinks get what these
    /// held back.
    pub(super) fn give_up_on_late_sinks(&mut self) {
        let mut untaken: Option<FlowFailure> = None;
        for flow in &mut self.flows {
            let (stream, pipe) = (flow.stream(), flow.pipe());
            for sink in flow.drop_slow_sinks() {
                match &mut untaken {
                    None => untaken = Some(FlowFailure { stream, pipe, what: FlowError::Untaken(sink) }),
                    Some(FlowFailure { what: FlowError::Untaken(sinks), .. }) if !sinks.contains(&sink) => {
                        sinks.push_str(" and ");
                        sinks.push_str(&sink);
                    }
                    Some(_) => {}
                }
            }
        }
        if let Some(untaken) = untaken {
            self.failure.get_or_insert(untaken);
        }
    }

    /// Takes what threads have left since their streams were last ready.
    pub(super) fn take_late_results(&mut self, leaks: &mut Leaks) {
        for index in 0..self.flows.len() {
            let result = self.flows[index].late_result();
            self.note(result);
            if self.flows[index].was_cut_short() {
                leaks.add_stream(self.flows[index].stream());
            }
        }
    }

    pub(super) fn take(&mut self) -> (Vec<Flow>, Option<FlowFailure>) {
        (std::mem::take(&mut self.flows), self.failure.take())
    }

    fn note(&mut self, result: Result<(), FlowFailure>) {
        if let Err(failure) = result {
            self.failure.get_or_insert(failure);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::OwnedFd;

    use super::*;
    use crate::io::capture::{Capture, Limit};
    use crate::io::drain::Drain;
    use crate::io::sink::Sink;

    fn read_by(streams: &mut Streams, stream: Stream) -> OwnedFd {
        let (reader, writer) = crate::pipe::kernel().unwrap();
        let drain = Drain::new(reader.into(), stream, vec![Sink::Capture(Capture::new(Limit::None))], false).unwrap();
        streams.add(Flow::Drain(drain), &Observers::default());
        writer.into()
    }

    #[test]
    fn a_stream_that_is_still_held_when_the_stages_have_ended_has_leaked_with_what_was_in_it() {
        let (mut streams, mut leaks) = (Streams::default(), Leaks::default());
        let held = read_by(&mut streams, Stream::Stdout);
        drop(read_by(&mut streams, Stream::Stderr));
        crate::sys::stream::write(held.as_fd(), b"last").unwrap();
        assert_eq!(streams.held().unwrap(), [Stream::Stdout]);
        let observers = Observers::default();
        let reason = Some(EndReason::Aborted);
        let mut context = CloseContext { reason, stages_ended: true, leaks: &mut leaks, observers: &observers };
        streams.close_all(&mut context);
        assert_eq!(leaks.streams, [Stream::Stdout]);
        assert!(!streams.are_awaited() && !streams.have_failed());
    }

    #[test]
    fn each_stream_is_waited_for_under_its_number() {
        let mut streams = Streams::default();
        let _writers = [read_by(&mut streams, Stream::Stdout), read_by(&mut streams, Stream::Stderr)];
        let mut waits = Vec::new();
        streams.interests(|_, _, index, end| waits.push((index, end)));
        assert_eq!(waits, [(0, StreamEnd::Pipe), (1, StreamEnd::Pipe)]);
        assert!(streams.wait_for_others());
    }
}
