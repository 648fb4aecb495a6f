//! The real standard streams, for those who are not of the capture that has replaced them.
//!
//! A capture replaces what the whole process has as 1 or 2. What is started by other threads meanwhile gets the real stream, which is
//! kept here. Which thread is of the capture, it says by itself.

use std::cell::Cell;
use std::os::fd::{OwnedFd, RawFd};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

/// The real stdout and stderr, as far as they are replaced at this moment.
pub(crate) type Real = [Option<Arc<OwnedFd>>; 2];

/// Read while a child is being started: two atomic operations on the way to a system call that costs ten thousand of them. To do without
/// until there is a first capture would be to miss who is starting a child when it begins.
static REAL: RwLock<Real> = RwLock::new([None, None]);

thread_local! {
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Makes the streams be replaced and put back: `f` runs when no child is being started.
#[cfg(feature = "testing")]
pub(crate) fn exchange<T>(f: impl FnOnce(&mut Real) -> T) -> T {
    f(&mut REAL.write().unwrap_or_else(PoisonError::into_inner))
}

/// From now on, the calling thread is of the capture, or is not; what it was before.
#[cfg(feature = "testing")]
pub(crate) fn set_inside(inside: bool) -> bool {
    // A thread whose locals are gone is of no capture.
    INSIDE.try_with(|cell| cell.replace(inside)).unwrap_or(false)
}

/// Whether the calling thread is of the capture.
pub(crate) fn is_inside() -> bool {
    INSIDE.try_with(Cell::get).unwrap_or(false)
}

/// The streams as they are for the calling thread; they stay so as long as this lives.
pub(crate) struct Streams(Option<RwLockReadGuard<'static, Real>>);

pub(crate) fn streams() -> Streams {
    Streams((!is_inside()).then(|| REAL.read().unwrap_or_else(PoisonError::into_inner)))
}

impl Streams {
    /// What stands for the stream `number`; `None` when that is the number itself.
    pub(crate) fn real(&self, number: RawFd) -> Option<&Arc<OwnedFd>> {
        let index = usize::try_from(number).ok()?.checked_sub(1)?;
        self.0.as_ref()?.get(index)?.as_ref()
    }
}
