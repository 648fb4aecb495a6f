//! Ends a builder's runs from another thread.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::engine::control::{Request, Waker};

/// Ends a builder's runs from another thread: those in progress, and any later one before it starts.
///
/// [`Cmd::cancel_handle`](crate::Cmd::cancel_handle) gives it. The processes get SIGTERM, and are killed after the builder's `grace`; the
/// verb returns [`Cancelled`](crate::ErrorKind::Cancelled) with what was captured.
///
/// A cancel cannot be taken back: to run the same thing again, build it anew. Dropping a handle does nothing.
///
/// ```
/// use pipewright::{cmd, ErrorKind};
/// let endless = cmd!("sleep", "60");
/// let cancel = endless.cancel_handle();
/// std::thread::spawn(move || cancel.cancel());
/// assert_eq!(endless.run().unwrap_err().kind(), ErrorKind::Cancelled);
/// ```
#[derive(Debug, Clone, Default)]
pub struct CancelHandle(Arc<Mutex<Cancel>>);

#[derive(Debug, Default)]
struct Cancel {
    cancelled: bool,
    wakers: Vec<(u64, Waker)>,
    next: u64,
}

impl CancelHandle {
    /// Ends the runs, and does not wait for them. A later run of the builder fails at once.
    ///
    /// A second call does nothing.
    ///
    /// ```
    /// use pipewright::{cmd, ErrorKind};
    /// let cmd = cmd!("true");
    /// cmd.cancel_handle().cancel();
    /// assert_eq!(cmd.run().unwrap_err().kind(), ErrorKind::Cancelled);
    /// ```
    pub fn cancel(&self) {
        let mut cancel = self.lock();
        cancel.cancelled = true;
        for (_, waker) in &cancel.wakers {
            waker.request(Request::Cancel);
        }
    }

    /// Whether [`cancel`](Self::cancel) was called.
    ///
    /// Does not say whether the runs have ended.
    ///
    /// ```
    /// let cancel = pipewright::cmd!("true").cancel_handle();
    /// cancel.cancel();
    /// assert!(cancel.is_cancelled());
    /// ```
    pub fn is_cancelled(&self) -> bool {
        self.lock().cancelled
    }

    /// Registers `waker`, which a cancel wakes as long as the returned value lives. An earlier cancel wakes it at once.
    pub(crate) fn register(&self, waker: Waker) -> Registration {
        let mut cancel = self.lock();
        if cancel.cancelled {
            waker.request(Request::Cancel);
        }
        let id = cancel.next;
        cancel.next += 1;
        cancel.wakers.push((id, waker));
        drop(cancel);
        Registration { handle: self.clone(), id }
    }

    fn lock(&self) -> MutexGuard<'_, Cancel> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A run's place with its cancel handle.
#[derive(Debug)]
pub(crate) struct Registration {
    handle: CancelHandle,
    id: u64,
}

impl Drop for Registration {
    fn drop(&mut self) {
        let id = self.id;
        self.handle.lock().wakers.retain(|(other, _)| *other != id);
    }
}
