//! Commands and pipelines as lines for a shell.

use std::ffi::OsStr;
use std::fmt;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt;

use super::environment::is_public;
use super::pipeline::{ArgSource, Command, Link, Stage};
use super::redirect::{Common, Input, Target};
use super::streams::{ExtraFd, FdSource, Merge};
use crate::spawn::EnvDelta;
use crate::text::{quote, quote_program};

/// The line, without any secret.
pub(crate) fn command_line(command: &Command) -> String {
    linked_line(command, "")
}

/// The line of a stage whose outputs are linked to the next one. A shell resolves that link first, so the redirections for it, which change
/// what 1 and 2 are, stand before the stage's own.
fn linked_line(command: &Command, link: &str) -> String {
    let mut line = String::new();
    if let Some(dir) = command.current_dir() {
        // Writing to a String cannot fail.
        let _ = write!(line, "cd {} && ", quote(dir.as_os_str().as_bytes()));
    }
    line.push_str(&environment(command));
    line.push_str(&quote_program(command.program.name.as_bytes()));
    for arg in &command.args {
        line.push(' ');
        match &arg.source {
            _ if arg.secret => line.push_str("\"${SECRET:?}\""),
            None => line.push_str(&quote(arg.text.as_bytes())),
            Some(ArgSource::Fd(_)) => line.push_str("\"${FD:?}\""),
            // Writing to a String cannot fail.
            Some(ArgSource::Reader(inner)) => {
                let _ = write!(line, "<({})", shell_line(inner.stages.iter(), &inner.links));
            }
            Some(ArgSource::Writer(inner)) => {
                let _ = write!(line, ">({})", shell_line(inner.stages.iter(), &inner.links));
            }
        }
    }
    line.push_str(link);
    redirections(&mut line, command);
    line
}

/// Stages and what links them, as a line for a shell.
pub(crate) fn shell_line<'a>(stages: impl ExactSizeIterator<Item = &'a Stage>, links: &[Link]) -> String {
    let alone = stages.len() == 1;
    let mut line = String::new();
    for (index, stage) in stages.enumerate() {
        if index > 0 {
            line.push_str(" | ");
        }
        match stage {
            Stage::Command(command) => line.push_str(&stage_line(command, links.get(index), alone)),
            Stage::Closure(closure) => line.push_str(&closure_line(&closure.label)),
        }
    }
    line
}

fn stage_line(command: &Command, link: Option<&Link>, alone: bool) -> String {
    let line = match link {
        None | Some(Link::Stdout) => command_line(command),
        Some(Link::Stderr) => linked_line(command, " 3>&1 >&2 2>&3 3>&-"),
        Some(Link::Both) => linked_line(command, " 2>&1"),
    };
    // `cd` is for this stage only.
    if command.current_dir().is_some() && !alone { format!("({line})") } else { line }
}

/// A word that makes a paste fail with a reason, because no shell can run a closure.
fn closure_line(label: &str) -> String {
    let why = format!("{label} is Rust code");
    format!("${{closure:?{}}}", quote(why.as_bytes()))
}

impl fmt::Debug for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shell_line(std::iter::once(self), &[]))
    }
}

/// `KEY="${KEY:?}" ` for what is set; through `env` for what a prefix cannot say.
fn environment(command: &Command) -> String {
    let EnvDelta { kept, variables } = EnvDelta::of(command.env_changes());
    let cleared = kept.is_some();
    let plain = !cleared && variables.iter().all(|(key, value)| value.is_some() && is_identifier(key));
    let mut line = String::new();
    if !plain && (cleared || !variables.is_empty()) {
        line.push_str(if cleared { "env -i " } else { "env " });
    }
    for name in kept.iter().flatten().filter(|name| is_identifier(name)) {
        let name = name.to_string_lossy();
        let _ = write!(line, "${{{name}+\"{name}=${name}\"}} ");
    }
    for (key, value) in &variables {
        let word = quote(key.as_bytes());
        match value {
            None if cleared => {}
            None => {
                let _ = write!(line, "-u {word} ");
            }
            Some(value) if !value.secret && is_public(key) => {
                let _ = write!(line, "{word}={} ", quote(value.text.as_bytes()));
            }
            Some(_) if is_identifier(key) => {
                let _ = write!(line, "{word}=\"${{{word}:?}}\" ");
            }
            Some(_) => {
                let _ = write!(line, "{word}=\"${{SECRET:?}}\" ");
            }
        }
    }
    line
}

/// Whether a shell takes this for a variable's name.
fn is_identifier(name: &OsStr) -> bool {
    let bytes = name.as_bytes();
    let word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    !bytes.is_empty() && bytes.iter().all(word) && !bytes[0].is_ascii_digit()
}

/// The redirections that a shell has words for, the merges last, as they are resolved.
fn redirections(line: &mut String, command: &Command) {
    match &command.streams.stdin {
        Some(Input::Common(Common::Null)) => line.push_str(" < /dev/null"),
        Some(Input::Common(Common::File(path))) => {
            let _ = write!(line, " < {}", quote(path.as_os_str().as_bytes()));
        }
        _ => {}
    }
    for (target, sign) in [(command.streams.stdout.as_ref(), ">"), (command.stderr(), "2>")] {
        match target {
            Some(Target::Common(Common::Null)) => {
                let _ = write!(line, " {sign} /dev/null");
            }
            Some(Target::Common(Common::File(path))) => {
                let _ = write!(line, " {sign} {}", quote(path.as_os_str().as_bytes()));
            }
            Some(Target::Append(path)) => {
                let _ = write!(line, " {sign}> {}", quote(path.as_os_str().as_bytes()));
            }
            _ => {}
        }
    }
    line.push_str(match command.streams.merge {
        Merge { stderr_to_stdout: true, stdout_to_stderr: true } => " 3>&1 1>&2 2>&3 3>&-",
        Merge { stderr_to_stdout: true, .. } => " 2>&1",
        Merge { stdout_to_stderr: true, .. } => " >&2",
        Merge { .. } => "",
    });
    // Behind the merges, which may need a 3 for a moment.
    for ExtraFd { number, source } in &command.streams.extra {
        let (sign, path) = match source {
            FdSource::In(Input::Common(Common::Null)) => ("<", OsStr::new("/dev/null")),
            FdSource::In(Input::Common(Common::File(path))) => ("<", path.as_os_str()),
            FdSource::Out(Target::Common(Common::Null)) => (">", OsStr::new("/dev/null")),
            FdSource::Out(Target::Common(Common::File(path))) => (">", path.as_os_str()),
            FdSource::Out(Target::Append(path)) => (">>", path.as_os_str()),
            _ => continue,
        };
        let _ = write!(line, " {number}{sign} {}", quote(path.as_bytes()));
    }
}
