//! The one thread that reaps what no caller waits for any more: detached children, children that a kill did not end at once, and orphans of
//! ended runs that were given to this process.
//!
//! It starts with the first arrival and ends when the last is gone. A program that never needs it never has it.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::Process;
use crate::clock::Deadline;
use crate::pipe;
use crate::sys::poll::{self, Interest, PollSet};
use crate::sys::{fds, sysinfo, wait};

struct Reaper {
    /// The pid of the process whose thread runs: a fork without exec copies this value and not the thread.
    running: Option<i32>,
    arrivals: Vec<Arrival>,
    /// Written to when there are arrivals. `None` without a spare descriptor: the thread then looks by itself.
    wake: Option<OwnedFd>,
}

static REAPER: Mutex<Reaper> = Mutex::new(Reaper { running: None, arrivals: Vec::new(), wake: None });

/// The time between two looks for arrivals when there is no descriptor to wake the thread, and between two tries of a refused call: short
/// beside what a zombie costs, long beside what a look costs.
const LOOK: Duration = Duration::from_millis(100);

enum Arrival {
    Child(Process),
    Orphans(Orphans),
}

/// What belonged to one ended run. It is reaped when all have ended: only then each of them has lost its parent, see
/// [`orphans`](crate::tree).
struct Orphans {
    pidfds: Vec<OwnedFd>,
    /// The first of them that was not seen to have ended.
    next: usize,
}

impl Arrival {
    /// Reaps it if it has ended; whether it has.
    fn has_ended(&mut self) -> std::io::Result<bool> {
        match self {
            Arrival::Child(process) => Ok(process.try_report()?.is_some()),
            Arrival::Orphans(orphans) => orphans.have_ended(),
        }
    }

    fn end_fd(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Arrival::Child(process) => Some(process.end_fd()),
            Arrival::Orphans(orphans) => orphans.pidfds.get(orphans.next).map(AsFd::as_fd),
        }
    }
}

impl Orphans {
    fn have_ended(&mut self) -> std::io::Result<bool> {
        while let Some(pidfd) = self.pidfds.get(self.next) {
            if !poll::is_readable(pidfd.as_fd())? {
                return Ok(false);
            }
            self.next += 1;
        }
        self.pidfds.iter().for_each(|pidfd| wait::reap_orphan(pidfd.as_fd()));
        Ok(true)
    }
}

/// Leaves a process to the reaper. Cannot fail: where no thread can be started, the child stays a zombie until the next
/// hand-over or until this program ends.
pub(crate) fn hand_over(process: Process) {
    process.detach();
    if !process.is_reaped_by_thread() {
        arrive(Arrival::Child(process));
    }
}

/// Reaps the processes that these descriptors name, as far as they are children of this process when all have ended: at once if they
/// have, else by the thread.
pub(crate) fn reap_orphans(pidfds: Vec<OwnedFd>) {
    let mut orphans = Orphans { pidfds, next: 0 };
    if !orphans.have_ended().unwrap_or(false) {
        arrive(Arrival::Orphans(orphans));
    }
}

fn arrive(arrival: Arrival) {
    let mut reaper = REAPER.lock().unwrap_or_else(PoisonError::into_inner);
    reaper.arrivals.push(arrival);
    if reaper.running == Some(sysinfo::pid()) {
        if let Some(wake) = &reaper.wake {
            // A full pipe wakes the thread, too.
            let _ = crate::sys::stream::write(wake.as_fd(), b"!");
        }
        return;
    }
    let (woken, wake) = wake_pipe().unzip();
    reaper.wake = wake;
    let started = crate::sys::thread::start("pipewright-reap", move || reap_until_empty(woken));
    reaper.running = started.is_ok().then(sysinfo::pid);
}

fn wake_pipe() -> Option<(OwnedFd, OwnedFd)> {
    let (reader, writer) = pipe::kernel().ok()?;
    fds::set_nonblocking(writer.as_fd(), true).ok()?;
    Some((reader.into(), writer.into()))
}

fn reap_until_empty(woken: Option<OwnedFd>) {
    let mut waiting: Vec<Arrival> = Vec::new();
    let mut set = PollSet::default();
    loop {
        let mut is_refused = false;
        waiting.retain_mut(|arrival| {
            let ended = arrival.has_ended();
            is_refused |= ended.is_err();
            !ended.unwrap_or(false)
        });
        if is_refused {
            // waitid or poll failed for a passing reason, and the descriptor stays readable meanwhile.
            thread::sleep(LOOK);
        }
        {
            let mut reaper = REAPER.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.append(&mut reaper.arrivals);
            if waiting.is_empty() {
                reaper.running = None;
                reaper.wake = None;
                return;
            }
        }
        set.clear();
        let deadline = if woken.is_some() { Deadline::NEVER } else { Deadline::after(LOOK) };
        let ends = waiting.iter().filter_map(Arrival::end_fd);
        woken.iter().map(AsFd::as_fd).chain(ends).for_each(|fd| set.push(fd, Interest::Readable));
        if set.wait(deadline).is_err() {
            thread::sleep(LOOK);
        }
        if let Some(woken) = woken.as_ref().filter(|_| set.ready(0)) {
            let _ = crate::sys::stream::read(woken.as_fd(), &mut [0; 64]);
        }
    }
}
