//! A job's events, as an iterator.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, channel};
use std::time::Duration;

use crate::engine::events::{Event, EventKind};
use crate::io::line_observer::Ear;
use crate::outcome::Output;
use crate::plan::{PipePlan, Plan};
use crate::run::conclude;
use crate::run::shared::{Shared, Step};
use crate::stream::Stream;

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
    pub(super) fn new(shared: Arc<Shared>, plan: &Plan) -> Events {
        let (sender, events) = channel();
        shared.watch(Arc::new(move |event| sender.send(event.clone()).is_ok()), |output| lines(plan, output));
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

/// What was captured, as the lines that would have been told.
fn lines(plan: &Plan, output: &Output) -> Vec<EventKind> {
    let fds = output.fds.iter().map(|fd| (Some(fd.stage), Stream::Output(fd.number), &fd.bytes));
    let standard = [(Stream::Stdout, &output.stdout), (Stream::Stderr, &output.stderr)];
    let standard = standard.map(|(stream, bytes)| (writer_of(plan, stream), stream, bytes));
    let mut lines = Vec::new();
    for (stage, stream, bytes) in standard.into_iter().chain(fds) {
        let mut each = |line: &[u8]| lines.push(EventKind::Line { stage, stream, line: line.to_vec() });
        let mut ear = Ear::after(bytes, &mut each);
        ear.finish();
        ear.heard().iter().for_each(|line| each(line));
    }
    lines
}

/// The stage that alone writes to a captured stream.
fn writer_of(plan: &Plan, stream: Stream) -> Option<usize> {
    let is_it = |pipe: &PipePlan| matches!(pipe, PipePlan::Drain(drained, _) if *drained == stream);
    conclude::only_user(plan, plan.pipes.iter().position(is_it)?, false)
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Events").field("job", &self.shared).finish()
    }
}
