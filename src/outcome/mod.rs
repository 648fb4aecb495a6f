//! What happened in a run, as data.

pub(crate) mod error;
pub(crate) mod output;
mod policy;

pub use policy::StatusPolicy;
pub(crate) use policy::{StageResult, judge};
