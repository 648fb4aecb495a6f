//! Ending a run by its handle, and what that came to.

use std::sync::Weak;
use std::time::Duration;

use super::Job;
use crate::clock::Deadline;
use crate::contain::{Container, Reach};
use crate::engine::termination::{Around, Nothing, Pipes, Termination, WALK};
use crate::engine::timing::{Cut, Steps};
use crate::outcome::{Error, ErrorKind, Fault};
use crate::procfs::Unseen;
use crate::tree;

/// What a kill came to: from [`Job::kill`](crate::Job::kill) and [`Job::shutdown`](crate::Job::shutdown).
///
/// It names what was found. Without a container one kind of process cannot be: one whose parent ended before a look saw the two, and which
/// holds no captured stream of the run. The system gives it another parent before the end of its own is told. A
/// [`contain`](crate::Cmd::contain) finds it.
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
    /// The processes that could not be killed, or that had not ended when the call came back.
    pub survivors: Vec<Survivor>,
    /// Whether it is proven that nothing of the run is left. Only with [`Means::Cgroup`], once nobody is in it any more: out of everything
    /// else a process can get unseen. (Out of a cgroup, who has the right to write to another one.)
    pub complete: bool,
    /// Why the means is less than [`contain`](crate::Cmd::contain) asked for.
    pub fell_back: Option<String>,
    /// Why more may be left than what the means misses by its nature: what could not be looked at. `None` where nothing of that kind came
    /// up, and where it is proven that nothing is left.
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

fn means(container: Option<&Container>, unseen: Option<Unseen>) -> Means {
    match container.map_or(Reach::Parentage, Container::reach) {
        Reach::Parentage if cfg!(target_os = "linux") && unseen != Some(Unseen::Proc) => Means::Walk,
        Reach::Parentage => Means::Children,
        Reach::Group => Means::Group,
        Reach::Session => Means::Session,
        Reach::Cgroup => Means::Cgroup,
    }
}

/// A job whose caller ends it.
struct Caller<'a> {
    job: &'a Job,
    pipes: Pipes,
}

impl Around for Caller<'_> {
    /// Where there are only closures, they are stopped at once.
    fn closures_have_ended(&mut self) -> bool {
        self.job.processes.is_empty() || self.job.closures.iter().all(|closure| closure.ended().is_some())
    }

    fn pipes(&self) -> Pipes {
        self.pipes.clone()
    }

    fn sends(&mut self, signal: i32) {
        self.job.tell_killed(signal);
    }

    fn sent(&mut self, signal: i32) {
        if signal == libc::SIGKILL {
            self.job.stop_closures();
        }
    }
}

impl Job {
    /// Asks every process of the run, and what they have started in turn, to end: SIGTERM, and SIGCONT for those that are stopped, see
    /// kill(2). Does not wait.
    ///
    /// What they start in answer is left alone while they live. When they have ended, a [`wait`](Job::wait) asks what is left of the run, too,
    /// once. It kills nothing: no grace was set that could be over. What ignores SIGTERM and holds a captured stream keeps the wait waiting,
    /// up to `timeout` or `eof_grace`; [`shutdown`](Job::shutdown) then ends it.
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
        self.tell_killed(libc::SIGTERM);
        self.shared.outside().with_asked(|asked| {
            let asked = asked.get_or_insert_with(|| self.termination());
            asked.begin(Steps::from([(libc::SIGTERM, Duration::MAX)]), false);
            // The search for those that hold a stream is left to what drives the run.
            asked.advance(&mut Nothing);
        });
        self.shared.ring();
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
        let mut all = self.all_of_it();
        all.kill(&Pipes::new());
        self.stop_closures();
        self.shared.was_killed();
        // What was killed is not waited for, except to prove that a cgroup is empty.
        Ok(self.report(&all, std::iter::empty(), Deadline::after(WALK)))
    }

    fn termination(&self) -> Termination {
        Termination::new(&self.processes, self.container.as_ref(), self.shared.outside())
    }

    /// With what is known by an earlier [`terminate`](Job::terminate).
    fn all_of_it(&self) -> Termination {
        self.shared.outside().with_asked(Option::take).unwrap_or_else(|| self.termination())
    }

    /// What it came to; `left`: what was killed, and has not ended after it was waited for.
    fn report(&self, all: &Termination, left: impl Iterator<Item = tree::Survivor>, until: Deadline) -> KillReport {
        let container = self.container.as_deref();
        let (killed, refused) = all.reached();
        let survivors: Vec<Survivor> = refused.into_iter().chain(left).map(Survivor::from).collect();
        let complete = survivors.is_empty() && container.is_some_and(|container| container.is_empty(until));
        let unseen = all.unseen().filter(|_| !complete);
        let fell_back = container.and_then(Container::fell_back).map(String::from);
        KillReport { means: means(container, unseen), killed, survivors, complete, fell_back, unseen }
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
                refused.get_or_insert(Fault::new(ErrorKind::Io, what).at(self.plan.stage_name(index)).because(error));
            }
        }
        refused.map_or(Ok(()), |fault| Err(fault.into_error(&self.plan)))
    }

    /// Ends the run: SIGTERM, then SIGKILL to what is still there after `grace`, what the processes have started in turn included. Blocks
    /// until they are gone, which is as
    /// a rule long before the grace is over, and at most two seconds longer. The status is then SIGTERM's or SIGKILL's, an error to
    /// [`output`](Job::output): ask [`wait`](Job::wait) for it.
    ///
    /// Each process that lives when it is sent gets SIGTERM once. What one starts in answer, to clean up, is left alone while the run's own
    /// processes live. When they have ended, whatever is left is asked, too: what they have started, what is in the run's
    /// container, what holds one of its captured streams. By the end of the same grace all of it is killed.
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
        let mut all = self.all_of_it();
        all.begin(plan.into_iter().collect(), true);
        all.run(&mut Caller { job: self, pipes: self.shared.outside().pipes() });
        self.stop_closures();
        let patience = Deadline::after(WALK);
        self.wait_for_processes(patience)?;
        self.shared.was_killed();
        Ok(self.report(&all, all.left(), patience))
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
