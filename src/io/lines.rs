//! Cutting chunks into lines.

use std::mem;

use memchr::memchr_iter;

#[cfg(test)]
mod tests;

/// Borrows each line. It is `dyn` so that the cutting is compiled once for each error type, not once for each callback.
type Each<'a, E> = dyn FnMut(&[u8]) -> Result<(), E> + 'a;

/// Cuts a stream of chunks into lines, and calls back with each line without its `\n`. A `\r` before it stays.
///
/// A line within one chunk is not copied. A last line without newline is delivered by [`finish`](Self::finish).
///
/// Each line is delivered once, also if the callback fails: the line it failed on counts as delivered, and the next call delivers the
/// later ones.
#[derive(Debug, Default)]
pub(crate) struct LineSplitter {
    /// The beginning of the last line; it has no `\n`, unless there is a `backlog`.
    partial: Vec<u8>,
    /// The callback failed: `partial` has all bytes after its line.
    backlog: bool,
}

impl LineSplitter {
    /// Delivers every line that ends in `chunk`.
    ///
    /// # Errors
    /// The callback's.
    pub(crate) fn push<E>(&mut self, chunk: &[u8], mut each: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        if !self.backlog {
            return self.cut(chunk, &mut each);
        }
        self.partial.extend_from_slice(chunk);
        self.cut_backlog(&mut each)
    }

    /// The stream has ended: delivers a last line without newline, if there is one.
    ///
    /// # Errors
    /// The callback's.
    pub(crate) fn finish<E>(&mut self, mut each: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        if self.backlog {
            self.cut_backlog(&mut each)?;
        }
        if self.partial.is_empty() {
            return Ok(());
        }
        each(&mem::take(&mut self.partial))
    }

    /// Whether whole lines may wait for the next call.
    pub(crate) fn is_behind(&self) -> bool {
        self.backlog && !self.partial.is_empty()
    }

    fn cut_backlog<E>(&mut self, each: &mut Each<'_, E>) -> Result<(), E> {
        self.backlog = false;
        let held = mem::take(&mut self.partial);
        self.cut(&held, each)
    }

    /// Searches only `chunk`: `partial` has no `\n`, so each byte of a line in many chunks is searched once.
    fn cut<E>(&mut self, chunk: &[u8], each: &mut Each<'_, E>) -> Result<(), E> {
        let mut ends = memchr_iter(b'\n', chunk);
        let mut start = 0;
        let mut delivered = Ok(());
        // Only the first line began in an earlier chunk.
        if !self.partial.is_empty() {
            if let Some(end) = ends.next() {
                delivered = self.deliver_partial(&chunk[..end], each);
                start = end + 1;
            }
        }
        while delivered.is_ok() {
            let Some(end) = ends.next() else { break };
            delivered = each(&chunk[start..end]);
            start = end + 1;
        }
        self.partial.extend_from_slice(&chunk[start..]);
        self.backlog = delivered.is_err();
        delivered
    }

    fn deliver_partial<E>(&mut self, end_of_line: &[u8], each: &mut Each<'_, E>) -> Result<(), E> {
        // Taken out, so that a panic in the callback does not leave the line here to be delivered again.
        let mut line = mem::take(&mut self.partial);
        line.extend_from_slice(end_of_line);
        let delivered = each(&line);
        line.clear();
        self.partial = line;
        delivered
    }
}
