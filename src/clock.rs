//! Moments and spans: the one place that turns "how long" into "until when".

use std::time::{Duration, Instant};

/// A moment after which something shall no longer be waited for; `None` inside is "never".
///
/// `Instant + Duration` panics on overflow; a timeout of `Duration::MAX` must mean "never" instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Deadline(Option<Instant>);

impl Deadline {
    pub(crate) const NEVER: Deadline = Deadline(None);

    pub(crate) fn at(moment: Instant) -> Self {
        Deadline(Some(moment))
    }

    /// `span` from now; a span too long for the clock is "never".
    pub(crate) fn after(span: Duration) -> Self {
        Deadline(Instant::now().checked_add(span))
    }

    /// `span` from now, or never when there is no span.
    pub(crate) fn after_opt(span: Option<Duration>) -> Self {
        span.map_or(Deadline::NEVER, Deadline::after)
    }

    pub(crate) fn is_never(self) -> bool {
        self.0.is_none()
    }

    pub(crate) fn earlier(self, other: Deadline) -> Deadline {
        match (self.0, other.0) {
            (Some(a), Some(b)) => Deadline(Some(a.min(b))),
            (a, b) => Deadline(a.or(b)),
        }
    }

    /// Put off; what the clock cannot say is "never".
    pub(crate) fn later_by(self, span: Duration) -> Deadline {
        Deadline(self.0.and_then(|moment| moment.checked_add(span)))
    }

    /// How long from now; zero once passed, `None` for never.
    pub(crate) fn remaining(self) -> Option<Duration> {
        self.0.map(|moment| moment.saturating_duration_since(Instant::now()))
    }

    pub(crate) fn passed(self) -> bool {
        self.has_passed_at(Instant::now())
    }

    pub(crate) fn has_passed_at(self, now: Instant) -> bool {
        self.0.is_some_and(|moment| moment <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_too_long_for_the_clock_is_never() {
        assert!(Deadline::after(Duration::MAX).is_never());
        assert!(!Deadline::after(Duration::ZERO).is_never());
        assert!(Deadline::after(Duration::ZERO).passed());
    }

    #[test]
    fn what_is_put_off_comes_so_much_later() {
        let start = Instant::now();
        let span = Duration::from_secs(3);
        assert_eq!(Deadline::at(start).later_by(span), Deadline::at(start + span));
        assert!(Deadline::at(start).later_by(Duration::MAX).is_never());
        assert!(Deadline::NEVER.later_by(span).is_never());
    }

    #[test]
    fn the_earlier_of_two_prefers_a_moment_over_never() {
        let soon = Deadline::after(Duration::from_secs(1));
        let late = Deadline::after(Duration::from_secs(9));
        assert_eq!(late.earlier(soon), soon);
        assert_eq!(soon.earlier(Deadline::NEVER), soon);
        assert_eq!(Deadline::NEVER.earlier(soon), soon);
    }
}
