//! What happened in a run, as data.

mod error;
mod fault;
mod kind;
mod output;
mod policy;
mod redacted;
mod render;
mod report;

pub(crate) use fault::Fault;
pub use kind::ErrorKind;
pub use policy::StatusPolicy;
pub(crate) use policy::{StageResult, judge};
pub use report::{Error, FdOutput, Leak, Output, StageReport};
pub(crate) use report::{StageName, Words};
