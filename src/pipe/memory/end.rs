//! How a side of a pipe in memory ended, and the error that each side then gets.

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
    Failed(SharedError),
    /// A `Breaker`, from outside.
    Broken(SharedError),
}

impl End {
    /// The error for the side that ended.
    pub(super) fn to_owner(&self) -> io::Error {
        match self {
            End::Closed | End::Panicked | End::Failed(_) => MemPipeError::Closed.into(),
            End::Broken(error) => error.to_error(),
        }
    }

    /// The result for readers when the writers' side ended: `Ok(0)`, each time, or an error.
    pub(super) fn to_readers(&self) -> io::Result<usize> {
        match self {
            End::Closed => Ok(0),
            End::Panicked => Err(MemPipeError::WriterPanicked.into()),
            End::Failed(error) | End::Broken(error) => Err(error.to_error()),
        }
    }

    /// The error for writers when the readers' side ended.
    pub(super) fn to_writers(&self) -> io::Error {
        match self {
            End::Closed | End::Panicked => MemPipeError::ReaderGone.into(),
            End::Failed(error) | End::Broken(error) => error.to_error(),
        }
    }
}

/// The pipe's own errors.
#[derive(Debug, Clone, Copy, thiserror::Error)]
pub(super) enum MemPipeError {
    #[error("this end of the memory pipe is closed")]
    Closed,
    #[error("every reader of the memory pipe is gone")]
    ReaderGone,
    #[error("a writer of the memory pipe panicked")]
    WriterPanicked,
    #[error("the memory pipe was not ready in time")]
    TimedOut,
}

impl From<MemPipeError> for io::Error {
    fn from(error: MemPipeError) -> io::Error {
        let kind = match error {
            MemPipeError::Closed | MemPipeError::ReaderGone => io::ErrorKind::BrokenPipe,
            MemPipeError::WriterPanicked => io::ErrorKind::Other,
            MemPipeError::TimedOut => io::ErrorKind::TimedOut,
        };
        io::Error::new(kind, error)
    }
}

/// The error that a side was closed with. `io::Error` is not `Clone`, and each use of the other side returns one.
#[derive(Debug, Clone)]
pub(super) enum SharedError {
    Io(Arc<io::Error>),
    Other(Arc<dyn Error + Send + Sync>),
}

impl SharedError {
    pub(super) fn new(error: Box<dyn Error + Send + Sync>) -> Self {
        match error.downcast::<io::Error>() {
            Ok(error) => SharedError::Io(Arc::new(*error)),
            Err(error) => SharedError::Other(error.into()),
        }
    }

    fn to_error(&self) -> io::Error {
        let kind = match self {
            SharedError::Other(_) => io::ErrorKind::Other,
            // Callers repeat an interrupted call: they would repeat this one for ever.
            SharedError::Io(error) if error.kind() == io::ErrorKind::Interrupted => io::ErrorKind::Other,
            SharedError::Io(error) => {
                if let Some(code) = error.raw_os_error() {
                    return io::Error::from_raw_os_error(code);
                }
                let simple = io::Error::from(error.kind());
                // An error with a fixed message also has nothing inside.
                if error.get_ref().is_none() && error.to_string() == simple.to_string() {
                    return simple;
                }
                error.kind()
            }
        };
        io::Error::new(kind, Carried(self.clone()))
    }
}

/// The error that the other side gets: it reads like the original, and has that as its source.
struct Carried(SharedError);

impl Carried {
    fn original(&self) -> &(dyn Error + 'static) {
        match &self.0 {
            SharedError::Io(error) => &**error,
            SharedError::Other(error) => &**error,
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
