//! Ending a run by its handle, and the report.

use std::time::Duration;

use super::Job;
use crate::clock::Deadline;
use crate::contain::{Container, Reach};
use crate::engine::termination::{Context, Pipes, Termination, WALK};
use crate::engine::timing::Steps;
use crate::outcome::{Error, ErrorKind, Fault};
use crate::procfs::Unseen;
use crate::tree;

/// The report of [`Job::kill`](crate::Job::kill) and [`Job::shutdown`](crate::Job::shutdown).
///
/// It names the processes that were found. Without a container one kind of process is not found: one whose parent ended before a scan saw
/// both, and which holds no captured stream of the run. The kernel gives it another parent before the parent's end can be seen. With
/// [`contain`](crate::Cmd::contain) it is found.
///
/// ```
/// use pipewright::{Cmd, Means};
/// # if !cfg!(target_os = "linux") { return Ok(()); }
/// let job = Cmd::sh("sleep 60 & echo started; wait").stdout(pipewright::Redirect::piped()).spawn()?;
/// let mut line = [0; 8];
/// std::io::Read::read_exact(&mut job.take_stdout().unwrap(), &mut line)?;
/// let report = job.kill()?;
/// assert_eq!((report.means, report.proven), (Means::Walk, false));
/// assert_eq!((report.signalled[0], report.signalled.len()), (job.pids()[0], 2)); // the shell, and its sleep
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[doc(alias("killed", "complete"))]
pub struct KillReport {
    /// How the processes were found.
    pub means: Means,
    /// The processes that got the signal, or had ended before it: those of the stages first, then parents before children.
    pub signalled: Vec<u32>,
    /// The processes that refused the signal, or had not ended when the call returned.
    pub survivors: Vec<Survivor>,
    /// Whether it is proven that no process of the run is left. True only with [`Means::Cgroup`], when the cgroup is empty: a process can
    /// leave a group, a session and its parent unseen. (It can leave the cgroup only with the right to write to another one.)
    pub proven: bool,
    /// Why the means is less than [`contain`](crate::Cmd::contain) asked for.
    pub fell_back: Option<String>,
    /// What could not be looked at, so that more processes may be left than those that the means always misses. `None` if everything was
    /// looked at, or if it is proven that no process is left.
    pub unseen: Option<Unseen>,
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
    /// Only the processes that this library started: the system does not show their descendants.
    Children,
    /// The processes that this library started, and their descendants: a walk from parents to children through `/proc`, which first stops
    /// (SIGSTOP) what it finds, so that nothing new starts meanwhile. It finds processes that left the group or the session, but not one
    /// whose parent has ended (a double fork). Linux.
    Walk,
    /// The walk, and the run's process group. It misses a process that left both: a double fork into another group or session.
    Group,
    /// The walk, and the sessions of the run's processes. It misses a process that left both: a double fork into another session. Linux.
    Session,
    /// The walk, and the run's cgroup, killed at once (`cgroup.kill`, cgroups(7)). It misses a process that was moved to another cgroup, by
    /// a process with the right to do so, and whose parent has ended. Linux 5.14.
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
    /// Its process id.
    pub pid: u32,
    /// Its name, of at most 15 bytes; empty where that cannot be read.
    pub name: String,
    /// Why it survived.
    pub why: String,
}

fn means(container: Option<&Container>, unseen: Option<Unseen>) -> Means {
    match container.map_or(Reach::Parentage, Container::reach) {
        Reach::Parentage if cfg!(target_os = "linux") && unseen != Some(Unseen::Proc) => Means::Walk,
        Reach::Parentage => Means::Children,
        Reach::Group => Means::Group,
        Reach::Session => Means::Session,
        Reach::Cgroup => Means::Cgroup,
    }
}

/// A run that the caller's thread ends, by its handle.
struct Caller<'a> {
    job: &'a Job,
    pipes: Pipes,
}

impl Context for Caller<'_> {
    /// In a run without processes the closures are cancelled at once, so they count as ended.
    fn closures_have_ended(&mut self) -> bool {
        self.job.members.processes.is_empty()
            || self.job.members.closures.iter().all(|closure| closure.ended().is_some())
    }

    fn pipes(&self) -> Pipes {
        self.pipes.clone()
    }

    fn sends(&mut self, signal: i32) {
        self.job.emit_killed(signal);
    }

    fn sent(&mut self, signal: i32) {
        if signal == libc::SIGKILL {
            self.job.members.cancel_closures();
        }
    }
}

impl Job {
    /// Sends SIGTERM to every process of the run and to its descendants, and SIGCONT to those that are stopped (kill(2)). Does not block.
    ///
    /// What they start after the signal is left alone while they live. When they have ended, a [`wait`](Job::wait) sends SIGTERM once to what
    /// is left of the run. Nothing is killed: there is no grace that could end. A process that ignores SIGTERM and holds a captured stream
    /// keeps the wait blocked, up to `timeout` or `eof_grace`; [`shutdown`](Job::shutdown) ends it.
    ///
    /// # Errors
    /// When a process that the run started refuses the signal, see [`send_signal`](Job::send_signal). A descendant that refuses it is in the
    /// report of a later [`shutdown`](Job::shutdown).
    ///
    /// ```
    /// let job = pipewright::cmd!("sleep", "60").spawn()?;
    /// job.terminate()?;
    /// assert_eq!(job.wait()?.signal(), Some(15));
    /// job.terminate()?;
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn terminate(&self) -> Result<(), Error> {
        self.emit_killed(libc::SIGTERM);
        self.shared.shared_ending().with_requested(|asked| {
            let asked = asked.get_or_insert_with(|| self.termination());
            asked.begin(Steps::from([(libc::SIGTERM, Duration::MAX)]), false);
            asked.signal_first();
        });
        self.shared.wake();
        // Signal 0 is not delivered: kill(2) only checks the permission.
        self.send_signal(0)
    }

    /// Sends SIGKILL to every process of the run and to its descendants, see kill(2) and [`Means`]. Blocks only for the search, 100 ms at
    /// most, not until they have ended.
    ///
    /// A process that holds one of the run's streams and has lost its parent is found by its pipe, killed, and named in
    /// [`Output::leaked`](crate::Output::leaked). The closures' reads and writes fail from then on; [`wait`](Job::wait) still waits for a
    /// closure that does not return.
    ///
    /// # Errors
    /// None so far: the report names what could not be killed.
    ///
    /// ```
    /// let job = pipewright::cmd!("sleep", "60").spawn()?;
    /// assert!(job.kill()?.survivors.is_empty());
    /// assert_eq!(job.wait()?.signal(), Some(9));
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn kill(&self) -> Result<KillReport, Error> {
        self.emit_killed(libc::SIGKILL);
        let mut ending = self.take_termination();
        ending.kill(&Pipes::new());
        self.members.cancel_closures();
        self.shared.was_killed();
        // Only to prove that a cgroup is empty, this waits for the killed processes.
        Ok(self.report(&ending, std::iter::empty(), Deadline::after(WALK)))
    }

    fn termination(&self) -> Termination {
        Termination::new(&self.members.processes, self.members.container.as_ref(), self.shared.shared_ending())
    }

    /// The termination that an earlier [`terminate`](Job::terminate) began, or a new one.
    fn take_termination(&self) -> Termination {
        self.shared.shared_ending().with_requested(Option::take).unwrap_or_else(|| self.termination())
    }

    /// `left`: the processes that were killed and have not ended in time.
    fn report(&self, ending: &Termination, left: impl Iterator<Item = tree::Survivor>, until: Deadline) -> KillReport {
        let container = self.members.container.as_deref();
        let (signalled, refused) = ending.reached();
        let survivors: Vec<Survivor> = refused.into_iter().chain(left).map(Survivor::from).collect();
        let proven = survivors.is_empty() && container.is_some_and(|container| container.is_empty(until));
        let unseen = ending.unseen().filter(|_| !proven);
        let fell_back = container.and_then(Container::fell_back).map(String::from);
        KillReport { means: means(container, unseen), signalled, survivors, proven, fell_back, unseen }
    }

    /// Sends a signal, by its number (signal(7)), to every process that the run started and that has not ended. Does not block.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] for the first process that refuses; the others get the signal all the same. A process that has ended is no error.
    ///
    /// ```
    /// let job = pipewright::cmd!("sleep", "60").spawn()?;
    /// job.send_signal(2)?; // SIGINT
    /// assert_eq!(job.wait()?.signal(), Some(2));
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn send_signal(&self, signal: i32) -> Result<(), Error> {
        let mut refused = None;
        for ((index, _), process) in self.plan.commands().zip(&self.members.processes) {
            if let Err(error) = process.send_signal(signal) {
                let what = format!("refused the signal {signal}");
                refused.get_or_insert(Fault::new(ErrorKind::Io, what).at(self.plan.stage_name(index)).because(error));
            }
        }
        refused.map_or(Ok(()), |fault| Err(fault.into_error(&self.plan)))
    }

    /// Ends the run: SIGTERM to its processes and their descendants, then SIGKILL to those that live after `grace`. Blocks until they have
    /// ended, usually long before the end of the grace, and at most two seconds longer. The status is then SIGTERM or SIGKILL, which
    /// [`wait`](Job::wait) returns, and which is an error of [`output`](Job::output).
    ///
    /// Each process that lives when SIGTERM is sent gets it once. What a process starts afterwards, to clean up, is left alone while the
    /// processes that the run started live. When they have ended, SIGTERM goes to what is left: their descendants, the members of the run's
    /// container, and processes that hold one of its captured streams. At the end of the same grace all of them are killed.
    ///
    /// Closures beside processes have the same time: they read the last bytes of the processes, and then the end. After that their reads and
    /// writes fail; in a run without processes they fail at once.
    ///
    /// # Errors
    /// When waiting for a process fails. The report names what could not be killed.
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

    /// Ends the run like [`shutdown`](Job::shutdown), by a plan: signals, by their numbers (signal(7)), each with the time until the next
    /// one, and SIGKILL after the last. Blocks until the processes have ended, usually long before the end of the plan. Each step continues
    /// the processes that are stopped (SIGCONT).
    ///
    /// # Errors
    /// Those of [`shutdown`](Job::shutdown).
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
        let mut ending = self.take_termination();
        ending.begin(plan.into_iter().collect(), true);
        ending.run(&mut Caller { job: self, pipes: self.shared.shared_ending().pipes() });
        self.members.cancel_closures();
        let patience = Deadline::after(WALK);
        self.wait_for_processes(patience)?;
        self.shared.was_killed();
        Ok(self.report(&ending, ending.left(), patience))
    }

    /// Waits for the processes, not for the ends of their streams.
    fn wait_for_processes(&self, deadline: Deadline) -> Result<(), Error> {
        for ((index, _), process) in self.plan.commands().zip(&self.members.processes) {
            let wait = || -> std::io::Result<()> {
                while process.try_report()?.is_none() && !deadline.passed() {
                    crate::sys::poll::wait_for(process.end_fd(), crate::sys::poll::Interest::Readable, deadline)?;
                }
                Ok(())
            };
            wait().map_err(|error| {
                let fault = Fault::new(ErrorKind::Io, "cannot be waited for").because(error);
                fault.at(self.plan.stage_name(index)).into_error(&self.plan)
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
