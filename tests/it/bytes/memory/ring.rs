//! Writes that are kept until they are read.

use std::io::IoSlice;

use super::{assert_end, join, start, take};
use crate::prelude::*;

#[test]
fn a_write_that_fits_does_not_block_and_reads_span_writes() {
    isolated(|| {
        let (mut reader, mut writer) = pipe::buffered(10);
        for text in ["one", "", "three", "ab"] {
            assert_eq!(writer.write(text.as_bytes()).expect("there is room"), text.len());
        }
        let mut buffer = [0; 64];
        assert_eq!(reader.read(&mut buffer).expect("all is there"), 10);
        assert_eq!(&buffer[..10], b"onethreeab");
    });
}

#[test]
fn what_is_kept_outlives_the_writer() {
    isolated(|| {
        let (mut reader, mut writer) = pipe::buffered(8);
        writer.write_all(b"kept").expect("there is room");
        writer.close_with_error("why");
        drop(writer);
        assert_eq!(take(&mut reader, 4), b"kept");
        assert_eq!(reader.read(&mut [0]).expect_err("an error").to_string(), "why");
    });
}

#[test]
fn a_write_returns_once_its_rest_fits() {
    isolated(|| {
        for (capacity, size) in [(4, 6), (4, 9), (64 * 1024, 100_000), (64 * 1024, 200_000)] {
            let bytes: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
            let (mut reader, mut writer) = pipe::buffered(capacity);
            let given = bytes.clone();
            let write = start(move || (writer.write(&given), writer));
            let mut seen = take(&mut reader, size - capacity);
            // There is no reader now: it must return by itself.
            let (written, writer) = join(write);
            assert_eq!(written.expect("the rest fits"), size);
            seen.extend(take(&mut reader, capacity));
            assert!(seen == bytes);
            drop(writer);
            assert_end(&mut reader);
        }
    });
}

#[test]
fn the_bytes_come_in_order_whatever_the_sizes() {
    isolated(|| {
        for capacity in [1, 2, 7, 64, 4096, 65_536] {
            let total = count(300_000, 30_000_000);
            let (mut reader, mut writer) = pipe::buffered(capacity);
            let write = start(move || {
                let source: Vec<u8> = (0..250).cycle().take(100_000).collect();
                let (mut at, mut size) = (0, 1);
                while at < total {
                    let count = size.min(total - at);
                    let part = &source[at % 250..][..count];
                    let (a, b) = part.split_at(count / 3);
                    let written = writer.write_vectored(&[IoSlice::new(a), IoSlice::new(b)]).expect("it is read");
                    assert_eq!(written, count);
                    at += count;
                    size = size * 7 % 90_001;
                }
            });
            let mut buffer = vec![0; 70_000];
            let (mut at, mut size) = (0, 1);
            loop {
                let read = reader.read(&mut buffer[..size]).expect("the next, or the end");
                if read == 0 {
                    break;
                }
                assert!((at..).zip(&buffer[..read]).all(|(at, byte)| usize::from(*byte) == at % 250), "near {at}");
                at += read;
                size = size * 5 % 69_997;
            }
            assert_eq!(at, total);
            join(write);
            progress();
        }
    });
}

#[test]
fn more_than_there_is_memory_for_is_a_panic_that_can_be_caught() {
    isolated(|| {
        // More than any allocation may have, and more than any system gives out.
        for capacity in [usize::MAX, isize::MAX as usize, isize::MAX as usize / 2] {
            let panic = std::panic::catch_unwind(|| pipe::buffered(capacity)).expect_err("there is no such memory");
            let text = panic.downcast_ref::<String>().expect("a text");
            assert_eq!(*text, format!("no memory for a pipe with a capacity of {capacity} bytes"));
        }
    });
}
