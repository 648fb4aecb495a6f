//! Descriptors and the numbers a child sees them under.

pub(crate) mod jobserver;
pub(crate) mod map;
