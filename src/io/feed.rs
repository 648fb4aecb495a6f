//! Writing bytes that are in memory into a child's input.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use super::failure::{Closed, FlowError, FlowFailure};
use super::pipe_growth::PipeGrowth;
use crate::stream::Stream;
use crate::sys::{fds, signals, stream};

/// Chunks that are written before other streams and deadlines get their turn.
const WRITES: usize = 4;

/// Bytes in memory on their way into a pipe.
pub(crate) struct Feed {
    /// The write end, while there are bytes left to write.
    fd: Option<OwnedFd>,
    stream: Stream,
    /// The pipe's index in the plan.
    pub(super) pipe: usize,
    bytes: Arc<Vec<u8>>,
    taken: usize,
    growth: PipeGrowth,
}

impl Feed {
    /// `fd` is the write end of the plan's pipe with the index `pipe`; no child shares it. O_NONBLOCK is set on it.
    pub(crate) fn new(fd: OwnedFd, stream: Stream, pipe: usize, bytes: Arc<Vec<u8>>) -> io::Result<Feed> {
        fds::set_nonblocking(fd.as_fd(), true)?;
        let fd = (!bytes.is_empty()).then_some(fd);
        Ok(Feed { fd, stream, pipe, bytes, taken: 0, growth: PipeGrowth::default() })
    }

    /// Leaves the pipe's capacity as it is, if `fixed`.
    pub(crate) fn with_fixed_capacity(mut self, fixed: bool) -> Feed {
        self.growth.fixed = fixed;
        self
    }

    pub(crate) fn stream(&self) -> Stream {
        self.stream
    }

    pub(crate) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.fd.as_ref().map(AsFd::as_fd)
    }

    /// The number of bytes that the pipe took.
    pub(crate) fn taken(&self) -> u64 {
        self.taken as u64
    }

    /// Closes the write end. A last write tells whether the read end is still held: if not, it fails with EPIPE.
    pub(crate) fn close(&mut self) -> Closed {
        let result = self.write().map(drop);
        Closed { held: self.fd.take().is_some(), pipe: None, result }
    }

    /// Writes a few chunks, while the pipe takes them whole.
    pub(crate) fn step(&mut self) -> Result<(), FlowFailure> {
        for _ in 0..WRITES {
            if !self.write()? {
                break;
            }
        }
        Ok(())
    }

    /// Writes one chunk; returns whether the pipe took all of it.
    fn write(&mut self) -> Result<bool, FlowFailure> {
        let Some(fd) = &self.fd else { return Ok(false) };
        let rest = &self.bytes[self.taken..];
        let chunk = &rest[..rest.len().min(self.growth.chunk())];
        match signals::without_sigpipe(|| stream::write(fd.as_fd(), chunk)) {
            Ok(written) => {
                let all = written == chunk.len();
                self.taken += written;
                self.growth.record(all, fd.as_fd());
                if self.taken == self.bytes.len() {
                    self.fd = None;
                }
                return Ok(all);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            // The child stopped reading, like `head`. That is no error; `taken` tells how far it read.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => self.fd = None,
            Err(error) => {
                self.fd = None;
                let what = FlowError::Io(error);
                return Err(FlowFailure { stream: self.stream, pipe: Some(self.pipe), what });
            }
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::super::pipe_growth::CHUNK;
    use super::*;

    #[test]
    fn a_feed_writes_a_few_chunks_before_others_have_their_turn() {
        if !cfg!(target_os = "linux") {
            return;
        }
        let (reader, writer) = crate::pipe::kernel().unwrap();
        fds::set_capacity(reader.as_fd(), 8 * CHUNK).unwrap();
        let mut feed = Feed::new(writer.into(), Stream::Stdin, 0, Arc::new(vec![7; 8 * CHUNK])).unwrap();
        feed.step().unwrap();
        assert_eq!(fds::bytes_queued(reader.as_fd()).unwrap(), WRITES * CHUNK);
    }
}
