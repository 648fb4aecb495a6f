//! The real standard streams while a capture has replaced them.
//!
//! A capture replaces descriptor 1 or 2 of the whole process. The children that other threads start meanwhile get the real stream, which
//! is kept here. Each thread that belongs to the capture marks itself.

use std::cell::Cell;
use std::os::fd::{OwnedFd, RawFd};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

/// The real stdout and stderr; `None` for one that is not replaced at this moment.
pub(crate) type Real = [Option<Arc<OwnedFd>>; 2];

/// Locked for reading while a child is being started: two atomic operations before a system call that costs as much as ten thousand. A
/// start that skipped the lock before the first capture would be missed by a capture that begins during it.
static REAL: RwLock<Real> = RwLock::new([None, None]);

thread_local! {
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Runs `f`, which replaces the streams or restores them, while no child is being started.
#[cfg(feature = "testing")]
pub(crate) fn exchange<T>(f: impl FnOnce(&mut Real) -> T) -> T {
    f(&mut REAL.write().unwrap_or_else(PoisonError::into_inner))
}

/// Marks the calling thread as one of the capture's, or not; gives what it was before.
#[cfg(feature = "testing")]
pub(crate) fn set_inside(inside: bool) -> bool {
    // A thread whose locals are destroyed belongs to no capture.
    INSIDE.try_with(|cell| cell.replace(inside)).unwrap_or(false)
}

/// Whether the calling thread belongs to the capture.
pub(crate) fn is_inside() -> bool {
    INSIDE.try_with(Cell::get).unwrap_or(false)
}

/// The streams of the calling thread. They do not change as long as this lives.
pub(crate) struct Streams(Option<RwLockReadGuard<'static, Real>>);

pub(crate) fn streams() -> Streams {
    Streams((!is_inside()).then(|| REAL.read().unwrap_or_else(PoisonError::into_inner)))
}

impl Streams {
    /// The real stream behind descriptor `number`; `None` when the descriptor is the real one.
    pub(crate) fn real(&self, number: RawFd) -> Option<&Arc<OwnedFd>> {
        let index = usize::try_from(number).ok()?.checked_sub(1)?;
        self.0.as_ref()?.get(index)?.as_ref()
    }
}
