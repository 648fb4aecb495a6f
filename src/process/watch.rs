//! How the end of a child is noticed: by its process descriptor, or by a thread that waits for it.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;
use std::{io, thread};

use super::{Inner, Process, State};
use crate::pipe;
use crate::status::Status;
use crate::sys::wait;

pub(super) enum Watch {
    /// Linux 5.4 and later.
    Pidfd(OwnedFd),
    /// Elsewhere: the thread holds the other end of this pipe and lets go of it when the child has been reaped.
    Thread { ended: OwnedFd },
}

/// How long after a refused wait the thread asks again.
const AGAIN: Duration = Duration::from_millis(10);

/// Starts the watching thread. It first waits *without* reaping, so that while it blocks the number stays the child's and can be
/// signalled; then, under the lock, it reaps and says so. A signal thus meets the child, its zombie, or nobody.
pub(super) fn by_thread(inner: impl FnOnce(Watch) -> Inner) -> io::Result<Process> {
    let (ended, writer) = pipe::kernel()?;
    let inner = Arc::new(inner(Watch::Thread { ended: ended.into() }));
    let shared = Arc::clone(&inner);
    thread::Builder::new().name("pipewright-wait".into()).spawn(move || {
        let state = loop {
            let waited = wait::wait_without_reaping(shared.pid);
            let mut state = shared.state();
            // Not blocking: the lock is also for those who want to kill.
            match shared.collect(false) {
                Ok(Some((now, _))) => *state = now,
                // Reaped elsewhere.
                Err(error) if error.raw_os_error() == Some(libc::ECHILD) => {
                    *state = State::Ended(shared.ended(Status::UNKNOWN, None));
                }
                Ok(None) | Err(_) => {
                    drop(state);
                    if waited.is_err() {
                        // Refused, for a while or for good.
                        thread::sleep(AGAIN);
                    }
                    continue;
                }
            }
            break state;
        };
        drop(state);
        drop(writer);
    })?;
    Ok(Process(inner))
}
