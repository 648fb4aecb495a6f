//! Descriptors as owned values, and the numbers a child sees them under.

#[allow(dead_code, reason = "used by the engines, which are still to come")]
pub(crate) mod map;

pub use map::{FdMap, FdMapError};
