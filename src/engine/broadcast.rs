//! The events of a run on their way to its observers.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use super::events::{Event, EventKind};
use crate::lock::lock;

/// A callback for events; it returns false when it wants no more.
pub(crate) type Observer = Arc<dyn Fn(&Event) -> bool + Send + Sync>;

/// Calls the observers of a run.
#[derive(Default)]
pub(crate) struct Broadcast {
    state: Mutex<State>,
    /// Whether an observer wants lines and stops, which have to be looked for.
    is_observed: AtomicBool,
    /// Whether an observer may wait for the lines that came before it.
    has_newcomers: AtomicBool,
    /// Whether an event was emitted since the last call of [`take_news`](Self::take_news).
    has_news: AtomicBool,
}

#[derive(Default)]
struct State {
    /// The events that a late observer gets first. Lines are not kept here, nor stops, which could come without end.
    history: Vec<Event>,
    subscriptions: Vec<Subscription>,
    /// The run has replayed its lines for the last time.
    lines_are_over: bool,
    closed: bool,
}

struct Subscription {
    observer: Observer,
    lines: Lines,
}

/// Which lines an observer gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lines {
    /// None, and no stops.
    Never,
    /// None before the lines that came before the observer have been replayed to it.
    AfterReplay,
    All,
}

impl Broadcast {
    /// Adds an observer, which gets all events from the beginning of the run. If the run is over, it gets `lines` before the end.
    pub(crate) fn observe(&self, observer: Observer, mut lines: Vec<EventKind>) {
        let mut state = lock(&self.state);
        // Under the lock, so that no event comes in between. The observers that come here are the first of their run, or put events away;
        // none of them causes an event.
        for event in &state.history {
            if matches!(event.kind, EventKind::Leaked { .. } | EventKind::Finished { .. }) {
                let wants_more = |kind| observer(&Event { at: event.at, kind });
                if !std::mem::take(&mut lines).into_iter().all(wants_more) {
                    return;
                }
            }
            if !observer(event) {
                return;
            }
        }
        if state.closed {
            return;
        }
        state.subscriptions.push(Subscription { observer, lines: Lines::AfterReplay });
        self.is_observed.store(true, SeqCst);
        self.has_newcomers.store(true, SeqCst);
    }

    /// Adds an observer that gets no lines and no stops. The run does not look for these on its behalf.
    #[cfg(feature = "tracing")]
    pub(crate) fn observe_without_lines(&self, observer: Observer) {
        let mut state = lock(&self.state);
        if state.history.iter().all(|event| observer(event)) && !state.closed {
            state.subscriptions.push(Subscription { observer, lines: Lines::Never });
        }
    }

    pub(crate) fn emit(&self, kind: EventKind) {
        self.emit_at(Instant::now(), kind);
    }

    /// Emits an event of an earlier moment.
    ///
    /// # Panics
    /// With the panic of an observer. No observer is called again after one: the panic is about to end the run.
    pub(crate) fn emit_at(&self, at: Instant, kind: EventKind) {
        let event = Event { at, kind };
        let observers: Vec<Observer> = {
            let mut state = lock(&self.state);
            if state.closed {
                return;
            }
            if !matches!(event.kind, EventKind::Line { .. } | EventKind::Stopped { .. }) {
                state.history.push(event.clone());
            }
            self.has_news.store(true, SeqCst);
            let wanting = state.subscriptions.iter().filter(|it| it.lines.include(&event.kind));
            wanting.map(|it| Arc::clone(&it.observer)).collect()
        };
        // Without the lock: an observer may do anything, such as kill the run, which emits an event.
        let call = || observers.iter().filter(|observer| !observer(&event)).collect();
        let gone: Vec<&Observer> = catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|panic| {
            self.close();
            resume_unwind(panic)
        });
        if !gone.is_empty() {
            let mut state = lock(&self.state);
            state.subscriptions.retain(|it| !gone.iter().any(|gone| Arc::ptr_eq(gone, &it.observer)));
            let is_observed = state.subscriptions.iter().any(|it| it.lines != Lines::Never);
            self.is_observed.store(is_observed, SeqCst);
        }
    }

    /// Lets go of all observers. Later events are dropped.
    pub(crate) fn close(&self) {
        let mut state = lock(&self.state);
        state.closed = true;
        let gone = std::mem::take(&mut state.subscriptions);
        self.is_observed.store(false, SeqCst);
        drop(state);
        // Without the lock: the destructors of observers may do anything.
        drop(gone);
    }

    /// Whether the run has replayed its lines for the last time, and is about to be over.
    pub(crate) fn is_ending(&self) -> bool {
        lock(&self.state).lines_are_over
    }

    /// The observers that came since the last call of [`newcomers`](Self::newcomers). There are none after this.
    pub(super) fn last_newcomers(&self) -> Vec<Observer> {
        let mut state = lock(&self.state);
        state.lines_are_over = true;
        state.newcomers()
    }

    /// The observers that came since the last call. Their lines are to be replayed.
    pub(super) fn newcomers(&self) -> Vec<Observer> {
        if !self.has_newcomers.swap(false, SeqCst) {
            return Vec::new();
        }
        lock(&self.state).newcomers()
    }

    pub(super) fn is_observed(&self) -> bool {
        self.is_observed.load(SeqCst)
    }

    /// Whether an event was emitted since the last call.
    pub(super) fn take_news(&self) -> bool {
        self.has_news.swap(false, SeqCst)
    }
}

impl Lines {
    fn include(self, event: &EventKind) -> bool {
        match event {
            EventKind::Line { .. } => self == Lines::All,
            EventKind::Stopped { .. } => self != Lines::Never,
            _ => true,
        }
    }
}

impl State {
    fn newcomers(&mut self) -> Vec<Observer> {
        let newcomers = self.subscriptions.iter_mut().filter(|it| it.lines == Lines::AfterReplay);
        newcomers
            .map(|it| {
                it.lines = Lines::All;
                Arc::clone(&it.observer)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};

    use super::*;
    use crate::status::Status;
    use crate::stream::Stream;

    fn exited(stage: usize) -> EventKind {
        EventKind::Exited { stage, status: Status::exited(0) }
    }

    fn observed(broadcast: &Broadcast) -> Receiver<EventKind> {
        let (sender, events) = channel();
        broadcast.observe(Arc::new(move |event| sender.send(event.kind.clone()).is_ok()), Vec::new());
        events
    }

    #[test]
    fn a_late_observer_gets_what_came_before() {
        let broadcast = Broadcast::default();
        broadcast.emit(exited(0));
        let events = observed(&broadcast);
        broadcast.emit(exited(1));
        broadcast.close();
        broadcast.emit(exited(2));
        assert_eq!(events.iter().collect::<Vec<_>>(), [exited(0), exited(1)]);
    }

    #[test]
    fn lines_come_to_an_observer_after_those_that_are_replayed() {
        let broadcast = Broadcast::default();
        let events = observed(&broadcast);
        let line = || EventKind::Line { stage: None, stream: Stream::Stdout, line: b"x".to_vec() };
        broadcast.emit(line());
        assert_eq!(events.try_iter().count(), 0);
        assert_eq!((broadcast.newcomers().len(), broadcast.newcomers().len()), (1, 0));
        broadcast.emit(line());
        assert_eq!(events.try_iter().collect::<Vec<_>>(), [line()]);
    }

    #[test]
    fn an_observer_that_wants_no_more_is_let_go_of() {
        let broadcast = Broadcast::default();
        let events = observed(&broadcast);
        assert!(broadcast.is_observed());
        drop(events);
        broadcast.emit(exited(0));
        assert!(!broadcast.is_observed());
    }

    #[test]
    fn an_observer_may_cause_events() {
        let broadcast = Arc::new(Broadcast::default());
        let (sender, events) = channel();
        let again = Arc::clone(&broadcast);
        broadcast.observe(
            Arc::new(move |event| {
                if event.kind == exited(0) {
                    again.emit(exited(1));
                }
                sender.send(event.kind.clone()).is_ok()
            }),
            Vec::new(),
        );
        broadcast.emit(exited(0));
        assert_eq!(events.try_iter().count(), 2);
    }
}
