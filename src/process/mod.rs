//! One running child: wait for it, signal it, know what it used.

pub(crate) mod contain;
pub(crate) mod pauses;
mod reaper;
pub(crate) mod terminal;
pub(crate) mod tree;
mod watch;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{fmt, io};

use crate::clock::Deadline;
use crate::status::Status;
use crate::sys::launch::Launched;
use crate::sys::poll::{self, Interest};
use crate::sys::{pidfd, wait};

pub(crate) use reaper::hand_over;
pub use wait::Usage;
use watch::Watch;

/// One process of a [`Job`](crate::Job), safe to share: cloneable, `&self` everywhere, any number of waiters.
///
/// Signals go by process descriptor (`pidfd_send_signal(2)`), or, where there is none, under a lock that also covers reaping: a
/// number that the system has given to a stranger is never signalled. A process that has ended can be signalled without
/// effect, like a zombie.
///
/// Its methods give an [`io::Error`], not this library's, because a `Process` knows nothing of its run. Process descriptors are
/// Linux's; elsewhere a thread waits for each process.
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
pub struct Process(Arc<Inner>);

struct Inner {
    pid: i32,
    started: Instant,
    watch: Watch,
    /// Reaping and signalling by number both happen under this lock.
    state: Mutex<State>,
    /// Whether an end leaves a zombie, so that the number, which is a process group's too, stays what it is.
    kept: AtomicBool,
}

#[derive(Clone, Copy)]
enum State {
    Running,
    /// Ended, and still a zombie.
    Kept(Ended),
    Ended(Ended),
}

/// What is known of a process that has ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ended {
    /// `Status::UNKNOWN` when somebody else reaped it.
    pub(crate) status: Status,
    pub(crate) usage: Option<Usage>,
    /// From the start to the moment the end was seen.
    pub(crate) wall: Duration,
}

/// Somebody else in this process reaped the child (a `waitpid(-1)` loop, or SIGCHLD set to be ignored), and the kernel no longer
/// knows its status, see wait(2). It is what the `io::Error` of [`Process::wait`] holds then.
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
    /// One that is `kept` leaves a zombie when it ends, until [`let_go`](Self::let_go): the number stays what it is, and so does a
    /// process group or a session that has it.
    pub(crate) fn new(launched: Launched, started: Instant, kept: bool) -> io::Result<Process> {
        let Launched { pid, pidfd } = launched;
        let state = Mutex::new(State::Running);
        let kept = AtomicBool::new(kept);
        match pidfd {
            Some(fd) => Ok(Process(Arc::new(Inner { pid, started, watch: Watch::Pidfd(fd), state, kept }))),
            None => watch::by_thread(|watch| Inner { pid, started, watch, state, kept }).inspect_err(|_| {
                // Nobody else knows this child, so its number is still its own.
                let _ = wait::kill(pid, libc::SIGKILL);
                let _ = wait::reap(wait::Child::Pid(pid), true);
            }),
        }
    }

    /// The process number. It stays what it was after the process has ended, when the system may give it to a stranger.
    ///
    /// ```
    /// let job = pipewright::cmd!("true").spawn()?;
    /// assert_eq!(job.processes()[0].pid(), job.pids()[0]);
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn pid(&self) -> u32 {
        self.0.pid.unsigned_abs()
    }

    /// Blocks until the process has ended, and says how. Repeated calls give the same answer; a stop is not an end, see
    /// waitid(2).
    ///
    /// # Errors
    /// [`StatusStolen`], inside the `io::Error`, when somebody else reaped the process.
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
    /// As [`Process::wait`].
    ///
    /// ```
    /// let job = pipewright::cmd!("sleep", "60").spawn()?;
    /// assert_eq!(job.processes()[0].try_wait()?, None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_wait(&self) -> io::Result<Option<Status>> {
        self.try_ended()?.map(|ended| self.known(ended)).transpose()
    }

    /// Blocks for at most `timeout`; `None` when the process still runs. Ends nothing, and may be repeated.
    ///
    /// # Errors
    /// As [`Process::wait`].
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

    /// Blocks until `deadline` at most; `None` when the process still runs. Ends nothing, and may be repeated.
    ///
    /// # Errors
    /// As [`Process::wait`].
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
    /// What the system says, such as EPERM for a process that changed its user.
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
    /// As [`Process::terminate`].
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
    /// What the system says: EINVAL for a number that is no signal, EPERM for a process that changed its user.
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

    /// As [`Process::send_signal`], but ESRCH where the process has been reaped.
    fn signal_unreaped(&self, signal: i32) -> io::Result<()> {
        if let Watch::Pidfd(fd) = &self.0.watch {
            if let Some(sent) = unless_refused(pidfd::send_signal(fd.as_fd(), signal)) {
                return sent;
            }
        }
        self.signal_number(self.0.pid, signal)
    }

    /// By a number that is the child's, or its group's, as long as the child has not been reaped. Under the lock, so that it is not
    /// reaped here meanwhile.
    fn signal_number(&self, number: i32, signal: i32) -> io::Result<()> {
        let state = self.state();
        if self.0.is_reaped(*state) {
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
        match *self.state() {
            State::Ended(ended) | State::Kept(ended) => ended.usage,
            State::Running => None,
        }
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
        match *self.state() {
            State::Ended(ended) | State::Kept(ended) => Some(ended.wall),
            State::Running => None,
        }
    }

    /// Becomes readable when the process has ended, and stays so.
    pub(crate) fn end_fd(&self) -> BorrowedFd<'_> {
        match &self.0.watch {
            Watch::Pidfd(fd) | Watch::Thread { ended: fd } => fd.as_fd(),
        }
    }

    /// Whether and how the process has ended, reaping it if need be. Any waiter may do that: the lock makes it once.
    pub(crate) fn try_ended(&self) -> io::Result<Option<Ended>> {
        self.ended(false)
    }

    /// Blocks until the process has ended, in the call that reaps it. `None`, at once, where that call would keep somebody else
    /// from the lock, or where another thread reaps.
    pub(crate) fn wait_alone(&mut self) -> Option<io::Result<Ended>> {
        let kept = *Arc::get_mut(&mut self.0)?.kept.get_mut();
        if kept { None } else { self.ended(true).transpose() }
    }

    fn ended(&self, block: bool) -> io::Result<Option<Ended>> {
        let mut state = self.state();
        if let State::Ended(ended) | State::Kept(ended) = *state {
            return Ok(Some(ended));
        }
        let Watch::Pidfd(fd) = &self.0.watch else {
            // The watching thread reaps.
            return Ok(None);
        };
        let ended = match self.0.collect(block) {
            Ok(None) => return Ok(None),
            Ok(Some((now, ended))) => {
                *state = now;
                return Ok(Some(ended));
            }
            Err(error) if error.raw_os_error() == Some(libc::ECHILD) => {
                // Reaped behind our back. Newer kernels keep the status as long as the descriptor is open.
                let status = pidfd::exit_status_after_reap(fd.as_fd()).map_or(Status::UNKNOWN, Status::from_wait);
                self.0.ended(status, None)
            }
            Err(error) => return Err(error),
        };
        *state = State::Ended(ended);
        Ok(Some(ended))
    }

    /// The number may be reused from now on; a zombie is reaped.
    pub(crate) fn let_go(&self) {
        self.0.let_go();
    }

    /// Signals the process group that this process leads, as long as the number cannot be another one's. ESRCH: nobody is in it, or
    /// that is not known any more.
    pub(crate) fn signal_group(&self, signal: i32) -> io::Result<()> {
        if let Watch::Pidfd(fd) = &self.0.watch {
            // A kernel before 6.9 does not know this either.
            if let Some(sent) = unless_refused(pidfd::send_signal_to_group(fd.as_fd(), signal)) {
                return sent;
            }
        }
        self.signal_number(-self.0.pid, signal)
    }

    /// The signal that has stopped the process, if it is stopped; a look that takes nothing away. Who has ended, or is not known any more, is
    /// not stopped. Nobody is told of a stop: it is asked for.
    pub(crate) fn stopped_by(&self) -> Option<i32> {
        let state = self.state();
        match *state {
            State::Kept(_) | State::Ended(_) => None,
            // Under the lock: as long as it is not reaped, the number is the child's. Where the call is refused, stops are not seen.
            State::Running => wait::stopped_by(self.0.child()).unwrap_or(None),
        }
    }

    /// Whether its number is known to be its own, or its group's: nobody else can have it then.
    pub(crate) fn keeps_number(&self) -> bool {
        let state = self.state();
        let leads = |fd: &OwnedFd| pidfd::send_signal_to_group(fd.as_fd(), 0).is_ok();
        !self.0.is_reaped(*state) || matches!(&self.0.watch, Watch::Pidfd(fd) if leads(fd))
    }

    /// The end of a process that the system reported, without saying how it ended.
    pub(crate) fn ended_unseen(&self) -> Ended {
        self.0.ended(Status::UNKNOWN, None)
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

    fn known(&self, ended: Ended) -> io::Result<Status> {
        if ended.status.is_unknown() { Err(io::Error::other(self.stolen())) } else { Ok(ended.status) }
    }

    pub(crate) fn stolen(&self) -> StatusStolen {
        StatusStolen { pid: self.pid() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state()
    }
}

/// What `pidfd_send_signal` came to; `None` where it was refused, by a filter, or by the process, which kill(2) then says again.
fn unless_refused(sent: io::Result<()>) -> Option<io::Result<()>> {
    match sent {
        Err(error) if error.raw_os_error() != Some(libc::ESRCH) => None,
        sent => Some(sent),
    }
}

impl Inner {
    fn let_go(&self) {
        self.kept.store(false, Relaxed);
        let mut state = self.state();
        if let State::Kept(ended) = *state {
            if !self.is_reaped(*state) {
                // ECHILD: somebody else was faster. Nothing else refuses a zombie.
                let _ = wait::reap(self.child(), false);
            }
            *state = State::Ended(ended);
        }
    }

    fn child(&self) -> wait::Child<'_> {
        match &self.watch {
            Watch::Pidfd(fd) => wait::Child::Pidfd(fd.as_fd(), self.pid),
            Watch::Thread { .. } => wait::Child::Pid(self.pid),
        }
    }

    /// How a child ended, if it has: reaped, unless it is kept.
    fn collect(&self, block: bool) -> io::Result<Option<(State, Ended)>> {
        if self.kept.load(Relaxed) {
            match wait::peek(self.child()) {
                Ok(ended) => {
                    let ended = ended.map(|(status, usage)| self.ended(status, usage));
                    return Ok(ended.map(|ended| (State::Kept(ended), ended)));
                }
                Err(error) if error.raw_os_error() == Some(libc::ECHILD) => return Err(error),
                // Nothing but reaping is allowed here: its number is not kept, and not used any more.
                Err(_) => {}
            }
        }
        let ended = wait::reap(self.child(), block)?.map(|(status, usage)| self.ended(status, Some(usage)));
        Ok(ended.map(|ended| (State::Ended(ended), ended)))
    }

    /// Whether it has been reaped, by whomever. Without a process descriptor that is as much as its number tells: another child of this
    /// process may have that by now, where somebody else reaped this one.
    fn is_reaped(&self, state: State) -> bool {
        match (state, &self.watch) {
            (State::Ended(_), _) => true,
            (State::Running | State::Kept(_), Watch::Pidfd(fd)) => {
                let asked = unless_refused(pidfd::send_signal(fd.as_fd(), 0));
                asked.map_or_else(|| !wait::is_child(fd.as_fd()), |asked| asked.is_err())
            }
            (State::Running, Watch::Thread { .. }) => {
                wait::peek(self.child()).is_err_and(|error| error.raw_os_error() == Some(libc::ECHILD))
            }
            (State::Kept(_), Watch::Thread { .. }) => !matches!(wait::peek(self.child()), Ok(Some(_))),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing under this lock panics half-way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ended(&self, status: Status, usage: Option<Usage>) -> Ended {
        Ended { status, usage, wall: self.started.elapsed() }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.let_go();
    }
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Process");
        out.field("pid", &self.0.pid);
        match *self.state() {
            State::Running => out.field("state", &"not seen to have ended"),
            State::Ended(ended) | State::Kept(ended) => out.field("status", &ended.status),
        };
        out.finish()
    }
}
