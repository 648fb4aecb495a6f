//! The one thread that reaps what nobody waits for any more: detached children, and those that a kill did not end at once.
//!
//! It starts when the first such child comes and ends when the last is gone, so a program that never needs it never has it.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::{Process, Watch};
use crate::clock::Deadline;
use crate::pipe;
use crate::sys::poll::{Interest, PollSet};
use crate::sys::{fds, sysinfo};

struct Reaper {
    /// The process whose thread runs: after a fork without exec there is none, whatever was copied.
    running: Option<i32>,
    arrivals: Vec<Process>,
    /// Written to when there are arrivals. Without a descriptor to spare there is none, and the thread looks by itself.
    wake: Option<OwnedFd>,
}

static REAPER: Mutex<Reaper> = Mutex::new(Reaper { running: None, arrivals: Vec::new(), wake: None });

/// How often the thread looks for arrivals when it has no descriptor to be woken by.
const LOOK: Duration = Duration::from_millis(100);

/// Leaves a process to the reaper. Cannot fail: where no thread can be started, the child stays a zombie until the next
/// hand-over or until this program ends.
pub(crate) fn hand_over(process: Process) {
    process.let_go();
    if matches!(process.0.watch, Watch::Thread { .. }) {
        // Its own thread reaps it.
        return;
    }
    let mut reaper = REAPER.lock().unwrap_or_else(PoisonError::into_inner);
    reaper.arrivals.push(process);
    if reaper.running == Some(sysinfo::pid()) {
        if let Some(wake) = &reaper.wake {
            // A pipe that is full already wakes.
            let _ = crate::sys::stream::write(wake.as_fd(), b"!");
        }
        return;
    }
    let pipe = wake_pipe();
    let (woken, wake) = pipe.map_or((None, None), |(reader, writer)| (Some(reader), Some(writer)));
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
    let mut waiting: Vec<Process> = Vec::new();
    let mut set = PollSet::default();
    loop {
        let mut refused = false;
        waiting.retain(|process| match process.try_ended() {
            Ok(ended) => ended.is_none(),
            Err(_) => {
                refused = true;
                true
            }
        });
        if refused {
            // waitid fails for a passing reason only; its descriptor says "ended" all the while.
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
        for process in &waiting {
            set.push(process.end_fd(), Interest::Readable);
        }
        let deadline = match &woken {
            Some(woken) => {
                set.push(woken.as_fd(), Interest::Readable);
                Deadline::NEVER
            }
            None => Deadline::after(LOOK),
        };
        if set.wait(deadline).is_err() {
            thread::sleep(LOOK);
        }
        if let Some(woken) = &woken {
            if set.ready(waiting.len()) {
                let _ = crate::sys::stream::read(woken.as_fd(), &mut [0; 64]);
            }
        }
    }
}
