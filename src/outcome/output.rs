//! What a finished run leaves.

use std::borrow::Cow;
use std::process::ExitStatus;
use std::str::Utf8Error;
use std::time::Duration;

use super::error::Error;
use crate::engine::leak::LeakedProcess;
use crate::fd::Holder;
use crate::io::captured::Captured;
use crate::process::Usage;
use crate::procfs::Unseen;
use crate::status::{Status, StatusUnknown};
use crate::stream::Stream;
use crate::text::escape_text;

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

impl Leak {
    /// "`sleep` (pid 77)", for the processes that are known.
    pub(crate) fn names(&self) -> Vec<String> {
        let name = |it: &LeakedProcess| format!("`{}` (pid {})", escape_text(it.name.as_bytes()), it.pid);
        self.processes.iter().map(name).collect()
    }

    /// "still held by `sleep` (pid 77)", as far as it is known by whom.
    pub(crate) fn held_by(&self, nobody_known: &str) -> String {
        let names = self.names();
        let by = if names.is_empty() { nobody_known.to_owned() } else { names.join(", ") };
        match self.processes.as_slice() {
            [_, ..] if self.processes.iter().all(|process| process.killed) => {
                format!("held by {by}, ended with the run")
            }
            _ => format!("still held by {by}"),
        }
    }
}

impl Output {
    /// What was captured from descriptor `number`, of the first stage that has one; `None` when none was.
    ///
    /// ```
    /// use pipewright::Cmd;
    /// let out = Cmd::sh("echo 100% >&3").fd_out(3, Redirect::piped()).run()?;
    /// assert_eq!(*out.fd(3).unwrap(), "100%\n");
    /// assert!(out.fd(4).is_none());
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn fd(&self, number: i32) -> Option<&Captured> {
        self.fds.iter().find(|output| output.number == number).map(|output| &output.bytes)
    }

    /// The captured stdout as text.
    ///
    /// # Errors
    /// When it is not UTF-8.
    ///
    /// ```
    /// let out = pipewright::cmd!("sh", "-c", "echo text; echo note >&2").output()?;
    /// assert_eq!(out.stdout_str()?, "text\n");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn stdout_str(&self) -> Result<&str, Utf8Error> {
        self.stdout.to_str()
    }

    /// The captured stderr as text.
    ///
    /// # Errors
    /// When it is not UTF-8.
    ///
    /// ```
    /// let out = pipewright::cmd!("sh", "-c", "echo text; echo note >&2").output()?;
    /// assert_eq!(out.stderr_str()?, "note\n");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn stderr_str(&self) -> Result<&str, Utf8Error> {
        self.stderr.to_str()
    }

    /// The captured stdout as text, with U+FFFD for what is not UTF-8.
    ///
    /// ```
    /// let out = pipewright::cmd!("printf", r"a\377").output()?;
    /// assert_eq!(out.stdout_lossy(), "a\u{fffd}");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn stdout_lossy(&self) -> Cow<'_, str> {
        self.stdout.to_string_lossy()
    }

    /// The captured stderr as text, with U+FFFD for what is not UTF-8.
    ///
    /// ```
    /// let out = pipewright::cmd!("sh", "-c", "echo text; echo note >&2").output()?;
    /// assert_eq!(out.stderr_lossy(), "note\n");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn stderr_lossy(&self) -> Cow<'_, str> {
        self.stderr.to_string_lossy()
    }
}

/// For outputs that were made by std's commands: without stages, since it knows of none.
///
/// ```
/// use pipewright::Output;
/// let std = std::process::Command::new("echo").arg("text").output()?;
/// assert_eq!(Output::from(std).stdout, "text\n");
/// # Ok::<(), std::io::Error>(())
/// ```
impl From<std::process::Output> for Output {
    fn from(output: std::process::Output) -> Output {
        Output {
            status: Status::from(output.status),
            stdout: Captured::from_bytes(output.stdout),
            stderr: Captured::from_bytes(output.stderr),
            stages: Vec::new(),
            fds: Vec::new(),
            leaked: None,
            stdin_taken: None,
        }
    }
}

/// For what takes std's type, as `assert_cmd`: the status and the two streams, empty where they were not captured. An unknown
/// status is an error.
///
/// ```
/// let out = pipewright::cmd!("echo", "text").output()?;
/// assert_eq!(std::process::Output::try_from(out)?.stdout, b"text\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
impl TryFrom<Output> for std::process::Output {
    type Error = StatusUnknown;

    fn try_from(output: Output) -> Result<Self, StatusUnknown> {
        let status = ExitStatus::try_from(output.status)?;
        Ok(std::process::Output { status, stdout: output.stdout.into_vec(), stderr: output.stderr.into_vec() })
    }
}
