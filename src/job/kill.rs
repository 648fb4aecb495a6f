//! Ending a run by its handle, and what that came to.

use std::sync::Weak;
use std::time::Duration;

use super::Job;
use crate::clock::Deadline;
use crate::error::{Error, ErrorKind};
use crate::process::contain::{self, Container, Ended, Reach};
use crate::process::tree::{self, Tree};
use crate::pump::Cut;

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
    /// else a process can get unseen. (Out of a cgroup, who has the right to write to another one.)
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

fn report(ended: Ended, container: Option<&Container>) -> KillReport {
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

/// How long to look for what the processes have started in turn.
const WALK: Duration = Duration::from_millis(100);

/// How long `shutdown` waits for processes that were killed.
const KILLED_WITHIN: Duration = Duration::from_secs(1);

impl Job {
    /// Asks every process of the run, and what they have started in turn, to end: SIGTERM, and SIGCONT for those that are stopped, see
    /// kill(2). Does not wait.
    ///
    /// # Errors
    /// When a process of the run refuses the signal, as [`send_signal`](Job::send_signal): one that has ended does not. What refuses of the
    /// rest is in the report of a [`shutdown`](Job::shutdown).
    ///
    /// ```
    /// let job = pipewright::cmd!("sleep", "60").spawn()?;
    /// job.terminate()?;
    /// assert_eq!(job.wait()?.signal(), Some(15));
    /// job.terminate()?;
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn terminate(&self) -> Result<(), Error> {
        drop(self.ask(libc::SIGTERM));
        // Nobody gets this one: it asks who would have refused.
        self.send_signal(0)
    }

    /// Kills every process of the run, and what they have started in turn: SIGKILL, see kill(2) and [`Means`]. Does not wait, but
    /// for as long as it takes to find them: 100 ms at most. Who holds one of the run's streams and is
    /// nobody's descendant any more is found by its pipe, killed and named in [`Output::leaked`](crate::Output::leaked). What its closures read and write fails from then on; [`wait`](Job::wait)
    /// still waits for one that does not return.
    ///
    /// # Errors
    /// None so far: what could not be killed is in the report.
    ///
    /// ```
    /// let job = pipewright::cmd!("sleep", "60").spawn()?;
    /// assert!(job.kill()?.survivors.is_empty());
    /// assert_eq!(job.wait()?.signal(), Some(9));
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn kill(&self) -> Result<KillReport, Error> {
        self.tell_killed(libc::SIGKILL);
        let ended = self.kill_all(&mut self.tree());
        self.stop_closures();
        self.shared.was_killed();
        Ok(report(ended, self.container.as_deref()))
    }

    fn tree(&self) -> Tree {
        Tree::of(&self.processes)
    }

    fn ask(&self, signal: i32) -> Tree {
        self.tell_killed(signal);
        let mut tree = self.tree();
        contain::ask(&mut tree, self.container.as_deref(), signal, Deadline::after(WALK));
        tree
    }

    fn kill_all(&self, tree: &mut Tree) -> contain::Ended {
        contain::kill(tree, self.container.as_deref(), Deadline::after(WALK))
    }

    pub(super) fn stop_closures(&self) {
        if let Some(stop) = self.stop.as_ref().and_then(Weak::upgrade) {
            stop.pull(Cut::Aborted);
        }
    }

    /// Sends a signal, by its number of signal(7), to every process of the run that has not ended. Does not wait.
    ///
    /// # Errors
    /// The first refusal, as [`ErrorKind::Io`]; the others got the signal all the same. A process that has ended is no error.
    ///
    /// ```
    /// let job = pipewright::cmd!("sleep", "60").spawn()?;
    /// job.send_signal(2)?; // SIGINT
    /// assert_eq!(job.wait()?.signal(), Some(2));
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn send_signal(&self, signal: i32) -> Result<(), Error> {
        let mut refused = None;
        for ((index, _), process) in self.plan.commands().zip(&self.processes) {
            if let Err(error) = process.send_signal(signal) {
                let what = format!("refused the signal {signal}");
                refused.get_or_insert(Error::new(ErrorKind::Io, what).at(self.plan.stage_name(index)).because(error));
            }
        }
        refused.map_or(Ok(()), |error| Err(self.plan.tell(error)))
    }

    /// Ends the run: SIGTERM, then SIGKILL to what is still there after `grace`, what the processes have started in turn included. Blocks
    /// until they are gone, which is as
    /// a rule long before the grace is over, and at most a second longer. The status is then SIGTERM's or SIGKILL's, an error to
    /// [`output`](Job::output): ask [`wait`](Job::wait) for it.
    ///
    /// Closures beside processes have the same time: the processes' ends bring theirs, and what processes said last still gets
    /// through. Then, or at once where there are only closures, what they read and write fails.
    ///
    /// # Errors
    /// When waiting fails. What could not be killed is in the report.
    ///
    /// ```
    /// use std::time::Duration;
    /// let job = pipewright::cmd!("sleep", "60").spawn()?;
    /// assert!(job.shutdown(Duration::from_secs(5))?.survivors.is_empty());
    /// assert_eq!(job.wait()?.signal(), Some(15));
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn shutdown(&self, grace: Duration) -> Result<KillReport, Error> {
        self.shutdown_with([(libc::SIGTERM, grace)])
    }

    /// As [`shutdown`](Job::shutdown), by a plan: signals, by their numbers of signal(7), each with the time until the next one, and SIGKILL
    /// behind the last. Blocks until the processes are gone, as a rule long before the plan is through. A process that is stopped is
    /// continued by each step.
    ///
    /// # Errors
    /// As [`shutdown`](Job::shutdown).
    ///
    /// ```
    /// use std::time::Duration;
    /// let second = Duration::from_secs(1);
    /// let deaf = pipewright::Cmd::sh("trap '' INT; echo deaf; sleep 60").stdout(pipewright::Redirect::piped());
    /// let job = deaf.spawn()?;
    /// std::io::Read::read_exact(&mut job.take_stdout().unwrap(), &mut [0; 5])?;
    /// job.shutdown_with([(2, second / 20), (15, second)])?; // SIGINT, SIGTERM
    /// assert_eq!(job.wait()?.signal(), Some(15));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn shutdown_with(&self, plan: impl IntoIterator<Item = (i32, Duration)>) -> Result<KillReport, Error> {
        let mut tree = self.tree();
        let mut is_left = true;
        for (signal, wait) in plan {
            self.tell_killed(signal);
            contain::ask(&mut tree, self.container.as_deref(), signal, Deadline::after(WALK));
            let deadline = Deadline::after(wait);
            // Those of the run that end are reaped meanwhile by whoever waits for it; the tree needs no more than their ends.
            let left = tree.wait(deadline);
            if !self.processes.is_empty() {
                self.closures.iter().for_each(|closure| closure.wait_until(deadline));
            }
            is_left = !left.is_empty();
            if !is_left {
                break;
            }
        }
        if is_left {
            self.tell_killed(libc::SIGKILL);
        }
        let ended = self.kill_all(&mut tree);
        self.stop_closures();
        let patience = Deadline::after(KILLED_WITHIN);
        let mut report = report(ended, self.container.as_deref());
        for left in tree.wait(patience) {
            if !report.survivors.iter().any(|survivor| survivor.pid == left.pid) {
                report.survivors.push(left.into());
            }
        }
        self.wait_for_processes(patience)?;
        self.shared.was_killed();
        if let (Some(container), true) = (&self.container, report.survivors.is_empty()) {
            report.complete |= container.is_empty(patience);
        }
        Ok(report)
    }

    /// Waits for the processes themselves, whoever holds their streams.
    fn wait_for_processes(&self, deadline: Deadline) -> Result<(), Error> {
        for ((index, _), process) in self.plan.commands().zip(&self.processes) {
            let wait = || -> std::io::Result<()> {
                while process.try_ended()?.is_none() && !deadline.passed() {
                    crate::sys::poll::wait_for(process.end_fd(), crate::sys::poll::Interest::Readable, deadline)?;
                }
                Ok(())
            };
            wait().map_err(|error| {
                let error = Error::new(ErrorKind::Io, "cannot be waited for").because(error);
                self.plan.tell(error.at(self.plan.stage_name(index)))
            })?;
        }
        Ok(())
    }
}

impl From<tree::Survivor> for Survivor {
    fn from(left: tree::Survivor) -> Survivor {
        Survivor { pid: left.pid, name: left.name, why: left.why }
    }
}
