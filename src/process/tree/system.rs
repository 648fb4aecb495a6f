//! What a tree asks of the system, and what it gets from `/proc` and process descriptors.

use std::cell::Cell;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use crate::clock::Deadline;
use crate::process::Process;
use crate::procfs::stat::{Stat, Table};
use crate::procfs::{self, Procfs};
use crate::sys::poll::{self, Interest};
use crate::sys::{env, fds, pidfd, wait};

/// The system as a tree sees it; a model of it in the tests.
pub(crate) trait System {
    /// Names one process for good, whatever becomes of its number.
    type Handle;

    /// This process.
    fn own(&self) -> i32;
    /// In ticks since boot.
    fn now(&self) -> u64;
    /// The number that was given away last, where that can be told.
    fn last_pid(&self) -> Option<i32>;
    /// To be called before a round of [`children`](Self::children).
    fn begin(&mut self) -> io::Result<()>;
    /// The children of whoever has this number, as they were at a moment after `at`.
    fn children(&mut self, pid: i32) -> io::Result<Listing>;
    fn stat(&self, pid: i32) -> io::Result<Stat>;
    /// Whether no thread of whoever has this number runs.
    fn is_still(&self, pid: i32) -> io::Result<bool>;
    /// A handle for whoever has this number; to keep, if `keep`. `None` where there is none to be had.
    fn open(&self, pid: i32, keep: bool) -> io::Result<Option<Self::Handle>>;
    /// ESRCH: it has been reaped.
    fn signal(&self, handle: &Self::Handle, signal: i32) -> io::Result<()>;
    /// To whoever has this number.
    fn signal_number(&self, pid: i32, signal: i32) -> io::Result<()>;
    /// Whether letting go of it gives a descriptor back.
    fn is_ours(&self, handle: &Self::Handle) -> bool;
    /// How long one level of a tree may take to stop.
    fn patience(&self) -> Duration;
    /// Between two looks at something that tells nobody when it changes; longer from time to time.
    fn pause(&self, times: u32);
}

pub(crate) struct Listing {
    /// In ticks since boot.
    pub(super) at: u64,
    pub(super) pids: Vec<i32>,
}

/// The real one.
#[derive(Default)]
pub(crate) struct Proc {
    /// Looked at when it is first needed.
    proc: Cell<Option<Procfs>>,
    /// Where children are read; found out when it is first needed.
    source: Option<Source>,
    /// Who has which children, and since when that is known; where there are no `children` files.
    table: Option<(u64, Table)>,
}

pub(crate) enum Name {
    /// A child of ours: it knows by itself whether it was reaped.
    Root(Process),
    Pidfd(Held),
}

/// A process descriptor that counts against [`share`].
pub(crate) struct Held(OwnedFd);

static HELD: AtomicUsize = AtomicUsize::new(0);

/// How many descriptors all trees together keep: an eighth of what the process may have. What is found beyond that is known by its
/// number and start time, and opened for each signal anew.
fn share() -> usize {
    let limit = usize::try_from(fds::limit().unwrap_or(1024)).unwrap_or(usize::MAX);
    (limit / 8).min(4096)
}

impl Held {
    fn new(fd: OwnedFd) -> Held {
        HELD.fetch_add(1, Relaxed);
        Held(fd)
    }

    pub(super) fn fd(&self) -> &OwnedFd {
        &self.0
    }
}

impl Drop for Held {
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

/// Where children are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Files,
    Scan,
}

/// Found out once. A shortage answers nothing and is not remembered.
fn source(proc: Procfs) -> io::Result<Source> {
    static SOURCE: OnceLock<Source> = OnceLock::new();
    if let Some(source) = SOURCE.get() {
        return Ok(*source);
    }
    let source = if proc.lists_children()? { Source::Files } else { Source::Scan };
    Ok(*SOURCE.get_or_init(|| source))
}

impl System for Proc {
    type Handle = Name;

    fn own(&self) -> i32 {
        env::pid()
    }

    fn now(&self) -> u64 {
        env::boot_ticks()
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
                let at = env::boot_ticks();
                Some((at, Table::new(scan(Deadline::NEVER)?)))
            }
        };
        Ok(())
    }

    fn children(&mut self, pid: i32) -> io::Result<Listing> {
        if let Some((at, table)) = &self.table {
            return Ok(Listing { at: *at, pids: table.children(pid) });
        }
        let at = env::boot_ticks();
        Ok(Listing { at, pids: self.proc()?.children(pid)? })
    }

    fn stat(&self, pid: i32) -> io::Result<Stat> {
        self.proc()?.stat(pid)
    }

    fn is_still(&self, pid: i32) -> io::Result<bool> {
        self.proc()?.is_still(pid)
    }

    fn open(&self, pid: i32, keep: bool) -> io::Result<Option<Name>> {
        if keep && HELD.load(Relaxed) >= share() {
            return Ok(None);
        }
        match pidfd::open(pid) {
            Ok(fd) => Ok(Some(Name::Pidfd(Held::new(fds::clear_of_stdio(fd)?)))),
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Err(error),
            // None to spare, an old kernel, or a filter that refuses the call.
            Err(_) => Ok(None),
        }
    }

    fn signal(&self, name: &Name, signal: i32) -> io::Result<()> {
        match name {
            Name::Root(process) => process.signal_unreaped(signal),
            Name::Pidfd(held) => match pidfd::send_signal(held.fd().as_fd(), signal) {
                // The question alone has another answer: what has not ended has not been reaped.
                Err(error) if signal == 0 && error.raw_os_error() != Some(libc::ESRCH) => {
                    match poll::wait_for(held.fd().as_fd(), Interest::Readable, Deadline::after(Duration::ZERO)) {
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

    fn is_ours(&self, name: &Name) -> bool {
        matches!(name, Name::Pidfd(_))
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
}

/// So many processes are looked at whatever the clock says.
const AT_LEAST: usize = 512;

/// Every process there is, as far as there is time, the youngest first. One that ends meanwhile, or does not let itself be looked at, is
/// left out.
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
