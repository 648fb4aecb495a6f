//! One child and the end of it: noticed by its process descriptor or by a thread, and reaped once.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::pipe;
use crate::status::Status;
use crate::sys::wait::{self, Usage};
use crate::sys::{pidfd, thread};

pub(super) struct Watched {
    pub(super) pid: i32,
    pub(super) started: Instant,
    pub(super) watch: Watch,
    /// Reaping and signalling by number both happen under this lock, so a number is never signalled after the reaping.
    reap: Mutex<Reap>,
}

pub(super) enum Watch {
    /// Linux 5.4 and later.
    Pidfd(OwnedFd),
    /// Elsewhere: the thread holds the other end of this pipe, and closes it when the child has been reaped.
    Thread { ended: OwnedFd },
}

/// How far a child's end has come.
#[derive(Clone, Copy)]
pub(super) enum Reap {
    /// Not seen to have ended. `keep_zombie`: the end leaves a zombie, so that the number, which is also a process group's, stays its own.
    Pending {
        keep_zombie: bool,
    },
    /// Ended, and not reaped yet.
    Zombie(ExitReport),
    Reaped(ExitReport),
}

/// What is known of a process that has ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ExitReport {
    /// `Status::UNKNOWN` when it was reaped outside of this library.
    pub(crate) status: Status,
    pub(crate) usage: Option<Usage>,
    /// From the start to the moment when the end was seen.
    pub(crate) wall: Duration,
}

/// The time between two tries of a refused wait.
const AGAIN: Duration = Duration::from_millis(10);

impl Reap {
    pub(super) fn report(&self) -> Option<ExitReport> {
        match *self {
            Reap::Pending { .. } => None,
            Reap::Zombie(report) | Reap::Reaped(report) => Some(report),
        }
    }
}

impl Watched {
    pub(super) fn by_pidfd(pid: i32, fd: OwnedFd, started: Instant, keep_zombie: bool) -> Arc<Watched> {
        Arc::new(Watched::new(pid, started, Watch::Pidfd(fd), keep_zombie))
    }

    /// Starts a thread that waits. It first waits *without* reaping: while it blocks, the number stays the child's and can be
    /// signalled. Then, under the lock, it reaps. So a signal reaches the child, its zombie, or no process.
    pub(super) fn by_thread(pid: i32, started: Instant, keep_zombie: bool) -> io::Result<Arc<Watched>> {
        let (ended, writer) = pipe::kernel()?;
        let watched = Arc::new(Watched::new(pid, started, Watch::Thread { ended: ended.into() }, keep_zombie));
        let shared = Arc::clone(&watched);
        thread::start("pipewright-wait", move || {
            loop {
                let waited = wait::wait_without_reaping(pid);
                // It does not block under the lock, which a kill takes, too.
                if matches!(shared.advance(&mut shared.reap(), false), Ok(Some(_))) {
                    break;
                }
                if waited.is_err() {
                    // Refused, for a while or for good.
                    std::thread::sleep(AGAIN);
                }
            }
            drop(writer);
        })?;
        Ok(watched)
    }

    fn new(pid: i32, started: Instant, watch: Watch, keep_zombie: bool) -> Watched {
        Watched { pid, started, watch, reap: Mutex::new(Reap::Pending { keep_zombie }) }
    }

    pub(super) fn reap(&self) -> MutexGuard<'_, Reap> {
        // No panic under this lock leaves a change half done.
        self.reap.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether an end leaves a zombie.
    pub(super) fn keeps_zombie(&mut self) -> bool {
        matches!(self.reap.get_mut().unwrap_or_else(PoisonError::into_inner), Reap::Pending { keep_zombie: true })
    }

    /// Looks at the child and takes the one step that is due: from pending to a zombie that is kept, or to reaped.
    pub(super) fn advance(&self, reap: &mut Reap, block: bool) -> io::Result<Option<ExitReport>> {
        if let Reap::Pending { keep_zombie } = *reap {
            *reap = match self.wait(keep_zombie, block) {
                Err(error) if is_no_child(&error) => Reap::Reaped(self.report(self.status_after_reap(), None)),
                next => next?,
            };
        }
        Ok(reap.report())
    }

    fn wait(&self, keep_zombie: bool, block: bool) -> io::Result<Reap> {
        if keep_zombie {
            match wait::peek(self.child()) {
                Ok(Some((status, usage))) => return Ok(Reap::Zombie(self.report(status, usage))),
                Ok(None) => return Ok(Reap::Pending { keep_zombie }),
                Err(error) if is_no_child(&error) => return Err(error),
                // WNOWAIT is refused here. It is reaped then, and from then on its number is not used any more.
                Err(_) => {}
            }
        }
        let reaped = wait::reap(self.child(), block)?;
        Ok(reaped
            .map_or(Reap::Pending { keep_zombie }, |(status, usage)| Reap::Reaped(self.report(status, Some(usage)))))
    }

    /// The status of a child that was reaped outside of this library: newer kernels keep it as long as the descriptor is open.
    fn status_after_reap(&self) -> Status {
        match &self.watch {
            Watch::Pidfd(fd) => pidfd::exit_status_after_reap(fd.as_fd()).map_or(Status::UNKNOWN, Status::from_wait),
            Watch::Thread { .. } => Status::UNKNOWN,
        }
    }

    /// Ends the keeping of a zombie, which is reaped if it is there: the number may be reused from now on.
    pub(super) fn detach(&self) {
        let mut reap = self.reap();
        *reap = match *reap {
            Reap::Pending { .. } => Reap::Pending { keep_zombie: false },
            Reap::Zombie(report) => {
                if !self.is_reaped(*reap) {
                    // ECHILD: another part of this process was faster. Nothing else refuses a zombie.
                    let _ = wait::reap(self.child(), false);
                }
                Reap::Reaped(report)
            }
            Reap::Reaped(report) => Reap::Reaped(report),
        };
    }

    /// Whether it has been reaped, here or elsewhere in this process. Without a process descriptor only its number can be asked: another
    /// child of this process may have that by now, if this one was reaped elsewhere.
    pub(super) fn is_reaped(&self, reap: Reap) -> bool {
        match (reap, &self.watch) {
            (Reap::Reaped(_), _) => true,
            (Reap::Pending { .. } | Reap::Zombie(_), Watch::Pidfd(fd)) => {
                let sent = unless_refused(pidfd::send_signal(fd.as_fd(), 0));
                sent.map_or_else(|| !wait::is_child(fd.as_fd()), |sent| sent.is_err())
            }
            (Reap::Pending { .. }, Watch::Thread { .. }) => {
                wait::peek(self.child()).is_err_and(|error| is_no_child(&error))
            }
            (Reap::Zombie(_), Watch::Thread { .. }) => !matches!(wait::peek(self.child()), Ok(Some(_))),
        }
    }

    pub(super) fn child(&self) -> wait::Child<'_> {
        match &self.watch {
            Watch::Pidfd(fd) => wait::Child::Pidfd(fd.as_fd(), self.pid),
            Watch::Thread { .. } => wait::Child::Pid(self.pid),
        }
    }

    pub(super) fn end_fd(&self) -> BorrowedFd<'_> {
        match &self.watch {
            Watch::Pidfd(fd) | Watch::Thread { ended: fd } => fd.as_fd(),
        }
    }

    pub(super) fn report(&self, status: Status, usage: Option<Usage>) -> ExitReport {
        ExitReport { status, usage, wall: self.started.elapsed() }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.detach();
    }
}

/// The result of `pidfd_send_signal`; `None` where it was refused, by a filter, or by the process's user, and then kill(2) refuses again.
pub(super) fn unless_refused(sent: io::Result<()>) -> Option<io::Result<()>> {
    match sent {
        Err(error) if error.raw_os_error() != Some(libc::ESRCH) => None,
        sent => Some(sent),
    }
}

fn is_no_child(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ECHILD)
}
