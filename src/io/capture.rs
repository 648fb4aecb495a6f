//! What is kept of a captured stream, in memory bounded by the limit.

use super::captured::Captured;
use crate::sys::memory;

#[cfg(test)]
mod tests;

/// How much of a captured stream is kept.
///
/// In bytes, for `stdout_limit` and `stderr_limit`. Memory is bounded by it too, but for `None`. How many bytes were
/// left out, and where, say [`omitted`](crate::Captured::omitted) and [`omitted_at`](crate::Captured::omitted_at).
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
    /// All of it.
    #[default]
    None,
    /// The first so many bytes. When more comes, reading stops and the stream is closed, as `head -c` does: the child's next
    /// write gets SIGPIPE, which counts as success. [`HeadTail`](Limit::HeadTail) with an empty tail lets the child run to its end
    /// instead.
    Head(usize),
    /// The last so many bytes.
    Tail(usize),
    /// The first and the last so many bytes; what lies between is left out.
    HeadTail {
        /// Bytes kept from the start.
        head: usize,
        /// Bytes kept from the end.
        tail: usize,
    },
    /// The first so many bytes; more than that is an error.
    Fail(usize),
}

/// More came than [`Limit::Fail`] allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("more than {limit} bytes of output")]
pub(crate) struct LimitExceeded {
    pub(crate) limit: usize,
}

/// A capture in the making.
///
/// Every limit is "keep a head, then keep a tail", with one of the two empty or endless. Both live in one buffer:
/// `[what the caller's Vec held | head | tail]`, the tail as a ring that `finish` rotates into order, so that no
/// second copy is ever made.
pub(crate) struct Capture {
    limit: Limit,
    buffer: Vec<u8>,
    /// Where the tail's ring starts in `buffer`.
    split: usize,
    /// How long the ring may become.
    tail: usize,
    /// The ring's oldest byte, counted from `split`. Zero until the ring is full.
    oldest: usize,
    omitted: u64,
    /// How far the buffer is known to be in memory, or not worth to be asked for.
    present: usize,
}

/// A capture so large is made room for in memory before the bytes come, so much at a time.
const LARGE: usize = 4 * 1024 * 1024;
const AHEAD: usize = 2 * 1024 * 1024;

impl Capture {
    pub(crate) fn new(limit: Limit) -> Self {
        Self::into_buffer(limit, Vec::new())
    }

    /// Appends to the caller's `buffer`, using its spare capacity. The limit counts the appended bytes alone.
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

    /// Without a limit: the buffer itself, so that a reader reads straight into its spare capacity, up to `room` bytes.
    /// It may only be appended to. With a limit, bytes go through [`push`](Self::push).
    pub(crate) fn direct(&mut self, room: usize) -> Option<&mut Vec<u8>> {
        if self.limit != Limit::None {
            return None;
        }
        if self.buffer.len() + room > self.present {
            self.make_present(room);
        }
        Some(&mut self.buffer)
    }

    /// Page faults take longer than the copying: a call for many pages at once is the quicker way. Where it is refused, the pages
    /// come as they are written to.
    fn make_present(&mut self, room: usize) {
        if self.buffer.try_reserve(room).is_err() {
            // The read will say so.
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
    /// Under [`Limit::Fail`], once more has come than it allows; what it allows is kept.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<(), LimitExceeded> {
        let end = self.split.saturating_add(self.tail);
        let (fits, rest) = bytes.split_at(bytes.len().min(end - self.buffer.len()));
        self.append(fits, end);
        if rest.is_empty() {
            return Ok(());
        }
        // From here on the buffer is full: each further byte leaves one out.
        self.omitted += rest.len() as u64;
        self.overwrite_tail(rest);
        match self.limit {
            Limit::Fail(limit) => Err(LimitExceeded { limit }),
            _ => Ok(()),
        }
    }

    /// Appends, growing as a `Vec` does but never beyond `end`.
    fn append(&mut self, bytes: &[u8], end: usize) {
        let (length, capacity) = (self.buffer.len(), self.buffer.capacity());
        if bytes.len() > capacity - length {
            let wanted = capacity.saturating_mul(2).max(length + bytes.len()).min(end);
            self.buffer.reserve_exact(wanted - length);
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// Puts `bytes` over the oldest ones of the full ring.
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

    /// Whether all that is wanted is there, and more would only be thrown away.
    pub(crate) fn had_enough(&self) -> bool {
        matches!(self.limit, Limit::Head(_)) && self.omitted > 0
    }

    /// All that came so far, if none of it was left out.
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
