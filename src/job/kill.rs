//! What a kill came to.

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
    /// Whether it is proven that nothing of the run is left. Never with [`Means::Walk`] and [`Means::Children`]: a process whose
    /// parent has ended is nobody's descendant any more.
    pub complete: bool,
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

pub(super) fn report(killed: tree::Killed) -> KillReport {
    let means = if cfg!(target_os = "linux") { Means::Walk } else { Means::Children };
    let survivors = killed.survivors.into_iter().map(Survivor::from).collect();
    KillReport { means, killed: killed.killed, survivors, complete: false }
}

impl From<tree::Survivor> for Survivor {
    fn from(left: tree::Survivor) -> Survivor {
        Survivor { pid: left.pid, name: left.name, why: left.why }
    }
}
