//! The pipe in memory, with and without a buffer.

mod closing;
mod ends;
mod errors;
mod ring;
mod stress;
mod timeouts;
mod writes;

use std::thread::JoinHandle;

use pipewright::pipe::{MemReader, MemWriter};

use crate::prelude::*;

/// One pipe without a buffer, some with.
fn each_kind(check: impl Fn(MemReader, MemWriter)) {
    for capacity in [0, 1, 3, 64 * 1024] {
        let (reader, writer) = pipe::buffered(capacity);
        check(reader, writer);
    }
}

/// Starts something that blocks.
fn start<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    thread::spawn(f)
}

/// What it gave; a panic of the thread is one of the test.
#[track_caller]
fn join<T>(thread: JoinHandle<T>) -> T {
    thread.join().expect("the thread did not panic")
}

/// Exactly `count` bytes.
#[track_caller]
fn take(reader: &mut MemReader, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    reader.read_exact(&mut bytes).expect("that many bytes");
    bytes
}

#[track_caller]
fn assert_closed<T: std::fmt::Debug>(result: io::Result<T>) {
    let error = result.expect_err("the end is closed");
    assert_eq!(
        (error.kind(), &*error.to_string()),
        (io::ErrorKind::BrokenPipe, "this end of the memory pipe is closed")
    );
}

#[track_caller]
fn assert_no_reader<T: std::fmt::Debug>(result: io::Result<T>) {
    let error = result.expect_err("the readers are gone");
    assert_eq!(
        (error.kind(), &*error.to_string()),
        (io::ErrorKind::BrokenPipe, "every reader of the memory pipe is gone")
    );
}

/// The end, and the end again.
#[track_caller]
fn assert_end(reader: &mut MemReader) {
    for _ in 0..3 {
        assert_eq!(reader.read(&mut [0; 8]).expect("a clean end"), 0);
    }
}
