//! The verbs of a command and of a pipeline, written once for both.

use std::sync::Arc;

use super::Job;
use super::reader::{Lines, LinesBytes, Reader};
use crate::cmd::Cmd;
use crate::io::callback::{BorrowedCallback, BoxError};
use crate::outcome::{Error, ErrorKind, Fault, Output};
use crate::pipeline::Pipeline;
use crate::plan::{Plan, Verb, lower};
use crate::redirect::LineResult;
use crate::run::conclude::Outcome;
use crate::run::launch::run_to_end;
use crate::run::options::{Scope, Wants};
use crate::status::Status;

/// The plan, or an error with the names and secrets of the pipeline.
pub(super) fn plan(pipeline: &Pipeline, verb: Verb) -> Result<Arc<Plan>, Error> {
    lower(&pipeline.spec, verb).map(Arc::new).map_err(|fault| fault.into_error_of(pipeline.to_string()))
}

/// Runs to the end on this thread.
fn execute(plan: &Arc<Plan>, wants: Wants<'_>, lent: BorrowedCallback<'_>) -> Result<Box<Outcome>, Error> {
    run_to_end(plan, wants, lent).map_err(|fault| fault.into_error(plan))
}

pub(super) fn status(plan: &Arc<Plan>, wants: Wants<'_>) -> Result<Status, Error> {
    execute(plan, wants, None).map(|outcome| outcome.output.status)
}

pub(super) fn checked(plan: &Arc<Plan>, wants: Wants<'_>, lent: BorrowedCallback<'_>) -> Result<Output, Error> {
    execute(plan, wants, lent)?.checked(plan).map_err(|fault| fault.into_error(plan))
}

pub(super) fn output_into(plan: &Arc<Plan>, buffer: &mut Vec<u8>, scope: Option<Scope<'_>>) -> Result<Output, Error> {
    // Shortens the lifetime to that of the buffer.
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
        /// # Verbs
        impl $builder {
            fn plan(&self, verb: Verb) -> Result<Arc<Plan>, Error> {
                plan(&Pipeline::from(self.clone()), verb)
            }

            /// Runs to the end. Unset streams are inherited. Blocks.
            ///
            /// # Errors
            /// A bad status, and every other kind of [`ErrorKind`]. The error holds what was captured.
            ///
            /// ```
            /// use pipewright::{ErrorKind, cmd};
            /// assert!(cmd!("true").run()?.status.success());
            /// assert_eq!(cmd!("false").run().unwrap_err().kind(), ErrorKind::Status);
            /// # Ok::<(), pipewright::Error>(())
            /// ```
            #[doc(alias = "check_call")]
            #[doc(alias = "execute")]
            pub fn run(&self) -> Result<Output, Error> {
                checked(&self.plan(Verb::Run)?, Wants::default(), None)
            }

            /// Runs to the end, and returns the status, whatever it is. Unset streams are inherited. Blocks.
            ///
            /// # Errors
            /// What is no status: it could not be started, the timeout passed, a callback or a closure failed, the status was stolen.
            ///
            /// ```
            /// use pipewright::cmd;
            /// let found = cmd!("echo", "text") | cmd!("grep", "-q", "no");
            /// assert_eq!(found.status()?.code(), Some(1));
            /// # Ok::<(), pipewright::Error>(())
            /// ```
            #[doc(alias = "call")]
            pub fn status(&self) -> Result<Status, Error> {
                status(&self.plan(Verb::Run)?, Wants::default())
            }

            /// Runs to the end, and captures stdout and stderr unless they are set. Blocks until both streams have ended, like
            /// `$(…)` in a shell: a process that is left behind and holds one keeps it blocked, up to `timeout` or `eof_grace`.
            ///
            /// # Errors
            /// A bad status, and every other kind of [`ErrorKind`]. The error holds what was captured.
            ///
            /// ```
            /// use pipewright::cmd;
            /// let out = cmd!("sh", "-c", "echo text; echo note >&2").output()?;
            /// assert_eq!(out.stdout, "text\n");
            /// assert_eq!(out.stderr, "note\n");
            /// # Ok::<(), pipewright::Error>(())
            /// ```
            #[doc(alias = "communicate")]
            #[doc(alias = "capture")]
            pub fn output(&self) -> Result<Output, Error> {
                checked(&self.plan(Verb::Output)?, Wants::default(), None)
            }

            /// Runs and blocks like [`output`](Self::output), and appends stdout to `buffer`, so that many runs can share one
            /// allocation. [`Output::stdout`] is then not captured.
            ///
            /// # Errors
            /// Those of [`output`](Self::output). What was captured before the error is in `buffer`.
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

            /// Runs to the end, and returns stdout as text, without its last newline. Blocks like [`output`](Self::output). An unset
            /// stderr is inherited. A character that a [`Limit`](crate::Limit) cuts is left out.
            ///
            /// # Errors
            /// A bad status, and every other kind of [`ErrorKind`]. A [`NotUtf8`](ErrorKind::NotUtf8) error holds the bytes.
            ///
            /// ```
            /// use pipewright::cmd;
            /// assert_eq!((cmd!("echo", "a b") | cmd!("tr", " ", "-")).read()?, "a-b");
            /// # Ok::<(), pipewright::Error>(())
            /// ```
            #[doc(alias = "check_output")]
            #[doc(alias = "$()")]
            pub fn read(&self) -> Result<String, Error> {
                read(&self.plan(Verb::Read)?, Wants::default())
            }

            /// Like [`read`](Self::read), but returns the bytes unchanged.
            ///
            /// # Errors
            /// Those of [`read`](Self::read), except [`NotUtf8`](ErrorKind::NotUtf8).
            ///
            /// ```
            /// use pipewright::cmd;
            /// assert_eq!(cmd!("printf", r"\377\n").read_bytes()?, b"\xff\n");
            /// # Ok::<(), pipewright::Error>(())
            /// ```
            pub fn read_bytes(&self) -> Result<Vec<u8>, Error> {
                checked(&self.plan(Verb::Read)?, Wants::default(), None).map(|output| output.stdout.into_vec())
            }

            /// Starts it, and returns an iterator over the lines of stdout; see [`Lines`]. Blocks until every process has executed
            /// its program, like [`spawn`](Self::spawn); the iterator blocks for each line. Dropping it ends the run.
            ///
            /// # Errors
            /// Those of the start. A later error is the last item of the iterator.
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

            /// Like [`lines`](Self::lines), but the lines are bytes.
            ///
            /// # Errors
            /// Those of [`lines`](Self::lines).
            ///
            /// ```
            /// use pipewright::cmd;
            /// let lines = cmd!("printf", r"a\n\377").lines_bytes()?;
            /// let lines = lines.collect::<Result<Vec<_>, _>>()?;
            /// assert_eq!(lines, [b"a", b"\xff"]);
            /// # Ok::<(), pipewright::Error>(())
            /// ```
            pub fn lines_bytes(&self) -> Result<LinesBytes, Error> {
                let plan = self.plan(Verb::Stream)?;
                LinesBytes::start(Arc::clone(&plan)).map_err(|fault| fault.into_error(&plan))
            }

            /// Runs to the end, and calls `callback` on this thread with each line of stdout, without its newline. Lines are not
            /// copied, so this is the fastest way to read many. The callback may borrow. It returns nothing, or a `Result`: an error
            /// closes the stream and becomes the run's. Blocks; no deadline is kept while the callback runs.
            ///
            /// # Errors
            /// A bad status, and every other kind of [`ErrorKind`].
            ///
            /// # Panics
            /// Resumes a panic of the callback, after the run was ended.
            ///
            /// ```
            /// use pipewright::cmd;
            /// let mut longest = 0;
            /// let print = cmd!("printf", "a\nbcd\nef");
            /// print.for_each_line(|line| longest = longest.max(line.len()))?;
            /// assert_eq!(longest, 3);
            /// # Ok::<(), pipewright::Error>(())
            /// ```
            pub fn for_each_line<R: LineResult>(&self, callback: impl FnMut(&[u8]) -> R) -> Result<Output, Error> {
                for_each_line(&self.plan(Verb::Stream)?, Wants::default(), callback)
            }

            /// Starts it, and returns a reader of stdout; see [`Reader`]. Blocks until every process has executed its program, like
            /// [`spawn`](Self::spawn); a read blocks until there are bytes. Dropping the reader ends the run.
            ///
            /// # Errors
            /// Those of the start. A later error is one of the reader.
            ///
            /// ```
            /// use pipewright::cmd;
            /// let swapped = cmd!("echo", "ab") | cmd!("tr", "ab", "ba");
            /// let text = std::io::read_to_string(swapped.reader()?)?;
            /// assert_eq!(text, "ba\n");
            /// # Ok::<(), Box<dyn std::error::Error>>(())
            /// ```
            pub fn reader(&self) -> Result<Reader, Error> {
                let plan = self.plan(Verb::Stream)?;
                Reader::start(Arc::clone(&plan)).map_err(|fault| fault.into_error(&plan))
            }

            /// Starts it, and returns its handle; see [`Job`]. Blocks until every process has executed its program. Dropping the job
            /// ends the run.
            ///
            /// # Errors
            /// Those of the start. Stages that were started before the one that fails are killed and reaped.
            ///
            /// ```
            /// use pipewright::cmd;
            /// let job = cmd!("true").spawn()?;
            /// // … other work …
            /// assert!(job.wait()?.success());
            /// # Ok::<(), pipewright::Error>(())
            /// ```
            #[doc(alias = "popen")]
            #[doc(alias = "start")]
            #[doc(alias = "background")]
            #[doc(alias = "parallel")]
            #[track_caller]
            pub fn spawn(&self) -> Result<Job, Error> {
                let plan = self.plan(Verb::Spawn)?;
                Job::start(Arc::clone(&plan), false).map_err(|fault| fault.into_error(&plan))
            }

            /// What [`run`](Self::run) would do, as data and as text: processes, pipes, and the owner of each end. Changes nothing,
            /// and does not block. Unset streams are shown like `run` connects them; the table on the [front page](crate) has those
            /// of the other verbs.
            ///
            /// # Errors
            /// The conflicts that a run finds before it starts.
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
