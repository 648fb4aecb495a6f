//! The flows of a run: what this process feeds to pipes and drains from them.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use super::check::used;
use super::conclude;
use super::ends::PipeEnds;
use super::files::{Files, own_stream};
use super::options::Wants;
use super::spawn_error::setup_error;
use super::started::Run;
use crate::io::capture::Capture;
use crate::io::drain::Drain;
use crate::io::fd_writer::FdWriter;
use crate::io::feed::Feed;
use crate::io::flow::Flow;
use crate::io::io_thread::IoThreadHandle;
use crate::io::lines::LineSplitter;
use crate::io::sink::Sink;
use crate::outcome::Fault;
use crate::plan::{Endpoint, PipePlan, SinkPlan};
use crate::setup_step::Step;
use crate::spec::Input;
use crate::stream::Stream;

/// Gives every end that is left in this process to a flow of the run, or to its piped ends.
pub(crate) struct FlowBuilder<'a, 'b> {
    pub(crate) run: &'a mut Run,
    pub(crate) ends: &'a mut PipeEnds,
    pub(crate) files: &'a Files,
    pub(crate) wants: Wants<'b>,
}

/// A flow that was not made: an error of the caller's, or of a step of this process's.
type Made<T> = Result<io::Result<T>, Fault>;

impl FlowBuilder<'_, '_> {
    /// `by_caller`: the thread that starts the run drives it to its end.
    pub(crate) fn build(&mut self, by_caller: bool) -> Result<(), Fault> {
        let plan = Arc::clone(&self.run.plan);
        self.run.piped.fixed = plan.settings.sizes.pipe_capacity.is_some();
        let lone = by_caller && self.is_lone();
        // Plain captures last: one may take the caller's buffer, and a later failure must not lose it.
        let is_capture = |pipe: &&(usize, &PipePlan)| matches!(pipe.1, PipePlan::Drain(_, sinks) if matches!(sinks.as_slice(), [SinkPlan::Capture]));
        let pipes: Vec<(usize, &PipePlan)> = plan.pipes.iter().enumerate().collect();
        let (captures, others): (Vec<_>, Vec<_>) = pipes.iter().partition(is_capture);
        for (number, pipe) in others.into_iter().chain(captures) {
            match pipe {
                PipePlan::Link | PipePlan::Memory | PipePlan::Relay => {}
                PipePlan::Take(stream) => {
                    let end = self.ends.take(number, !stream.is_input());
                    self.run.piped.ends.extend(end.map(|end| (*stream, end)));
                }
                PipePlan::Feed(stream, source) => {
                    let Some(writer) = self.ends.take(number, false) else { continue };
                    let flow = self.feed(*stream, number, source, writer)?;
                    self.run.engine.add_stream(flow.map_err(|error| self.failed(number, Step::Thread, error))?);
                }
                PipePlan::Drain(stream, sinks) => {
                    let Some(reader) = self.ends.take(number, true) else { continue };
                    self.drain((number, *stream), sinks, reader, lone)?;
                }
            }
        }
        Ok(())
    }

    /// A failed step of this process's, with the first stage that uses the pipe.
    fn failed(&self, number: usize, step: Step, error: io::Error) -> Fault {
        let plan = &self.run.plan;
        let reading = matches!(plan.pipes[number], PipePlan::Feed(..));
        let error = setup_error(step, error);
        match plan.users(number, reading).next() {
            Some((stage, _)) => error.at(plan.stage_name(stage)),
            None => error,
        }
    }

    /// Whether the run has one single stream and no deadline: a blocking read(2) of it then needs no poll(2) before.
    fn is_lone(&self) -> bool {
        let (run, plan) = (&self.run, &self.run.plan);
        let moves = |pipe: &PipePlan| matches!(pipe, PipePlan::Feed(..) | PipePlan::Drain(..));
        let flows = plan.pipes.iter().enumerate().filter(|(number, pipe)| moves(pipe) && plan.is_used(*number)).count();
        flows == 1 && run.engine.deadline().is_never() && run.waker.is_none() && plan.settings.eof_grace().is_none()
    }

    fn feed(&self, stream: Stream, number: usize, source: &Input, writer: OwnedFd) -> Made<Flow> {
        let reader = match source {
            Input::Bytes(bytes) => {
                let feed = Feed::new(writer, stream, number, Arc::clone(bytes));
                return Ok(feed.map(|feed| Flow::Feed(feed.with_fixed_capacity(self.run.piped.fixed))));
            }
            Input::Reader(slot) => slot.take().ok_or_else(|| used(stream))?,
            Input::ReaderWith(make) => make(),
            // These have no pipe.
            Input::Common(_) | Input::Document(_) => Box::new(io::empty()),
        };
        let handle = IoThreadHandle::feed(stream, reader, writer);
        Ok(handle.map(|handle| Flow::IoThread(handle.with_pipe(number))))
    }

    fn drain(
        &mut self,
        pipe @ (number, stream): (usize, Stream),
        sinks: &[SinkPlan],
        reader: OwnedFd,
        lone: bool,
    ) -> Result<(), Fault> {
        match sinks {
            [SinkPlan::Borrowed] if self.wants.reader => {
                self.run.piped.ends.push((stream, reader));
                if self.wants.wake {
                    let connected = IoThreadHandle::reader_guard(Stream::Stdout);
                    let (handle, guard) = connected.map_err(|error| self.failed(number, Step::Pipe, error))?;
                    self.run.engine.add_stream(Flow::IoThread(handle));
                    self.run.piped.guard = Some(guard);
                }
            }
            [SinkPlan::Writer(slot)] => {
                let writer = slot.take().ok_or_else(|| used(stream))?;
                let handle = IoThreadHandle::drain(stream, writer, reader);
                let handle = handle.map_err(|error| self.failed(number, Step::Thread, error))?;
                self.run.engine.add_stream(Flow::IoThread(handle.with_pipe(number)));
            }
            sinks => {
                let mut made = Vec::with_capacity(sinks.len());
                for sink in sinks {
                    let sink = self.sink(sink, pipe)?;
                    made.push(sink.map_err(|error| self.failed(number, Step::Pipe, error))?);
                }
                let drain = Drain::new(reader, stream, made, lone);
                let drain = drain.map_err(|error| self.failed(number, Step::Pipe, error))?;
                let writer = conclude::only_user(&self.run.plan, number, false);
                let drain = drain.with_pipe(number, writer).with_fixed_capacity(self.run.piped.fixed);
                self.run.engine.add_stream(Flow::Drain(drain));
            }
        }
        Ok(())
    }

    fn sink(&mut self, plan: &SinkPlan, pipe: (usize, Stream)) -> Made<Sink> {
        let sink = match plan {
            SinkPlan::Capture => Sink::Capture(self.capture(pipe.1)),
            SinkPlan::Borrowed => Sink::BorrowedLines(LineSplitter::default()),
            SinkPlan::EachLine(callback) => Sink::Lines(LineSplitter::default(), Arc::clone(callback)),
            SinkPlan::Endpoint(Endpoint::Inherit(number)) => match own_stream(*number) {
                Some(fd) => Sink::fd(FdWriter::new(fd)),
                None => Sink::Discard,
            },
            SinkPlan::Endpoint(place) => match self.files.shared(place) {
                Some(fd) => Sink::fd(FdWriter::shared(fd)),
                None => Sink::Discard,
            },
            SinkPlan::Relay(relay) => match self.ends.take(*relay, false) {
                Some(writer) => return Ok(FdWriter::own_pipe(writer).map(Sink::fd)),
                None => Sink::Discard,
            },
            SinkPlan::Writer(slot) => {
                let writer = slot.take().ok_or_else(|| used(pipe.1))?;
                return Ok(self.behind_a_pipe(writer, pipe));
            }
        };
        Ok(Ok(sink))
    }

    /// A writer inside a tee: its thread reads a pipe, which the tee writes to.
    fn behind_a_pipe(
        &mut self,
        writer: Box<dyn io::Write + Send>,
        (number, stream): (usize, Stream),
    ) -> io::Result<Sink> {
        let (read_end, write_end) = crate::pipe::kernel()?;
        let sink = Sink::fd(FdWriter::own_pipe(write_end.into())?);
        let handle = IoThreadHandle::drain(stream, writer, read_end.into())?;
        self.run.engine.add_stream(Flow::IoThread(handle.with_pipe(number).in_tee()));
        Ok(sink)
    }

    fn capture(&mut self, stream: Stream) -> Capture {
        let sizes = &self.run.plan.settings.sizes;
        let limit = match stream {
            Stream::Stderr => sizes.stderr,
            Stream::Output(number) => sizes.fds.get(&number).copied(),
            Stream::Stdout | Stream::Stdin | Stream::Input(_) => sizes.stdout,
        };
        let limit = limit.unwrap_or_default();
        match self.wants.buffer.take_if(|_| stream == Stream::Stdout) {
            Some(buffer) => Capture::into_buffer(limit, std::mem::take(buffer)),
            None => Capture::new(limit),
        }
    }
}
