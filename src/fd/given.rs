//! Descriptors that the caller gave.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use crate::once::TakeOnce;

/// A descriptor for one start, which takes it, or for any number of starts.
#[derive(Debug, Clone)]
pub(crate) enum GivenFd {
    Once(TakeOnce<OwnedFd>),
    Shared(Arc<OwnedFd>),
}
