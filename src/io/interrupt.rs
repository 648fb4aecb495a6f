//! When to leave off in the middle of a chunk of lines.

use crate::clock::Deadline;

/// A slow callback must not put off a deadline, or a request to the run, by more than one call.
#[derive(Clone, Copy)]
pub(crate) struct Halt<'a> {
    pub(crate) until: Deadline,
    /// Whether the run has been asked for something since it last looked; `None` where nothing can ask.
    pub(crate) has_request: Option<&'a dyn Fn() -> bool>,
}

impl Halt<'_> {
    pub(crate) const NEVER: Halt<'static> = Halt { until: Deadline::NEVER, has_request: None };

    pub(crate) fn is_never(&self) -> bool {
        self.until.is_never() && self.has_request.is_none()
    }

    pub(crate) fn now(&self) -> bool {
        self.until.passed() || self.has_request.is_some_and(|has_request| has_request())
    }
}
