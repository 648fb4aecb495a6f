//! Ending a builder's runs from another thread.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::engine::control::{Request, Waker};

/// Ends runs from another thread: those in progress of the builder it was taken from, and any later one before it starts.
///
/// Taken by [`Cmd::cancel_handle`](crate::Cmd::cancel_handle). The processes are asked to end (TERM), and killed after the
/// builder's `grace`; the verb returns [`Cancelled`](crate::ErrorKind::Cancelled) with what was captured.
///
/// A cancel is for good: to run the same thing again, build it anew. Dropping a handle does nothing.
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
    /// Ends the runs. Does not wait for them. For good: a later run of the builder fails at once.
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

    /// Has `waker` woken by a cancel, as long as what is returned lives. One that came before wakes at once.
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
