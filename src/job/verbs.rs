//! The verbs: what a built command or pipeline can be told to do. Written once, for both.

use std::sync::Arc;

use super::Job;
use super::reader::{Lines, LinesBytes, Reader};
use crate::cmd::Cmd;
use crate::io::callback::{BoxError, Lent};
use crate::outcome::{Error, ErrorKind, Fault, Output};
use crate::pipeline::Pipeline;
use crate::plan::{Plan, Verb, lower};
use crate::redirect::LineResult;
use crate::run::conclude::Over;
use crate::run::launch::{Scope, Wants};
use crate::run::started::run_to_end;
use crate::status::Status;

/// A plan, or an error that says of which command.
pub(super) fn plan(pipeline: &Pipeline, verb: Verb) -> Result<Arc<Plan>, Error> {
    lower(&pipeline.spec, verb).map(Arc::new).map_err(|fault| fault.into_error_of(pipeline.to_string()))
}

/// Runs to the end on this thread.
fn execute(plan: &Arc<Plan>, wants: Wants<'_>, lent: Lent<'_>) -> Result<Box<Over>, Error> {
    run_to_end(plan, wants, lent).map_err(|fault| fault.into_error(plan))
}

pub(super) fn status(plan: &Arc<Plan>, wants: Wants<'_>) -> Result<Status, Error> {
    execute(plan, wants, None).map(|over| over.output.status)
}

pub(super) fn checked(plan: &Arc<Plan>, wants: Wants<'_>, lent: Lent<'_>) -> Result<Output, Error> {
    execute(plan, wants, lent)?.checked(plan).map_err(|fault| fault.into_error(plan))
}

pub(super) fn output_into(plan: &Arc<Plan>, buffer: &mut Vec<u8>, scope: Option<Scope<'_>>) -> Result<Output, Error> {
    // For the time of the run only, as the buffer.
    let scope = scope.map(|scope| scope as Scope<'_>);
    match checked(plan, Wants { buffer: Some(&mut *buffer), scope, ..Wants::default() }, None) {
        Ok(mut output) => {
            if output.stdout.is_captured() {
                *buffer = std::mem::take(&mut output.stdout).into_vec();
            }
            Ok(output)
        }
        Err(mut error) => {
            if let Some(bytes) = error.take_stdout() {
                *buffer = bytes;
            }
            Err(error)
        }
    }
}

pub(super) fn read(plan: &Arc<Plan>, wants: Wants<'_>) -> Result<String, Error> {
    let mut output = checked(plan, wants, None)?;
    match std::mem::take(&mut output.stdout).into_text() {
        Ok(mut text) => {
            if text.ends_with('\n') {
                text.pop();
            }
            Ok(text)
        }
        Err((stdout, cause)) => {
            output.stdout = stdout;
            let what = "the captured stdout is not UTF-8; `read_bytes` gives it as it is";
            Err(Fault::new(ErrorKind::NotUtf8, what).because(cause).with_output(output).into_error(plan))
        }
    }
}

pub(super) fn for_each_line<R: LineResult>(
    plan: &Arc<Plan>,
    wants: Wants<'_>,
    mut callback: impl FnMut(&[u8]) -> R,
) -> Result<Output, Error> {
    let mut lent = |line: &[u8]| -> Result<(), BoxError> { callback(line).into_result() };
    checked(plan, wants, Some(&mut lent))
}

macro_rules! verbs {
    ($builder:ident) => {
        impl $builder {
            fn plan(&self, verb: Verb) -> Result<Arc<Plan>, Error> {
                plan(&Pipeline::from(self.clone()), verb)
            }

            /// Runs to the end, streams where they were sent; a bad exit is an error. Blocks.
            ///
            /// # Errors
            /// Anything: see [`ErrorKind`]. The error holds what was captured.
            ///
            /// ```
            /// use pipewright::{ErrorKind, cmd};
            /// assert!(cmd!("true").run()?.status.success());
            /// assert_eq!(cmd!("false").run().unwrap_err().kind(), ErrorKind::Status);
            /// # Ok::<(), pipewright::Error>(())
            /// ```
            pub fn run(&self) -> Result<Output, Error> {
                checked(&self.plan(Verb::Run)?, Wants::default(), None)
            }

            /// Runs to the end, streams where they were sent, and says how it ended, whatever that is. Blocks.
            ///
            /// # Errors
            /// What no status can say: it could not be started, the timeout passed, a callback or a closure failed, the status was
            /// stolen.
            ///
            /// ```
            /// use pipewright::cmd;
            /// assert_eq!((cmd!("echo", "text") | cmd!("grep", "-q", "no")).status()?.code(), Some(1));
            /// # Ok::<(), pipewright::Error>(())
            /// ```
            pub fn status(&self) -> Result<Status, Error> {
                status(&self.plan(Verb::Run)?, Wants::default())
            }

            /// Runs to the end and captures stdout and stderr, as far as they are not sent elsewhere; a bad exit is an
            /// error. Blocks until both streams have ended, as `$(…)` does: a process that was left behind and holds one keeps
            /// it waiting, up to `timeout` or `eof_grace`.
            ///
            /// # Errors
            /// Anything: see [`ErrorKind`]. The error holds what was captured.
            ///
            /// ```
            /// use pipewright::cmd;
            /// let out = cmd!("sh", "-c", "echo text; echo note >&2").output()?;
            /// assert_eq!(out.stdout, "text\n");
            /// assert_eq!(out.stderr, "note\n");
            /// # Ok::<(), pipewright::Error>(())
            /// ```
            pub fn output(&self) -> Result<Output, Error> {
                checked(&self.plan(Verb::Output)?, Wants::default(), None)
            }

            /// As [`output`](Self::output), with the captured stdout appended to `buffer`, whose capacity is used: for
            /// many runs one after the other. [`Output::stdout`] is then not set.
            ///
            /// # Errors
            /// As [`output`](Self::output); what was captured by then is in `buffer`.
            ///
            /// ```
            /// use pipewright::cmd;
            /// let mut buffer = Vec::with_capacity(1024);
            /// for word in ["one", "two"] {
            ///     cmd!("echo", word).output_into(&mut buffer)?;
            /// }
            /// assert_eq!(buffer, b"one\ntwo\n");
            /// # Ok::<(), pipewright::Error>(())
            /// ```
            pub fn output_into(&self, buffer: &mut Vec<u8>) -> Result<Output, Error> {
                output_into(&self.plan(Verb::Output)?, buffer, None)
            }

            /// Runs to the end and gives stdout as text, without its last newline; a bad exit is an error. Blocks, as
            /// [`output`](Self::output). stderr is inherited, unless set.
            ///
            /// # Errors
            /// Anything: see [`ErrorKind`]. [`NotUtf8`](ErrorKind::NotUtf8) holds the bytes.
            ///
            /// ```
            /// use pipewright::cmd;
            /// assert_eq!((cmd!("echo", "a b") | cmd!("tr", " ", "-")).read()?, "a-b");
            /// # Ok::<(), pipewright::Error>(())
            /// ```
            pub fn read(&self) -> Result<String, Error> {
                read(&self.plan(Verb::Read)?, Wants::default())
            }

            /// As [`read`](Self::read), as bytes, exactly as they came.
            ///
            /// # Errors
            /// Anything: see [`ErrorKind`].
            ///
            /// ```
            /// use pipewright::cmd;
            /// assert_eq!(cmd!("printf", r"\377\n").read_bytes()?, b"\xff\n");
            /// # Ok::<(), pipewright::Error>(())
            /// ```
            pub fn read_bytes(&self) -> Result<Vec<u8>, Error> {
                checked(&self.plan(Verb::Read)?, Wants::default(), None).map(|output| output.stdout.into_vec())
            }

            /// Starts it and gives stdout line by line, as it is written; see [`Lines`]. Blocks until every process runs its
            /// program, as [`spawn`](Self::spawn) does; the iterator blocks for each line. Dropping it ends the run.
            ///
            /// # Errors
            /// What keeps it from starting; the rest comes as the iterator's last item.
            ///
            /// ```
            /// use pipewright::cmd;
            /// for line in cmd!("printf", r"a\nb\n").lines()? {
            ///     assert!(["a", "b"].contains(&line?.as_str()));
            /// }
            /// # Ok::<(), pipewright::Error>(())
            /// ```
            pub fn lines(&self) -> Result<Lines, Error> {
                self.lines_bytes().map(Lines)
            }

            /// As [`lines`](Self::lines), as bytes.
            ///
            /// # Errors
            /// As [`lines`](Self::lines).
            ///
            /// ```
            /// use pipewright::cmd;
            /// let lines = cmd!("printf", r"a\n\377").lines_bytes()?.collect::<Result<Vec<_>, _>>()?;
            /// assert_eq!(lines, [b"a", b"\xff"]);
            /// # Ok::<(), pipewright::Error>(())
            /// ```
            pub fn lines_bytes(&self) -> Result<LinesBytes, Error> {
                let plan = self.plan(Verb::Stream)?;
                LinesBytes::start(Arc::clone(&plan)).map_err(|fault| fault.into_error(&plan))
            }

            /// Runs to the end on this thread and lends each line of stdout to `callback`, without its newline and without a
            /// copy: the fastest way through many lines. It may borrow. It returns nothing, or a `Result` whose error closes the
            /// stream and becomes the run's. Blocks; while the callback runs, no deadline is looked at.
            ///
            /// # Errors
            /// Anything: see [`ErrorKind`].
            ///
            /// # Panics
            /// As the callback does, after the run was ended.
            ///
            /// ```
            /// use pipewright::cmd;
            /// let mut longest = 0;
            /// cmd!("printf", "a\nbcd\nef").for_each_line(|line| longest = longest.max(line.len()))?;
            /// assert_eq!(longest, 3);
            /// # Ok::<(), pipewright::Error>(())
            /// ```
            pub fn for_each_line<R: LineResult>(&self, callback: impl FnMut(&[u8]) -> R) -> Result<Output, Error> {
                for_each_line(&self.plan(Verb::Stream)?, Wants::default(), callback)
            }

            /// Starts it and gives stdout as a reader; see [`Reader`]. Blocks until every process runs its program, as
            /// [`spawn`](Self::spawn) does; each read blocks until there is something. Dropping it ends the run.
            ///
            /// # Errors
            /// What keeps it from starting; the rest comes as the reader's.
            ///
            /// ```
            /// use pipewright::cmd;
            /// let text = std::io::read_to_string((cmd!("echo", "ab") | cmd!("tr", "ab", "ba")).reader()?)?;
            /// assert_eq!(text, "ba\n");
            /// # Ok::<(), Box<dyn std::error::Error>>(())
            /// ```
            pub fn reader(&self) -> Result<Reader, Error> {
                let plan = self.plan(Verb::Stream)?;
                Reader::start(Arc::clone(&plan)).map_err(|fault| fault.into_error(&plan))
            }

            /// Starts it and comes back; see [`Job`]. Blocks until every process runs its program. Dropping the job ends the
            /// run.
            ///
            /// # Errors
            /// What keeps it from starting. Stages that were started before the one that failed are killed and reaped.
            ///
            /// ```
            /// use pipewright::cmd;
            /// let job = cmd!("true").spawn()?;
            /// // … something else in the meantime …
            /// assert!(job.wait()?.success());
            /// # Ok::<(), pipewright::Error>(())
            /// ```
            #[track_caller]
            pub fn spawn(&self) -> Result<Job, Error> {
                let plan = self.plan(Verb::Spawn)?;
                Job::start(Arc::clone(&plan), false).map_err(|fault| fault.into_error(&plan))
            }

            /// What [`run`](Self::run) would do, as data and as text: processes, pipes, who owns which end. Touches
            /// nothing, and does not block. Streams that are unset are shown as `run` would wire them; for `output`, `read` and
            /// `lines` they differ by the table on the [front page](crate).
            ///
            /// # Errors
            /// The conflicts that a run would find before it starts.
            ///
            /// ```
            /// use pipewright::{Redirect, cmd};
            /// let plan = cmd!("sort").stdin(Redirect::file("no-such-file")).dry_run()?;
            /// assert!(plan.to_string().contains("no-such-file"));
            /// # Ok::<(), pipewright::Error>(())
            /// ```
            pub fn dry_run(&self) -> Result<Plan, Error> {
                self.plan(Verb::Run).map(Arc::unwrap_or_clone)
            }
        }
    };
}
verbs!(Cmd);
verbs!(Pipeline);
