//! What the library has for tests.

mod asserts;
mod captures;
mod isolated;
mod leaks;
mod matrix;
mod nextest;
mod suite;

use pipewright::testing::{Printed, capture_stdout};

/// What C's own `printf` does, which keeps it back when stdout is no terminal.
fn c_printf(text: &std::ffi::CStr) {
    // SAFETY: the text has no conversions, and a NUL at its end.
    unsafe { libc::printf(c"%s".as_ptr(), text.as_ptr()) };
}

/// A system call, past all buffers.
fn raw_write(text: &str) {
    nix::unistd::write(std::io::stdout(), text.as_bytes()).expect("stdout can be written");
}

#[track_caller]
fn assert_printed<T>(printed: &Printed<T>, expected: &str) {
    assert_eq!(printed.text(), expected);
    assert_eq!(printed.stdout.omitted(), 0);
}
