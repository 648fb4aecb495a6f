//! Assertions on how a run went.

mod diff;
mod expect;

use std::fmt::Write;
use std::time::Duration;

use crate::cmd::Cmd;
use crate::error::{Error, ErrorKind};
use crate::output::Output;
use crate::pipeline::Pipeline;
use crate::plan::Plan;
use crate::pump::Captured;
use crate::redact::Secrets;
use crate::status::signal_name;

pub use expect::Expect;

/// How much of a stream is shown with a failed assertion.
const SHOWN: usize = 4096;

/// A finished run, to make assertions on. Each returns it for the next one, or panics with what was expected, what was found, and the
/// rest of the run.
///
/// Made by [`Cmd::assert`], [`Pipeline::assert`] and [`Output::assert`]. What a failed assertion shows of a command that was run
/// by `Cmd::assert` has no [secret](Cmd::secret_arg) in it; an [`Output`] does not know of any.
///
/// ```
/// use pipewright::Cmd;
/// Cmd::sh("echo half; echo oops >&2; exit 3").assert().failure().code(3).stdout("half\n").stderr("oops\n");
/// ```
#[derive(Debug, Clone)]
pub struct Assert {
    output: Output,
    /// Why the run is an error, but for a bad exit.
    error: Option<Error>,
    /// The command line, where it is known, and what must not be shown.
    command: Option<String>,
    secrets: Secrets,
}

impl Output {
    /// Begins assertions on this run. It should have been an unchecked one, where the status may be bad; [`Cmd::assert`] runs it itself.
    ///
    /// ```
    /// use pipewright::cmd;
    /// let out = (cmd!("echo", "b a") | cmd!("tr", " ", "\n") | cmd!("sort")).output()?;
    /// out.assert().success().stdout("a\nb\n").stderr("");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    #[must_use = "nothing is asserted yet"]
    pub fn assert(&self) -> Assert {
        Assert { output: self.clone(), error: None, command: None, secrets: Secrets::default() }
    }
}

macro_rules! assert_method {
    ($($builder:ident)*) => {$(
        impl $builder {
            /// Runs it as [`output`](Self::output) does, and begins assertions on how that went. A bad status is for them to judge, and
            /// so is a run that was cut by its timeout. Blocks.
            ///
            /// # Panics
            /// When it could not be started.
            ///
            /// ```
            /// use pipewright::cmd;
            /// cmd!("true").assert().success();
            /// (cmd!("echo", "x") | cmd!("false")).assert().code(1).stdout("");
            /// ```
            #[track_caller]
            #[must_use = "nothing is asserted yet"]
            pub fn assert(&self) -> Assert {
                let secrets = self.dry_run().as_ref().map(Plan::secrets).unwrap_or_default();
                Assert::of(self.output(), self.to_string(), secrets)
            }
        }
    )*};
}
assert_method!(Cmd Pipeline);

impl Assert {
    #[track_caller]
    fn of(result: Result<Output, Error>, command: String, secrets: Secrets) -> Assert {
        let (output, error) = match result {
            Ok(output) => (output, None),
            Err(error) => match error.output().cloned() {
                Some(output) => (output, (error.kind() != ErrorKind::Status).then_some(error)),
                None => panic!("{}", error.full()),
            },
        };
        Assert { output, error, command: Some(command), secrets }
    }

    /// It succeeded: the exit code was 0.
    ///
    /// # Panics
    /// When it did not.
    ///
    /// ```
    /// pipewright::cmd!("true").assert().success();
    /// ```
    #[track_caller]
    pub fn success(self) -> Assert {
        let holds = self.error.is_none() && self.output.status.success();
        self.must(holds, || "a success was expected".into())
    }

    /// It failed: by its status, or because it was ended.
    ///
    /// # Panics
    /// When it did not.
    ///
    /// ```
    /// pipewright::cmd!("false").assert().failure();
    /// ```
    #[track_caller]
    pub fn failure(self) -> Assert {
        let holds = self.error.is_some() || !self.output.status.success();
        self.must(holds, || "a failure was expected".into())
    }

    /// It exited by itself, with such a code: one, one of several, or one that a closure or predicate accepts. See [`Expect`].
    ///
    /// # Panics
    /// When it did not.
    ///
    /// ```
    /// use pipewright::Cmd;
    /// Cmd::sh("exit 3").assert().code(3).code([3, 4]).code(|code| code > 2);
    /// ```
    #[track_caller]
    pub fn code<Kind>(self, expected: impl Expect<i32, Kind>) -> Assert {
        let refusal = match (&self.error, self.output.status.code()) {
            (None, Some(code)) => expected.refuse(&code),
            _ => Some("(there is none)".to_owned()),
        };
        self.must(refusal.is_none(), || format!("the exit code is not as expected {}", refusal.unwrap_or_default()))
    }

    /// This signal ended it; numbers are those of signal(7).
    ///
    /// # Panics
    /// When it did not.
    ///
    /// ```
    /// pipewright::Cmd::sh("kill -15 $$").assert().killed_by(15);
    /// ```
    #[track_caller]
    pub fn killed_by(self, signal: i32) -> Assert {
        let found = self.output.status.signal();
        self.must(found == Some(signal), || format!("an end by {} was expected", signal_name(signal)))
    }

    /// It ended because of this, instead of by itself: its [`Timeout`](ErrorKind::Timeout), a [`LimitExceeded`](ErrorKind::LimitExceeded), …
    ///
    /// # Panics
    /// When it did not.
    ///
    /// ```
    /// use pipewright::{ErrorKind, cmd};
    /// use std::time::Duration;
    /// cmd!("sleep", "60").timeout(Duration::from_millis(20)).assert().cut_by(ErrorKind::Timeout);
    /// ```
    #[track_caller]
    pub fn cut_by(self, kind: ErrorKind) -> Assert {
        let found = self.error.as_ref().map(Error::kind);
        self.must(found == Some(kind), || format!("an error of the kind {kind:?} was expected"))
    }

    /// No stage ran longer than this, from its start until its end was seen. It ends nothing: that is [`Cmd::timeout`].
    ///
    /// # Panics
    /// When one did; when nothing is known of stages, because the output was std's.
    ///
    /// ```
    /// use std::time::Duration;
    /// pipewright::cmd!("true").assert().within(Duration::from_secs(60));
    /// ```
    #[track_caller]
    pub fn within(self, limit: Duration) -> Assert {
        match self.output.stages.iter().map(|stage| stage.wall).max() {
            Some(longest) => {
                self.must(longest <= limit, || format!("it took {longest:?}, and {limit:?} at most was expected"))
            }
            None => self.must(false, || "how long it took is not known".into()),
        }
    }

    /// Its stdout is such: equal to text or bytes, or accepted by a closure or predicate. See [`Expect`].
    ///
    /// # Panics
    /// When it is not, with the lines that differ, and when it was not captured.
    ///
    /// ```
    /// use predicates::prelude::*;
    /// use pipewright::cmd;
    /// let out = cmd!("printf", r"one\ntwo\n").assert();
    /// out.stdout("one\ntwo\n").stdout(|out: &[u8]| out.len() == 8).stdout(predicate::str::contains("two"));
    /// ```
    #[track_caller]
    pub fn stdout<Kind>(self, expected: impl Expect<[u8], Kind>) -> Assert {
        let refusal = self.refused(&self.output.stdout, &expected);
        self.must(refusal.is_none(), || format!("stdout is not as expected {}", refusal.unwrap_or_default()))
    }

    /// Its stderr is such, as with [`stdout`](Assert::stdout).
    ///
    /// # Panics
    /// When it is not, with the lines that differ, and when it was not captured.
    ///
    /// ```
    /// pipewright::Cmd::sh("echo warning >&2").assert().stderr("warning\n");
    /// ```
    #[track_caller]
    pub fn stderr<Kind>(self, expected: impl Expect<[u8], Kind>) -> Assert {
        let refusal = self.refused(&self.output.stderr, &expected);
        self.must(refusal.is_none(), || format!("stderr is not as expected {}", refusal.unwrap_or_default()))
    }

    /// The run itself.
    ///
    /// ```
    /// let run = pipewright::cmd!("echo", "text").assert().success();
    /// assert_eq!(run.get_output().stages[0].label, "echo");
    /// ```
    pub fn get_output(&self) -> &Output {
        &self.output
    }

    fn refused<Kind>(&self, stream: &Captured, expected: &impl Expect<[u8], Kind>) -> Option<String> {
        if stream.is_captured() { expected.refuse(stream) } else { Some("(it was not captured)".to_owned()) }
    }

    #[track_caller]
    fn must(self, holds: bool, what: impl FnOnce() -> String) -> Assert {
        assert!(holds, "{}", self.report(what()));
        self
    }

    /// What was expected, and the whole run.
    fn report(&self, what: String) -> String {
        let mut report = what;
        if let Some(command) = &self.command {
            let _ = write!(report, "\ncommand: {command}");
        }
        match &self.error {
            Some(error) => drop(write!(report, "\nended: {error}")),
            None => drop(write!(report, "\nended: {}", self.output.status)),
        }
        if self.output.stages.len() > 1 {
            for stage in &self.output.stages {
                let _ = write!(report, "\n    {}: {}", stage.label, stage.status);
            }
        }
        for (name, stream) in [("stdout", &self.output.stdout), ("stderr", &self.output.stderr)] {
            let _ = match (stream.is_captured(), stream.len()) {
                (false, _) => write!(report, "\n{name}: not captured"),
                (true, 0) => write!(report, "\n{name}: empty"),
                (true, length) => write!(report, "\n{name}, {length} bytes:{}", shown(stream)),
            };
        }
        String::from_utf8_lossy(&self.secrets.redact(report.as_bytes())).into_owned()
    }
}

/// The end of a stream, each line below the other.
fn shown(stream: &Captured) -> String {
    let start = stream.len().saturating_sub(SHOWN);
    let shown = stream.redacted(start..stream.len());
    let body = shown.strip_suffix(b"\n").unwrap_or(&shown);
    let lines = body.split(|&byte| byte == b'\n').map(crate::text::escape_text);
    let cut = if start > 0 { "\n    …" } else { "" };
    lines.fold(cut.to_owned(), |text, line| text + "\n    " + &line)
}
