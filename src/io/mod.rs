//! Moving bytes between a run's pipes, this process's memory, descriptors and the caller's code.

pub(crate) mod callback;
pub(crate) mod capture;
pub(crate) mod captured;
pub(crate) mod drain;
pub(crate) mod failure;
pub(crate) mod fd_writer;
pub(crate) mod feed;
pub(crate) mod flow;
pub(crate) mod interrupt;
pub(crate) mod io_thread;
pub(crate) mod line_observer;
pub(crate) mod lines;
mod pipe_growth;
mod read_backoff;
pub(crate) mod sink;
pub(crate) mod stream_end;
mod zero_copy;
