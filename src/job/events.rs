//! A job's events, as an iterator.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, channel};
use std::time::Duration;

use super::shared::{Shared, Step};
use crate::pump::events::Event;

/// What happens in a job, from its beginning: from [`Job::events`](crate::Job::events).
///
/// `next` blocks until something happens; after [`Finished`](crate::EventKind::Finished), and when the job was dropped or detached, there is
/// no more. Where nobody else sees to the run (see [`Job`](crate::Job)), it does so meanwhile, as a wait would, but lets go of no
/// piped stream: one that nobody reads may fill up. Events wait in memory until they are taken. Dropping it ends nothing.
///
/// ```
/// use pipewright::{EventKind, cmd};
/// let job = cmd!("sh", "-c", "exit 3").spawn()?;
/// let last = job.events().last().unwrap();
/// assert!(matches!(last.kind, EventKind::Finished { status: Some(status), .. } if status.code() == Some(3)));
/// # Ok::<(), pipewright::Error>(())
/// ```
#[must_use = "it is lazy: events come by iterating"]
pub struct Events {
    events: Receiver<Event>,
    shared: Arc<Shared>,
}

/// How often to look for events of a run that another thread drives without being told to look.
const LOOK: Duration = Duration::from_millis(20);

impl Events {
    pub(super) fn new(shared: Arc<Shared>) -> Events {
        let (sender, events) = channel();
        shared.watch(Arc::new(move |event| sender.send(event.clone()).is_ok()));
        Events { events, shared }
    }
}

impl Iterator for Events {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        loop {
            match self.events.try_recv() {
                Ok(event) => return Some(event),
                Err(TryRecvError::Disconnected) => return None,
                Err(TryRecvError::Empty) => {}
            }
            match self.shared.step() {
                Step::Done => {}
                Step::Over => return self.events.try_recv().ok(),
                // Its thread tells.
                Step::ByThread => return self.events.recv().ok(),
                Step::ByAnother => match self.events.recv_timeout(LOOK) {
                    Ok(event) => return Some(event),
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => return None,
                },
            }
        }
    }
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Events").field("job", &self.shared).finish()
    }
}
