//! The kinds of error, for programs to match on.

/// What kind of thing went wrong.
///
/// ```
/// use pipewright::{cmd, ErrorKind};
/// let kind = cmd!("no-such-program-here").run().unwrap_err().kind();
/// assert_eq!(kind, ErrorKind::ProgramNotFound);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Something that no process can be given: a NUL byte, an empty program, a `=` in a variable's name.
    InvalidInput,
    /// Two settings that contradict each other; the text names both.
    Conflict,
    /// A one-shot redirect was used by an earlier start.
    AlreadyUsed,
    /// No such program: not in PATH, or no such file.
    ProgramNotFound,
    /// The program was found only through a relative element of PATH, which is refused unless
    /// [`allow_relative_path`](crate::Cmd::allow_relative_path) allows it.
    RelativePath,
    /// The program is a directory, or not executable.
    NotExecutable,
    /// The program is neither a binary of this system nor a script with a `#!` line.
    NoShebang,
    /// The program named in the script's `#!` line does not exist.
    InterpreterNotFound,
    /// The working directory does not exist or cannot be entered.
    CurrentDir,
    /// Arguments or environment over the system's limit; the text names the one that is too long.
    TooLong,
    /// The program's file stayed open for writing (ETXTBSY).
    TextBusy,
    /// A file for a redirection could not be opened.
    Redirect,
    /// Another step of starting a process failed; see [`Error::step`](crate::Error::step).
    Spawn,
    /// A process ended with a status that is an error.
    Status,
    /// A process's status was reaped by something else in this program.
    StatusStolen,
    /// The deadline passed.
    Timeout,
    /// A [`CancelHandle`](crate::CancelHandle) was used.
    Cancelled,
    /// This process was sent a signal that [`forward`](crate::forward) passes on to the run, to end it.
    Interrupted,
    /// A stage was stopped for using the terminal from the background;
    /// [`foreground`](crate::Cmd::foreground) hands it over.
    Stopped,
    /// Processes were left behind, which [`OnLeak::Fail`](crate::OnLeak::Fail) makes an error.
    Leaked,
    /// More output than [`Limit::Fail`](crate::Limit::Fail) allows.
    LimitExceeded,
    /// A callback returned an error, which is the source.
    Callback,
    /// A closure stage returned an error, which is the source.
    Closure,
    /// A callback, closure stage, reader or writer of the caller's panicked.
    Panic,
    /// Reading or writing a stream failed: the system's, or the caller's own reader or writer.
    Io,
    /// Output that was asked for as text is not UTF-8.
    NotUtf8,
}

impl ErrorKind {
    /// Whether it means that a process was not started; its text then begins so.
    pub(super) fn prevents_start(self) -> bool {
        use ErrorKind::*;
        match self {
            InvalidInput | AlreadyUsed | ProgramNotFound | RelativePath | NotExecutable | NoShebang
            | InterpreterNotFound | CurrentDir | TooLong | TextBusy | Redirect | Spawn => true,
            Conflict | Status | StatusStolen | Timeout | Cancelled | Interrupted | Stopped | Leaked | LimitExceeded
            | Callback | Closure | Panic | Io | NotUtf8 => false,
        }
    }
}
