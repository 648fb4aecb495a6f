//! Reading what is captured while it is written, until the closure has ended.

use std::io;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::clock::Deadline;
use crate::io::captured::Captured;
use crate::pipe::PipeReader;
use crate::sys::poll::{Interest, PollSet};
use crate::sys::{fds, stream};

/// The most that one read takes: what a pipe holds.
const CHUNK: usize = 64 * 1024;

/// How often anything was read. Captures take turns, so what is read meanwhile is read inside of this one.
static READS: AtomicU64 = AtomicU64::new(0);

/// One captured stream.
pub(super) struct Stream {
    from: PipeReader,
    bytes: Vec<u8>,
    limit: usize,
    omitted: u64,
}

impl Stream {
    pub(super) fn new(from: PipeReader, limit: usize) -> Stream {
        Stream { from, bytes: Vec::new(), limit, omitted: 0 }
    }

    /// Takes at most `most` bytes; how many there were. There is something to read, or it is the end.
    fn read(&mut self, most: usize) -> io::Result<usize> {
        let read = stream::read_into(self.from.as_fd(), &mut self.bytes, most)?;
        let excess = self.bytes.len().saturating_sub(self.limit);
        self.bytes.truncate(self.limit);
        self.omitted += excess as u64;
        Ok(read)
    }

    /// Takes what is there now, and does not wait for an end: a process in the background may hold the other side.
    fn read_rest(&mut self) -> io::Result<()> {
        let mut rest = fds::bytes_queued(self.from.as_fd())?;
        while rest > 0 {
            match self.read(rest.min(CHUNK))? {
                0 => break,
                read => rest = rest.saturating_sub(read),
            }
        }
        Ok(())
    }

    pub(super) fn into_captured(self) -> Captured {
        match self.omitted {
            0 => Captured::from_bytes(self.bytes),
            omitted => Captured::with_omission(self.bytes, self.limit, omitted),
        }
    }
}

/// Reads all streams until `done` can be read. When nothing at all happens for `patience`, if there is any, `complain` is called, once;
/// what happens to a capture inside of this one counts.
pub(super) fn until_done(
    streams: &mut [Stream],
    done: &PipeReader,
    patience: Option<Duration>,
    complain: impl FnOnce(),
) -> io::Result<()> {
    let mut set = PollSet::default();
    let mut complain = Some(complain);
    loop {
        set.clear();
        set.push(done.as_fd(), Interest::Readable);
        for stream in &*streams {
            set.push(stream.from.as_fd(), Interest::Readable);
        }
        let limit = Deadline::after_opt(patience.filter(|_| complain.is_some()));
        let reads = READS.load(Relaxed);
        if set.wait(limit)? == 0 {
            if READS.load(Relaxed) != reads {
                continue;
            }
            if let Some(complain) = complain.take() {
                complain();
            }
            continue;
        }
        if set.ready(0) {
            READS.fetch_add(1, Relaxed);
            return streams.iter_mut().try_for_each(Stream::read_rest);
        }
        for (index, stream) in streams.iter_mut().enumerate() {
            if set.ready(index + 1) {
                stream.read(CHUNK)?;
                READS.fetch_add(1, Relaxed);
            }
        }
    }
}
