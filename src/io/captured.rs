//! The bytes captured of a stream.

use std::borrow::Cow;
use std::fmt;
use std::ops::{Deref, Range};
use std::str::Utf8Error;

use crate::text::redact::Secrets;

#[cfg(test)]
mod tests;

/// The bytes captured of one stream.
///
/// They are what the child wrote. `Debug` leaves [secrets](crate::Cmd::secret_arg) out, like every other text.
///
/// Dereferences to `[u8]`, which is empty if the stream was not captured. Comparison with bytes or text is stricter: a stream that was
/// not captured equals none of them. So a check for empty output fails if the output went elsewhere.
///
/// ```
/// let out = pipewright::cmd!("printf", "text").output()?;
/// assert_eq!(out.stdout, "text");
/// assert_eq!(out.stdout.len(), 4);
/// let run = pipewright::cmd!("true").run()?;
/// assert!(run.stdout.is_empty() && run.stdout != "");
/// # Ok::<(), pipewright::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct Captured {
    /// `None` if the stream was not captured.
    bytes: Option<Vec<u8>>,
    omitted: u64,
    /// The offset in `bytes` where bytes were left out; 0 if none were.
    omitted_at: usize,
    /// The offsets where the stream was cut, in order: the bytes beside a cut may be a piece of a secret.
    cuts: Vec<usize>,
    secrets: Secrets,
}

impl PartialEq for Captured {
    fn eq(&self, other: &Captured) -> bool {
        (&self.bytes, self.omitted, self.omitted_at) == (&other.bytes, other.omitted, other.omitted_at)
    }
}

impl Eq for Captured {}

impl Captured {
    pub(crate) fn not_captured() -> Self {
        Self::default()
    }

    pub(crate) fn from_bytes(bytes: Vec<u8>) -> Self {
        Self { bytes: Some(bytes), ..Self::default() }
    }

    /// `bytes`, of which a [`Limit`](crate::Limit) left out `omitted` at the offset `at`.
    pub(crate) fn with_omission(bytes: Vec<u8>, at: usize, omitted: u64) -> Self {
        debug_assert!(omitted > 0 && at <= bytes.len());
        Self { bytes: Some(bytes), omitted, omitted_at: at, cuts: vec![at], ..Self::default() }
    }

    /// Appends what another pipe captured of the same stream.
    pub(crate) fn append(&mut self, other: Captured) {
        match (&mut self.bytes, other.bytes) {
            (Some(bytes), Some(more)) => {
                if self.omitted == 0 && other.omitted > 0 {
                    self.omitted_at = bytes.len() + other.omitted_at;
                }
                // Each may have been cut where the two meet.
                self.cuts.push(bytes.len());
                self.cuts.extend(other.cuts.iter().map(|cut| bytes.len() + cut));
                bytes.extend(more);
                self.omitted += other.omitted;
            }
            (None, more) => *self = Captured { bytes: more, ..other },
            (Some(_), None) => {}
        }
    }

    /// Makes its texts leave out secrets. `whole`: the writer reached its end, so no secret is cut in its last bytes.
    pub(crate) fn conceal(&mut self, secrets: &Secrets, whole: bool) {
        self.secrets = secrets.clone();
        if !whole {
            self.cuts.push(self.len());
        }
    }

    /// A part of the bytes, without secrets.
    pub(crate) fn redacted(&self, part: Range<usize>) -> Vec<u8> {
        self.secrets.redact_part(self, part, &self.cuts)
    }

    /// The bytes as text; `self` comes back if they are not UTF-8.
    pub(crate) fn into_text(mut self) -> Result<String, (Self, Utf8Error)> {
        String::from_utf8(self.bytes.take().unwrap_or_default()).map_err(|error| {
            let cause = error.utf8_error();
            (Captured { bytes: Some(error.into_bytes()), ..self }, cause)
        })
    }

    /// Whether the stream was captured at all.
    ///
    /// ```
    /// assert!(pipewright::cmd!("true").output()?.stdout.is_captured());
    /// assert!(!pipewright::cmd!("true").run()?.stdout.is_captured());
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    #[must_use]
    pub fn is_captured(&self) -> bool {
        self.bytes.is_some()
    }

    /// The number of bytes that a [`Limit`](crate::Limit) left out. [`Limit::Head`](crate::Limit::Head) stops reading, so the child may
    /// have had more to write.
    ///
    /// ```
    /// use pipewright::{Limit, cmd};
    /// let out = cmd!("printf", "0123456789").stdout_limit(Limit::HeadTail { head: 2, tail: 3 }).output()?;
    /// assert_eq!(out.stdout.omitted(), 5);
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    #[must_use]
    pub fn omitted(&self) -> u64 {
        self.omitted
    }

    /// The offset at which bytes were left out, if any were.
    ///
    /// ```
    /// use pipewright::{Limit, cmd};
    /// let out = cmd!("printf", "0123456789").stdout_limit(Limit::HeadTail { head: 2, tail: 3 }).output()?;
    /// assert_eq!(out.stdout, "01789");
    /// assert_eq!(out.stdout.omitted_at(), Some(2));
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    #[must_use]
    pub fn omitted_at(&self) -> Option<usize> {
        (self.omitted > 0).then_some(self.omitted_at)
    }

    /// The bytes; empty if the stream was not captured.
    ///
    /// ```
    /// let out = pipewright::cmd!("printf", "text").output()?;
    /// assert_eq!(out.stdout.into_vec(), b"text");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    #[must_use]
    pub fn into_vec(self) -> Vec<u8> {
        self.bytes.unwrap_or_default()
    }

    /// The bytes as text.
    ///
    /// # Errors
    /// If they are not UTF-8. A character that a [`Limit`](crate::Limit) cut in two is not.
    ///
    /// ```
    /// let out = pipewright::cmd!("printf", "text").output()?;
    /// assert_eq!(out.stdout.to_str()?, "text");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn to_str(&self) -> Result<&str, Utf8Error> {
        std::str::from_utf8(self)
    }

    /// The bytes as text, with U+FFFD in place of what is not UTF-8.
    ///
    /// ```
    /// let out = pipewright::cmd!("printf", r"a\377").output()?;
    /// assert_eq!(out.stdout.to_string_lossy(), "a\u{fffd}");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    #[must_use]
    pub fn to_string_lossy(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self)
    }
}

impl Deref for Captured {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes.as_deref().unwrap_or_default()
    }
}

impl AsRef<[u8]> for Captured {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl From<Captured> for Vec<u8> {
    fn from(captured: Captured) -> Self {
        captured.into_vec()
    }
}

macro_rules! equals {
    ($($(#[$generic:tt])? $other:ty),* $(,)?) => {$(
        impl $(<const $generic: usize>)? PartialEq<$other> for Captured {
            fn eq(&self, other: &$other) -> bool {
                let other: &[u8] = other.as_ref();
                self.bytes.as_deref() == Some(other)
            }
        }
    )*};
}
equals!(
    [u8],
    &[u8],
    #[N]
    [u8; N],
    #[N]
    &[u8; N],
    Vec<u8>,
    str,
    &str,
    String
);

/// The number of bytes that `Debug` shows: a failed assertion stays readable.
const SHOWN: usize = 256;

impl fmt::Debug for Captured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.is_captured() {
            return f.write_str("Captured(not captured)");
        }
        if self.len() <= SHOWN {
            write!(f, "Captured({:?}", String::from_utf8_lossy(&self.redacted(0..self.len())))?;
        } else {
            // A character has at most three continuation bytes: one of these offsets is not in the middle of a character.
            let cut = (SHOWN - 3..=SHOWN).rev().find(|&at| self[at] & 0xc0 != 0x80).unwrap_or(SHOWN);
            let shown = self.redacted(0..cut);
            write!(f, "Captured(\"{}…\" {} bytes", String::from_utf8_lossy(&shown).escape_debug(), self.len())?;
        }
        if self.omitted > 0 {
            write!(f, ", {} omitted at {}", self.omitted, self.omitted_at)?;
        }
        f.write_str(")")
    }
}
