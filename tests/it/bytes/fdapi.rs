//! The descriptors' own functions: `pipewright::fd`.

mod copy;
mod copy_busy;
mod ends;
mod holders;
mod jobserver;
mod refused;

mod single;
mod wait;
mod zero_copy;

use pipewright::fd::BadFd;

use crate::prelude::*;

/// A file of its own, read from its beginning.
fn file_with(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().expect("a file");
    file.write_all(bytes).expect("it can be written");
    file.rewind().expect("it is a file");
    file
}

/// Bytes that tell their place.
fn content(len: usize) -> Vec<u8> {
    (0_u32..).flat_map(u32::to_le_bytes).take(len).collect()
}

/// The misfit inside an error.
#[track_caller]
fn bad(error: &io::Error) -> BadFd {
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{error}");
    *error.get_ref().and_then(|inner| inner.downcast_ref::<BadFd>()).unwrap_or_else(|| panic!("{error}"))
}
