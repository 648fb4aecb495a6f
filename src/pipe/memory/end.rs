//! How a side of a pipe in memory came to its end, and what that means to either side.

use std::error::Error;
use std::sync::Arc;
use std::{fmt, io};

/// What closed a side.
#[derive(Debug)]
pub(super) enum End {
    /// `close`, or the last of its handles was dropped.
    Closed,
    /// A handle was dropped by a panic.
    Panicked,
    /// `close_with_error`.
    Failed(Failure),
    /// Somebody who owns neither side.
    Broken(Failure),
}

impl End {
    /// What the end means to the side that came to it.
    pub(super) fn to_owner(&self) -> io::Error {
        match self {
            End::Closed | End::Panicked | End::Failed(_) => Refusal::Closed.into(),
            End::Broken(failure) => failure.to_error(),
        }
    }

    /// What a writer's end means to readers: `Ok(0)`, for ever, or an error.
    pub(super) fn to_readers(&self) -> io::Result<usize> {
        match self {
            End::Closed => Ok(0),
            End::Panicked => Err(Refusal::WriterPanicked.into()),
            End::Failed(failure) | End::Broken(failure) => Err(failure.to_error()),
        }
    }

    /// What a reader's end means to writers.
    pub(super) fn to_writers(&self) -> io::Error {
        match self {
            End::Closed | End::Panicked => Refusal::ReaderGone.into(),
            End::Failed(failure) | End::Broken(failure) => failure.to_error(),
        }
    }
}

/// The pipe's own reasons to refuse.
#[derive(Debug, Clone, Copy, thiserror::Error)]
pub(super) enum Refusal {
    #[error("this end of the memory pipe is closed")]
    Closed,
    #[error("every reader of the memory pipe is gone")]
    ReaderGone,
    #[error("a writer of the memory pipe panicked")]
    WriterPanicked,
    #[error("the memory pipe was not ready in time")]
    TimedOut,
}

impl From<Refusal> for io::Error {
    fn from(refusal: Refusal) -> io::Error {
        let kind = match refusal {
            Refusal::Closed | Refusal::ReaderGone => io::ErrorKind::BrokenPipe,
            Refusal::WriterPanicked => io::ErrorKind::Other,
            Refusal::TimedOut => io::ErrorKind::TimedOut,
        };
        io::Error::new(kind, refusal)
    }
}

/// The error that a side was closed with. `io::Error` is no `Clone`, and each use of the other side gets one.
#[derive(Debug, Clone)]
pub(super) enum Failure {
    Io(Arc<io::Error>),
    Other(Arc<dyn Error + Send + Sync>),
}

impl Failure {
    pub(super) fn new(error: Box<dyn Error + Send + Sync>) -> Self {
        match error.downcast::<io::Error>() {
            Ok(error) => Failure::Io(Arc::new(*error)),
            Err(error) => Failure::Other(error.into()),
        }
    }

    fn to_error(&self) -> io::Error {
        let kind = match self {
            Failure::Other(_) => io::ErrorKind::Other,
            // What repeats an interrupted call would repeat this one for ever.
            Failure::Io(error) if error.kind() == io::ErrorKind::Interrupted => io::ErrorKind::Other,
            Failure::Io(error) => {
                if let Some(code) = error.raw_os_error() {
                    return io::Error::from_raw_os_error(code);
                }
                let simple = io::Error::from(error.kind());
                // One with a fixed message of its own also has nothing inside.
                if error.get_ref().is_none() && error.to_string() == simple.to_string() {
                    return simple;
                }
                error.kind()
            }
        };
        io::Error::new(kind, Carried(self.clone()))
    }
}

/// The error that rode here: it reads as the original, and has that as its source.
struct Carried(Failure);

impl Carried {
    fn original(&self) -> &(dyn Error + 'static) {
        match &self.0 {
            Failure::Io(error) => &**error,
            Failure::Other(error) => &**error,
        }
    }
}

impl fmt::Debug for Carried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.original(), f)
    }
}

impl fmt::Display for Carried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.original(), f)
    }
}

impl Error for Carried {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self.original())
    }
}
