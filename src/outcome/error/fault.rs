//! What went wrong, as the library hands it on inside: without the secrets that its texts must not show.

use std::fmt;
use std::sync::{Arc, OnceLock};

use crate::outcome::error::{Error, ErrorKind, Inner, StageName, StdError};
use crate::outcome::output::Output;
use crate::pipeline::Pipeline;
use crate::plan::Plan;
use crate::setup_step::Step;
use crate::status::Status;
use crate::text::redact::Secrets;

/// An error that cannot be shown yet. It has no text: only [`told_by`](Fault::told_by) and its siblings make an [`Error`] of it, and
/// they make every one that there is. Clones share what is in it.
#[derive(Clone)]
pub(crate) struct Fault(Arc<Facts>);

/// What a fault and the error made of it know.
#[derive(Clone)]
pub(super) struct Facts {
    pub(super) kind: ErrorKind,
    /// What happened, as it follows the stage's name: "exited with code 3"; or why the stage could not be started.
    pub(super) what: String,
    pub(super) stage: Option<StageName>,
    pub(super) step: Option<Step>,
    pub(super) status: Option<Status>,
    pub(super) output: Option<Output>,
    pub(super) source: Option<Arc<dyn StdError + Send + Sync>>,
    pub(super) words: Words,
}

/// Whose the words of a source or a panic are, and where they stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Words {
    /// The system's, which hold no secret, behind what happened.
    Systems,
    /// The system's, to which `what` leaves nothing to add: they stand in the full text alone.
    InWhat,
    /// The caller's, which may hold anything. `cut`: they may be about a line whose end is missing.
    Callers { cut: bool },
}

impl Fault {
    pub(crate) fn new(kind: ErrorKind, what: impl Into<String>) -> Self {
        Fault(Arc::new(Facts {
            kind,
            what: what.into(),
            stage: None,
            step: None,
            status: None,
            output: None,
            source: None,
            words: Words::Systems,
        }))
    }

    pub(crate) fn at(mut self, stage: StageName) -> Self {
        self.facts().stage = Some(stage);
        self
    }

    pub(crate) fn step_failed(mut self, step: Step) -> Self {
        self.facts().step = Some(step);
        self
    }

    pub(crate) fn because(self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.because_of(Arc::from(source.into()))
    }

    /// As `because`, of a source that others have, too.
    pub(crate) fn because_of(mut self, source: Arc<dyn StdError + Send + Sync>) -> Self {
        self.facts().source = Some(source);
        self
    }

    pub(crate) fn words(mut self, words: Words) -> Self {
        self.facts().words = words;
        self
    }

    pub(crate) fn with_status(mut self, status: Status) -> Self {
        self.facts().status = Some(status);
        self
    }

    pub(crate) fn with_output(mut self, output: Output) -> Self {
        self.facts().output = Some(output);
        self
    }

    pub(crate) fn output(&self) -> Option<&Output> {
        self.0.output.as_ref()
    }

    pub(crate) fn into_output(self) -> Option<Output> {
        Arc::unwrap_or_clone(self.0).output
    }

    /// To be added to while it is being made.
    fn facts(&mut self) -> &mut Facts {
        Arc::make_mut(&mut self.0)
    }

    /// The error of a run: its texts name the command, and show none of its secrets.
    pub(crate) fn into_error(self, plan: &Plan) -> Error {
        self.told(Some(plan.line()), plan.secrets(), plan.notes())
    }

    /// The error of what cannot be made a plan of. Nothing ran that could have said a secret.
    pub(crate) fn into_error_of(self, pipeline: &Pipeline) -> Error {
        self.told(Some(pipeline.to_string()), Secrets::default(), Vec::new())
    }

    /// The error of a call that has to do with no command.
    pub(crate) fn into_bare_error(self) -> Error {
        self.told(None, Secrets::default(), Vec::new())
    }

    fn told(self, command: Option<String>, secrets: Secrets, notes: Vec<String>) -> Error {
        Error(Arc::new(Inner { facts: self.0, command, secrets, redacted: OnceLock::new(), notes }))
    }
}

/// For tests that unwrap: no text that anyone gave it.
impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fault({:?})", self.0.kind)
    }
}
