//! From a failed start to the error a person reads.

use std::io;

use crate::outcome::{ErrorKind, Fault, Words};
use crate::setup_step::{Failure, Step};
use crate::spawn::{BadInput, Cause, Image, explain};

/// Input that no process can be given.
pub(crate) fn bad_input(bad: &BadInput) -> Fault {
    Fault::new(ErrorKind::InvalidInput, bad.to_string())
}

/// A step on this side failed.
pub(crate) fn setup_error(step: Step, error: io::Error) -> Fault {
    Fault::new(ErrorKind::Spawn, hint(&error)).step_failed(step).because(error)
}

/// Of something that the run needs as a whole.
pub(crate) fn run_setup_error(step: Step, error: io::Error) -> Fault {
    let parts = [format!("cannot start the run: {step}"), hint(&error).to_owned()];
    let what = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(": ");
    Fault::new(ErrorKind::Spawn, what).step_failed(step).because(error)
}

fn hint(error: &io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(libc::EMFILE) => "this process has no file descriptor left (see `ulimit -n`)",
        Some(libc::ENFILE) => "the system has no file descriptor left",
        _ => "",
    }
}

/// A step of the child's, or the making of it, failed.
pub(crate) fn spawn_error(failure: &Failure, image: &Image) -> Fault {
    let cause = explain(failure, image);
    let kind = match &cause {
        Cause::NotInPath | Cause::NotInRestOfPath(_) | Cause::NoSuchFile(_) => ErrorKind::ProgramNotFound,
        Cause::RelativePath(_) => ErrorKind::RelativePath,
        Cause::CurrentDir(_) | Cause::CurrentDirUnusable(_) => ErrorKind::CurrentDir,
        Cause::IsDirectory(_) | Cause::NotExecutable(_) => ErrorKind::NotExecutable,
        Cause::NoShebang(_) => ErrorKind::NoShebang,
        Cause::NoInterpreter { .. } => ErrorKind::InterpreterNotFound,
        Cause::ArgumentTooLong { .. } | Cause::VariableTooLong { .. } | Cause::TooLongTogether { .. } => {
            ErrorKind::TooLong
        }
        Cause::TextBusy(_) => ErrorKind::TextBusy,
        Cause::UnlikeThread(_) | Cause::Vanished | Cause::System => ErrorKind::Spawn,
    };
    if cause == Cause::System && matches!(failure.step, Step::Clone | Step::Pipe) {
        return setup_error(failure.step, failure.io_error());
    }
    let what = if cause == Cause::System { String::new() } else { cause.to_string() };
    let error = Fault::new(kind, what).step_failed(failure.step);
    let error = if cause.says_all() { error.words(Words::InWhat) } else { error };
    if failure.errno == 0 { error } else { error.because(failure.io_error()) }
}
