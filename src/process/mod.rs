//! One running child: waiting for it, signalling it, and what it used.

mod reaper;
pub(crate) mod suspension_clock;
pub(crate) mod terminal;
mod watched;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{fmt, io};

use crate::clock::Deadline;
use crate::status::Status;
use crate::sys::launch::Launched;
use crate::sys::poll::{self, Interest};
use crate::sys::{pidfd, wait};
use watched::{Reap, Watch, Watched, unless_refused};

pub(crate) use reaper::{hand_over, reap_orphans};
pub use wait::Usage;
pub(crate) use watched::ExitReport;

/// One process of a [`Job`](crate::Job), safe to share: cloneable, `&self` everywhere, any number of waiters.
///
/// Signals go over a process descriptor (`pidfd_send_signal(2)`), or, where there is none, under a lock that also covers reaping: a
/// number that the system has given to another process is never signalled. A signal to a process that has ended has no effect, like
/// one to a zombie.
///
/// Its methods return an [`io::Error`], not this library's, because a `Process` knows nothing of its run. Process descriptors exist on
/// Linux; elsewhere a thread waits for each process.
///
/// Dropping a `Process` does nothing; the [`Job`](crate::Job) ends what it started.
///
/// ```
/// use pipewright::cmd;
/// let job = cmd!("sleep", "60").spawn()?;
/// let process = job.processes()[0].clone();
/// std::thread::spawn(move || process.terminate());
/// assert_eq!(job.wait()?.signal(), Some(15));
/// # Ok::<(), pipewright::Error>(())
/// ```
#[derive(Clone)]
pub struct Process(Arc<Watched>);

/// Something else in this process reaped the child (a `waitpid(-1)` loop, or SIGCHLD set to be ignored), and the kernel no longer
/// knows its status, see wait(2). The `io::Error` of [`Process::wait`] then holds this.
///
/// ```
/// use pipewright::{StatusStolen, cmd};
/// let job = cmd!("true").spawn()?;
/// match job.processes()[0].wait() {
///     Ok(status) => assert!(status.success()),
///     Err(error) => assert!(error.get_ref().is_some_and(|inner| inner.is::<StatusStolen>())),
/// }
/// # Ok::<(), pipewright::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the status of process {pid} was stolen: something else in this process reaped it")]
#[non_exhaustive]
pub struct StatusStolen {
    /// The process whose status is gone.
    pub pid: u32,
}

impl Process {
    /// Takes charge of a child. A child that cannot be watched is killed and reaped.
    ///
    /// With `keep_zombie` the end leaves a zombie, until [`detach`](Self::detach): the number stays its own, and so does the process
    /// group or the session that has this number.
    pub(crate) fn new(launched: Launched, started: Instant, keep_zombie: bool) -> io::Result<Process> {
        let Launched { pid, pidfd } = launched;
        match pidfd {
            Some(fd) => Ok(Process(Watched::by_pidfd(pid, fd, started, keep_zombie))),
            None => Watched::by_thread(pid, started, keep_zombie).map(Process).inspect_err(|_| {
                // Nothing else knows this child, so its number is still its own.
                let _ = wait::kill(pid, libc::SIGKILL);
                let _ = wait::reap(wait::Child::Pid(pid), true);
            }),
        }
    }

    /// The process number. It stays the same after the process has ended, when the system may give it to another process.
    ///
    /// ```
    /// let job = pipewright::cmd!("true").spawn()?;
    /// assert_eq!(job.processes()[0].pid(), job.pids()[0]);
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn pid(&self) -> u32 {
        self.0.pid.unsigned_abs()
    }

    /// The pid in the type of the system calls.
    pub(crate) fn number(&self) -> i32 {
        self.0.pid
    }

    /// Blocks until the process has ended, and returns its status. Repeated calls return the same; a stop is not an end, see
    /// waitid(2).
    ///
    /// # Errors
    /// [`StatusStolen`], inside the `io::Error`, when something else in this process reaped it.
    ///
    /// ```
    /// let job = pipewright::cmd!("sh", "-c", "exit 3").spawn()?;
    /// assert_eq!(job.processes()[0].wait()?.code(), Some(3));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn wait(&self) -> io::Result<Status> {
        loop {
            if let Some(status) = self.wait_until(Deadline::NEVER)? {
                return Ok(status);
            }
        }
    }

    /// The status if the process has ended. Does not block.
    ///
    /// # Errors
    /// Like [`Process::wait`].
    ///
    /// ```
    /// let job = pipewright::cmd!("sleep", "60").spawn()?;
    /// assert_eq!(job.processes()[0].try_wait()?, None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_wait(&self) -> io::Result<Option<Status>> {
        self.try_report()?.map(|report| self.known(report)).transpose()
    }

    /// Blocks for at most `timeout`; `None` when the process still runs. Does not end the process, and may be repeated.
    ///
    /// # Errors
    /// Like [`Process::wait`].
    ///
    /// ```
    /// use std::time::Duration;
    /// let job = pipewright::cmd!("sleep", "60").spawn()?;
    /// assert_eq!(job.processes()[0].wait_timeout(Duration::from_millis(10))?, None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn wait_timeout(&self, timeout: Duration) -> io::Result<Option<Status>> {
        self.wait_until(Deadline::after(timeout))
    }

    /// Blocks until `deadline` at most; `None` when the process still runs. Does not end the process, and may be repeated.
    ///
    /// # Errors
    /// Like [`Process::wait`].
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    /// let job = pipewright::cmd!("true").spawn()?;
    /// let deadline = Instant::now() + Duration::from_secs(60);
    /// assert!(job.processes()[0].wait_deadline(deadline)?.is_some());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn wait_deadline(&self, deadline: Instant) -> io::Result<Option<Status>> {
        self.wait_until(Deadline::at(deadline))
    }

    /// Asks the process to end: SIGTERM, see signal(7). Does not wait. A process that has ended already is no error.
    ///
    /// # Errors
    /// The errno of the system call, such as EPERM for a process that changed its user.
    ///
    /// ```
    /// let job = pipewright::cmd!("sleep", "60").spawn()?;
    /// job.processes()[0].terminate()?;
    /// assert_eq!(job.wait()?.signal(), Some(15));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn terminate(&self) -> io::Result<()> {
        self.send_signal(libc::SIGTERM)
    }

    /// Ends the process: SIGKILL, see signal(7). Does not wait. This one process, not its descendants; [`Job::kill`](crate::Job::kill) ends
    /// more.
    ///
    /// # Errors
    /// Like [`Process::terminate`].
    ///
    /// ```
    /// let job = pipewright::cmd!("sleep", "60").spawn()?;
    /// job.processes()[0].kill()?;
    /// assert_eq!(job.wait()?.signal(), Some(9));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "SIGKILL")]
    pub fn kill(&self) -> io::Result<()> {
        self.send_signal(libc::SIGKILL)
    }

    /// Sends a signal by its number of signal(7). Does not wait. A process that has ended already is no error.
    ///
    /// # Errors
    /// The errno of the system call: EINVAL for a number that is no signal, EPERM for a process that changed its user.
    ///
    /// ```
    /// let job = pipewright::cmd!("sleep", "60").spawn()?;
    /// job.processes()[0].send_signal(2)?; // SIGINT
    /// assert_eq!(job.wait()?.signal(), Some(2));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "pidfd_send_signal")]
    pub fn send_signal(&self, signal: i32) -> io::Result<()> {
        match self.signal_unreaped(signal) {
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(()),
            result => result,
        }
    }

    /// Like [`Process::send_signal`], but fails with ESRCH when the process has been reaped.
    pub(crate) fn signal_unreaped(&self, signal: i32) -> io::Result<()> {
        if let Watch::Pidfd(fd) = &self.0.watch {
            if let Some(sent) = unless_refused(pidfd::send_signal(fd.as_fd(), signal)) {
                return sent;
            }
        }
        self.signal_number(self.0.pid, signal)
    }

    /// Signals by a number that is the child's, or its group's, as long as the child has not been reaped. The lock keeps it from being
    /// reaped here meanwhile.
    fn signal_number(&self, number: i32, signal: i32) -> io::Result<()> {
        let reap = self.0.reap();
        if self.0.is_reaped(*reap) {
            return Err(io::Error::from_raw_os_error(libc::ESRCH));
        }
        wait::kill(number, signal)
    }

    /// What the process used, once a wait has seen that it ended. `None` before, and when its status was stolen. Does not
    /// block.
    ///
    /// ```
    /// let job = pipewright::cmd!("true").spawn()?;
    /// assert!(job.processes()[0].usage().is_none());
    /// job.wait()?;
    /// assert!(job.processes()[0].usage().is_some());
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn usage(&self) -> Option<Usage> {
        self.0.reap().report()?.usage
    }

    /// How long the process ran, until a wait saw that it had ended; `None` before. Does not block.
    ///
    /// ```
    /// let job = pipewright::cmd!("true").spawn()?;
    /// assert!(job.processes()[0].wall().is_none());
    /// job.wait()?;
    /// assert!(job.processes()[0].wall().is_some());
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn wall(&self) -> Option<Duration> {
        Some(self.0.reap().report()?.wall)
    }

    /// Becomes readable when the process has ended, and stays so.
    pub(crate) fn end_fd(&self) -> BorrowedFd<'_> {
        self.0.end_fd()
    }

    /// How the process ended, if it has; reaps it if need be. Any waiter may call this: the lock makes the reaping happen once.
    pub(crate) fn try_report(&self) -> io::Result<Option<ExitReport>> {
        let mut reap = self.0.reap();
        // Without a descriptor its thread reaps.
        if self.is_reaped_by_thread() { Ok(reap.report()) } else { self.0.advance(&mut reap, false) }
    }

    /// Blocks until the process has ended, in the call that reaps it. `None`, at once, where that call would keep another thread
    /// from the lock, or where another thread reaps.
    pub(crate) fn wait_alone(&mut self) -> Option<io::Result<ExitReport>> {
        if self.is_reaped_by_thread() || Arc::get_mut(&mut self.0)?.keeps_zombie() {
            return None;
        }
        self.0.advance(&mut self.0.reap(), true).transpose()
    }

    pub(crate) fn is_reaped_by_thread(&self) -> bool {
        matches!(self.0.watch, Watch::Thread { .. })
    }

    /// Allows the number to be reused from now on; a zombie is reaped.
    pub(crate) fn detach(&self) {
        self.0.detach();
    }

    /// Signals the process group that this process leads, as long as the number is known to be its own. ESRCH: the group is empty, or
    /// the number is not known to be its own any more.
    pub(crate) fn signal_group(&self, signal: i32) -> io::Result<()> {
        if let Watch::Pidfd(fd) = &self.0.watch {
            // A kernel before 6.9 refuses this.
            if let Some(sent) = unless_refused(pidfd::send_signal_to_group(fd.as_fd(), signal)) {
                return sent;
            }
        }
        self.signal_number(-self.0.pid, signal)
    }

    /// The signal that has stopped the process, if it is stopped; the look takes nothing away. A process that has ended is not stopped.
    /// Linux does not notify of stops: this polls with `WSTOPPED | WNOHANG`.
    pub(crate) fn stopped_by(&self) -> Option<i32> {
        let reap = self.0.reap();
        match *reap {
            Reap::Zombie(_) | Reap::Reaped(_) => None,
            // Under the lock: as long as it is not reaped, the number is the child's. Where the call is refused, stops are not seen.
            Reap::Pending { .. } => wait::stopped_by(self.0.child()).unwrap_or(None),
        }
    }

    /// Whether its number is known to be its own, or its group's, so that no other process can have it.
    pub(crate) fn keeps_number(&self) -> bool {
        let reap = self.0.reap();
        let leads = |fd: &OwnedFd| pidfd::send_signal_to_group(fd.as_fd(), 0).is_ok();
        !self.0.is_reaped(*reap) || matches!(&self.0.watch, Watch::Pidfd(fd) if leads(fd))
    }

    /// The report on a process whose end is known and whose status is not.
    pub(crate) fn unknown_report(&self) -> ExitReport {
        self.0.report(Status::UNKNOWN, None)
    }

    pub(crate) fn wait_until(&self, deadline: Deadline) -> io::Result<Option<Status>> {
        loop {
            if let Some(status) = self.try_wait()? {
                return Ok(Some(status));
            }
            if !poll::wait_for(self.end_fd(), Interest::Readable, deadline)? {
                // The end may have come between the last look and the deadline.
                return self.try_wait();
            }
        }
    }

    fn known(&self, report: ExitReport) -> io::Result<Status> {
        if report.status.is_unknown() { Err(io::Error::other(self.stolen())) } else { Ok(report.status) }
    }

    pub(crate) fn stolen(&self) -> StatusStolen {
        StatusStolen { pid: self.pid() }
    }
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Process");
        out.field("pid", &self.0.pid);
        match self.0.reap().report() {
            None => out.field("state", &"not seen to have ended"),
            Some(report) => out.field("status", &report.status),
        };
        out.finish()
    }
}
