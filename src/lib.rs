//! The shell's plumbing as a Rust library.

mod clock;
mod cmd;
mod error;
mod failure;
mod fd;
mod job;
mod output;
pub mod pipe;
mod pipeline;
mod plan;
mod process;
mod pump;
mod redirect;
mod spawn;
mod status;
mod stdio;
mod sys;

pub use cmd::settings::StatusPolicy;
pub use cmd::which::which;
pub use cmd::{CancelHandle, Cmd, Resource};
pub use error::{Error, ErrorKind};
pub use failure::Step;
pub use job::{Job, KillReport, Lines, LinesBytes, Means, Reader, Survivor};
pub use output::{Leak, Output, Stage};
pub use pipeline::Pipeline;
pub use plan::Plan;
pub use process::{Process, StatusStolen, Usage};
pub use pump::{Captured, Limit};
pub use redirect::{Direction, In, LineResult, Out, Redirect};
pub use status::{Status, StatusUnknown};
pub use stdio::Stream;

/// What `cmd!` expands to; not for use by hand.
#[doc(hidden)]
pub mod __private {
    pub use crate::cmd::{Arg, ArgSingle};
}

/// A result with this library's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;
