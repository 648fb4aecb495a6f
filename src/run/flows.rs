//! The parent's side of a run's pipes: who feeds, who drains, what is left to be taken.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;

use super::check::used;
use super::conclude;
use super::files::{Files, own_stream};
use super::launch::{Drive, Launch, Wants};
use super::spawn_error::setup_error;
use super::started::Run;
use crate::io::capture::Capture;
use crate::io::drain::Drain;
use crate::io::flow::{Feed, Flow};
use crate::io::io_thread::Helper;
use crate::io::lines::LineSplitter;
use crate::io::sink::{FdSink, Sink};
use crate::outcome::Fault;
use crate::plan::{Endpoint, PipePlan, Plan, SinkPlan};
use crate::setup_step::Step;
use crate::spec::Input;
use crate::stream::Stream;

/// The ends of the plan's pipes that are open here, by the pipe's number.
pub(crate) struct Ends(Vec<End>);

#[derive(Default)]
struct End {
    made: bool,
    reader: Option<OwnedFd>,
    writer: Option<OwnedFd>,
}

impl Ends {
    pub(crate) fn new(pipes: usize) -> Ends {
        Ends((0..pipes).map(|_| End::default()).collect())
    }

    pub(crate) fn is_made(&self, pipe: usize) -> bool {
        self.0[pipe].made
    }

    pub(crate) fn put(&mut self, pipe: usize, reader: OwnedFd, writer: OwnedFd) {
        self.0[pipe] = End { made: true, reader: Some(reader), writer: Some(writer) };
    }

    pub(crate) fn end(&self, pipe: usize, reading: bool) -> Option<&OwnedFd> {
        let end = &self.0[pipe];
        if reading { end.reader.as_ref() } else { end.writer.as_ref() }
    }

    pub(crate) fn take(&mut self, pipe: usize, reading: bool) -> Option<OwnedFd> {
        let end = &mut self.0[pipe];
        if reading { end.reader.take() } else { end.writer.take() }
    }

    /// The numbers of all that is open.
    pub(crate) fn numbers(&self) -> Vec<RawFd> {
        self.0.iter().flat_map(|end| [&end.reader, &end.writer]).flatten().map(AsRawFd::as_raw_fd).collect()
    }
}

/// Gives every end that is left here to its owner.
pub(crate) fn build(launch: &mut Launch, mut wants: Wants<'_>) -> Result<(), Fault> {
    let Launch { run, ends, files, drive, .. } = launch;
    let plan = Arc::clone(&run.plan);
    let fixed = plan.settings.sizes.pipe_capacity.is_some();
    run.untaken.fixed = fixed;
    let lone = *drive == Drive::ByCaller && is_lone(&plan, run);
    // Plain captures last: one may take the caller's buffer, which no failure must lose.
    let is_capture = |pipe: &&(usize, &PipePlan)| matches!(pipe.1, PipePlan::Drain(_, sinks) if matches!(sinks.as_slice(), [SinkPlan::Capture]));
    let pipes: Vec<(usize, &PipePlan)> = plan.pipes.iter().enumerate().collect();
    let (captures, others): (Vec<_>, Vec<_>) = pipes.iter().partition(is_capture);
    for (number, pipe) in others.into_iter().chain(captures) {
        let failed = |step: Step, error: io::Error| {
            let reading = matches!(pipe, PipePlan::Feed(..));
            let error = setup_error(step, error);
            match plan.users(number, reading).next() {
                Some((stage, _)) => error.at(plan.stage_name(stage)),
                None => error,
            }
        };
        match pipe {
            PipePlan::Link | PipePlan::Memory | PipePlan::Relay => {}
            PipePlan::Take(stream) => {
                run.untaken.ends.extend(ends.take(number, !stream.is_input()).map(|end| (*stream, end)));
            }
            PipePlan::Feed(stream, source) => {
                let Some(writer) = ends.take(number, false) else { continue };
                let flow = feed(*stream, number, source, writer, fixed)?;
                run.pump.add(flow.map_err(|error| failed(Step::Thread, error))?);
            }
            PipePlan::Drain(stream, sinks) => {
                let Some(reader) = ends.take(number, true) else { continue };
                if let ([SinkPlan::Borrowed], true) = (sinks.as_slice(), wants.reader) {
                    run.untaken.ends.push((*stream, reader));
                    if wants.wake {
                        let helper = Helper::new(Stream::Stdout).map_err(|error| failed(Step::Pipe, error))?;
                        let (tether, leash) = helper.into_leash();
                        run.pump.add(Flow::Helper(tether));
                        run.untaken.leash = Some(leash);
                    }
                    continue;
                }
                if let [SinkPlan::Writer(slot)] = sinks.as_slice() {
                    let writer = slot.take().ok_or_else(|| used(*stream))?;
                    let tether = Helper::new(*stream).and_then(|helper| helper.drain(writer, reader));
                    let tether = tether.map_err(|error| failed(Step::Thread, error))?;
                    run.pump.add(Flow::Helper(tether.numbered(number)));
                    continue;
                }
                let mut made = Vec::with_capacity(sinks.len());
                for plan_sink in sinks {
                    let mut making = Making { run, ends, files, wants: &mut wants, stream: *stream, number };
                    made.push(making.sink(plan_sink)?.map_err(|error| failed(Step::Pipe, error))?);
                }
                let drain = Drain::new(reader, *stream, made, lone).map_err(|error| failed(Step::Pipe, error))?;
                let writer = conclude::only_user(&plan, number, false);
                run.pump.add(Flow::Drain(drain.numbered(number).written_by(writer).of_capacity(fixed)));
            }
        }
    }
    Ok(())
}

/// Whether the run has one single stream and nothing to be in time for: it is then read without asking first.
fn is_lone(plan: &Plan, run: &Run) -> bool {
    let moves = |pipe: &PipePlan| matches!(pipe, PipePlan::Feed(..) | PipePlan::Drain(..));
    let flows = plan.pipes.iter().enumerate().filter(|(number, pipe)| moves(pipe) && plan.is_used(*number)).count();
    flows == 1 && run.deadline().is_never() && run.waker().is_none() && plan.settings.eof_grace().is_none()
}

fn feed(
    stream: Stream,
    number: usize,
    source: &Input,
    writer: OwnedFd,
    fixed: bool,
) -> Result<io::Result<Flow>, Fault> {
    let reader = match source {
        Input::Bytes(bytes) => {
            let feed = Feed::new(writer, stream, number, Arc::clone(bytes));
            return Ok(feed.map(|feed| Flow::Feed(feed.of_capacity(fixed))));
        }
        Input::Reader(slot) => slot.take().ok_or_else(|| used(stream))?,
        Input::ReaderWith(make) => make(),
        // Has no pipe of its own.
        Input::Common(_) | Input::Document(_) => Box::new(io::empty()),
    };
    let tether = Helper::new(stream).and_then(|helper| helper.feed(reader, writer));
    Ok(tether.map(|tether| Flow::Helper(tether.numbered(number))))
}

struct Making<'a, 'b> {
    run: &'a mut Run,
    ends: &'a mut Ends,
    files: &'a Files,
    wants: &'a mut Wants<'b>,
    stream: Stream,
    number: usize,
}

impl Making<'_, '_> {
    fn sink(&mut self, plan: &SinkPlan) -> Result<io::Result<Sink>, Fault> {
        let sink = match plan {
            SinkPlan::Capture => Sink::Capture(self.capture()),
            SinkPlan::Borrowed => Sink::LentLines(LineSplitter::default()),
            SinkPlan::EachLine(callback) => Sink::Lines(LineSplitter::default(), Arc::clone(callback)),
            SinkPlan::Endpoint(Endpoint::Inherit(number)) => match own_stream(*number) {
                Some(fd) => Sink::Fd(FdSink::stdio(fd)),
                None => Sink::Discard,
            },
            SinkPlan::Endpoint(place) => match self.files.shared(place) {
                Some(fd) => Sink::Fd(FdSink::shared(fd)),
                None => Sink::Discard,
            },
            SinkPlan::Relay(pipe) => match self.ends.take(*pipe, false) {
                Some(writer) => return Ok(FdSink::ours(writer).map(Sink::Fd)),
                None => Sink::Discard,
            },
            SinkPlan::Writer(slot) => {
                let writer = slot.take().ok_or_else(|| used(self.stream))?;
                return Ok(self.behind_a_pipe(writer));
            }
        };
        Ok(Ok(sink))
    }

    /// A writer inside a tee: behind a pipe of its own.
    fn behind_a_pipe(&mut self, writer: Box<dyn io::Write + Send>) -> io::Result<Sink> {
        let (theirs, ours) = crate::pipe::kernel()?;
        let sink = FdSink::ours(ours.into())?;
        let tether = Helper::new(self.stream)?.drain(writer, theirs.into())?;
        self.run.pump.add(Flow::Helper(tether.numbered(self.number).of_a_tee()));
        Ok(Sink::Fd(sink))
    }

    fn capture(&mut self) -> Capture {
        let settings = &self.run.plan.settings;
        let limit = match self.stream {
            Stream::Stderr => settings.sizes.stderr,
            Stream::Output(number) => settings.sizes.fds.get(&number).copied(),
            Stream::Stdout | Stream::Stdin | Stream::Input(_) => settings.sizes.stdout,
        };
        let limit = limit.unwrap_or_default();
        match self.wants.buffer.take_if(|_| self.stream == Stream::Stdout) {
            Some(buffer) => Capture::into_buffer(limit, std::mem::take(buffer)),
            None => Capture::new(limit),
        }
    }
}
