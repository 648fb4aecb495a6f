//! From builders to a plan. Pure: every conflict is found here, before anything is opened.

use std::sync::Arc;

use super::{Mode, PipePlan, Place, Plan, SinkPlan, StagePlan, Verb, Wire};
use crate::cmd::{Merge, Spec};
use crate::error::{Error, ErrorKind, StageName};
use crate::pipeline::{Link, Pipeline, StageSpec};
use crate::redirect::{Common, Input, Target};
use crate::stdio::Stream;

/// The plan for running `pipeline` by `verb`.
pub(crate) fn lower(pipeline: &Pipeline, verb: Verb) -> Result<Plan, Error> {
    let mut lowering = Lowering { pipeline, verb, pipes: Vec::new(), captured_stderr: None, shared_stderr: Vec::new() };
    if let Some(stage) = pipeline.stages.iter().position(takes_from_a_tee) {
        let what = "has a `piped` inside a `tee`: there is no end to take; `capture` or a second pipe's `fd` is meant";
        return Err(lowering.conflict(stage, what.into()));
    }
    if let Some(misplaced) = &pipeline.misplaced {
        let what = format!(
            "carries `{0}`, which is a setting of a whole run, inside a pipeline; put parentheses: `(a | b).{0}(…)`",
            misplaced.setting
        );
        return Err(lowering.conflict(misplaced.stage, what));
    }
    let mut stages = Vec::with_capacity(pipeline.stages.len());
    let mut input = None;
    for (index, stage) in pipeline.stages.iter().enumerate() {
        let (wires, next) = lowering.stage(index, stage, input)?;
        input = next;
        stages.push(StagePlan { stage: stage.clone(), wires });
    }
    Ok(Plan { verb, stages, pipes: lowering.pipes, links: pipeline.links.clone(), settings: pipeline.settings.clone() })
}

fn takes_from_a_tee(stage: &StageSpec) -> bool {
    fn piped_within(target: &Target) -> bool {
        match target {
            Target::Tee(targets) => {
                targets.iter().any(|target| matches!(target, Target::Common(Common::Piped)) || piped_within(target))
            }
            _ => false,
        }
    }
    [stage.stdout(), stage.command().and_then(Spec::stderr)].into_iter().flatten().any(piped_within)
}

struct Lowering<'a> {
    pipeline: &'a Pipeline,
    verb: Verb,
    pipes: Vec<PipePlan>,
    /// The one pipe that captures stderr, for all stages: their order is the order of the writes.
    captured_stderr: Option<usize>,
    /// What a pipeline said of every stage's stderr is one place for all of them.
    shared_stderr: Vec<(Arc<Target>, Place)>,
}

impl Lowering<'_> {
    /// A stage's wires, and the pipe that the next stage reads.
    fn stage(
        &mut self,
        index: usize,
        stage: &StageSpec,
        input: Option<usize>,
    ) -> Result<(Vec<Wire>, Option<usize>), Error> {
        let stdin = match (input, stage.stdin()) {
            (None, own) => self.stdin(own),
            (Some(pipe), None) => Place::Pipe(pipe),
            (Some(_), Some(own)) => {
                let what = format!("has a stdin of its own ({own:?}), but the stage before it feeds it");
                return Err(self.conflict(index, what));
            }
        };
        let link = self.pipeline.links.get(index).copied();
        let mut wires = vec![Wire { stream: Stream::Stdin, place: stdin }];
        let next = match stage {
            StageSpec::Command(spec) => {
                let (stdout, stderr, next) = self.command_outputs(index, spec, link)?;
                wires.push(Wire { stream: Stream::Stdout, place: stdout });
                wires.push(Wire { stream: Stream::Stderr, place: stderr });
                next
            }
            StageSpec::Function(_) => {
                let (stdout, next) = self.closure_output(index, stage.stdout(), link)?;
                wires.push(Wire { stream: Stream::Stdout, place: stdout });
                next
            }
        };
        Ok((wires, next))
    }

    fn command_outputs(
        &mut self,
        index: usize,
        spec: &Spec,
        link: Option<Link>,
    ) -> Result<(Place, Place, Option<usize>), Error> {
        let (stdout, stderr, next) = match link {
            None => (self.last_stdout(index, spec.stdout.as_ref())?, self.stderr(spec)?, None),
            Some(link) => {
                let own_stderr = if link == Link::Stdout { None } else { spec.stderr.as_ref() };
                if let Some(own) = own_stderr {
                    let what = format!("has a stderr of its own ({own:?}), but its stderr feeds the next stage");
                    return Err(self.conflict(index, what));
                }
                let (stream, tee) = match link {
                    Link::Stderr => (Stream::Stderr, None),
                    Link::Stdout | Link::Both => (Stream::Stdout, self.tee(index, spec.stdout.as_ref())?),
                };
                let (out, next) = self.link(PipePlan::Link, stream, tee);
                let places = match link {
                    Link::Stdout => (out, self.stderr(spec)?),
                    Link::Stderr => (self.side_stdout(index, spec.stdout.as_ref())?, out),
                    Link::Both => (out.clone(), out),
                };
                (places.0, places.1, Some(next))
            }
        };
        let (stdout, stderr) = merged(spec.merge, stdout, stderr);
        Ok((stdout, stderr, next))
    }

    /// A closure's one output. Towards another closure it is in memory.
    fn closure_output(
        &mut self,
        index: usize,
        own: Option<&Target>,
        link: Option<Link>,
    ) -> Result<(Place, Option<usize>), Error> {
        match link {
            None => Ok((self.last_stdout(index, own)?, None)),
            Some(Link::Stderr) => {
                Err(self
                    .conflict(index, "is a closure, which has no stderr, but its stderr feeds the next stage".into()))
            }
            Some(Link::Stdout | Link::Both) => {
                let tee = self.tee(index, own)?;
                let next_too = matches!(self.pipeline.stages.get(index + 1), Some(StageSpec::Function(_)));
                let pipe = if next_too && tee.is_none() { PipePlan::Memory } else { PipePlan::Link };
                let (out, next) = self.link(pipe, Stream::Stdout, tee);
                Ok((out, Some(next)))
            }
        }
    }

    /// The stdout of its own that a stage may have although it feeds the next one.
    fn tee<'t>(&self, index: usize, own: Option<&'t Target>) -> Result<Option<&'t Target>, Error> {
        match own {
            None => Ok(None),
            Some(tee @ Target::Tee(_)) => Ok(Some(tee)),
            Some(own) => {
                let what = format!(
                    "has a stdout of its own ({own:?}), but its stdout feeds the next stage (a `tee` of the two would do both)"
                );
                Err(self.conflict(index, what))
            }
        }
    }

    /// The pipe to the next stage: its number there. A `tee` stands in between, in this process.
    fn link(&mut self, pipe: PipePlan, stream: Stream, tee: Option<&Target>) -> (Place, usize) {
        match tee {
            None => {
                let pipe = self.add(pipe);
                (Place::Pipe(pipe), pipe)
            }
            Some(tee) => {
                let relay = self.add(PipePlan::Relay);
                let mut sinks = Vec::from(tee);
                sinks.push(SinkPlan::Relay(relay));
                (Place::Pipe(self.add(PipePlan::Drain(stream, sinks))), relay)
            }
        }
    }

    fn stdin(&mut self, own: Option<&Input>) -> Place {
        match own {
            None if matches!(self.verb, Verb::Run | Verb::Spawn | Verb::Exec) => Place::Inherit(0),
            None => Place::Null,
            Some(Input::Common(Common::Piped)) => Place::Pipe(self.add(PipePlan::Take(Stream::Stdin))),
            Some(Input::Common(common)) => place(common, 0, Mode::Read),
            Some(own) => Place::Pipe(self.add(PipePlan::Feed(Stream::Stdin, own.clone()))),
        }
    }

    /// The stdout of the last stage is the run's.
    fn last_stdout(&mut self, index: usize, own: Option<&Target>) -> Result<Place, Error> {
        let sinks = match (self.verb, own) {
            (Verb::Stream, None | Some(Target::Capture | Target::Common(Common::Piped))) => SinkPlan::Lent,
            (Verb::Stream, Some(own)) => {
                let what = format!("has a stdout of its own ({own:?}), but this verb reads it");
                return Err(self.conflict(index, what));
            }
            (Verb::Output | Verb::Read, None | Some(Target::Common(Common::Piped))) => SinkPlan::Capture,
            (_, own) => return Ok(self.output(Stream::Stdout, own)),
        };
        Ok(Place::Pipe(self.drain_stdout(sinks)))
    }

    /// The stdout of a stage that feeds the next one by its stderr alone: where the run's stdout goes, unless set.
    fn side_stdout(&mut self, index: usize, own: Option<&Target>) -> Result<Place, Error> {
        if self.verb == Verb::Stream && own.is_none() { Ok(Place::Inherit(1)) } else { self.last_stdout(index, own) }
    }

    /// One pipe for all that becomes the run's stdout.
    fn drain_stdout(&mut self, sink: SinkPlan) -> usize {
        let same = |pipe: &PipePlan| match pipe {
            PipePlan::Drain(Stream::Stdout, sinks) => match sinks.as_slice() {
                [only] => std::mem::discriminant(only) == std::mem::discriminant(&sink),
                _ => false,
            },
            _ => false,
        };
        match self.pipes.iter().position(same) {
            Some(pipe) => pipe,
            None => self.add(PipePlan::Drain(Stream::Stdout, vec![sink])),
        }
    }

    fn stderr(&mut self, spec: &Spec) -> Result<Place, Error> {
        match (&spec.stderr, &spec.outer.stderr) {
            (Some(own), _) => Ok(self.one_stderr(Some(own))),
            (None, None) => Ok(self.one_stderr(None)),
            (None, Some(shared)) => {
                if let Some((_, place)) = self.shared_stderr.iter().find(|(other, _)| Arc::ptr_eq(other, shared)) {
                    return Ok(place.clone());
                }
                let place = self.one_stderr(Some(shared));
                self.shared_stderr.push((Arc::clone(shared), place.clone()));
                Ok(place)
            }
        }
    }

    fn one_stderr(&mut self, target: Option<&Target>) -> Place {
        let captured = match target {
            None => self.verb == Verb::Output,
            Some(Target::Capture) => true,
            Some(Target::Common(Common::Piped)) => self.verb == Verb::Output,
            Some(_) => false,
        };
        if !captured {
            return self.output(Stream::Stderr, target);
        }
        let pipe = match self.captured_stderr {
            Some(pipe) => pipe,
            None => self.add(PipePlan::Drain(Stream::Stderr, vec![SinkPlan::Capture])),
        };
        self.captured_stderr = Some(pipe);
        Place::Pipe(pipe)
    }

    fn output(&mut self, stream: Stream, target: Option<&Target>) -> Place {
        match target {
            None => Place::Inherit(stream.number()),
            // One pipe a stream, whichever stages write it: there is one end to take.
            Some(Target::Common(Common::Piped)) if self.verb == Verb::Spawn => {
                let same = |pipe: &PipePlan| matches!(pipe, PipePlan::Take(other) if *other == stream);
                let made = self.pipes.iter().position(same);
                Place::Pipe(made.unwrap_or_else(|| self.add(PipePlan::Take(stream))))
            }
            // Nobody can take it: it is read and thrown away.
            Some(Target::Common(Common::Piped)) => {
                Place::Pipe(self.add(PipePlan::Drain(stream, vec![SinkPlan::Place(Place::Null)])))
            }
            Some(Target::Common(common)) => place(common, stream.number(), Mode::Create),
            Some(Target::Append(path)) => Place::File(path.clone(), Mode::Append),
            Some(other) => {
                let mut sinks = Vec::from(other);
                for sink in &mut sinks {
                    // An inherited stderr is this process's stderr.
                    if let SinkPlan::Place(Place::Inherit(number)) = sink {
                        *number = stream.number();
                    }
                }
                Place::Pipe(self.add(PipePlan::Drain(stream, sinks)))
            }
        }
    }

    fn add(&mut self, pipe: PipePlan) -> usize {
        self.pipes.push(pipe);
        self.pipes.len() - 1
    }

    fn conflict(&self, index: usize, what: String) -> Error {
        let stages = &self.pipeline.stages;
        Error::new(ErrorKind::Conflict, what).at(StageName::of(&stages[index], index, stages.len()))
    }
}

fn place(common: &Common, number: i32, mode: Mode) -> Place {
    match common {
        // A pipe is made before it comes to this.
        Common::Inherit | Common::Piped => Place::Inherit(number),
        Common::Null => Place::Null,
        Common::File(path) => Place::File(path.clone(), mode),
        Common::Fd(slot) => Place::Fd(slot.clone()),
        Common::SharedFd(fd) => Place::SharedFd(Arc::clone(fd)),
    }
}

/// The merges, after everything else.
fn merged(merge: Merge, stdout: Place, stderr: Place) -> (Place, Place) {
    match (merge.stderr_to_stdout, merge.stdout_to_stderr) {
        (false, false) => (stdout, stderr),
        (true, false) => (stdout.clone(), stdout),
        (false, true) => (stderr.clone(), stderr),
        (true, true) => (stderr, stdout),
    }
}
