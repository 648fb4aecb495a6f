//! A plan as text.

use std::fmt;

use super::{Endpoint, OpenMode, PipePlan, Plan, SinkPlan, StagePlan, Verb};
use crate::outcome::{Error, Fault};
use crate::spec::command_line;
use crate::text::quote;
use crate::text::redact::Secrets;

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stages = self.stages.len();
        write!(f, "{}: {stages} stage{}", self.verb, if stages == 1 { "" } else { "s" })?;
        match self.settings.times.timeout {
            Some(timeout) => write!(f, ", timeout {timeout:?}")?,
            None => f.write_str(", no timeout")?,
        }
        for (index, stage) in self.stages.iter().enumerate() {
            match stage.stage.command() {
                Some(spec) => write!(f, "\nstage {index}: {}", command_line(spec))?,
                None => write!(f, "\nstage {index}: {} (a closure, on a thread of its own)", stage.stage.name())?,
            }
            for binding in &stage.bindings {
                write!(f, "\n  {:<7} {}", binding.stream.to_string(), place(&binding.place))?;
            }
            for note in notes(stage) {
                write!(f, "\n  note: {note}")?;
            }
        }
        for (number, pipe) in self.pipes.iter().enumerate() {
            if !self.is_used(number) {
                continue;
            }
            let kind = if matches!(pipe, PipePlan::Memory) { " (in memory)" } else { "" };
            write!(f, "\npipe {number}{kind}: {} -> {}", self.writers(number, pipe), self.readers(number, pipe))?;
        }
        Ok(())
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Verb::Run => "run",
            Verb::Output => "output",
            Verb::Read => "read",
            Verb::Stream => "lines",
            Verb::Spawn => "spawn",
            Verb::Exec => "exec",
        })
    }
}

impl Plan {
    /// Who owns the end that is written to.
    fn writers(&self, number: usize, pipe: &PipePlan) -> String {
        match pipe {
            PipePlan::Feed(_, source) => format!("this process ({source:?})"),
            PipePlan::Take(stream) if stream.is_input() => "this process (to be taken)".into(),
            PipePlan::Relay => "this process (behind a tee)".into(),
            PipePlan::Link | PipePlan::Memory | PipePlan::Take(_) | PipePlan::Drain(..) => self.owners(number, false),
        }
    }

    /// Who owns the end that is read from.
    fn readers(&self, number: usize, pipe: &PipePlan) -> String {
        match pipe {
            PipePlan::Drain(stream, sinks) => {
                let sinks: Vec<String> = sinks.iter().map(sink).collect();
                format!("this process ({stream} to {})", sinks.join(" and "))
            }
            PipePlan::Take(stream) if !stream.is_input() => "this process (to be taken)".into(),
            PipePlan::Link | PipePlan::Memory | PipePlan::Feed(..) | PipePlan::Take(_) | PipePlan::Relay => {
                self.owners(number, true)
            }
        }
    }

    fn owners(&self, pipe: usize, reading: bool) -> String {
        let owners: Vec<String> =
            self.users(pipe, reading).map(|(stage, stream)| format!("stage {stage} ({stream})")).collect();
        owners.join(", ")
    }
}

fn place(place: &Endpoint) -> String {
    match place {
        Endpoint::Inherit(number) => format!("this process's {number}"),
        Endpoint::Null => "/dev/null".into(),
        Endpoint::File(path, mode) => {
            let how = match mode {
                OpenMode::Read => "read",
                OpenMode::Create => "created or emptied",
                OpenMode::Append => "appended to",
            };
            format!("file {} ({how})", quote(std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str())))
        }
        Endpoint::Document(bytes, _) => format!("a file in memory with {} bytes", bytes.len()),
        Endpoint::Fd(fd) => format!("{fd:?}"),
        Endpoint::Pipe(number) => format!("pipe {number}"),
    }
}

fn sink(sink: &SinkPlan) -> String {
    match sink {
        SinkPlan::Capture => "the output".into(),
        SinkPlan::Borrowed => "the caller".into(),
        SinkPlan::EachLine(_) => "a line callback".into(),
        SinkPlan::Writer(_) => "a writer, on a thread of its own".into(),
        SinkPlan::Endpoint(place) => self::place(place),
        SinkPlan::Relay(pipe) => format!("pipe {pipe}"),
    }
}

/// What a reader should know before running it.
fn notes(stage: &StagePlan) -> Vec<String> {
    let Some(spec) = stage.stage.command().filter(|command| !command.streams.inherit_fds) else { return Vec::new() };
    let undeclared = |text: &str| {
        let number = text.strip_prefix("/dev/fd/").or_else(|| text.strip_prefix("/proc/self/fd/"))?;
        let number: i32 = number.parse().ok().filter(|number| *number >= 0)?;
        stage.bindings.iter().all(|binding| binding.stream.number() != number).then_some(number)
    };
    let args = spec.args.iter().filter(|arg| !arg.secret).filter_map(|arg| arg.text.to_str());
    args.filter_map(undeclared)
        .map(|number| format!("descriptor {number} is named in an argument, but the child does not get it"))
        .collect()
}

impl Fault {
    /// The error of a run: its texts name the command, and show none of its secrets.
    pub(crate) fn into_error(self, plan: &Plan) -> Error {
        let notes = plan.stages.iter().flat_map(notes).collect();
        self.into_error_with(Some(plan.line()), plan.secrets(), notes)
    }

    /// The error of what cannot be made a plan of. Nothing ran that could have said a secret.
    pub(crate) fn into_error_of(self, line: String) -> Error {
        self.into_error_with(Some(line), Secrets::default(), Vec::new())
    }
}

/// Without a document's bytes.
impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&place(self))
    }
}

impl fmt::Debug for SinkPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&sink(self))
    }
}
