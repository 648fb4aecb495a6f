//! How a process ended.

use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

/// How a process ended: with an exit code, or by a signal.
///
/// The words are those of [`std::process::ExitStatus`]; [`From`] leads there and back. A third state exists: the status
/// is *unknown*, because other code in this process reaped the child (a `waitpid(-1)` loop; SIGCHLD ignored on a
/// kernel that does not keep the code), or because a killed process hangs in the kernel. An unknown status has neither
/// code nor signal and is no success; every verb reports a stolen one as
/// [`ErrorKind::StatusStolen`](crate::ErrorKind::StatusStolen), and it is only ever seen in the output an error carries.
///
/// ```
/// use pipewright::cmd;
/// let status = cmd!("sh", "-c", "exit 3").status()?;
/// assert_eq!(status.code(), Some(3));
/// assert_eq!(status.to_string(), "exited with code 3");
/// # Ok::<(), pipewright::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Status(State);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum State {
    Exited(i32),
    Signaled { signal: i32, core_dumped: bool },
    Unknown,
}

impl Status {
    /// The status that this library cannot know.
    pub(crate) const UNKNOWN: Status = Status(State::Unknown);

    pub(crate) fn exited(code: i32) -> Self {
        Status(State::Exited(code))
    }

    pub(crate) fn signaled(signal: i32, core_dumped: bool) -> Self {
        Status(State::Signaled { signal, core_dumped })
    }

    /// From the number that wait(2) fills in.
    pub(crate) fn from_wait(raw: i32) -> Self {
        Status::from(ExitStatus::from_raw(raw))
    }

    /// Whether the process exited with code 0.
    ///
    /// ```
    /// assert!(pipewright::cmd!("true").status()?.success());
    /// assert!(!pipewright::cmd!("false").status()?.success());
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn success(&self) -> bool {
        self.0 == State::Exited(0)
    }

    /// The exit code, if the process exited by itself.
    ///
    /// ```
    /// let status = pipewright::cmd!("sh", "-c", "exit 3").status()?;
    /// assert_eq!(status.code(), Some(3));
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn code(&self) -> Option<i32> {
        match self.0 {
            State::Exited(code) => Some(code),
            _ => None,
        }
    }

    /// The number of the signal that ended the process, if one did; see signal(7).
    ///
    /// ```
    /// let status = pipewright::cmd!("sh", "-c", "kill -9 $$").status()?;
    /// assert_eq!(status.signal(), Some(9));
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn signal(&self) -> Option<i32> {
        match self.0 {
            State::Signaled { signal, .. } => Some(signal),
            _ => None,
        }
    }

    /// Whether the process left a core dump; see core(5).
    ///
    /// ```
    /// let status = pipewright::cmd!("sh", "-c", "kill -9 $$").status()?;
    /// assert!(!status.core_dumped());
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn core_dumped(&self) -> bool {
        matches!(self.0, State::Signaled { core_dumped: true, .. })
    }

    /// Whether the status is unknown: other code reaped the child, or it is not reaped yet.
    ///
    /// ```
    /// let status = pipewright::cmd!("sh", "-c", "exit 3").status()?;
    /// assert!(!status.is_unknown());
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn is_unknown(&self) -> bool {
        self.0 == State::Unknown
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            State::Exited(code) => write!(f, "exited with code {code}"),
            State::Signaled { signal, core_dumped } => {
                write!(f, "killed by {}", signal_name(signal))?;
                if core_dumped { f.write_str(" (core dumped)") } else { Ok(()) }
            }
            State::Unknown => f.write_str("status unknown (reaped elsewhere, or not yet dead)"),
        }
    }
}

impl From<ExitStatus> for Status {
    fn from(status: ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (Some(code), _) => Status::exited(code),
            (None, Some(signal)) => Status::signaled(signal, status.core_dumped()),
            (None, None) => Status::UNKNOWN,
        }
    }
}

/// Why a [`Status`] has no [`ExitStatus`]: it is unknown.
///
/// ```
/// use std::process::ExitStatus;
/// let status = pipewright::cmd!("sh", "-c", "exit 3").status()?;
/// assert_eq!(ExitStatus::try_from(status).map(|status| status.code()), Ok(Some(3)));
/// # Ok::<(), pipewright::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the status is unknown: reaped elsewhere, or not yet dead")]
pub struct StatusUnknown;

impl TryFrom<Status> for ExitStatus {
    type Error = StatusUnknown;

    fn try_from(status: Status) -> Result<Self, StatusUnknown> {
        match status.0 {
            State::Exited(code) => Ok(ExitStatus::from_raw((code & 0xff) << 8)),
            State::Signaled { signal, core_dumped } => {
                Ok(ExitStatus::from_raw(signal | if core_dumped { 0x80 } else { 0 }))
            }
            State::Unknown => Err(StatusUnknown),
        }
    }
}

/// `SIGTERM` for 15, `signal 40` for a number without a name.
pub(crate) fn signal_name(signal: i32) -> String {
    match nix::sys::signal::Signal::try_from(signal) {
        Ok(known) => known.as_str().to_owned(),
        Err(_) => format!("signal {signal}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_goes_to_std_and_back() {
        for status in [Status::exited(0), Status::exited(255), Status::signaled(9, false), Status::signaled(11, true)] {
            let std = ExitStatus::try_from(status).unwrap();
            assert_eq!(Status::from(std), status);
        }
        assert_eq!(ExitStatus::try_from(Status::UNKNOWN), Err(StatusUnknown));
    }

    #[test]
    fn the_words() {
        assert_eq!(Status::exited(2).to_string(), "exited with code 2");
        assert_eq!(Status::signaled(15, false).to_string(), "killed by SIGTERM");
        assert_eq!(Status::signaled(11, true).to_string(), "killed by SIGSEGV (core dumped)");
        assert_eq!(Status::signaled(40, false).to_string(), "killed by signal 40");
    }
}
