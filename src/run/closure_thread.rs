//! One closure, run.

use std::error::Error as StdError;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::{fmt, io};

use crate::engine::cancellation::Cancellation;
use crate::engine::closure::{ClosureEnd, ClosureError, EndReporter};
use crate::engine::end_reason::EndReason;
use crate::io::callback::BoxError;
use crate::io::callback::panic_text;
use crate::spec::closure::{StageReader, StageWriter};

/// A closure's ends, and where its result goes: all that its thread gets besides the closure.
pub(crate) struct Task {
    pub(crate) input: StageReader,
    pub(crate) output: StageWriter,
    pub(crate) cancellation: Arc<Cancellation>,
    pub(crate) reporter: EndReporter,
}

impl Task {
    /// Runs the closure, on the thread that was made for it. In this order: what it holds is dropped, the next stage learns of the end, the
    /// stage before sees its pipe broken, and then the run is told. So whoever saw the run's end finds nothing of it open.
    pub(crate) fn run(self, work: impl FnOnce(&mut StageReader, &mut StageWriter) -> Result<(), BoxError>) {
        let Task { mut input, mut output, cancellation, reporter } = self;
        let result = catch_unwind(AssertUnwindSafe(|| work(&mut input, &mut output)));
        let end = match result {
            Ok(Ok(())) => ClosureEnd::Returned,
            Ok(Err(error)) => failed(error, &input, &output, &cancellation),
            Err(panic) => ClosureEnd::Failed(ClosureError::Panicked(panic_text(&*panic))),
        };
        match &end {
            ClosureEnd::Returned => drop(output),
            ClosureEnd::Failed(error) => output.close_with_error(upstream(error)),
            ClosureEnd::Stopped(_) => output.close_with_error(io::Error::other("the stage before was stopped")),
        }
        drop(input);
        drop(cancellation);
        reporter.report(end);
    }
}

/// Why the closure gave up: for a stop or a broken pipe, as its own ends saw it, or for a reason of its own.
fn failed(error: BoxError, input: &StageReader, output: &StageWriter, cancellation: &Cancellation) -> ClosureEnd {
    match cancellation.reason() {
        Some(EndReason::TimedOut | EndReason::Cancelled | EndReason::Interrupted(_) | EndReason::Stopped { .. }) => {
            return ClosureEnd::Stopped(libc::SIGTERM);
        }
        Some(EndReason::Aborted) => return ClosureEnd::Stopped(libc::SIGKILL),
        None => {}
    }
    if output.is_broken() && says_broken_pipe(&*error) {
        return ClosureEnd::Stopped(libc::SIGPIPE);
    }
    ClosureEnd::Failed(ClosureError::Failed { error: Arc::from(error), echo: input.upstream_failed() })
}

/// Whether a broken pipe is at the root of an error: another failure must not be taken for one, only because a write had failed
/// before.
fn says_broken_pipe(error: &(dyn StdError + 'static)) -> bool {
    if let Some(error) = error.downcast_ref::<io::Error>() {
        // What is inside of one is not its source: that is the source of what is inside.
        let inside = error.get_ref().is_some_and(|inside| says_broken_pipe(inside));
        return error.kind() == io::ErrorKind::BrokenPipe || inside;
    }
    error.source().is_some_and(says_broken_pipe)
}

/// What the next closure reads in place of an end: of the same kind, with the error as its source.
fn upstream(error: &ClosureError) -> io::Error {
    match error {
        ClosureError::Failed { error, .. } => {
            let kind = error.downcast_ref::<io::Error>().map_or(io::ErrorKind::Other, io::Error::kind);
            io::Error::new(kind, Upstream(Arc::clone(error)))
        }
        ClosureError::Panicked(text) => io::Error::other(format!("the stage before panicked: {text}")),
    }
}

/// The error of the stage before.
#[derive(Debug)]
struct Upstream(Arc<dyn StdError + Send + Sync>);

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl StdError for Upstream {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&*self.0)
    }
}
