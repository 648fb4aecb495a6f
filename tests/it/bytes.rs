//! Bytes get where they should, whoever is slow, full, gone or broken.

mod ahead;
mod broken_pipe;
mod conduit;
mod failing;
mod flow;
mod memory;
mod nap;
mod order;
mod stuck;

use std::time::Duration;

use crate::harness::Options;

/// For a single run that may move a GiB.
pub(crate) const PATIENT: Options =
    Options { extra_fds: 0, extra_threads: 0, patience: Duration::from_secs(100), settle: Duration::from_secs(2) };
