//! Bytes arrive where they should, whichever end is slow, full, gone or broken.

mod broken_pipe;
mod failing;
mod fdapi;
mod flow;
mod kernel_tee;
mod memory;
mod order;
pub(crate) mod streams;
mod stuck;

use crate::prelude::*;

/// For a single run that may move a GiB.
pub(crate) const PATIENT: Options =
    Options { extra_fds: 0, extra_threads: 0, patience: Duration::from_secs(100), settle: Duration::from_secs(2) };
