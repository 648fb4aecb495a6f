//! The cause behind an errno: the same ENOENT of `execve` means a missing program, a missing interpreter or a missing directory on the
//! way.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::Read;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use super::image::Image;
use super::thread_state;
use crate::setup_step::{Failure, Step};
use crate::sys::sysinfo;

/// Why a child could not be started, if the file system tells afterwards.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Cause {
    #[error("no such program in PATH")]
    NotInPath,
    #[error("no such program in PATH, where {} cannot be looked for", .0.display())]
    NotInRestOfPath(PathBuf),
    #[error(
        "found only below the current directory, through the relative element {0:?} of PATH, which is refused \
         (`allow_relative_path(true)` allows it)"
    )]
    RelativePath(OsString),
    #[error("no such file: {}", .0.display())]
    NoSuchFile(PathBuf),
    #[error("no such working directory: {}", .0.display())]
    CurrentDir(PathBuf),
    #[error("cannot enter the working directory {}", .0.display())]
    CurrentDirUnusable(PathBuf),
    #[error("{} is a directory", .0.display())]
    IsDirectory(PathBuf),
    #[error("{} is not executable", .0.display())]
    NotExecutable(PathBuf),
    #[error("{} has no `#!` line and is no binary of this system (`Cmd::new(\"sh\").arg(file)` runs a shell script)", .0.display())]
    NoShebang(PathBuf),
    #[error("the interpreter {interpreter:?} of {} does not exist{}", .script.display(), windows_lines(.interpreter))]
    NoInterpreter { script: PathBuf, interpreter: OsString },
    #[error("argument {index} is {bytes} bytes long; the limit for one is {limit}")]
    ArgumentTooLong { index: usize, bytes: u64, limit: u64 },
    #[error("the environment variable {key:?} is {bytes} bytes long with its name; the limit for one is {limit}")]
    VariableTooLong { key: OsString, bytes: u64, limit: u64 },
    #[error("arguments and environment are {bytes} bytes together; the limit is {limit}")]
    TooLongTogether { bytes: u64, limit: u64 },
    #[error("{} is open for writing", .0.display())]
    TextBusy(PathBuf),
    #[error(
        "this thread is unlike the one that starts such children, which is as the first thread was that asked for one; they differ \
         in: {}",
        thread_state::names(*.0)
    )]
    UnlikeThread(i32),
    #[error("the child was gone before it came to exec; something outside killed it")]
    Vanished,
    #[error("the system refused it")]
    System,
}

impl Cause {
    /// Whether the system's message for the errno would add nothing.
    pub(crate) fn says_all(&self) -> bool {
        !matches!(self, Cause::CurrentDirUnusable(_) | Cause::NotInRestOfPath(_) | Cause::System)
    }
}

/// To the kernel, a carriage return is part of the interpreter's name; a reader of the message would not see it.
fn windows_lines(interpreter: &OsStr) -> &'static str {
    if interpreter.as_bytes().ends_with(b"\r") { " (the script has Windows line endings)" } else { "" }
}

/// Finds the cause. It looks at the file system, which may have changed since the failure; if it finds none, the errno stands alone.
pub(crate) fn explain(failure: &Failure, image: &Image) -> Cause {
    match failure.step {
        Step::Chdir => {
            let dir = PathBuf::from(OsStr::from_bytes(image.cwd().map_or(&[], |cwd| cwd.to_bytes())));
            if failure.errno == libc::ENOENT { Cause::CurrentDir(dir) } else { Cause::CurrentDirUnusable(dir) }
        }
        Step::Exec => explain_exec(failure, image),
        Step::ParentDeath if failure.is_unlike() => Cause::UnlikeThread(failure.detail),
        Step::Vanished => Cause::Vanished,
        _ => Cause::System,
    }
}

fn explain_exec(failure: &Failure, image: &Image) -> Cause {
    let index = usize::try_from(failure.detail).unwrap_or(0);
    let candidate = image.candidates().strings().iter().nth(index).unwrap_or(image.program());
    // A relative program is looked for from the child's directory.
    let base = image.cwd().map(|cwd| PathBuf::from(OsStr::from_bytes(cwd.to_bytes())));
    let file = base.map_or_else(|| PathBuf::from(candidate), |base| base.join(candidate));
    match failure.errno {
        libc::ENOENT | libc::ENOTDIR => missing(image, &file),
        libc::EACCES if file.is_dir() => Cause::IsDirectory(file),
        libc::EACCES => forbidden(file),
        libc::ENOEXEC => Cause::NoShebang(file),
        libc::ETXTBSY => Cause::TextBusy(file),
        libc::E2BIG => too_long(image),
        libc::ENAMETOOLONG | libc::ELOOP | libc::ESTALE | libc::ENODEV | libc::ETIMEDOUT if image.is_looked_for() => {
            Cause::NotInRestOfPath(file)
        }
        _ => Cause::System,
    }
}

fn missing(image: &Image, file: &Path) -> Cause {
    if image.is_looked_for() {
        // A script in PATH whose interpreter is missing looks like a missing program, too.
        let script = image.candidates().strings().iter().map(PathBuf::from).find(|path| path.exists());
        return match (script, image.relative_element()) {
            (Some(script), _) => interpreter_missing(&script).unwrap_or(Cause::NotInPath),
            (None, Some(element)) => Cause::RelativePath(element.to_owned()),
            (None, None) => Cause::NotInPath,
        };
    }
    if file.exists() { interpreter_missing(file).unwrap_or(Cause::System) } else { Cause::NoSuchFile(file.to_owned()) }
}

fn interpreter_missing(script: &Path) -> Option<Cause> {
    let interpreter = interpreter_of(&head(script)?)?;
    (!Path::new(&interpreter).exists()).then(|| Cause::NoInterpreter { script: script.to_owned(), interpreter })
}

fn forbidden(file: PathBuf) -> Cause {
    if super::image::is_executable(&file) { Cause::System } else { Cause::NotExecutable(file) }
}

/// The first bytes of a file; the kernel reads 256 for the `#!` line.
fn head(file: &Path) -> Option<Vec<u8>> {
    let mut head = Vec::new();
    fs::File::open(file).ok()?.take(256).read_to_end(&mut head).ok()?;
    Some(head)
}

/// The interpreter that a `#!` line names.
fn interpreter_of(head: &[u8]) -> Option<OsString> {
    let line = head.strip_prefix(b"#!")?.split(|&byte| byte == b'\n').next()?;
    let word = line.split(|byte| matches!(byte, b' ' | b'\t')).find(|word| !word.is_empty())?;
    Some(OsString::from_vec(word.to_vec()))
}

fn too_long(image: &Image) -> Cause {
    let length = |text: &OsStr| text.len() as u64;
    // The system counts the NUL at the end.
    if let Some(limit) = sysinfo::arg_string_max().map(|limit| limit.saturating_sub(1)) {
        let over = |text: &&OsStr| length(text) > limit;
        if let Some((index, arg)) = image.argv().strings().iter().enumerate().find(|(_, arg)| over(arg)) {
            return Cause::ArgumentTooLong { index, bytes: length(arg), limit };
        }
        if let Some(entry) = image.envp().strings().iter().find(over) {
            let key = entry.as_bytes().split(|&byte| byte == b'=').next().unwrap_or_default();
            return Cause::VariableTooLong { key: OsStr::from_bytes(key).to_owned(), bytes: length(entry), limit };
        }
    }
    let pointer = size_of::<usize>() as u64;
    let strings = image.argv().strings().iter().chain(image.envp().strings().iter());
    let bytes = strings.map(|text| length(text) + 1 + pointer).sum();
    sysinfo::arg_max().map_or(Cause::System, |limit| Cause::TooLongTogether { bytes, limit })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interpreter_of_a_script() {
        let of = |head: &str| interpreter_of(head.as_bytes());
        assert_eq!(of("#!/bin/sh\nexit\n"), Some("/bin/sh".into()));
        assert_eq!(of("#! /usr/bin/env python3\n"), Some("/usr/bin/env".into()));
        assert_eq!(of("#!\n"), None);
        assert_eq!(of("echo hi\n"), None);
    }
}
