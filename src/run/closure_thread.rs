//! The thread of one closure.

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

/// What a closure's thread gets besides the closure: the closure's ends, and where its result goes.
pub(crate) struct ClosureThread {
    pub(crate) input: StageReader,
    pub(crate) output: StageWriter,
    pub(crate) cancellation: Arc<Cancellation>,
    pub(crate) reporter: EndReporter,
}

impl ClosureThread {
    /// Runs the closure on this thread. Then, in this order, its captures are dropped, the next stage reads the end, the stage before gets
    /// EPIPE, and the run gets the result: when a run has ended, its closures hold nothing open.
    pub(crate) fn run(self, body: impl FnOnce(&mut StageReader, &mut StageWriter) -> Result<(), BoxError>) {
        let ClosureThread { mut input, mut output, cancellation, reporter } = self;
        let result = catch_unwind(AssertUnwindSafe(|| body(&mut input, &mut output)));
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

/// Why the closure returned an error: a cancellation or EPIPE, as its ends saw it, or a failure of its own.
fn failed(error: BoxError, input: &StageReader, output: &StageWriter, stop: &Cancellation) -> ClosureEnd {
    match stop.reason() {
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

/// Whether an error was caused by EPIPE. That a write has failed with it before is not enough: the closure may have failed for another
/// reason since.
fn says_broken_pipe(error: &(dyn StdError + 'static)) -> bool {
    if let Some(error) = error.downcast_ref::<io::Error>() {
        // `source` of an `io::Error` skips the error inside of it: it gives that error's source.
        let inside = error.get_ref().is_some_and(|inside| says_broken_pipe(inside));
        return error.kind() == io::ErrorKind::BrokenPipe || inside;
    }
    error.source().is_some_and(says_broken_pipe)
}

/// What the next closure's read fails with: an error of the same kind, whose source is this closure's error.
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
