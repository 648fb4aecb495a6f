//! What a finished run leaves.

use std::borrow::Cow;
use std::process::ExitStatus;
use std::str::Utf8Error;

use super::report::{Leak, Output};
use crate::engine::leak::LeakedProcess;
use crate::io::captured::Captured;
use crate::status::{Status, StatusUnknown};
use crate::text::escape_text;

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
