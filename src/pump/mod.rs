//! The state machine that moves bytes.

pub(crate) mod capture;
pub(crate) mod captured;
pub(crate) mod lines;
pub use capture::Limit;
pub use captured::Captured;
