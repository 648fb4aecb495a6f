//! Commands, closures and pipelines of them. They are in one file because an argument of a command may lead to a pipeline.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::sync::Arc;

use super::closure::Closure;
use super::environment::{Environment, is_public};
use super::redirect::{Common, Input, Target};
use super::settings::Settings;
use super::streams::Streams;
use crate::spawn::{Attributes, EnvChange};

#[derive(Clone, Default)]
pub(crate) struct Pipeline {
    pub(crate) stages: Vec<Stage>,
    /// What feeds the next stage; one less than there are stages.
    pub(crate) links: Vec<Link>,
    pub(crate) settings: Settings,
    /// Set if a part of the pipeline came with a setting of a whole run, or if it had no stage for a stdin.
    pub(crate) misplaced: Option<Misplaced>,
}

/// What runs in one place of a pipeline.
#[derive(Clone)]
pub(crate) enum Stage {
    Command(Arc<Command>),
    Closure(Arc<Closure>),
}

/// Which of a stage's outputs feeds the next stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Link {
    Stdout,
    Stderr,
    Both,
}

/// A setting in a place where it has no meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Misplaced {
    /// A setting of a whole run on a part of one, whose first stage this is.
    OnPart { stage: usize, setting: &'static str },
    /// A stdin of a pipeline that had no stage.
    StdinOfNothing,
}

impl Pipeline {
    /// A pipeline of one.
    pub(crate) fn of(stage: Stage, settings: Settings) -> Pipeline {
        Pipeline { stages: vec![stage], settings, ..Pipeline::default() }
    }

    /// Adds the stages of `next`.
    pub(crate) fn join(mut self, link: Link, mut next: Pipeline) -> Pipeline {
        self.demote();
        next.demote();
        let first = self.stages.len();
        if let Some(mut misplaced) = next.misplaced {
            if let Misplaced::OnPart { stage, .. } = &mut misplaced {
                *stage += first;
            }
            self.misplaced.get_or_insert(misplaced);
        }
        if !self.stages.is_empty() && !next.stages.is_empty() {
            self.links.push(link);
        }
        self.links.extend(next.links);
        self.stages.extend(next.stages);
        self
    }

    /// A whole run becomes a part of one, in which the settings of a run have no place.
    fn demote(&mut self) {
        let settings = std::mem::take(&mut self.settings);
        if let Some(&setting) = settings.names().first() {
            self.misplaced.get_or_insert(Misplaced::OnPart { stage: 0, setting });
        }
    }

    pub(crate) fn each_command(&mut self, mut change: impl FnMut(&mut Command)) {
        for stage in &mut self.stages {
            if let Stage::Command(command) = stage {
                change(Arc::make_mut(command));
            }
        }
    }
}

impl Stage {
    pub(crate) fn command(&self) -> Option<&Command> {
        match self {
            Stage::Command(command) => Some(command),
            Stage::Closure(_) => None,
        }
    }

    /// The name that errors and results use.
    pub(crate) fn name(&self) -> String {
        match self {
            Stage::Command(command) => command.name(),
            Stage::Closure(closure) => closure.label.clone(),
        }
    }

    /// The program; `None` for a closure.
    pub(crate) fn program(&self) -> Option<&OsStr> {
        self.command().map(|command| command.program.name.as_os_str())
    }

    pub(crate) fn stdin(&self) -> Option<&Input> {
        match self {
            Stage::Command(command) => command.streams.stdin.as_ref(),
            Stage::Closure(closure) => closure.stdin.as_ref(),
        }
    }

    pub(crate) fn stdout(&self) -> Option<&Target> {
        match self {
            Stage::Command(command) => command.streams.stdout.as_ref(),
            Stage::Closure(closure) => closure.stdout.as_ref(),
        }
    }

    pub(crate) fn set_label(&mut self, label: String) {
        match self {
            Stage::Command(command) => Arc::make_mut(command).label = Some(label),
            Stage::Closure(closure) => Arc::make_mut(closure).label = label,
        }
    }

    pub(crate) fn set_stdin(&mut self, from: Input) {
        match self {
            Stage::Command(command) => Arc::make_mut(command).streams.stdin = Some(from),
            Stage::Closure(closure) => Arc::make_mut(closure).stdin = Some(from),
        }
    }

    pub(crate) fn set_stdout(&mut self, to: Target) {
        match self {
            Stage::Command(command) => Arc::make_mut(command).streams.stdout = Some(to),
            Stage::Closure(closure) => Arc::make_mut(closure).stdout = Some(to),
        }
    }

    pub(crate) fn set_unchecked(&mut self) {
        match self {
            Stage::Command(command) => Arc::make_mut(command).tolerance.unchecked = true,
            Stage::Closure(closure) => Arc::make_mut(closure).unchecked = true,
        }
    }
}

/// What concerns one process.
#[derive(Clone)]
pub(crate) struct Command {
    pub(crate) program: Program,
    pub(crate) args: Vec<Arg>,
    pub(crate) label: Option<String>,
    pub(crate) streams: Streams,
    pub(crate) environment: Environment,
    pub(crate) attributes: Attributes,
    pub(crate) tolerance: Tolerance,
}

/// What is executed, and how it is found.
#[derive(Clone)]
pub(crate) struct Program {
    /// A path, if it has a slash in it; else a name to look for in the child's PATH.
    pub(crate) name: OsString,
    pub(crate) arg0: Option<OsString>,
    /// Whether an empty or relative element of PATH may lead to it.
    pub(crate) allow_relative_path: bool,
}

#[derive(Clone)]
pub(crate) struct Arg {
    pub(crate) text: OsString,
    pub(crate) secret: bool,
    /// Set if the argument names a descriptor; the plan then makes the text.
    pub(crate) source: Option<ArgSource>,
}

impl Arg {
    pub(crate) fn plain(text: impl AsRef<OsStr>) -> Arg {
        Arg { text: text.as_ref().to_owned(), secret: false, source: None }
    }
}

/// Where the descriptor that an argument names leads.
#[derive(Clone)]
pub(crate) enum ArgSource {
    Fd(Common),
    /// `<(…)`: what these stages write.
    Reader(Pipeline),
    /// `>(…)`: what these stages read.
    Writer(Pipeline),
}

/// Which statuses of the process are no failure.
#[derive(Clone, Default)]
pub(crate) struct Tolerance {
    pub(crate) codes: Vec<i32>,
    /// Whether every status is data.
    pub(crate) unchecked: bool,
    /// Whether exit code 141 counts as a death of SIGPIPE.
    pub(crate) sigpipe_codes: bool,
}

/// The shortest value of a variable that is also hidden where a child printed it. Hiding a value like `1` or `yes` wherever it
/// stands would make a message unreadable.
const HIDDEN_VALUE_LEN: usize = 4;

impl Command {
    pub(crate) fn new(program: &OsStr) -> Command {
        Command {
            program: Program { name: program.to_owned(), arg0: None, allow_relative_path: false },
            args: Vec::new(),
            label: None,
            streams: Streams::default(),
            environment: Environment::default(),
            attributes: Attributes::default(),
            tolerance: Tolerance::default(),
        }
    }

    /// The name that errors and results use.
    pub(crate) fn name(&self) -> String {
        self.label.clone().unwrap_or_else(|| self.program.name.to_string_lossy().into_owned())
    }

    /// The changes to the environment in their order.
    pub(crate) fn env_changes(&self) -> impl Iterator<Item = &EnvChange> + Clone {
        self.environment.pipeline.changes.iter().chain(&self.environment.own.changes)
    }

    pub(crate) fn current_dir(&self) -> Option<&PathBuf> {
        self.environment.own.cwd.as_ref().or(self.environment.pipeline.cwd.as_ref())
    }

    pub(crate) fn stderr(&self) -> Option<&Target> {
        self.streams.stderr.as_ref().or(self.streams.pipeline_stderr.as_deref())
    }

    /// Texts that no rendered text may hold: secret arguments, and the values that the builder gave to variables.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &OsStr> {
        let args = self.args.iter().filter(|arg| arg.secret).map(|arg| arg.text.as_os_str());
        let values = self.env_changes().filter_map(|change| match change {
            EnvChange::SetSecret(_, value) => Some(value.as_os_str()),
            EnvChange::Set(key, value) if !is_public(key) && value.len() >= HIDDEN_VALUE_LEN => Some(value.as_os_str()),
            _ => None,
        });
        args.chain(values)
    }
}
