//! What happens in a run, as data.

use std::time::Instant;

use super::leak::LeakedProcess;
use crate::status::Status;
use crate::stream::Stream;

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
    /// When this library saw it, on the monotonic clock.
    pub at: Instant,
    /// What happened.
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
    /// A stage has begun to run its program or its closure.
    Started {
        /// The stage.
        stage: usize,
        /// Its [`label`](crate::Cmd::label), or its program's name.
        label: String,
        /// Its process id; `None` for a closure.
        pid: Option<u32>,
    },
    /// A stage wrote a line to a stream that this library reads: one that is captured, or has a callback or a writer.
    Line {
        /// The stage that wrote it; `None` where several stages write to the stream, like those of a pipeline to its stderr.
        stage: Option<usize>,
        /// The stream.
        stream: Stream,
        /// The bytes of the line, without its newline. The last line of a stream may have had none.
        line: Vec<u8>,
    },
    /// A stage has ended.
    Exited {
        /// The stage.
        stage: usize,
        /// How it ended; unknown if something else in this program reaped it.
        status: Status,
    },
    /// A signal (SIGSTOP, SIGTSTP, SIGTTIN or SIGTTOU) stopped a stage, or a stage was continued. While the run has observers, this is
    /// looked for every 100 ms. Linux.
    Stopped {
        /// The stage.
        stage: usize,
        /// The signal that stopped it; `None` when it was continued.
        signal: Option<i32>,
    },
    /// The run is being ended: this signal was sent to all of its processes.
    Killed {
        /// The number of the signal, see signal(7).
        signal: i32,
    },
    /// The run is over, and processes that hold one of its streams, or are in its container, are still alive.
    Leaked {
        /// The streams that they hold.
        streams: Vec<Stream>,
        /// The processes that were found.
        processes: Vec<LeakedProcess>,
    },
    /// The run is over. This is its last event.
    Finished {
        /// The status of the run, whether or not it is an error; `None` when the run has none.
        status: Option<Status>,
        /// Why the run has no status.
        error: Option<String>,
    },
}
