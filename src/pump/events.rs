//! What happens in a run, as it happens, for whoever watches.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::LeakedProcess;
use crate::status::Status;
use crate::stdio::Stream;

/// Something that happened in a run, from [`Job::events`](crate::Job::events) or [`on_event`](crate::Cmd::on_event).
///
/// ```
/// use pipewright::{EventKind, Redirect, cmd};
/// let job = cmd!("printf", r"a\nb\n").stdout(Redirect::capture()).spawn()?;
/// let lines = job.events().filter(|event| matches!(event.kind, EventKind::Line { .. }));
/// assert_eq!(lines.count(), 2);
/// # Ok::<(), pipewright::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// When it was seen, by the clock that only goes forward.
    pub at: Instant,
    /// What it was.
    pub kind: EventKind,
}

/// What happened in a run.
///
/// Stages are counted from 0, as in [`Output::stages`](crate::Output::stages).
///
/// ```
/// use pipewright::{EventKind, cmd};
/// let job = cmd!("true").spawn()?;
/// for event in job.events() {
///     if let EventKind::Exited { stage, status } = event.kind {
///         println!("stage {stage}: {status}");
///     }
/// }
/// # Ok::<(), pipewright::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventKind {
    /// A stage runs its program, or its closure.
    Started {
        /// Which one.
        stage: usize,
        /// Its [`label`](crate::Cmd::label), or its program's name.
        label: String,
        /// Its number; `None` for a closure.
        pid: Option<u32>,
    },
    /// A line came out that this library reads: of a captured stream, or one with a callback or a writer. Without its newline; a last line
    /// may have had none.
    Line {
        /// The stage that wrote it; `None` where several write to the stream, as those of a pipeline to its stderr.
        stage: Option<usize>,
        /// From which of its streams.
        stream: Stream,
        /// What it says.
        line: Vec<u8>,
    },
    /// A stage has ended.
    Exited {
        /// Which one.
        stage: usize,
        /// How; not to be known when somebody else reaped it.
        status: Status,
    },
    /// A stage was stopped by a signal (SIGSTOP, SIGTSTP, SIGTTIN or SIGTTOU), or continued: seen within 100 ms while somebody watches, as a rule. Linux.
    Stopped {
        /// Which one.
        stage: usize,
        /// The signal that stopped it; `None`: it goes on.
        signal: Option<i32>,
    },
    /// The run is being ended: this signal went to all of it.
    Killed {
        /// By its number of signal(7).
        signal: i32,
    },
    /// Somebody was left who holds a stream, or is in the run's container.
    Leaked {
        /// Which streams.
        streams: Vec<Stream>,
        /// Who, as far as it could be seen.
        processes: Vec<LeakedProcess>,
    },
    /// The run is over. Nothing comes after this.
    Finished {
        /// Its status, whether or not that is an error; `None` when there is none.
        status: Option<Status>,
        /// Why there is none.
        error: Option<String>,
    },
}

/// Gets the events of a run; false: it wants no more.
pub(crate) type Watcher = Arc<dyn Fn(&Event) -> bool + Send + Sync>;

/// Where a run says what happens, and who hears it.
#[derive(Default)]
pub(crate) struct Hub {
    state: Mutex<State>,
    /// Whether somebody is there to hear of lines and stops, and whether some came since the run last looked.
    is_watched: AtomicBool,
    has_fresh: AtomicBool,
    /// Whether something happened since somebody last asked.
    has_news: AtomicBool,
}

#[derive(Default)]
struct State {
    /// What late ones are told; without lines, and what comes as often as somebody likes.
    history: Vec<Event>,
    watchers: Vec<Watcher>,
    /// Those to whom lines and stops are nothing.
    calm: Vec<Watcher>,
    /// Those who have not heard of earlier lines.
    fresh: Vec<Watcher>,
    /// The run has told its lines: who comes now hears of them when it is over.
    lines_are_told: bool,
    closed: bool,
}

impl Hub {
    /// One more to hear of everything, from the run's beginning. Of one that is over, `lines` are told before its end.
    pub(crate) fn watch(&self, watcher: Watcher, mut lines: Vec<EventKind>) {
        let mut state = self.state();
        // Under the lock, so that nothing comes in between. It is for those who put events away, or come first.
        for event in &state.history {
            if matches!(event.kind, EventKind::Leaked { .. } | EventKind::Finished { .. }) {
                let told = |kind| watcher(&Event { at: event.at, kind });
                if !std::mem::take(&mut lines).into_iter().all(told) {
                    return;
                }
            }
            if !watcher(event) {
                return;
            }
        }
        if state.closed {
            return;
        }
        state.watchers.push(Arc::clone(&watcher));
        state.fresh.push(watcher);
        self.is_watched.store(true, SeqCst);
        self.has_fresh.store(true, SeqCst);
    }

    /// As [`watch`](Self::watch), without lines and stops: a run does not have to look for what nobody wants to hear.
    #[cfg(feature = "tracing")]
    pub(crate) fn watch_calmly(&self, watcher: Watcher) {
        let mut state = self.state();
        if state.history.iter().all(|event| watcher(event)) && !state.closed {
            state.calm.push(watcher);
        }
    }

    pub(crate) fn emit(&self, kind: EventKind) {
        self.emit_at(Instant::now(), kind);
    }

    /// The same of a moment. A panic of a watcher goes on from here, and none is called any more: the run is about to be ended for it.
    pub(crate) fn emit_at(&self, at: Instant, kind: EventKind) {
        let event = Event { at, kind };
        let watchers = {
            let mut state = self.state();
            if state.closed {
                return;
            }
            let is_calm = !matches!(event.kind, EventKind::Line { .. } | EventKind::Stopped { .. });
            if is_calm {
                state.history.push(event.clone());
            }
            self.has_news.store(true, SeqCst);
            // Of lines they hear when they have heard the earlier ones.
            let is_line = matches!(event.kind, EventKind::Line { .. });
            let hears = |watcher: &&Watcher| !is_line || !state.fresh.iter().any(|fresh| Arc::ptr_eq(fresh, watcher));
            let calm = state.calm.iter().filter(|_| is_calm);
            state.watchers.iter().filter(hears).chain(calm).cloned().collect::<Vec<_>>()
        };
        // Without the lock: they may do anything, such as kill the run, which is an event.
        let tell = || watchers.iter().filter(|watcher| !watcher(&event)).collect();
        let gone: Vec<&Watcher> = catch_unwind(AssertUnwindSafe(tell)).unwrap_or_else(|panic| {
            self.close();
            resume_unwind(panic)
        });
        if !gone.is_empty() {
            let mut state = self.state();
            state.watchers.retain(|watcher| !gone.iter().any(|other| Arc::ptr_eq(other, watcher)));
            self.is_watched.store(!state.watchers.is_empty(), SeqCst);
        }
    }

    /// Nothing comes any more.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        let State { watchers, fresh, calm, .. } = &mut *state;
        let gone = [watchers, fresh, calm].map(std::mem::take);
        self.is_watched.store(false, SeqCst);
        drop(state);
        // Without the lock: their destructors may do anything.
        drop(gone);
    }

    /// Whether the run has told its lines, and is over in a moment.
    pub(crate) fn is_ending(&self) -> bool {
        self.state().lines_are_told
    }

    /// Those who came since the last call of [`fresh`](Self::fresh); there is none after this.
    pub(super) fn last_fresh(&self) -> Vec<Watcher> {
        let mut state = self.state();
        state.lines_are_told = true;
        std::mem::take(&mut state.fresh)
    }

    pub(super) fn is_watched(&self) -> bool {
        self.is_watched.load(SeqCst)
    }

    /// Whether something happened since the last call.
    pub(super) fn has_news(&self) -> bool {
        self.has_news.swap(false, SeqCst)
    }

    /// Those who came since the last call.
    pub(super) fn fresh(&self) -> Vec<Watcher> {
        if !self.has_fresh.swap(false, SeqCst) {
            return Vec::new();
        }
        std::mem::take(&mut self.state().fresh)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    fn exited(stage: usize) -> EventKind {
        EventKind::Exited { stage, status: Status::exited(0) }
    }

    #[test]
    fn who_comes_late_hears_of_what_was() {
        let hub = Hub::default();
        hub.emit(exited(0));
        let (sender, events) = channel();
        hub.watch(Arc::new(move |event| sender.send(event.kind.clone()).is_ok()), Vec::new());
        hub.emit(exited(1));
        hub.close();
        hub.emit(exited(2));
        assert_eq!(events.iter().collect::<Vec<_>>(), [exited(0), exited(1)]);
    }

    #[test]
    fn who_wants_no_more_is_let_go_of() {
        let hub = Hub::default();
        let (sender, events) = channel();
        hub.watch(Arc::new(move |event| sender.send(event.kind.clone()).is_ok()), Vec::new());
        assert!(hub.is_watched());
        drop(events);
        hub.emit(exited(0));
        assert!(!hub.is_watched());
    }

    #[test]
    fn a_watcher_may_cause_events() {
        let hub = Arc::new(Hub::default());
        let (sender, events) = channel();
        let again = Arc::clone(&hub);
        hub.watch(
            Arc::new(move |event| {
                if event.kind == exited(0) {
                    again.emit(exited(1));
                }
                sender.send(event.kind.clone()).is_ok()
            }),
            Vec::new(),
        );
        hub.emit(exited(0));
        assert_eq!(events.try_iter().count(), 2);
    }
}
