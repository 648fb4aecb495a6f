//! Which statuses of a command are errors.

use crate::cmd::Cmd;

/// # Exit statuses
impl Cmd {
    /// Accepts these exit codes besides 0, for example 1 from `grep`. Later calls add to earlier ones.
    ///
    /// ```
    /// use pipewright::cmd;
    /// let grep = cmd!("grep", "needle", "/dev/null");
    /// assert_eq!(grep.allow_codes([1]).read()?, "");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    #[doc(alias = "exit_code")]
    #[doc(alias = "success_codes")]
    pub fn allow_codes(mut self, codes: impl IntoIterator<Item = i32>) -> Cmd {
        self.command_mut().tolerance.codes.extend(codes);
        self
    }

    /// Makes this command's bad status data instead of an error. [`Output::status`](crate::Output::status) still shows it if no
    /// checked stage failed.
    ///
    /// ```
    /// use pipewright::Cmd;
    /// let out = Cmd::sh("exit 3").unchecked().output()?;
    /// assert_eq!(out.status.code(), Some(3));
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    #[doc(alias = "check")]
    #[doc(alias = "checked")]
    #[doc(alias = "ignore_status")]
    pub fn unchecked(mut self) -> Cmd {
        self.command_mut().tolerance.unchecked = true;
        self
    }

    /// Whether this command's exit code 141 counts as a death of SIGPIPE, because a shell or a wrapper reports its own child's death that
    /// way. Off by default, because a program may mean 141 as an error.
    ///
    /// Like a death of SIGPIPE, it is then not a failure when the next stage stopped reading, under
    /// [`Pipefail`](crate::StatusPolicy::Pipefail).
    ///
    /// ```
    /// use pipewright::{cmd, Cmd};
    /// let wrapped = Cmd::sh("yes; exit $?"); // The shell says 141 for its `yes`.
    /// let first = wrapped.sigpipe_codes(true) | cmd!("head", "-n", "1");
    /// assert_eq!(first.read()?, "y");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn sigpipe_codes(mut self, on: bool) -> Cmd {
        self.command_mut().tolerance.sigpipe_codes = on;
        self
    }
}
