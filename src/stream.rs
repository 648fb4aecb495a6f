//! The names of a child's streams.

use std::fmt;
use std::os::fd::RawFd;

/// One of a child's streams: a standard one, or another one by its number.
///
/// ```
/// assert_eq!(pipewright::Stream::Stderr.to_string(), "stderr");
/// assert_eq!(pipewright::Stream::Output(3).to_string(), "fd 3");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Stream {
    /// Descriptor 0.
    Stdin,
    /// Descriptor 1.
    Stdout,
    /// Descriptor 2.
    Stderr,
    /// A descriptor of a higher number that the child reads.
    Input(i32),
    /// A descriptor of a higher number that the child writes, or uses in both directions.
    Output(i32),
}

impl Stream {
    /// The stream's descriptor number.
    pub(crate) fn number(self) -> RawFd {
        match self {
            Stream::Stdin => 0,
            Stream::Stdout => 1,
            Stream::Stderr => 2,
            Stream::Input(number) | Stream::Output(number) => number,
        }
    }

    /// Whether the child reads it.
    pub(crate) fn is_input(self) -> bool {
        matches!(self, Stream::Stdin | Stream::Input(_))
    }
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stream::Stdin => f.write_str("stdin"),
            Stream::Stdout => f.write_str("stdout"),
            Stream::Stderr => f.write_str("stderr"),
            Stream::Input(number) | Stream::Output(number) => write!(f, "fd {number}"),
        }
    }
}
