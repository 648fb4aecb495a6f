//! The questions of a tree to the system, answered from `/proc` and by process descriptors.

use std::cell::Cell;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use crate::clock::Deadline;
use crate::process::{self, Process};
use crate::procfs::stat::{Stat, Table};
use crate::procfs::{self, Procfs};
use crate::sys::{fds, pidfd, poll, sysinfo, wait};

/// The system as a tree sees it; a model of it in the tests.
pub(crate) trait System {
    /// Names one process for good, whatever becomes of its number.
    type Handle;

    /// This process.
    fn own(&self) -> i32;
    /// In ticks since boot.
    fn now(&self) -> u64;
    /// The number that the kernel gave away last, if it tells.
    fn last_pid(&self) -> Option<i32>;
    /// Prepares a round of [`children`](Self::children).
    fn begin(&mut self) -> io::Result<()>;
    /// The children of the process that has this number, as they were at a moment after `at`.
    fn children(&mut self, pid: i32) -> io::Result<Listing>;
    fn stat(&self, pid: i32) -> io::Result<Stat>;
    /// Whether no thread of the process that has this number runs.
    fn is_still(&self, pid: i32) -> io::Result<bool>;
    /// A handle for the process that has this number. `keep`: it will be kept, and counts against a limit. `None` where the system gives none.
    fn open(&self, pid: i32, keep: bool) -> io::Result<Option<Self::Handle>>;
    /// Fails with ESRCH when the process has been reaped.
    fn signal(&self, handle: &Self::Handle, signal: i32) -> io::Result<()>;
    /// Signals the process that has this number.
    fn signal_number(&self, pid: i32, signal: i32) -> io::Result<()>;
    /// Whether dropping it closes a descriptor.
    fn is_closable(&self, handle: &Self::Handle) -> bool;
    /// How long one level of a tree may take to stop.
    fn patience(&self) -> Duration;
    /// Sleeps between two looks at a state that the kernel does not notify of; longer with each time.
    fn pause(&self, times: u32);
    /// Reaps these processes once all of them have ended, as far as they are orphans that were given to this process.
    fn reap(&mut self, handles: Vec<Self::Handle>);
}

pub(crate) struct Listing {
    /// In ticks since boot.
    pub(super) at: u64,
    pub(super) pids: Vec<i32>,
}

/// The real one.
#[derive(Default)]
pub(crate) struct Proc {
    /// Opened when it is first needed.
    proc: Cell<Option<Procfs>>,
    /// Found out when it is first needed.
    source: Option<Source>,
    /// Where there are no `children` files: the children of each process, and the time of the scan.
    table: Option<(u64, Table)>,
}

pub(crate) enum Handle {
    /// A child of this process, which knows by itself whether it was reaped.
    Root(Process),
    Pidfd(OwnedFd, Share),
}

impl Handle {
    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Handle::Root(process) => process.end_fd(),
            Handle::Pidfd(fd, _) => fd.as_fd(),
        }
    }
}

/// One descriptor's part of [`share`].
pub(crate) struct Share(());

static HELD: AtomicUsize = AtomicUsize::new(0);

/// The number of descriptors that all trees together keep: an eighth of what the process may have. A process that is found beyond that is
/// known by its number and start time, and opened for each signal anew.
fn share() -> usize {
    let limit = usize::try_from(fds::limit().unwrap_or(1024)).unwrap_or(usize::MAX);
    (limit / 8).min(4096)
}

impl Share {
    fn take() -> Share {
        HELD.fetch_add(1, Relaxed);
        Share(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        HELD.fetch_sub(1, Relaxed);
    }
}

impl Proc {
    #[cfg(test)]
    pub(super) fn scanning() -> Proc {
        Proc { source: Some(Source::Scan), ..Proc::default() }
    }

    fn proc(&self) -> io::Result<Procfs> {
        if let Some(proc) = self.proc.get() {
            return Ok(proc);
        }
        let proc = Procfs::open()?;
        self.proc.set(Some(proc));
        Ok(proc)
    }
}

#[cfg(test)]
pub(super) fn held() -> usize {
    HELD.load(Relaxed)
}

/// The place where children are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Files,
    Scan,
}

/// Found out once. A shortage (EMFILE, ENFILE, ENOMEM) is no answer, and is not remembered.
fn source(proc: Procfs) -> io::Result<Source> {
    static SOURCE: OnceLock<Source> = OnceLock::new();
    if let Some(source) = SOURCE.get() {
        return Ok(*source);
    }
    let source = if proc.lists_children()? { Source::Files } else { Source::Scan };
    Ok(*SOURCE.get_or_init(|| source))
}

impl System for Proc {
    type Handle = Handle;

    fn own(&self) -> i32 {
        sysinfo::pid()
    }

    fn now(&self) -> u64 {
        sysinfo::boot_ticks()
    }

    fn last_pid(&self) -> Option<i32> {
        self.proc().ok()?.last_pid()
    }

    fn begin(&mut self) -> io::Result<()> {
        let proc = self.proc()?;
        let source = match self.source {
            Some(source) => source,
            None => *self.source.insert(source(proc)?),
        };
        self.table = match source {
            Source::Files => None,
            Source::Scan => {
                let at = sysinfo::boot_ticks();
                Some((at, Table::new(scan(Deadline::NEVER)?)))
            }
        };
        Ok(())
    }

    fn children(&mut self, pid: i32) -> io::Result<Listing> {
        if let Some((at, table)) = &self.table {
            return Ok(Listing { at: *at, pids: table.children(pid) });
        }
        let at = sysinfo::boot_ticks();
        Ok(Listing { at, pids: self.proc()?.children(pid)? })
    }

    fn stat(&self, pid: i32) -> io::Result<Stat> {
        self.proc()?.stat(pid)
    }

    fn is_still(&self, pid: i32) -> io::Result<bool> {
        self.proc()?.is_still(pid)
    }

    fn open(&self, pid: i32, keep: bool) -> io::Result<Option<Handle>> {
        if keep && HELD.load(Relaxed) >= share() {
            return Ok(None);
        }
        match pidfd::open(pid) {
            Ok(fd) => Ok(Some(Handle::Pidfd(fds::clear_of_stdio(fd)?, Share::take()))),
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Err(error),
            // No descriptor left, an old kernel, or a filter that refuses the call.
            Err(_) => Ok(None),
        }
    }

    fn signal(&self, handle: &Handle, signal: i32) -> io::Result<()> {
        match handle {
            Handle::Root(process) => process.signal_unreaped(signal),
            Handle::Pidfd(fd, _) => match pidfd::send_signal(fd.as_fd(), signal) {
                // The call is refused. For signal 0 poll answers instead: a process that has not ended has not been reaped.
                Err(error) if signal == 0 && error.raw_os_error() != Some(libc::ESRCH) => {
                    match poll::is_readable(fd.as_fd()) {
                        Ok(true) => Err(io::Error::from_raw_os_error(libc::ESRCH)),
                        Ok(false) | Err(_) => Ok(()),
                    }
                }
                sent => sent,
            },
        }
    }

    fn signal_number(&self, pid: i32, signal: i32) -> io::Result<()> {
        wait::kill(pid, signal)
    }

    fn is_closable(&self, handle: &Handle) -> bool {
        matches!(handle, Handle::Pidfd(..))
    }

    fn patience(&self) -> Duration {
        Duration::from_millis(100)
    }

    fn pause(&self, times: u32) {
        if times < 8 {
            std::thread::yield_now();
        } else {
            std::thread::sleep(Duration::from_micros(50 * u64::from(times.min(20))));
        }
    }

    fn reap(&mut self, handles: Vec<Handle>) {
        // Only a descriptor means one process after its end.
        let pidfds = handles.into_iter().filter_map(|handle| match handle {
            Handle::Pidfd(fd, _) => Some(fd),
            Handle::Root(_) => None,
        });
        if sysinfo::adopts_orphans() {
            process::reap_orphans(pidfds.collect());
        }
    }
}

/// The number of processes that a scan looks at whatever the clock says: on a busy machine time passes in which this thread did nothing.
const AT_LEAST: usize = 512;

/// Every process of the system, as far as there is time, the youngest first. A process that ends meanwhile, or whose `stat` cannot be
/// read, is left out.
pub(super) fn scan(budget: Deadline) -> io::Result<Vec<Stat>> {
    let proc = Procfs::open()?;
    let mut stats = Vec::new();
    for (index, pid) in proc.processes()?.into_iter().enumerate() {
        if index >= AT_LEAST && budget.passed() {
            break;
        }
        stats.extend(procfs::passing(proc.stat(pid))?);
    }
    Ok(stats)
}
