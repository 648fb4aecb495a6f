//! The steps on the way to a running program, and the failure of one.

use std::{fmt, io};

/// The step at which starting a child process failed.
///
/// The steps run in the order listed, `Pipe` to `Clone` in this process, the rest in the child.
///
/// ```
/// let error = pipewright::cmd!("true").current_dir("/no/such/dir").run().unwrap_err();
/// assert_eq!(error.step(), Some(pipewright::Step::Chdir));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u32)]
pub enum Step {
    /// Making a pipe.
    Pipe = 1,
    /// Opening a file for a redirection.
    Open,
    /// Starting a helper thread.
    Thread,
    /// `clone` or `fork`: making the child.
    Clone,
    /// Entering the run's cgroup.
    Cgroup,
    /// `setsid`: a new session.
    Session,
    /// `setpgid`: the process group.
    ProcessGroup,
    /// `tcsetpgrp`: taking the terminal.
    Foreground,
    /// `dup2`: putting a descriptor under its number.
    Dup,
    /// Making stdin the controlling terminal.
    ControllingTty,
    /// `setpriority`: the nice value.
    Nice,
    /// `setrlimit`: a resource limit.
    Rlimit,
    /// `setgroups`: the supplementary groups.
    Groups,
    /// `setgid`: the group.
    Gid,
    /// `setuid`: the user.
    Uid,
    /// `chdir`: the working directory.
    Chdir,
    /// `prctl(PR_SET_PDEATHSIG)`: dying with the parent.
    ParentDeath,
    /// Closing the descriptors that the child was not given.
    Close,
    /// `execve`: becoming the program.
    Exec,
    /// The child ended before it came to `execve`; mostly it was killed from outside.
    Vanished,
}

impl Step {
    const ALL: [Step; 20] = [
        Step::Pipe,
        Step::Open,
        Step::Thread,
        Step::Clone,
        Step::Cgroup,
        Step::Session,
        Step::ProcessGroup,
        Step::Foreground,
        Step::Dup,
        Step::ControllingTty,
        Step::Nice,
        Step::Rlimit,
        Step::Groups,
        Step::Gid,
        Step::Uid,
        Step::Chdir,
        Step::ParentDeath,
        Step::Close,
        Step::Exec,
        Step::Vanished,
    ];

    /// The step with this number, from a child's report. A number that no step has is a report that the child's death cut.
    pub(crate) fn from_number(number: u32) -> Step {
        Step::ALL.into_iter().find(|step| *step as u32 == number).unwrap_or(Step::Vanished)
    }

    /// The step's short name, which error texts use: `chdir`, `exec`, `dup`, …
    ///
    /// ```
    /// assert_eq!(pipewright::Step::ProcessGroup.name(), "setpgid");
    /// ```
    pub fn name(self) -> &'static str {
        match self {
            Step::Pipe => "pipe",
            Step::Open => "open",
            Step::Thread => "thread",
            Step::Clone => "clone",
            Step::Cgroup => "cgroup",
            Step::Session => "setsid",
            Step::ProcessGroup => "setpgid",
            Step::Foreground => "tcsetpgrp",
            Step::Dup => "dup",
            Step::ControllingTty => "controlling tty",
            Step::Nice => "nice",
            Step::Rlimit => "setrlimit",
            Step::Groups => "setgroups",
            Step::Gid => "setgid",
            Step::Uid => "setuid",
            Step::Chdir => "chdir",
            Step::ParentDeath => "parent death signal",
            Step::Close => "close",
            Step::Exec => "exec",
            Step::Vanished => "before exec",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A failed step with its errno.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) step: Step,
    pub(crate) errno: i32,
    /// More about it: the child's fd for `Dup`, the candidate's index for `Exec`, the limit's number for `Rlimit`, the traits in which two threads
    /// differ, as bits, for `ParentDeath`.
    pub(crate) detail: i32,
}

impl Failure {
    pub(crate) fn new(step: Step, error: &io::Error) -> Self {
        Failure { step, errno: error.raw_os_error().unwrap_or(0), detail: 0 }
    }

    pub(crate) fn io_error(&self) -> io::Error {
        io::Error::from_raw_os_error(self.errno)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_survives_the_way_through_a_number() {
        for step in Step::ALL {
            assert_eq!(Step::from_number(step as u32), step);
        }
        assert_eq!(Step::from_number(0), Step::Vanished);
        assert_eq!(Step::from_number(4711), Step::Vanished);
    }
}
