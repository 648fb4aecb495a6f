//! What a run will do, as data: which processes, which pipes, who owns each end.
//!
//! Made without touching the system, and executed by `job`. Printing it is the dry run.

mod flatten;
mod lower;
mod show;

use std::path::PathBuf;
use std::sync::Arc;

use crate::fd::GivenFd;
use crate::io::sink::LineCallback;
use crate::once::TakeOnce;
use crate::outcome::StageName;
use crate::spec::{Command, Common, Input, Link, Settings, Stage, Target, shell_line};
use crate::stream::Stream;
use crate::text::redact::Secrets;

pub(crate) use lower::lower;

/// What a run will do: its processes, their streams, the pipes between them and who owns each end.
///
/// From [`Cmd::dry_run`](crate::Cmd::dry_run); its `Display` is for people.
///
/// ```
/// use pipewright::cmd;
/// let plan = (cmd!("zcat", "log.gz") | cmd!("grep", "ERROR")).dry_run()?;
/// let text = plan.to_string();
/// assert!(text.contains("pipe 0: stage 0 (stdout) -> stage 1 (stdin)"), "{text}");
/// # Ok::<(), pipewright::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Plan {
    pub(crate) verb: Verb,
    /// Those of the pipeline, then those of the pipelines in arguments.
    pub(crate) stages: Vec<StagePlan>,
    /// How many of them are the pipeline's own.
    pub(crate) main: usize,
    pub(crate) pipes: Vec<PipePlan>,
    pub(crate) links: Vec<Link>,
    pub(crate) settings: Settings,
}

/// What the caller wants from the run; it decides about streams that were left unset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Run,
    Output,
    Read,
    /// stdout is read through a handle, or lent line by line.
    Stream,
    Spawn,
    Exec,
}

/// One process, or one closure.
#[derive(Debug, Clone)]
pub(crate) struct StagePlan {
    pub(crate) stage: Stage,
    /// Where its descriptors lead: each number once, the standard ones first.
    pub(crate) bindings: Vec<FdBinding>,
}

/// One descriptor of a stage.
#[derive(Debug, Clone)]
pub(crate) struct FdBinding {
    pub(crate) stream: Stream,
    pub(crate) place: Endpoint,
}

/// Where a descriptor of a child leads.
#[derive(Clone)]
pub(crate) enum Endpoint {
    /// This process's own descriptor of that number.
    Inherit(i32),
    Null,
    File(PathBuf, OpenMode),
    /// A file in memory with these bytes. By number, for each is a file of its own: two that read one would share its offset.
    Document(Arc<Vec<u8>>, usize),
    Fd(GivenFd),
    /// A pipe of the plan, by number.
    Pipe(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OpenMode {
    Read,
    Create,
    Append,
}

/// One pipe: who is at the end that is not a stage's own descriptor.
#[derive(Debug, Clone)]
pub(crate) enum PipePlan {
    /// From stages to a stage, past this process where both are processes.
    Link,
    /// From a closure to a closure.
    Memory,
    /// From a source of this process into a stage.
    Feed(Stream, Input),
    /// A piped stream, whose other end is to be taken.
    Take(Stream),
    /// Drained by this process into these.
    Drain(Stream, Vec<SinkPlan>),
    /// Written by this process, behind the drain that has it as a sink, into a stage.
    Relay,
}

/// Where drained bytes go.
#[derive(Clone)]
pub(crate) enum SinkPlan {
    Capture,
    /// To the callback that the verb was lent.
    Borrowed,
    EachLine(LineCallback),
    Writer(TakeOnce<Box<dyn std::io::Write + Send>>),
    /// A file, this process's own stream, a descriptor; never a pipe of the plan.
    Endpoint(Endpoint),
    /// A relay pipe of the plan, by number.
    Relay(usize),
}

impl Plan {
    pub(crate) fn stage_name(&self, index: usize) -> StageName {
        let stage = &self.stages[index].stage;
        StageName::new(stage.name(), stage.program(), index, self.stages.len())
    }

    /// The line that a shell would be given, without what must not be shown.
    pub(crate) fn line(&self) -> String {
        shell_line(self.stages[..self.main].iter().map(|stage| &stage.stage), &self.links)
    }

    /// Whether somebody has to see to the run while nobody waits for it: bytes to move, a time to keep, an order to hear.
    /// `reader`: the verb's own stdout is read by the caller.
    pub(crate) fn needs_driver(&self, reader: bool) -> bool {
        let moves = |pipe: &PipePlan| match pipe {
            PipePlan::Feed(..) => true,
            PipePlan::Drain(_, sinks) => !(reader && matches!(sinks.as_slice(), [SinkPlan::Borrowed])),
            PipePlan::Link | PipePlan::Memory | PipePlan::Relay | PipePlan::Take(_) => false,
        };
        let moving = self.pipes.iter().enumerate().any(|(number, pipe)| moves(pipe) && self.is_used(number));
        // What a reader waits for may be held open by a stranger: somebody has to see the processes end.
        let bounded = reader && self.settings.eof_grace().is_some();
        let told =
            self.settings.cancel.get().is_some() || self.settings.signals.forward || self.settings.signals.foreground;
        moving || bounded || told || self.settings.times.timeout.is_some()
    }

    /// The stages that are processes, with their numbers.
    pub(crate) fn commands(&self) -> impl Iterator<Item = (usize, &Command)> {
        self.stages.iter().enumerate().filter_map(|(index, stage)| Some((index, stage.stage.command()?)))
    }

    /// Texts that nothing rendered may hold.
    pub(crate) fn secrets(&self) -> Secrets {
        use std::os::unix::ffi::OsStrExt;
        self.commands().flat_map(|(_, spec)| spec.secrets()).map(|secret| secret.as_bytes().to_vec()).collect()
    }

    /// Whether any stage is at either end. A merge may leave a pipe without one; such a pipe is never made.
    pub(crate) fn is_used(&self, pipe: usize) -> bool {
        self.users(pipe, true).chain(self.users(pipe, false)).next().is_some()
    }

    /// The stages whose descriptors are ends of a pipe: those that read it, or those that write it.
    pub(crate) fn users(&self, pipe: usize, reading: bool) -> impl Iterator<Item = (usize, Stream)> {
        self.stages.iter().enumerate().flat_map(move |(index, stage)| {
            let at_pipe = move |binding: &&FdBinding| {
                binding.stream.is_input() == reading
                    && matches!(binding.place, Endpoint::Pipe(number) if number == pipe)
            };
            stage.bindings.iter().filter(at_pipe).map(move |binding| (index, binding.stream))
        })
    }
}

impl Endpoint {
    pub(crate) fn of(common: &Common, number: i32, mode: OpenMode) -> Endpoint {
        match common {
            // A pipe is made before it comes to this.
            Common::Inherit | Common::Piped => Endpoint::Inherit(number),
            Common::Null => Endpoint::Null,
            Common::File(path) => Endpoint::File(path.clone(), mode),
            Common::Fd(fd) => Endpoint::Fd(fd.clone()),
        }
    }
}

impl From<&Target> for Vec<SinkPlan> {
    /// A target as sinks of a drain; nested tees flatten.
    fn from(target: &Target) -> Vec<SinkPlan> {
        match target {
            // A `piped` inside a tee was refused before.
            Target::Capture | Target::Common(Common::Piped) => vec![SinkPlan::Capture],
            Target::EachLine(callback) => vec![SinkPlan::EachLine(Arc::clone(callback))],
            Target::Writer(slot) => vec![SinkPlan::Writer(slot.clone())],
            Target::Tee(targets) => targets.iter().flat_map(Vec::<SinkPlan>::from).collect(),
            Target::Append(path) => vec![SinkPlan::Endpoint(Endpoint::File(path.clone(), OpenMode::Append))],
            Target::Common(Common::Inherit) => vec![SinkPlan::Endpoint(Endpoint::Inherit(1))],
            Target::Common(Common::Null) => vec![SinkPlan::Endpoint(Endpoint::Null)],
            Target::Common(Common::File(path)) => {
                vec![SinkPlan::Endpoint(Endpoint::File(path.clone(), OpenMode::Create))]
            }
            Target::Common(Common::Fd(fd)) => vec![SinkPlan::Endpoint(Endpoint::Fd(fd.clone()))],
        }
    }
}
