//! Why a look at processes did not see all of them.

use std::fmt;

/// Why more of a run may be left than a report names.
///
/// This comes on top of what a means misses by its nature: see [`Means`](crate::Means).
///
/// ```
/// use pipewright::{Unseen, cmd};
/// let report = cmd!("sleep", "60").spawn()?.kill()?;
/// # if !cfg!(target_os = "linux") { return Ok(()); }
/// assert_ne!(report.unseen, Some(Unseen::Proc));
/// # Ok::<(), pipewright::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Unseen {
    /// The time for the search was over.
    Time,
    /// There was no descriptor, or no memory, left to look with (EMFILE, ENFILE, ENOMEM).
    Descriptors,
    /// There is no `/proc`, or it shows another process namespace (pid_namespaces(7)), where numbers mean other processes.
    Proc,
    /// A process was not seen to have stopped, so it may have gone on forking.
    Running,
    /// A process in the run's cgroup is in another process namespace, and has no number in this one.
    Namespace,
    /// The processes of other users cannot be looked at.
    Users,
}

impl Unseen {
    /// Whether a search was not possible at all, as opposed to one that may have missed something.
    pub(crate) fn is_blind(self) -> bool {
        matches!(self, Unseen::Proc | Unseen::Descriptors)
    }
}

impl fmt::Display for Unseen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Unseen::Time => "the time for the search was over",
            Unseen::Descriptors => "no descriptor was left to look with",
            Unseen::Proc => "/proc shows another process namespace, or nothing",
            Unseen::Running => "a process was not seen to stop",
            Unseen::Namespace => "a process in the cgroup is in another process namespace",
            Unseen::Users => "processes of other users cannot be looked at",
        })
    }
}
