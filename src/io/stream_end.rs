//! Which descriptor a stream waits for.

/// Passed to the engine with the descriptor, and back to the stream when the descriptor is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StreamEnd {
    /// The stream's own pipe: the one that it reads, feeds, or shares with a thread.
    Pipe,
    /// The n-th sink, which has not taken all bytes of the last chunk.
    Sink(usize),
}
