//! A NULL-terminated array of C strings, like `execve(2)` wants argv and envp: one allocation for the bytes.

use std::ffi::c_char;
use std::os::unix::ffi::OsStrExt;
use std::ptr;

/// Where an interior NUL byte was found: the index of the string that holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NulAt(pub(crate) usize);

/// Strings laid end to end, each closed by a NUL.
#[derive(Debug, Default)]
pub(crate) struct CStrings {
    bytes: Vec<u8>,
    starts: Vec<usize>,
}

impl CStrings {
    pub(crate) fn new() -> Self {
        CStrings::default()
    }

    /// Reserves room for this number of strings, of a usual length.
    pub(crate) fn with_capacity(strings: usize) -> Self {
        const USUAL: usize = 64;
        CStrings { bytes: Vec::with_capacity(strings.saturating_mul(USUAL)), starts: Vec::with_capacity(strings) }
    }

    /// Adds one string made of `parts` in a row.
    pub(crate) fn push(&mut self, parts: &[&[u8]]) -> Result<(), NulAt> {
        if parts.iter().any(|part| memchr::memchr(0, part).is_some()) {
            return Err(NulAt(self.starts.len()));
        }
        self.push_unchecked(parts);
        Ok(())
    }

    /// Does the same for parts that were C strings before. A NUL among them would end the string early.
    pub(crate) fn push_unchecked(&mut self, parts: &[&[u8]]) {
        self.starts.push(self.bytes.len());
        for part in parts {
            self.bytes.extend_from_slice(part);
        }
        self.bytes.push(0);
    }

    /// The strings without their NULs.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &std::ffi::OsStr> {
        let ends = self.starts.iter().skip(1).copied().chain([self.bytes.len()]);
        self.starts.iter().zip(ends).map(|(&start, end)| std::ffi::OsStr::from_bytes(&self.bytes[start..end - 1]))
    }

    /// Ends the building: from here on nothing moves, so the pointers are taken.
    pub(crate) fn finish(self) -> CArray {
        let pointers =
            self.starts.iter().map(|&start| self.bytes[start..].as_ptr().cast()).chain([ptr::null()]).collect();
        CArray { strings: self, pointers }
    }
}

/// The finished array. The pointers lead into `strings`, whose buffer is never touched again; moving the struct moves
/// only the `Vec` headers.
#[derive(Debug)]
pub(crate) struct CArray {
    strings: CStrings,
    pointers: Vec<*const c_char>,
}

// SAFETY: the pointers lead into the buffer owned by the same value, which is not written to after `finish`.
#[expect(unsafe_code, reason = "raw pointers into the value's own, unchanging heap buffer")]
unsafe impl Send for CArray {}
// SAFETY: as for Send; shared access only reads.
#[expect(unsafe_code, reason = "raw pointers into the value's own, unchanging heap buffer")]
unsafe impl Sync for CArray {}

impl CArray {
    pub(crate) fn as_ptr(&self) -> *const *const c_char {
        self.pointers.as_ptr()
    }

    /// The strings' pointers and the closing NULL.
    pub(crate) fn pointers(&self) -> &[*const c_char] {
        &self.pointers
    }

    pub(crate) fn strings(&self) -> &CStrings {
        &self.strings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_come_back_and_a_nul_is_named() {
        let mut strings = CStrings::new();
        strings.push(&[b"KEY", b"=", b"value"]).unwrap();
        strings.push(&[b""]).unwrap();
        assert_eq!(strings.push(&[b"a\0b"]), Err(NulAt(2)));
        assert_eq!(strings.iter().collect::<Vec<_>>(), ["KEY=value", ""]);
        let array = strings.finish();
        assert_eq!(array.pointers().len(), 3);
        assert!(array.pointers()[2].is_null());
    }
}
