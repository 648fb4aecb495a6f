//! Values that can be taken once.

use std::fmt;
use std::sync::{Arc, Mutex};

use crate::lock::lock;

/// A value that all clones of a builder share, and that the first start takes.
pub struct TakeOnce<T>(Arc<Mutex<Option<T>>>);

impl<T> TakeOnce<T> {
    pub(crate) fn new(value: T) -> Self {
        TakeOnce(Arc::new(Mutex::new(Some(value))))
    }

    /// The value, for the first call.
    pub(crate) fn take(&self) -> Option<T> {
        lock(&self.0).take()
    }

    /// Whether both are clones of one.
    pub(crate) fn same(&self, other: &TakeOnce<T>) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Looks at the value, if it is still there.
    pub(crate) fn peek<R>(&self, look: impl FnOnce(&T) -> R) -> Option<R> {
        lock(&self.0).as_ref().map(look)
    }

    pub(crate) fn is_used(&self) -> bool {
        lock(&self.0).is_none()
    }
}

impl<T> Clone for TakeOnce<T> {
    fn clone(&self) -> Self {
        TakeOnce(Arc::clone(&self.0))
    }
}

impl<T> fmt::Debug for TakeOnce<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_used() { "used" } else { "one-shot" })
    }
}
