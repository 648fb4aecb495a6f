//! The result of an engine.

use super::closure::ClosureError;
use super::end_reason::EndReason;
use super::leak::Leaks;
use crate::io::failure::FlowFailure;
use crate::io::flow::Flow;
use crate::process::ExitReport;
use crate::tree::Survivor;

/// What a finished run leaves.
pub(crate) struct Finished {
    /// By stage; `None` for a process that did not die of SIGKILL in time, or a closure that did not return.
    pub(crate) stages: Vec<Option<ExitReport>>,
    /// Why closures failed, by stage.
    pub(crate) errors: Vec<(usize, ClosureError)>,
    pub(crate) flows: Vec<Flow>,
    pub(crate) end_reason: Option<EndReason>,
    /// The stages that still ran when the ending began.
    pub(crate) running: Vec<usize>,
    pub(crate) failure: Option<FlowFailure>,
    /// The streams that other processes held when they were given up, and these processes.
    pub(crate) leaks: Leaks,
    /// The processes that a kill did not reach.
    pub(crate) survivors: Vec<Survivor>,
}
