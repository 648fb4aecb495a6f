//! Capturing a stream, in memory that the limit bounds.

use super::captured::Captured;
use crate::sys::memory;

#[cfg(test)]
mod tests;

/// How much of a captured stream is kept.
///
/// In bytes, for `stdout_limit`, `stderr_limit` and `fd_limit`. Every limit except `None` also bounds the memory.
/// [`omitted`](crate::Captured::omitted) and [`omitted_at`](crate::Captured::omitted_at) say how many bytes were left out, and where.
///
/// ```
/// use pipewright::{cmd, ErrorKind, Limit};
/// let ends = cmd!("printf", "0123456789").stdout_limit(Limit::HeadTail { head: 2, tail: 1 });
/// assert_eq!(ends.output()?.stdout, "019");
/// let error = cmd!("yes").stdout_limit(Limit::Fail(100)).output().unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::LimitExceeded);
/// # Ok::<(), pipewright::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Limit {
    /// All bytes.
    #[default]
    None,
    /// The first bytes, up to this number. When more come, reading stops and the stream is closed, like with `head -c`: the child's
    /// next write gets SIGPIPE, which counts as success. To let the child run to its end instead, use
    /// [`HeadTail`](Limit::HeadTail) with an empty tail.
    Head(usize),
    /// The last bytes, up to this number.
    Tail(usize),
    /// The first and the last bytes; the bytes between are left out.
    HeadTail {
        /// The number of bytes kept from the start.
        head: usize,
        /// The number of bytes kept from the end.
        tail: usize,
    },
    /// The first bytes, up to this number; more are the error [`LimitExceeded`](crate::ErrorKind::LimitExceeded).
    Fail(usize),
}

/// The stream has more bytes than [`Limit::Fail`] allows.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LimitExceeded(pub(crate) usize);

/// A capture that is not finished.
///
/// Every limit keeps a head and a tail, of which one may be empty or endless. Both are in one buffer:
/// `[what the caller's Vec held | head | tail]`. The tail is a ring that `finish` rotates into order, so no second buffer is needed.
pub(crate) struct Capture {
    limit: Limit,
    buffer: Vec<u8>,
    /// The offset of the tail's ring in `buffer`.
    split: usize,
    /// The greatest length of the ring.
    tail: usize,
    /// The offset of the ring's oldest byte from `split`; 0 until the ring is full.
    oldest: usize,
    omitted: u64,
    /// Up to this offset, the buffer's pages are present, or are not worth a call.
    present: usize,
}

/// The length in bytes from which on a capture's pages are made present before the bytes are read: most captures are smaller.
const LARGE: usize = 4 * 1024 * 1024;
/// The bytes that one call makes present: at most a third of a large capture's pages stays unused.
const AHEAD: usize = 2 * 1024 * 1024;

impl Capture {
    pub(crate) fn new(limit: Limit) -> Self {
        Self::into_buffer(limit, Vec::new())
    }

    /// Appends to the caller's `buffer`, and uses its spare capacity. Only the appended bytes count for the limit.
    pub(crate) fn into_buffer(limit: Limit, buffer: Vec<u8>) -> Self {
        let (head, tail) = match limit {
            Limit::None => (usize::MAX, 0),
            Limit::Head(head) | Limit::Fail(head) => (head, 0),
            Limit::Tail(tail) => (0, tail),
            Limit::HeadTail { head, tail } => (head, tail),
        };
        let split = buffer.len().saturating_add(head);
        let present = buffer.capacity().max(LARGE);
        Self { limit, buffer, split, tail, oldest: 0, omitted: 0, present }
    }

    /// Without a limit: the buffer, to read up to `room` bytes into its spare capacity. The caller must only append. With a limit, bytes
    /// go through [`push`](Self::push).
    pub(crate) fn direct(&mut self, room: usize) -> Option<&mut Vec<u8>> {
        if self.limit != Limit::None {
            return None;
        }
        if self.buffer.len() + room > self.present {
            self.make_present(room);
        }
        Some(&mut self.buffer)
    }

    /// Makes many pages present with one call, since their page faults take longer than the copying. If the kernel refuses, the pages
    /// come with the faults.
    fn make_present(&mut self, room: usize) {
        if self.buffer.try_reserve(room).is_err() {
            // The read fails in the same way, and reports it.
            return;
        }
        let length = self.buffer.len();
        let spare = self.buffer.spare_capacity_mut();
        let ahead = spare.len().min(AHEAD);
        self.present = match memory::populate(&mut spare[..ahead]) {
            Ok(()) => length + ahead,
            Err(_) => usize::MAX,
        };
    }

    /// Takes the next bytes of the stream.
    ///
    /// # Errors
    /// With [`Limit::Fail`], when there are more bytes than it allows. The allowed bytes are kept.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<(), LimitExceeded> {
        let end = self.split.saturating_add(self.tail);
        let (fits, rest) = bytes.split_at(bytes.len().min(end - self.buffer.len()));
        self.append(fits, end);
        if rest.is_empty() {
            return Ok(());
        }
        // The buffer is full: each further byte leaves one out.
        self.omitted += rest.len() as u64;
        self.overwrite_tail(rest);
        match self.limit {
            Limit::Fail(limit) => Err(LimitExceeded(limit)),
            _ => Ok(()),
        }
    }

    /// Appends. The buffer grows like a `Vec`, but never beyond `end`.
    fn append(&mut self, bytes: &[u8], end: usize) {
        let (length, capacity) = (self.buffer.len(), self.buffer.capacity());
        if bytes.len() > capacity - length {
            let wanted = capacity.saturating_mul(2).max(length + bytes.len()).min(end);
            self.buffer.reserve_exact(wanted - length);
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// Overwrites the oldest bytes of the full ring.
    fn overwrite_tail(&mut self, bytes: &[u8]) {
        if self.tail == 0 {
            return;
        }
        let ring = &mut self.buffer[self.split..];
        let bytes = &bytes[bytes.len().saturating_sub(ring.len())..];
        let (until_wrap, wrapped) = bytes.split_at(bytes.len().min(ring.len() - self.oldest));
        ring[self.oldest..][..until_wrap.len()].copy_from_slice(until_wrap);
        ring[..wrapped.len()].copy_from_slice(wrapped);
        self.oldest = (self.oldest + bytes.len()) % ring.len();
    }

    /// Whether further bytes would only be thrown away.
    pub(crate) fn had_enough(&self) -> bool {
        matches!(self.limit, Limit::Head(_)) && self.omitted > 0
    }

    /// All bytes so far, if none was left out.
    pub(crate) fn whole(&self) -> Option<&[u8]> {
        (self.omitted == 0).then_some(&self.buffer)
    }

    pub(crate) fn finish(mut self) -> Captured {
        if self.omitted == 0 {
            return Captured::from_bytes(self.buffer);
        }
        self.buffer[self.split..].rotate_left(self.oldest);
        Captured::with_omission(self.buffer, self.split, self.omitted)
    }
}
