//! Locking a mutex whether or not it is poisoned.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A panic while the lock was held changes nothing here: no data of this library is half changed when code that may panic runs.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
