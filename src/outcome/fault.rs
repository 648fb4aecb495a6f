//! What went wrong, as the library hands it on inside: without the secrets that its texts must not show.

use std::error::Error as StdError;
use std::fmt;
use std::sync::{Arc, OnceLock};

use super::kind::ErrorKind;
use super::report::{Error, Facts, Inner, Output, StageName, Words};
use crate::setup_step::Step;
use crate::status::Status;
use crate::text::redact::Secrets;

/// An error that cannot be shown yet. It has no text: only [`told_by`](Fault::told_by) and its siblings make an [`Error`] of it, and
/// they make every one that there is. Clones share what is in it.
#[derive(Clone)]
pub(crate) struct Fault(Arc<Facts>);

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

    /// The error of a call that has to do with no command.
    pub(crate) fn into_bare_error(self) -> Error {
        self.into_error_with(None, Secrets::default(), Vec::new())
    }

    /// The only way to an [`Error`]: `plan` and this file call it.
    pub(crate) fn into_error_with(self, command: Option<String>, secrets: Secrets, notes: Vec<String>) -> Error {
        Error(Arc::new(Inner { facts: self.0, command, secrets, redacted: OnceLock::new(), notes }))
    }
}

/// For tests that unwrap: no text that anyone gave it.
impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fault({:?})", self.0.kind)
    }
}
