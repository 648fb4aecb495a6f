//! When callbacks for the lines of one chunk stop in its middle.

use crate::clock::Deadline;

/// A slow callback delays a deadline, or a request to the run, by one call at most.
#[derive(Clone, Copy)]
pub(crate) struct Interrupt<'a> {
    pub(crate) until: Deadline,
    /// Whether there is a request that the run has not taken yet; `None` where there can be none.
    pub(crate) has_request: Option<&'a dyn Fn() -> bool>,
}

impl Interrupt<'_> {
    pub(crate) const NEVER: Interrupt<'static> = Interrupt { until: Deadline::NEVER, has_request: None };

    pub(crate) fn is_never(&self) -> bool {
        self.until.is_never() && self.has_request.is_none()
    }

    pub(crate) fn now(&self) -> bool {
        self.until.passed() || self.has_request.is_some_and(|has_request| has_request())
    }
}
