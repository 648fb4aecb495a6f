//! A run's events as spans and events of `tracing`.

use std::sync::{Arc, Mutex, PoisonError};

use tracing::field::{Empty, display};
use tracing::{Level, Span, dispatcher};

use crate::engine::broadcast::{Broadcast, Observer};
use crate::engine::events::EventKind;
use crate::plan::Plan;

/// The target of all spans and events.
const TARGET: &str = "pipewright";

/// Emits to the subscriber of the thread that starts the run, whichever thread drives it later. Does nothing without a subscriber.
pub(crate) fn trace(plan: &Plan, broadcast: impl FnOnce() -> Arc<Broadcast>) {
    if tracing::enabled!(target: TARGET, Level::INFO) {
        broadcast().observe_without_lines(watcher(plan));
    }
}

fn watcher(plan: &Plan) -> Observer {
    let run = tracing::info_span!(target: TARGET, "run", stages = plan.stages.len(), command = Empty);
    if plan.settings.observers.trace_command {
        run.record("command", display(plan.line()));
    }
    let stages = Mutex::new(vec![Span::none(); plan.stages.len()]);
    let dispatch = dispatcher::get_default(Clone::clone);
    Arc::new(move |event| {
        let mut stages = stages.lock().unwrap_or_else(PoisonError::into_inner);
        dispatcher::with_default(&dispatch, || emit(&run, &mut stages, &event.kind));
        true
    })
}

fn emit(run: &Span, stages: &mut [Span], what: &EventKind) {
    match what {
        EventKind::Started { stage, label, pid } => {
            stages[*stage] =
                tracing::info_span!(target: TARGET, parent: run, "stage", stage, %label, pid, status = Empty);
        }
        EventKind::Exited { stage, status } => {
            // Dropping the span closes it.
            std::mem::replace(&mut stages[*stage], Span::none()).record("status", display(status));
        }
        EventKind::Killed { signal } => tracing::warn!(target: TARGET, parent: run, signal, "is being ended"),
        EventKind::Leaked { processes, .. } => {
            let names: Vec<String> = processes.iter().map(|it| format!("{} ({})", it.name, it.pid)).collect();
            tracing::warn!(target: TARGET, parent: run, processes = names.join(", "), "left processes behind");
        }
        EventKind::Finished { status: Some(status), .. } => {
            tracing::info!(target: TARGET, parent: run, %status, "is over");
        }
        EventKind::Finished { .. } => tracing::warn!(target: TARGET, parent: run, "failed"),
        EventKind::Line { .. } | EventKind::Stopped { .. } => {}
    }
}
