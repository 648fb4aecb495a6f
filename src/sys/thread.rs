//! A thread of the library's own. std compiles what starts a thread once for each closure: here that is one boxed closure.

use std::io;
use std::thread::{Builder, JoinHandle};

/// Starts a thread of this name.
///
/// # Errors
/// EAGAIN: no memory, or too many threads.
pub(crate) fn start(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    start_boxed(name, Box::new(work))
}

fn start_boxed(name: &str, work: Box<dyn FnOnce() + Send>) -> io::Result<JoinHandle<()>> {
    Builder::new().name(name.into()).spawn(work)
}
