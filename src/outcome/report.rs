//! The types for what happened in a run. They are in one file because an output's stage may have an error, and an error has an output.

use std::error::Error as StdError;
use std::ffi::OsString;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::kind::ErrorKind;
use super::redacted::Redacted;
use crate::engine::leak::LeakedProcess;
use crate::fd::Holder;
use crate::io::captured::Captured;
use crate::process::Usage;
use crate::procfs::Unseen;
use crate::setup_step::Step;
use crate::status::Status;
use crate::stream::Stream;
use crate::text::redact::Secrets;

/// What a finished run leaves: how it ended, stage by stage, and what was captured.
///
/// ```
/// use pipewright::cmd;
/// let out = (cmd!("echo", "one two") | cmd!("wc", "-w")).output()?;
/// assert_eq!(out.stdout_str()?.trim(), "2");
/// assert!(out.status.success());
/// assert_eq!(out.stages.len(), 2);
/// assert_eq!(out.stages[1].label, "wc");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Output {
    /// How the run ended: the rightmost stage that failed, or the last stage. A success for a pipeline without stages.
    pub status: Status,
    /// The captured stdout. What was not captured differs from what is empty: see [`Captured`].
    pub stdout: Captured,
    /// The captured stderr, of all stages, in the order in which it was written.
    pub stderr: Captured,
    /// Each stage, in the pipeline's order.
    pub stages: Vec<StageReport>,
    /// What was captured from further descriptors, by stage, then by number; [`fd`](Output::fd) finds one by its number.
    pub fds: Vec<FdOutput>,
    /// The streams that were given up after [`eof_grace`](crate::Cmd::eof_grace), because some process that is not of this run still
    /// held them.
    pub leaked: Option<Leak>,
    /// How many bytes of a `bytes` or reader stdin went into the pipe; `None` when stdin was something else. Less than there
    /// were when the child stopped reading.
    pub stdin_taken: Option<u64>,
}

/// How one stage ended.
///
/// ```
/// use pipewright::cmd;
/// let out = (cmd!("true") | cmd!("false").label("check").unchecked()).run()?;
/// assert_eq!(out.stages[1].label, "check");
/// assert_eq!(out.stages[1].status.code(), Some(1));
/// # Ok::<(), pipewright::Error>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StageReport {
    /// The label that was set, or the program's name; `closure` for a closure.
    pub label: String,
    /// How its process ended. A closure that failed has exit code 1, one that panicked 101, one that gave up because its output
    /// was broken SIGPIPE.
    pub status: Status,
    /// What its process used; `None` when its status was not ours to read, and for a closure.
    pub usage: Option<Usage>,
    /// From its start until its end was seen.
    pub wall: Duration,
    /// What a closure failed with, that it panicked, or that it did not return; `None` for a process.
    pub error: Option<Error>,
}

/// What a stage wrote to a descriptor beyond the standard ones, as far as it was captured.
///
/// ```
/// use pipewright::Cmd;
/// let out = Cmd::sh("echo 100% >&3").fd_out(3, Redirect::piped()).run()?;
/// assert_eq!((out.fds[0].stage, out.fds[0].number), (0, 3));
/// # Ok::<(), pipewright::Error>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct FdOutput {
    /// The stage, counted from 0.
    pub stage: usize,
    /// The number that the descriptor has there.
    pub number: i32,
    /// What it wrote.
    pub bytes: Captured,
}

/// Streams that somebody else still held when the run was over, and who that was.
///
/// ```
/// use pipewright::{Stream, cmd};
/// use std::time::Duration;
/// let out = cmd!("sh", "-c", "sleep 1 & echo started").eof_grace(Duration::from_millis(20)).output()?;
/// let leak = out.leaked.unwrap();
/// assert!(leak.streams.contains(&Stream::Stdout));
/// # if !cfg!(target_os = "linux") { return Ok(()); }
/// assert_eq!(leak.holders[0].name, "sleep");
/// # Ok::<(), pipewright::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Leak {
    /// Which streams were cut.
    pub streams: Vec<Stream>,
    /// Who held them, or a pipe between two stages when the time was up: as far as a short look through `/proc` could see, see
    /// [`fd::holders`](crate::fd::holders). Empty where that is not to be had.
    pub holders: Vec<Holder>,
    /// The holders, each once, and who was left in the run's [container](crate::Containment): there looked for in a cgroup, and in a group or a
    /// session where [`on_leak`](crate::Cmd::on_leak) says that it matters.
    pub processes: Vec<LeakedProcess>,
    /// Why there may be more: what could not be looked at.
    pub unseen: Option<Unseen>,
}

/// Why a run did not go as asked: what happened, to which stage, at which step, with what the system said and what was captured.
///
/// `{}` is one line. `{:#}` and [`full`](Error::full) add the command, each stage's end and the last of the captured stderr, and so does `{:?}`,
/// because that is what a `main` that returns it prints. The fields are for programs.
///
/// No text holds a [`secret_arg`](crate::Cmd::secret_arg), nor a value of the environment that the builder set, nor a piece of one that a
/// limit, a deadline or a kill has cut. That includes the chain of sources: where an error of the caller's own code shows a secret,
/// [`source`](StdError::source) gives a stand-in with its redacted text, and [`raw_source`](Error::raw_source) the error itself.
///
/// ```
/// use pipewright::{cmd, ErrorKind};
/// let error = cmd!("sh", "-c", "echo half; echo oops >&2; exit 3").read().unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Status);
/// assert_eq!(error.status().unwrap().code(), Some(3));
/// assert_eq!(error.output().unwrap().stdout, "half\n");
/// assert_eq!(error.to_string(), "`sh` exited with code 3");
/// let error = cmd!("sh", "-c", "echo why >&2; exit 3").output().unwrap_err();
/// assert_eq!(error.stderr_tail().unwrap(), "why");
/// ```
///
/// `Display` includes the words of [`source`](StdError::source): print either the error or the chain, not both.
///
/// Cloning is cheap: clones share what is in it.
#[derive(Clone)]
pub struct Error(pub(super) Arc<Inner>);

/// A fault, with what its texts show beside, and what they must not.
#[derive(Clone)]
pub(super) struct Inner {
    pub(super) facts: Arc<Facts>,
    /// The command line as it may be shown.
    pub(super) command: Option<String>,
    pub(super) secrets: Secrets,
    /// What stands for the source, once it was asked for.
    pub(super) redacted: OnceLock<Option<Arc<Redacted>>>,
    pub(super) notes: Vec<String>,
}

/// A stage, as errors name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StageName {
    pub(crate) index: usize,
    pub(crate) count: usize,
    pub(crate) label: String,
    /// `None` for a closure.
    pub(crate) program: Option<OsString>,
}

/// What a fault and the error made of it know.
#[derive(Clone)]
pub(super) struct Facts {
    pub(super) kind: ErrorKind,
    /// What happened, as it follows the stage's name: "exited with code 3"; or why the stage could not be started.
    pub(super) what: String,
    pub(super) stage: Option<StageName>,
    pub(super) step: Option<Step>,
    pub(super) status: Option<Status>,
    pub(super) output: Option<Output>,
    pub(super) source: Option<Arc<dyn StdError + Send + Sync>>,
    pub(super) words: Words,
}

/// Whose the words of a source or a panic are, and where they stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Words {
    /// The system's, which hold no secret, behind what happened.
    Systems,
    /// The system's, to which `what` leaves nothing to add: they stand in the full text alone.
    InWhat,
    /// The caller's, which may hold anything. `cut`: they may be about a line whose end is missing.
    Callers { cut: bool },
}
