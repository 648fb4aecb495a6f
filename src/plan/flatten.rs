//! All stages of a run in one list: those of the pipeline itself, then those of the pipelines in its arguments.

use std::ffi::OsString;
use std::sync::Arc;

use super::{Endpoint, FdBinding, OpenMode, PipePlan};
use crate::outcome::{ErrorKind, Fault, StageName};
use crate::spec::{ArgSource, Command, Link, Misplaced, Pipeline, Stage};
use crate::stream::Stream;

/// A stage, and what is around it.
pub(super) struct FlatStage {
    pub(super) stage: Stage,
    pub(super) input: Input,
    pub(super) output: Output,
    /// The descriptors that its arguments name.
    pub(super) bindings: Vec<FdBinding>,
}

/// Where a stage's stdin comes from, if it does not say so itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Input {
    /// Where that of the run does.
    Run,
    /// Another stage, by a pipe of the plan.
    Pipe(usize),
    Null,
}

/// Where a stage's output goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Output {
    /// Its stdout is the run's.
    Run,
    /// To another stage, by a pipe of the plan.
    Into(Link, usize),
    /// Its stdout goes where the run's does, but is not what the run is about.
    Beside,
}

/// The numbers for descriptors that arguments name count down from here, as in other shells: low ones are what programs and
/// jobservers use.
const HIGHEST: i32 = 63;

#[derive(Default)]
pub(super) struct Flattened {
    pub(super) stages: Vec<FlatStage>,
    pub(super) pipes: Vec<PipePlan>,
}

impl Flattened {
    /// Adds a pipeline, and what is in its arguments behind it.
    pub(super) fn add(&mut self, pipeline: &Pipeline, first: Input, last: Output) -> Result<(), Fault> {
        let start = self.stages.len();
        let inner = start > 0 || first != Input::Run;
        let setting = pipeline.settings.names().first().copied().filter(|_| inner);
        let misplaced = pipeline.misplaced.clone().or(setting.map(|setting| Misplaced { stage: 0, setting }));
        if let Some(Misplaced { stage, setting }) = misplaced {
            let what = if inner {
                format!(
                    "carries `{setting}`, which is a setting of a whole run, inside an argument; set it on the command that has the argument"
                )
            } else {
                format!(
                    "carries `{setting}`, which is a setting of a whole run, inside a pipeline; put parentheses: `(a | b).{setting}(…)`"
                )
            };
            let count = start + pipeline.stages.len();
            let error = Fault::new(ErrorKind::Conflict, what);
            return Err(match pipeline.stages.get(stage) {
                Some(at) => error.at(StageName::new(at.name(), at.program(), start + stage, count)),
                None => error,
            });
        }
        let mut opened = Vec::new();
        let mut input = first;
        for (index, stage) in pipeline.stages.iter().enumerate() {
            let output = match (pipeline.links.get(index), pipeline.stages.get(index + 1)) {
                (Some(link), Some(next)) => Output::Into(*link, self.link(stage, next)),
                _ => last,
            };
            let (stage, opens) = numbered(stage);
            opened.push(opens);
            self.stages.push(FlatStage { stage, input, output, bindings: Vec::new() });
            if let Output::Into(_, pipe) = output {
                input = Input::Pipe(pipe);
            }
        }
        for (index, opens) in (start..).zip(opened) {
            for (number, opens) in opens {
                let binding = self.wire(number, &opens)?;
                self.stages[index].bindings.push(binding);
            }
        }
        Ok(())
    }

    /// The pipe between two stages: in memory, if both are closures and nobody else gets a copy.
    fn link(&mut self, from: &Stage, to: &Stage) -> usize {
        let closures = from.command().is_none() && to.command().is_none();
        self.pipes.push(if closures && from.stdout().is_none() { PipePlan::Memory } else { PipePlan::Link });
        self.pipes.len() - 1
    }

    fn wire(&mut self, number: i32, opens: &ArgSource) -> Result<FdBinding, Fault> {
        let pipe = self.pipes.len();
        Ok(match opens {
            ArgSource::Fd(fd) => {
                FdBinding { stream: Stream::Input(number), place: Endpoint::of(fd, number, OpenMode::Read) }
            }
            ArgSource::Reader(pipeline) => {
                self.pipes.push(PipePlan::Link);
                self.add(pipeline, Input::Null, Output::Into(Link::Stdout, pipe))?;
                FdBinding { stream: Stream::Input(number), place: Endpoint::Pipe(pipe) }
            }
            ArgSource::Writer(pipeline) => {
                self.pipes.push(PipePlan::Link);
                self.add(pipeline, Input::Pipe(pipe), Output::Beside)?;
                FdBinding { stream: Stream::Output(number), place: Endpoint::Pipe(pipe) }
            }
        })
    }
}

/// The stage with a number for each descriptor that its arguments name, in their texts too.
fn numbered(stage: &Stage) -> (Stage, Vec<(i32, ArgSource)>) {
    let Stage::Command(spec) = stage else { return (stage.clone(), Vec::new()) };
    if spec.args.iter().all(|arg| arg.source.is_none()) {
        return (stage.clone(), Vec::new());
    }
    let taken: Vec<i32> = spec.streams.extra.iter().map(|extra| extra.number).collect();
    let mut free = (3..=HIGHEST).rev().chain(HIGHEST + 1..i32::MAX).filter(|number| !taken.contains(number));
    let mut spec: Command = (**spec).clone();
    let mut all = Vec::new();
    for arg in &mut spec.args {
        let Some(opens) = &arg.source else { continue };
        // No table has as many numbers as there are.
        let number = free.next().unwrap_or(i32::MAX);
        arg.text = OsString::from(format!("/dev/fd/{number}"));
        all.push((number, opens.clone()));
    }
    (Stage::Command(Arc::new(spec)), all)
}
