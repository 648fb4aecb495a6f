//! Ends that are dropped by a panic.

use pipewright::pipe::MemReader;

use super::{assert_end, assert_no_reader, each_kind, join, start, take};
use crate::prelude::*;

/// Drops something in the course of a panic.
fn drop_unwinding<T>(value: T) {
    let panic = catch_unwind(AssertUnwindSafe(move || {
        let _value = value;
        panic!("as it happens");
    }));
    assert!(panic.is_err());
}

#[track_caller]
fn assert_panicked(reader: &mut MemReader) {
    for _ in 0..3 {
        let error = reader.read(&mut [0; 8]).expect_err("no clean end");
        assert_eq!((error.kind(), &*error.to_string()), (io::ErrorKind::Other, "a writer of the memory pipe panicked"));
    }
}

#[test]
fn a_writer_dropped_by_a_panic_makes_the_end_an_error() {
    isolated(|| {
        each_kind(|mut reader, mut writer| {
            let write = start(move || {
                writer.write_all(b"half").expect("it is read");
                drop_unwinding(writer);
            });
            assert_eq!(take(&mut reader, 4), b"half");
            assert_panicked(&mut reader);
            join(write);
        });
    });
}

#[test]
fn the_others_go_on_and_the_end_is_an_error_all_the_same() {
    isolated(|| {
        let ends: [fn(pipewright::pipe::MemWriter); 2] = [drop, |writer| writer.close()];
        for end in ends {
            each_kind(|mut reader, mut writer| {
                drop_unwinding(writer.clone());
                let write = start(move || {
                    writer.write_all(b"more").expect("it is read");
                    end(writer);
                });
                assert_eq!(take(&mut reader, 4), b"more");
                assert_panicked(&mut reader);
                join(write);
            });
        }
    });
}

#[test]
fn a_side_closed_before_the_panic_stays_as_it_was_closed() {
    isolated(|| {
        each_kind(|mut reader, writer| {
            writer.close();
            drop_unwinding(writer);
            assert_end(&mut reader);
        });
        each_kind(|mut reader, writer| {
            writer.close_with_error("mine");
            drop_unwinding(writer);
            assert_eq!(reader.read(&mut [0]).expect_err("no clean end").to_string(), "mine");
        });
        each_kind(|mut reader, writer| {
            drop_unwinding(writer.clone());
            writer.close_with_error("mine");
            assert_eq!(reader.read(&mut [0]).expect_err("no clean end").to_string(), "mine");
        });
    });
}

#[test]
fn a_reader_dropped_by_a_panic_is_a_reader_that_is_gone() {
    isolated(|| {
        each_kind(|reader, mut writer| {
            drop_unwinding(reader);
            assert_no_reader(writer.write(b"x"));
        });
    });
}
