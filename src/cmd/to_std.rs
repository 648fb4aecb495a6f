//! From a [`Cmd`] to `std::process::Command`.

use std::fs::{File, OpenOptions};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use super::Cmd;
use crate::fd::GivenFd;
use crate::spawn::{EnvChange, EnvDelta};
use crate::spec::{self, Common, Input, Target};

/// For APIs that take std's type. Carried over: program, arguments, `arg0`, environment, working directory, process group, uid and gid,
/// and streams that are inherited, null, piped, or a file.
///
/// What std has no word for (a callback, bytes, a merge, a timeout, a limit, a `secret_arg`, …) is not dropped in silence: the resulting
/// command then fails at spawn with `InvalidInput`, and its program's name says what could not be carried. A file that cannot
/// be opened does the same. From there on std's rules hold: its children get every descriptor that is not close-on-exec, and this
/// process's signal mask, and nobody checks the status.
///
/// ```
/// use pipewright::cmd;
/// use std::process::Command;
/// let out = Command::from(cmd!("echo", "hi").env("A", "1")).output()?;
/// assert_eq!(out.stdout, b"hi\n");
/// let merged = Command::from(cmd!("echo", "hi").stderr_to_stdout()).output();
/// assert_eq!(merged.unwrap_err().kind(), std::io::ErrorKind::InvalidInput);
/// # Ok::<(), std::io::Error>(())
/// ```
impl From<Cmd> for Command {
    fn from(cmd: Cmd) -> Command {
        let spec = &cmd.command;
        let lost = match cmd.settings.names().first() {
            Some(setting) => Some((*setting).to_owned()),
            None => lost(spec),
        };
        match lost {
            None => convert(spec).unwrap_or_else(|what| refuse(&what)),
            Some(what) => refuse(&what),
        }
    }
}

/// A command that cannot start: a NUL in an argument is an error in every `spawn`. One in the program's name would take the
/// name's place.
fn refuse(what: &str) -> Command {
    let mut command = Command::new(format!("pipewright: std::process::Command cannot hold {what}"));
    command.arg("\0");
    command
}

/// The first thing that std cannot hold.
fn lost(spec: &spec::Command) -> Option<String> {
    let attributes = &spec.attributes;
    let named = [
        (spec.streams.merge.stderr_to_stdout, "stderr_to_stdout"),
        (spec.streams.merge.stdout_to_stderr, "stdout_to_stderr"),
        (attributes.new_session, "new_session"),
        (attributes.controlling_tty, "controlling_tty"),
        (attributes.umask.is_some(), "umask"),
        (!attributes.rlimits.is_empty(), "rlimit"),
        (attributes.nice.is_some(), "nice"),
        (attributes.groups.is_some(), "groups"),
        (attributes.kill_on_parent_death, "kill_on_parent_death"),
        (attributes.inherit_signals, "inherit_signals"),
        (!spec.tolerance.codes.is_empty(), "allow_codes"),
        (spec.args.iter().any(|arg| arg.secret), "secret_arg"),
        (spec.args.iter().any(|arg| arg.source.is_some()), "arg_reader, arg_writer and arg_fd"),
        (spec.streams.jobserver.is_some(), "jobserver"),
        (!spec.streams.extra.is_empty(), "a descriptor beyond the standard ones"),
        (spec.env_changes().any(|change| matches!(change, EnvChange::Only(_))), "env_only"),
    ];
    named.iter().find(|(set, _)| *set).map(|(_, name)| (*name).to_owned())
}

fn convert(spec: &spec::Command) -> Result<Command, String> {
    let mut command = Command::new(&spec.program.name);
    command.args(spec.args.iter().map(|arg| &arg.text));
    if let Some(name) = &spec.program.arg0 {
        command.arg0(name);
    }
    let delta = EnvDelta::of(spec.env_changes());
    if delta.kept.is_some() {
        command.env_clear();
    }
    for (key, value) in &delta.variables {
        match value {
            Some(value) => command.env(key, value.text),
            None => command.env_remove(key),
        };
    }
    if let Some(dir) = spec.current_dir() {
        command.current_dir(dir);
    }
    if let Some(group) = spec.attributes.process_group {
        command.process_group(group);
    }
    if let Some(uid) = spec.attributes.uid {
        command.uid(uid);
    }
    if let Some(gid) = spec.attributes.gid {
        command.gid(gid);
    }
    match &spec.streams.stdin {
        None => {}
        Some(Input::Common(common)) => {
            command.stdin(stdio(common, |path| File::open(path))?);
        }
        Some(other) => return Err(format!("a stdin from {other:?}")),
    }
    if let Some(stdout) = &spec.streams.stdout {
        command.stdout(output(stdout)?);
    }
    if let Some(stderr) = spec.stderr() {
        command.stderr(output(stderr)?);
    }
    Ok(command)
}

fn output(target: &Target) -> Result<Stdio, String> {
    match target {
        Target::Common(common) => stdio(common, |path| File::create(path)),
        Target::Capture => Ok(Stdio::piped()),
        Target::Append(path) => {
            let file = OpenOptions::new().append(true).create(true).open(path);
            file.map(Stdio::from).map_err(|error| format!("{}: {error}", path.display()))
        }
        other => Err(format!("an output to {other:?}")),
    }
}

fn stdio(common: &Common, open: impl Fn(&std::path::Path) -> std::io::Result<File>) -> Result<Stdio, String> {
    match common {
        Common::Inherit => Ok(Stdio::inherit()),
        Common::Null => Ok(Stdio::null()),
        Common::Piped => Ok(Stdio::piped()),
        Common::File(path) => open(path).map(Stdio::from).map_err(|error| format!("{}: {error}", path.display())),
        Common::Fd(GivenFd::Once(slot)) => {
            slot.take().map(Stdio::from).ok_or_else(|| "a descriptor that was used already".into())
        }
        Common::Fd(GivenFd::Shared(fd)) => {
            fd.try_clone().map(Stdio::from).map_err(|error| format!("a descriptor: {error}"))
        }
    }
}
