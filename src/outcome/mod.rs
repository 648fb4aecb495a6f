//! What happened in a run, as data.

mod policy;

pub use policy::StatusPolicy;
pub(crate) use policy::{StageResult, judge};
