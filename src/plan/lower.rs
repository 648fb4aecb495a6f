//! From builders to a plan. Pure: every conflict is found here, before anything is opened.

use std::sync::Arc;

use super::flatten::{FlatStage, Flattened, Input, Output};
use super::{Endpoint, FdBinding, OpenMode, PipePlan, Plan, SinkPlan, StagePlan, Verb};
use crate::contain::Containment;
use crate::outcome::{ErrorKind, Fault, StageName};
use crate::spawn::Attributes;
use crate::spec::{self, Command, Common, FdSource, Link, Merge, Pipeline, Stage, Target};
use crate::stream::Stream;

/// The plan for running `pipeline` by `verb`.
pub(crate) fn lower(pipeline: &Pipeline, verb: Verb) -> Result<Plan, Fault> {
    let mut chains = Flattened::default();
    chains.add(pipeline, Input::Run, Output::Run)?;
    let Flattened { stages: flat, pipes } = chains;
    let mut lowering =
        Lowering { flat: &flat, verb, pipes, documents: 0, captured_stderr: None, shared_stderr: Vec::new() };
    if let (true, Some(contain @ (Containment::Session | Containment::Cgroup(_)))) =
        (pipeline.settings.signals.foreground, &pipeline.settings.contain)
    {
        let what =
            format!("the run has the terminal (`foreground`), which takes a group, but its `contain` is {contain:?}");
        return Err(Fault::new(ErrorKind::Conflict, what));
    }
    if let Some(contain) = pipeline.settings.container() {
        for (index, stage) in flat.iter().enumerate() {
            let set = stage.stage.command().and_then(|spec| at_odds(&spec.attributes, contain));
            if let Some(set) = set {
                let by = if pipeline.settings.contain.is_some() { "contain" } else { "foreground" };
                let what = format!("sets {set}, but the run's `{by}` ({contain:?}) decides about that");
                return Err(lowering.conflict(index, what));
            }
        }
    }
    let mut stages = Vec::with_capacity(flat.len());
    for (index, stage) in flat.iter().enumerate() {
        let bindings = lowering.stage(index, stage)?;
        stages.push(StagePlan { stage: stage.stage.clone(), bindings });
    }
    Ok(Plan {
        verb,
        stages,
        main: pipeline.stages.len(),
        pipes: lowering.pipes,
        links: pipeline.links.clone(),
        settings: pipeline.settings.clone(),
    })
}

/// What a stage sets that a container sets otherwise.
fn at_odds(attributes: &Attributes, contain: &Containment) -> Option<&'static str> {
    match contain {
        Containment::Group if attributes.new_session => Some("`new_session`"),
        Containment::Group if attributes.controlling_tty => Some("`controlling_tty`"),
        Containment::Group | Containment::Session if attributes.process_group.is_some() => Some("`process_group`"),
        Containment::Group | Containment::Session | Containment::Cgroup(_) => None,
    }
}

fn takes_from_a_tee(stage: &Stage) -> bool {
    fn piped_within(target: &Target) -> bool {
        match target {
            Target::Tee(targets) => {
                targets.iter().any(|target| matches!(target, Target::Common(Common::Piped)) || piped_within(target))
            }
            _ => false,
        }
    }
    [stage.stdout(), stage.command().and_then(Command::stderr)].into_iter().flatten().any(piped_within)
}

struct Lowering<'a> {
    flat: &'a [FlatStage],
    verb: Verb,
    pipes: Vec<PipePlan>,
    /// How many there are.
    documents: usize,
    /// The one pipe that captures stderr, for all stages: their order is the order of the writes.
    captured_stderr: Option<usize>,
    /// What a pipeline said of every stage's stderr is one place for all of them.
    shared_stderr: Vec<(Arc<Target>, Endpoint)>,
}

impl Lowering<'_> {
    /// A stage's wires.
    fn stage(&mut self, index: usize, flat: &FlatStage) -> Result<Vec<FdBinding>, Fault> {
        let FlatStage { stage, input, output, bindings: named } = flat;
        if takes_from_a_tee(stage) {
            let what =
                "has a `piped` inside a `tee`: there is no end to take; `capture` or a second pipe's `fd` is meant";
            return Err(self.conflict(index, what.into()));
        }
        let stdin = match (*input, stage.stdin()) {
            (Input::Run, own) => self.input(index, Stream::Stdin, own)?,
            (Input::Null, None) => Endpoint::Null,
            (Input::Null, own) => self.input(index, Stream::Stdin, own)?,
            (Input::Pipe(pipe), None) => Endpoint::Pipe(pipe),
            (Input::Pipe(pipe), Some(own)) => {
                let feeds = if self.is_of_an_argument(pipe) {
                    "what is written to the argument's path"
                } else {
                    "the stage before it"
                };
                let what = format!("has a stdin of its own ({own:?}), but {feeds} feeds it");
                return Err(self.conflict(index, what));
            }
        };
        let mut bindings = vec![FdBinding { stream: Stream::Stdin, place: stdin }];
        match stage {
            Stage::Command(spec) => {
                let (stdout, stderr) = self.command_outputs(index, spec, *output)?;
                bindings.push(FdBinding { stream: Stream::Stdout, place: stdout });
                bindings.push(FdBinding { stream: Stream::Stderr, place: stderr });
                self.extra(index, spec, &mut bindings)?;
                bindings.extend(named.iter().cloned());
            }
            Stage::Closure(_) => {
                let stdout = self.closure_output(index, stage.stdout(), *output)?;
                bindings.push(FdBinding { stream: Stream::Stdout, place: stdout });
            }
        }
        Ok(bindings)
    }

    fn command_outputs(&mut self, index: usize, spec: &Command, output: Output) -> Result<(Endpoint, Endpoint), Fault> {
        let (stdout, stderr) = match output {
            Output::Run => (self.last_stdout(index, spec.streams.stdout.as_ref())?, self.stderr(spec)?),
            Output::Beside => (self.beside(spec.streams.stdout.as_ref()), self.stderr(spec)?),
            Output::Into(link, pipe) => {
                let own_stderr = if link == Link::Stdout { None } else { spec.streams.stderr.as_ref() };
                if let Some(own) = own_stderr {
                    let what = format!("has a stderr of its own ({own:?}), but its stderr feeds the next stage");
                    return Err(self.conflict(index, what));
                }
                let tee =
                    if link == Link::Stderr { None } else { self.tee(index, pipe, spec.streams.stdout.as_ref())? };
                let out = self.link(pipe, tee);
                match link {
                    Link::Stdout => (out, self.stderr(spec)?),
                    Link::Stderr => (self.side_stdout(index, spec.streams.stdout.as_ref())?, out),
                    Link::Both => (out.clone(), out),
                }
            }
        };
        Ok(merged(spec.streams.merge, stdout, stderr))
    }

    /// A closure's one output.
    fn closure_output(&mut self, index: usize, own: Option<&Target>, output: Output) -> Result<Endpoint, Fault> {
        match output {
            Output::Run => self.last_stdout(index, own),
            Output::Beside => Ok(self.beside(own)),
            Output::Into(Link::Stderr, _) => {
                Err(self
                    .conflict(index, "is a closure, which has no stderr, but its stderr feeds the next stage".into()))
            }
            Output::Into(Link::Stdout | Link::Both, pipe) => {
                let tee = self.tee(index, pipe, own)?;
                Ok(self.link(pipe, tee))
            }
        }
    }

    /// Further descriptors, by number.
    fn extra(&mut self, index: usize, spec: &Command, bindings: &mut Vec<FdBinding>) -> Result<(), Fault> {
        for extra in &spec.streams.extra {
            let number = extra.number;
            if number < 0 {
                let what = format!("cannot be given a descriptor under the number {number}");
                return Err(Fault::new(ErrorKind::InvalidInput, what).at(self.name(index)));
            }
            if let Some(binding) = bindings.iter().find(|binding| binding.stream.number() == number) {
                let what = match binding.stream {
                    Stream::Input(_) | Stream::Output(_) => {
                        let given: Vec<String> = spec
                            .streams
                            .extra
                            .iter()
                            .filter(|other| other.number == number)
                            .map(|other| format!("{:?}", other.source))
                            .collect();
                        format!("is given two things as its fd {number}: {}", given.join(", and "))
                    }
                    standard => format!(
                        "has a redirection for fd {number} ({:?}), which is its {standard}: `{standard}` is there for that",
                        extra.source
                    ),
                };
                return Err(self.conflict(index, what));
            }
            let (stream, place) = match &extra.source {
                FdSource::Given(fd) => (Stream::Output(number), Endpoint::of(fd, number, OpenMode::Read)),
                FdSource::In(from) => (Stream::Input(number), self.input(index, Stream::Input(number), Some(from))?),
                FdSource::Out(Target::Common(Common::Piped) | Target::Capture) if self.verb != Verb::Spawn => {
                    let sinks = vec![SinkPlan::Capture];
                    let pipe = self.add(PipePlan::Drain(Stream::Output(number), sinks));
                    (Stream::Output(number), Endpoint::Pipe(pipe))
                }
                FdSource::Out(to) if inherits(to) => return Err(self.inherits(index, number)),
                FdSource::Out(to) => (Stream::Output(number), self.output(Stream::Output(number), Some(to))),
            };
            bindings.push(FdBinding { stream, place });
        }
        Ok(())
    }

    fn inherits(&self, index: usize, number: i32) -> Fault {
        let what = format!("inherits fd {number}, which says nothing: `map_fd` gives it a descriptor of this process");
        self.conflict(index, what)
    }

    /// The stdout of its own that a stage may have although it feeds the next one.
    fn tee<'t>(&self, index: usize, pipe: usize, own: Option<&'t Target>) -> Result<Option<&'t Target>, Fault> {
        match own {
            None => Ok(None),
            Some(tee @ Target::Tee(_)) => Ok(Some(tee)),
            Some(own) => {
                let feeds = if self.is_of_an_argument(pipe) { "the argument's path" } else { "the next stage" };
                let what = format!(
                    "has a stdout of its own ({own:?}), but its stdout feeds {feeds} (a `tee` of the two would do both)"
                );
                Err(self.conflict(index, what))
            }
        }
    }

    /// Whether a path in an argument leads to this pipe.
    fn is_of_an_argument(&self, pipe: usize) -> bool {
        let leads = |binding: &FdBinding| matches!(binding.place, Endpoint::Pipe(number) if number == pipe);
        self.flat.iter().flat_map(|stage| &stage.bindings).any(leads)
    }

    /// The writer's place of a pipe to another stage. A `tee` stands in between, in this process.
    fn link(&mut self, pipe: usize, tee: Option<&Target>) -> Endpoint {
        let Some(tee) = tee else { return Endpoint::Pipe(pipe) };
        self.pipes[pipe] = PipePlan::Relay;
        let mut sinks = Vec::from(tee);
        sinks.push(SinkPlan::Relay(pipe));
        Endpoint::Pipe(self.add(PipePlan::Drain(Stream::Stdout, sinks)))
    }

    fn input(&mut self, index: usize, stream: Stream, own: Option<&spec::Input>) -> Result<Endpoint, Fault> {
        use spec::Input;
        Ok(match own {
            None if matches!(self.verb, Verb::Run | Verb::Spawn | Verb::Exec) => Endpoint::Inherit(0),
            None => Endpoint::Null,
            Some(Input::Common(Common::Inherit)) if stream != Stream::Stdin => {
                return Err(self.inherits(index, stream.number()));
            }
            Some(Input::Common(Common::Piped)) => Endpoint::Pipe(self.add(PipePlan::Take(stream))),
            Some(Input::Common(common)) => Endpoint::of(common, 0, OpenMode::Read),
            Some(Input::Document(bytes)) => {
                self.documents += 1;
                Endpoint::Document(Arc::clone(bytes), self.documents)
            }
            Some(own) => Endpoint::Pipe(self.add(PipePlan::Feed(stream, own.clone()))),
        })
    }

    /// The stdout of the last stage is the run's.
    fn last_stdout(&mut self, index: usize, own: Option<&Target>) -> Result<Endpoint, Fault> {
        let sinks = match (self.verb, own) {
            (Verb::Stream, None | Some(Target::Capture | Target::Common(Common::Piped))) => SinkPlan::Borrowed,
            (Verb::Stream, Some(own)) => {
                let what = format!("has a stdout of its own ({own:?}), but this verb reads it");
                return Err(self.conflict(index, what));
            }
            (Verb::Output | Verb::Read, None | Some(Target::Common(Common::Piped))) => SinkPlan::Capture,
            (_, own) => return Ok(self.output(Stream::Stdout, own)),
        };
        Ok(Endpoint::Pipe(self.drain_stdout(sinks)))
    }

    /// The stdout of a stage that feeds the next one by its stderr alone: where the run's stdout goes, unless set.
    fn side_stdout(&mut self, index: usize, own: Option<&Target>) -> Result<Endpoint, Fault> {
        if self.verb == Verb::Stream && own.is_none() { Ok(Endpoint::Inherit(1)) } else { self.last_stdout(index, own) }
    }

    /// The stdout of a stage that reads what an argument's path is given: where an unset one of the run's goes.
    fn beside(&mut self, own: Option<&Target>) -> Endpoint {
        match (self.verb, own) {
            (Verb::Stream, None) => Endpoint::Pipe(self.drain_stdout(SinkPlan::Borrowed)),
            (Verb::Output | Verb::Read, None | Some(Target::Common(Common::Piped))) => {
                Endpoint::Pipe(self.drain_stdout(SinkPlan::Capture))
            }
            (_, own) => self.output(Stream::Stdout, own),
        }
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

    fn stderr(&mut self, spec: &Command) -> Result<Endpoint, Fault> {
        match (&spec.streams.stderr, &spec.streams.pipeline_stderr) {
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

    fn one_stderr(&mut self, target: Option<&Target>) -> Endpoint {
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
        Endpoint::Pipe(pipe)
    }

    fn output(&mut self, stream: Stream, target: Option<&Target>) -> Endpoint {
        match target {
            None => Endpoint::Inherit(stream.number()),
            // One pipe a stream, whichever stages write it: there is one end to take.
            Some(Target::Common(Common::Piped)) if self.verb == Verb::Spawn => {
                let standard = !matches!(stream, Stream::Output(_));
                let same = |pipe: &PipePlan| standard && matches!(pipe, PipePlan::Take(other) if *other == stream);
                let made = self.pipes.iter().position(same);
                Endpoint::Pipe(made.unwrap_or_else(|| self.add(PipePlan::Take(stream))))
            }
            // Nobody can take it: it is read and thrown away.
            Some(Target::Common(Common::Piped)) => {
                Endpoint::Pipe(self.add(PipePlan::Drain(stream, vec![SinkPlan::Endpoint(Endpoint::Null)])))
            }
            Some(Target::Common(common)) => Endpoint::of(common, stream.number(), OpenMode::Create),
            Some(Target::Append(path)) => Endpoint::File(path.clone(), OpenMode::Append),
            Some(other) => {
                let mut sinks = Vec::from(other);
                for sink in &mut sinks {
                    // An inherited stderr is this process's stderr.
                    if let SinkPlan::Endpoint(Endpoint::Inherit(number)) = sink {
                        *number = stream.number();
                    }
                }
                Endpoint::Pipe(self.add(PipePlan::Drain(stream, sinks)))
            }
        }
    }

    fn add(&mut self, pipe: PipePlan) -> usize {
        self.pipes.push(pipe);
        self.pipes.len() - 1
    }

    fn name(&self, index: usize) -> StageName {
        let stage = &self.flat[index].stage;
        StageName::new(stage.name(), stage.program(), index, self.flat.len())
    }

    fn conflict(&self, index: usize, what: String) -> Fault {
        Fault::new(ErrorKind::Conflict, what).at(self.name(index))
    }
}

/// Whether it is this process's own stream, or a `tee` leads to that.
fn inherits(target: &Target) -> bool {
    match target {
        Target::Common(Common::Inherit) => true,
        Target::Tee(targets) => targets.iter().any(inherits),
        _ => false,
    }
}

/// The merges, after everything else.
fn merged(merge: Merge, stdout: Endpoint, stderr: Endpoint) -> (Endpoint, Endpoint) {
    match (merge.stderr_to_stdout, merge.stdout_to_stderr) {
        (false, false) => (stdout, stderr),
        (true, false) => (stdout.clone(), stdout),
        (false, true) => (stderr.clone(), stderr),
        (true, true) => (stderr, stdout),
    }
}
