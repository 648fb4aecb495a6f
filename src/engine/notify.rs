//! What a run says of itself to those who watch it.

use std::sync::Arc;

use super::Pump;
use super::events::{Event, EventKind, Watcher};
use crate::io::flow::Flow;
use crate::process::ExitReport;

impl Pump {
    pub(super) fn tell(&self, kind: EventKind) {
        if let Some(hub) = &self.hub {
            hub.emit(kind);
        }
    }

    pub(super) fn tell_end(&self, stage: usize, ended: ExitReport) {
        self.tell(EventKind::Exited { stage, status: ended.status });
    }

    /// Tells those who came since the last call of the lines that were read before, as far as they are kept.
    pub(super) fn greet(&mut self) {
        let Some(hub) = self.hub.clone() else { return };
        self.tell_earlier_lines(&hub.fresh());
    }

    /// The same at the run's end, for the last time.
    pub(super) fn greet_last(&mut self) {
        if let Some(hub) = self.hub.clone() {
            self.tell_earlier_lines(&hub.last_fresh());
        }
    }

    fn tell_earlier_lines(&mut self, fresh: &[Watcher]) {
        if fresh.is_empty() {
            return;
        }
        for index in 0..self.flows.len() {
            self.listen(index, fresh);
        }
    }

    /// Has a stream's lines told from now on, and those that were.
    pub(super) fn listen(&mut self, index: usize, fresh: &[Watcher]) {
        let Flow::Drain(drain) = &mut self.flows[index] else { return };
        let stage = drain.writer();
        let stream = drain.stream();
        let result = drain.observe_lines(|line| {
            let kind = EventKind::Line { stage, stream, line: line.to_vec() };
            let event = Event { at: std::time::Instant::now(), kind };
            for watcher in fresh {
                // One that wants no more says so again with the next event.
                let _ = watcher(&event);
            }
        });
        self.note(result);
    }

    /// Tells the lines that a stream has had since the last call.
    pub(super) fn tell_lines(&mut self, index: usize) {
        let (Some(hub), Flow::Drain(drain)) = (self.hub.as_ref().map(Arc::clone), &mut self.flows[index]) else {
            return;
        };
        let (stage, stream) = (drain.writer(), drain.stream());
        for line in drain.take_lines() {
            hub.emit(EventKind::Line { stage, stream, line });
        }
    }
}
