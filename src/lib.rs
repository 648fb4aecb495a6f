//! The shell's plumbing as a Rust library.

pub mod fd;
