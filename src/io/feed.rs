//! Writing bytes that are in memory into a child's input.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use super::failure::{Closed, FlowError, FlowFailure};
use super::pipe_growth::Busy;
use crate::stream::Stream;
use crate::sys::{fds, signals, stream};

/// So many pieces are written before other streams and the time are looked at again.
const WRITES: usize = 4;

/// Bytes on their way into a child's stdin.
pub(crate) struct Feed {
    pipe: Option<OwnedFd>,
    stream: Stream,
    number: usize,
    bytes: Arc<Vec<u8>>,
    taken: usize,
    busy: Busy,
}

impl Feed {
    /// `pipe` is our own end of a pipe that we made, the plan's `number`; it is set not to block.
    pub(crate) fn new(pipe: OwnedFd, stream: Stream, number: usize, bytes: Arc<Vec<u8>>) -> io::Result<Feed> {
        fds::set_nonblocking(pipe.as_fd(), true)?;
        let pipe = (!bytes.is_empty()).then_some(pipe);
        Ok(Feed { pipe, stream, number, bytes, taken: 0, busy: Busy::default() })
    }

    /// With a pipe whose capacity is not to be touched, when `fixed`.
    pub(crate) fn of_capacity(mut self, fixed: bool) -> Feed {
        self.busy.fixed = fixed;
        self
    }

    pub(crate) fn stream(&self) -> Stream {
        self.stream
    }

    /// The number of its pipe in the plan.
    pub(crate) fn number(&self) -> usize {
        self.number
    }

    /// The write end, while there are bytes left to write.
    pub(crate) fn pipe(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().map(AsFd::as_fd)
    }

    /// How many bytes the pipe took.
    pub(crate) fn taken(&self) -> u64 {
        self.taken as u64
    }

    /// Closes the write end. A last write shows whether the read end is still held: without a reader it fails with EPIPE.
    pub(crate) fn close(&mut self) -> Closed {
        let result = self.write().map(drop);
        Closed { held: self.pipe.take().is_some(), pipe: None, result }
    }

    /// Writes a few pieces, while the pipe takes them whole.
    pub(crate) fn step(&mut self) -> Result<(), FlowFailure> {
        for _ in 0..WRITES {
            if !self.write()? {
                break;
            }
        }
        Ok(())
    }

    /// Writes one piece; whether all of it went and there is more.
    fn write(&mut self) -> Result<bool, FlowFailure> {
        let Some(pipe) = &self.pipe else { return Ok(false) };
        let rest = &self.bytes[self.taken..];
        let piece = &rest[..rest.len().min(self.busy.chunk())];
        match signals::without_sigpipe(|| stream::write(pipe.as_fd(), piece)) {
            Ok(written) => {
                let all = written == piece.len();
                self.taken += written;
                self.busy.saw(all, pipe.as_fd());
                if self.taken == self.bytes.len() {
                    self.pipe = None;
                }
                return Ok(all);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            // The child stopped reading, as `head` does. Not an error; `taken` tells.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => self.pipe = None,
            Err(error) => {
                self.pipe = None;
                let what = FlowError::Io(error);
                return Err(FlowFailure { stream: self.stream, pipe: Some(self.number), what });
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
    fn a_feed_writes_a_few_pieces_before_others_have_their_turn() {
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
