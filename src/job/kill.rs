//! What a kill came to.

use crate::process::contain::{Container, Ended, Reach};
use crate::process::tree;

/// What a kill came to: from [`Job::kill`](crate::Job::kill) and [`Job::shutdown`](crate::Job::shutdown).
///
/// ```
/// use pipewright::{Cmd, Means};
/// # if !cfg!(target_os = "linux") { return Ok(()); }
/// let job = Cmd::sh("sleep 60 & echo started; wait").stdout(pipewright::Redirect::piped()).spawn()?;
/// let mut line = [0; 8];
/// std::io::Read::read_exact(&mut job.take_stdout().unwrap(), &mut line)?;
/// let report = job.kill()?;
/// assert_eq!((report.means, report.complete), (Means::Walk, false));
/// assert_eq!((report.killed[0], report.killed.len()), (job.pids()[0], 2)); // the shell, and its sleep
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct KillReport {
    /// How the processes were found.
    pub means: Means,
    /// The processes that got the signal, or had ended already: those of the stages first, then parents before children.
    pub killed: Vec<u32>,
    /// The processes that could not be killed.
    pub survivors: Vec<Survivor>,
    /// Whether it is proven that nothing of the run is left. Only with [`Means::Cgroup`], once nobody is in it any more: out of everything
    /// else a process can get unseen.
    pub complete: bool,
    /// Why the means is less than [`contain`](crate::Cmd::contain) asked for.
    pub fell_back: Option<String>,
}

/// How the processes of a run are found in order to end them.
///
/// ```
/// use pipewright::{Means, cmd};
/// let means = cmd!("sleep", "60").spawn()?.kill()?.means;
/// assert_eq!(means, if cfg!(target_os = "linux") { Means::Walk } else { Means::Children });
/// # Ok::<(), pipewright::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Means {
    /// The processes that this library started, not what they started in turn: where the system shows no more.
    Children,
    /// Those, and their descendants: a walk from parents to children through `/proc`, with everything stopped first, so that nothing
    /// is started behind it. Linux. It finds those that left the group or the session, but not those whose parent has ended (a
    /// double fork).
    Walk,
    /// The walk, and the run's process group. It misses what left both: a double fork with a group or a session of its own.
    Group,
    /// The walk, and the sessions of the run's processes. It misses what left both: a double fork with a session of its own. Linux.
    Session,
    /// The walk, and the run's cgroup, killed as one (`cgroup.kill`, cgroups(7)). It misses what somebody with the right to do so moved to
    /// another cgroup, and nobody's descendant. Linux 5.14.
    Cgroup,
}

/// A process that a kill did not end.
///
/// ```
/// for survivor in pipewright::cmd!("sleep", "60").spawn()?.kill()?.survivors {
///     eprintln!("{} ({}) could not be killed: {}", survivor.name, survivor.pid, survivor.why);
/// }
/// # Ok::<(), pipewright::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Survivor {
    /// Its number.
    pub pid: u32,
    /// Its name, of at most 15 bytes; empty where that cannot be read.
    pub name: String,
    /// What the system said.
    pub why: String,
}

pub(super) fn report(ended: Ended, container: Option<&Container>) -> KillReport {
    let means = match container.map_or(Reach::Parentage, Container::reach) {
        Reach::Parentage if cfg!(target_os = "linux") => Means::Walk,
        Reach::Parentage => Means::Children,
        Reach::Group => Means::Group,
        Reach::Session => Means::Session,
        Reach::Cgroup => Means::Cgroup,
    };
    let survivors = ended.killed.survivors.into_iter().map(Survivor::from).collect();
    let fell_back = container.and_then(Container::fell_back).map(String::from);
    KillReport { means, killed: ended.killed.killed, survivors, complete: ended.complete, fell_back }
}

impl From<tree::Survivor> for Survivor {
    fn from(left: tree::Survivor) -> Survivor {
        Survivor { pid: left.pid, name: left.name, why: left.why }
    }
}
