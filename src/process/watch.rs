//! How the end of a child is noticed: by its process descriptor, or by a thread that waits for it.

use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex};
use std::time::Instant;
use std::{io, thread};

use super::{Inner, Process, State};
use crate::status::Status;
use crate::sys::{fds, wait};

pub(super) enum Watch {
    /// Linux 5.4 and later.
    Pidfd(OwnedFd),
    /// Elsewhere: the thread holds the other end of this pipe and lets go of it when the child has been reaped.
    Thread { ended: OwnedFd },
}

/// Starts the watching thread. It first waits *without* reaping, so that while it blocks the number stays the child's and can be
/// signalled; then, under the lock, it reaps and says so. A signal thus meets the child, its zombie, or nobody.
pub(super) fn by_thread(pid: i32, started: Instant) -> io::Result<Process> {
    let (reader, writer) = os_pipe::pipe()?;
    let ended = fds::clear_of_stdio(reader.into())?;
    let writer = fds::clear_of_stdio(writer.into())?;
    let watch = Watch::Thread { ended };
    let inner = Arc::new(Inner { pid, started, watch, state: Mutex::new(State::Running) });
    let shared = Arc::clone(&inner);
    thread::Builder::new().name("pipewright-wait".into()).spawn(move || {
        // ECHILD and the like: reaped elsewhere; the reap below says the same.
        let _ = wait::wait_without_reaping(pid);
        let mut state = shared.state();
        let (status, usage) = match wait::reap(wait::Child::Pid(pid), true) {
            Ok(Some((status, usage))) => (status, Some(usage)),
            Ok(None) | Err(_) => (Status::UNKNOWN, None),
        };
        *state = State::Ended(shared.ended(status, usage));
        drop(state);
        drop(writer);
    })?;
    Ok(Process(inner))
}
