//! What a stage runs as.

use super::closure::Function;
use crate::process::{ExitReport, Process};

/// A process or a closure.
pub(crate) enum Runner {
    Process(Process),
    Function(Function),
}

/// A stage of a run in progress.
pub(super) struct StageRun {
    pub(super) runner: Runner,
    pub(super) ended: Option<ExitReport>,
}

impl StageRun {
    /// The process, if it is one that has not ended as far as is known.
    pub(super) fn live_process(&self) -> Option<&Process> {
        match &self.runner {
            Runner::Process(process) if self.ended.is_none() => Some(process),
            Runner::Process(_) | Runner::Function(_) => None,
        }
    }
}
