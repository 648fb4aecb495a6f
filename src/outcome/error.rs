//! The one error type of the library.

use std::error::Error as StdError;
use std::ffi::OsStr;
use std::sync::Arc;
use std::{fmt, io};

use super::kind::ErrorKind;
use super::redacted::Redacted;
use super::render;
use super::report::{Error, Output, StageName, Words};
use crate::setup_step::Step;
use crate::status::Status;

impl StageName {
    pub(crate) fn new(label: String, program: Option<&OsStr>, index: usize, count: usize) -> StageName {
        StageName { index, count, label, program: program.map(OsStr::to_owned) }
    }
}

impl Error {
    /// Takes the captured stdout out, for a caller who brought the buffer; `None` when it was not captured.
    pub(crate) fn take_stdout(&mut self) -> Option<Vec<u8>> {
        let output = Arc::make_mut(&mut Arc::make_mut(&mut self.0).facts)
            .output
            .as_mut()
            .filter(|output| output.stdout.is_captured())?;
        Some(std::mem::take(&mut output.stdout).into_vec())
    }

    /// What kind of thing happened.
    ///
    /// ```
    /// let error = pipewright::cmd!("sh", "-c", "exit 3").run().unwrap_err();
    /// assert_eq!(error.kind(), pipewright::ErrorKind::Status);
    /// ```
    pub fn kind(&self) -> ErrorKind {
        self.0.facts.kind
    }

    /// The stage it happened to, counted from 0 as in [`Output::stages`]; `None` when it concerns the run as a whole.
    ///
    /// ```
    /// use pipewright::cmd;
    /// let error = (cmd!("true") | cmd!("false")).run().unwrap_err();
    /// assert_eq!(error.stage(), Some(1));
    /// ```
    pub fn stage(&self) -> Option<usize> {
        self.0.facts.stage.as_ref().map(|stage| stage.index)
    }

    /// The stage's label, or its program's name where none was set.
    ///
    /// ```
    /// let error = pipewright::cmd!("false").label("check").run().unwrap_err();
    /// assert_eq!(error.label(), Some("check"));
    /// ```
    pub fn label(&self) -> Option<&str> {
        self.0.facts.stage.as_ref().map(|stage| stage.label.as_str())
    }

    /// The stage's program, as it was given; `None` for a closure.
    ///
    /// ```
    /// let error = pipewright::cmd!("false").label("check").run().unwrap_err();
    /// assert_eq!(error.program().unwrap(), "false");
    /// ```
    pub fn program(&self) -> Option<&OsStr> {
        self.0.facts.stage.as_ref().and_then(|stage| stage.program.as_deref())
    }

    /// The step that failed, when a process could not be started.
    ///
    /// ```
    /// let error = pipewright::cmd!("true").current_dir("/no/such/dir").run().unwrap_err();
    /// assert_eq!(error.step(), Some(pipewright::Step::Chdir));
    /// ```
    pub fn step(&self) -> Option<Step> {
        self.0.facts.step
    }

    /// The status that was an error.
    ///
    /// ```
    /// let error = pipewright::cmd!("sh", "-c", "exit 3").run().unwrap_err();
    /// assert_eq!(error.status().unwrap().code(), Some(3));
    /// ```
    pub fn status(&self) -> Option<Status> {
        self.0.facts.status
    }

    /// What the run had left by then: captured bytes up to the end or the cut, and each stage's status. `None` when nothing ran.
    ///
    /// ```
    /// let error = pipewright::cmd!("sh", "-c", "echo half; echo oops >&2; exit 3").output().unwrap_err();
    /// assert_eq!(error.output().unwrap().stdout, "half\n");
    /// ```
    pub fn output(&self) -> Option<&Output> {
        self.0.facts.output.as_ref()
    }

    /// The last lines of the captured stderr as the long text shows them: at most twenty, without secrets, with control
    /// characters escaped. `None` when none was captured, or nothing was written. The bytes themselves are in
    /// [`output`](Error::output).
    ///
    /// ```
    /// let error = pipewright::cmd!("sh", "-c", "echo half; echo oops >&2; exit 3").output().unwrap_err();
    /// assert_eq!(error.stderr_tail().as_deref(), Some("oops"));
    /// ```
    pub fn stderr_tail(&self) -> Option<String> {
        let stderr = self.0.facts.output.as_ref().map(|output| &output.stderr).filter(|stderr| !stderr.is_empty())?;
        Some(render::stderr_tail(stderr).0)
    }

    /// As [`output`](Error::output), by value: a copy where clones of the error live.
    ///
    /// ```
    /// let error = pipewright::cmd!("sh", "-c", "echo half; echo oops >&2; exit 3").output().unwrap_err();
    /// assert_eq!(error.into_output().unwrap().stdout.into_vec(), b"half\n");
    /// ```
    pub fn into_output(self) -> Option<Output> {
        Arc::unwrap_or_clone(Arc::unwrap_or_clone(self.0).facts).output
    }

    /// What the caller's code or the system gave as the reason, as it was given. Its own texts may show a secret, where
    /// [`source`](StdError::source) gives a stand-in: this one is for a program to downcast, not to print.
    ///
    /// ```
    /// use pipewright::{Redirect, cmd};
    /// let bad = Redirect::each_line(|line: &[u8]| String::from_utf8(line.to_vec()).map(drop));
    /// let error = cmd!("printf", r"a\377").stdout(bad).run().unwrap_err();
    /// assert!(error.raw_source().unwrap().is::<std::string::FromUtf8Error>());
    /// ```
    pub fn raw_source(&self) -> Option<&(dyn StdError + Send + Sync + 'static)> {
        self.0.facts.source.as_deref()
    }

    /// What the system said, if it came to that; also an `io::Error` of the caller's own reader or writer, unless it shows a secret.
    ///
    /// ```
    /// let error = pipewright::cmd!("true").current_dir("/no/such/dir").run().unwrap_err();
    /// assert_eq!(error.io_error().unwrap().kind(), std::io::ErrorKind::NotFound);
    /// ```
    pub fn io_error(&self) -> Option<&io::Error> {
        self.source().and_then(|source| source.downcast_ref())
    }

    /// The errno of errno(3), if the system gave one.
    ///
    /// ```
    /// let error = pipewright::cmd!("true").current_dir("/no/such/dir").run().unwrap_err();
    /// assert_eq!(error.raw_os_error(), Some(2)); // ENOENT
    /// ```
    pub fn raw_os_error(&self) -> Option<i32> {
        self.io_error().and_then(io::Error::raw_os_error)
    }

    /// The long text: the short one, then the command, each stage's end and the last lines of the captured stderr.
    ///
    /// ```
    /// let error = pipewright::cmd!("sh", "-c", "echo half; echo oops >&2; exit 3").output().unwrap_err();
    /// assert!(error.full().to_string().ends_with("stderr:\n    oops"));
    /// assert_eq!(error.full().to_string(), format!("{error:#}"));
    /// ```
    pub fn full(&self) -> impl fmt::Display + '_ {
        render::Full(&self.0)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.alternate() { render::Full(&self.0).fmt(f) } else { render::Short(&self.0).fmt(f) }
    }
}

/// The full text: it is what a `main` that returns this error prints.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&render::Full(&self.0), f)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        let source = self.0.facts.source.as_deref()?;
        let Words::Callers { cut } = self.0.facts.words else { return Some(source) };
        let redacted = self.0.redacted.get_or_init(|| Redacted::of(source, &self.0.secrets, cut).map(Arc::new));
        Some(redacted.as_deref().map_or(source, |redacted| redacted))
    }
}

/// For callers that live in `io::Result`: the system's own kind where there is one, this error as the inner one.
impl From<Error> for io::Error {
    fn from(error: Error) -> io::Error {
        let source = error.raw_source().and_then(|source| source.downcast_ref::<io::Error>());
        let kind = match (error.kind(), source) {
            (ErrorKind::Timeout, _) => io::ErrorKind::TimedOut,
            (ErrorKind::ProgramNotFound, _) => io::ErrorKind::NotFound,
            (ErrorKind::InvalidInput | ErrorKind::Conflict, _) => io::ErrorKind::InvalidInput,
            (ErrorKind::NotUtf8, _) => io::ErrorKind::InvalidData,
            (_, Some(source)) => source.kind(),
            _ => io::ErrorKind::Other,
        };
        io::Error::new(kind, error)
    }
}
