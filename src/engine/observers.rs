//! Whether a run has observers, and what its driver does after an event.

use std::sync::Arc;

use super::broadcast::Broadcast;
use super::events::EventKind;

#[derive(Default)]
pub(super) struct Observers {
    pub(super) broadcast: Option<Arc<Broadcast>>,
    /// Whether the driver returns to its caller after an event.
    pub(super) yields_on_event: bool,
}

impl Observers {
    pub(super) fn emit(&self, kind: EventKind) {
        if let Some(broadcast) = &self.broadcast {
            broadcast.emit(kind);
        }
    }

    /// Whether lines and stops are wanted.
    pub(super) fn want_lines(&self) -> bool {
        self.broadcast.as_ref().is_some_and(|broadcast| broadcast.is_observed())
    }

    /// Whether the driver is to return now.
    pub(super) fn should_yield(&self) -> bool {
        self.yields_on_event && self.broadcast.as_ref().is_some_and(|broadcast| broadcast.take_news())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_driver_yields_once_for_the_events_so_far() {
        let mut observers = Observers { broadcast: Some(Arc::default()), yields_on_event: false };
        observers.emit(EventKind::Killed { signal: 9 });
        assert!(!observers.should_yield());
        observers.yields_on_event = true;
        assert!(observers.should_yield());
        assert!(!observers.should_yield());
        assert!(!observers.want_lines());
    }
}
