//! Writes that meet reads, without a buffer.

use std::io::{IoSlice, IoSliceMut};

use pipewright::pipe::{MemReader, MemWriter};

use super::{assert_closed, assert_end, each_kind, join, start, take};
use crate::prelude::*;

#[test]
fn a_write_returns_when_its_last_byte_has_been_read() {
    isolated(|| {
        let (mut reader, mut writer) = pipe::memory();
        let returned = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&returned);
        let write = start(move || {
            let written = writer.write(b"hello, world");
            told.store(true, SeqCst);
            written
        });
        for expected in [&b"hello"[..], b", ", b"worl"] {
            assert_eq!(take(&mut reader, expected.len()), expected);
            assert!(!returned.load(SeqCst), "a byte is left");
        }
        assert_eq!(take(&mut reader, 1), b"d");
        assert_eq!(join(write).expect("all was read"), 12);
    });
}

#[test]
fn one_read_never_gives_bytes_of_two_writes() {
    isolated(|| {
        let (mut reader, mut writer) = pipe::memory();
        let write = start(move || {
            for text in ["one", "three", "x"] {
                assert_eq!(writer.write(text.as_bytes()).expect("it is read"), text.len());
            }
        });
        let mut buffer = [0; 64];
        for text in ["one", "three", "x"] {
            let read = reader.read(&mut buffer).expect("one write");
            assert_eq!(&buffer[..read], text.as_bytes());
        }
        assert_end(&mut reader);
        join(write);
    });
}

#[test]
fn one_write_feeds_reads_of_growing_size() {
    isolated(|| {
        let bytes: Vec<u8> = (0..128u8).collect();
        let (mut reader, mut writer) = pipe::memory();
        let given = bytes.clone();
        let write = start(move || writer.write(&given));
        let mut seen = Vec::new();
        let mut buffer = [0; 256];
        for wanted in [1, 2, 4, 8, 16, 32, 64, 128] {
            let read = reader.read(&mut buffer[..wanted]).expect("there is more");
            assert_eq!(read, wanted.min(128 - seen.len()));
            seen.extend_from_slice(&buffer[..read]);
        }
        assert_eq!(seen, bytes);
        assert_eq!(join(write).expect("all was read"), 128);
        assert_end(&mut reader);
    });
}

#[test]
fn nothing_is_nothing() {
    isolated(|| {
        each_kind(|mut reader, mut writer| {
            assert_eq!(writer.write(&[]).expect("at once"), 0);
            assert_eq!(writer.write_vectored(&[]).expect("at once"), 0);
            assert_eq!(writer.write_vectored(&[IoSlice::new(&[]), IoSlice::new(&[])]).expect("at once"), 0);
            assert_eq!((&writer).write(&[]).expect("at once"), 0);
            assert_eq!(reader.read(&mut []).expect("at once"), 0);
            assert_eq!(reader.read_vectored(&mut []).expect("at once"), 0);
            let read = start(move || {
                let first = take(&mut reader, 1);
                assert_end(&mut reader);
                first
            });
            // A reader that is there takes none of these for the end.
            for _ in 0..100 {
                assert_eq!(writer.write(&[]).expect("at once"), 0);
            }
            writer.write_all(b"x").expect("it is read");
            drop(writer);
            assert_eq!(join(read), b"x");
        });
        each_kind(|mut reader, mut writer| {
            reader.close();
            writer.close();
            assert_closed(reader.read(&mut []));
            assert_closed(writer.write(&[]));
        });
    });
}

#[test]
fn several_slices_are_one_write_and_fill_several_slices_of_a_read() {
    isolated(|| {
        let (mut reader, mut writer) = pipe::memory();
        let write = start(move || {
            let parts: [&[u8]; 5] = [b"", b"ab", b"", b"cdefg", b"h"];
            assert_eq!(writer.write_vectored(&parts.map(IoSlice::new)).expect("it is read"), 8);
            writer.write_all(b"next").expect("it is read");
        });
        let mut all = [0; 64];
        assert_eq!(reader.read(&mut all[..3]).expect("a part"), 3);
        assert_eq!(&all[..3], b"abc");
        let (mut a, mut b, mut c) = ([0; 1], [0; 3], [0; 9]);
        let mut into = [&mut a[..], &mut [], &mut b, &mut c].map(IoSliceMut::new);
        assert_eq!(reader.read_vectored(&mut into).expect("the rest"), 5, "and none of the next");
        assert_eq!((&a, &b, &c[..1]), (b"d", b"efg", &b"h"[..]));
        assert_eq!(reader.read(&mut all).expect("the next"), 4);
        join(write);
    });
}

#[test]
fn several_readers_share_one_write_without_loss() {
    isolated(|| {
        each_kind(|reader, mut writer| {
            let bytes: Vec<u8> = (0..5_000u32).flat_map(u32::to_be_bytes).collect();
            let read = |mut reader: MemReader| {
                start(move || {
                    let mut seen = Vec::new();
                    let mut buffer = [0; 4];
                    while let Ok(read @ 1..) = reader.read(&mut buffer) {
                        seen.extend_from_slice(&buffer[..read]);
                    }
                    seen
                })
            };
            let readers = [reader.clone(), reader.clone(), reader].map(read);
            writer.write_all(&bytes).expect("it is read");
            drop(writer);
            let mut seen: Vec<u8> = readers.into_iter().flat_map(join).collect();
            let mut bytes = bytes;
            seen.sort_unstable();
            bytes.sort_unstable();
            assert!(seen == bytes, "{} of {}", seen.len(), bytes.len());
        });
    });
}

#[test]
fn what_fill_buf_took_is_read_first_and_a_clone_has_none_of_it() {
    isolated(|| {
        each_kind(|mut reader, mut writer| {
            let write = start(move || {
                writer.write_all(b"line\nrest").expect("it is read");
                writer.write_all(b"more").expect("it is read");
            });
            let mut line = String::new();
            reader.read_line(&mut line).expect("a line");
            assert_eq!(line, "line\n");
            let ahead = reader.fill_buf().expect("there is more").to_vec();
            assert!(b"restmore".starts_with(&ahead) && !ahead.is_empty());
            let mut other = reader.clone();
            let rest = start(move || {
                let mut rest = Vec::new();
                other.read_to_end(&mut rest).expect("the end");
                rest
            });
            assert_eq!([ahead.clone(), join(rest)].concat(), b"restmore");
            assert_eq!(take(&mut reader, 1), ahead[..1], "it is still there");
            // More than there is: no more than that.
            reader.consume(100);
            assert_end(&mut reader);
            assert_eq!(reader.fill_buf().expect("the end"), b"");
            join(write);
        });
    });
}

#[test]
fn a_side_closed_for_good_gives_out_no_buffer() {
    isolated(|| {
        each_kind(|mut reader, mut writer| {
            let write = start(move || writer.write_all(b"line"));
            reader.fill_buf().expect("there is some");
            reader.clone().close();
            assert_closed(reader.fill_buf().map(<[u8]>::len));
            assert_closed(reader.read(&mut [0; 4]));
            drop(join(write));
        });
    });
}

#[test]
fn no_descriptor_is_used() {
    isolated(|| {
        let before = open_fds();
        each_kind(|mut reader, mut writer| {
            let write = start(move || writer.write_all(b"xy"));
            assert_eq!(take(&mut reader, 2), b"xy");
            assert_eq!(open_fds(), before);
            join(write).expect("it was read");
        });
    });
}

#[test]
fn ends_can_be_shared_between_threads() {
    fn check<T: Send + Sync + Unpin + 'static>() {}
    check::<MemReader>();
    check::<MemWriter>();
    isolated(|| {
        each_kind(|mut reader, writer| {
            std::thread::scope(|scope| {
                for _ in 0..2 {
                    scope.spawn(|| (&writer).write_all(b"ab").expect("it is read"));
                }
                assert_eq!(take(&mut reader, 4), b"abab");
            });
            writer.close();
            assert_end(&mut reader);
            assert_eq!(
                format!("{reader:?} {writer:?}"),
                "MemReader { is_closed: false, .. } MemWriter { is_closed: true, .. }"
            );
        });
    });
}

#[test]
fn a_formatted_write_is_one_write_by_value_and_by_reference() {
    isolated(|| {
        let (mut reader, mut writer) = pipe::memory();
        let writing = start(move || {
            write!(writer, "{}-{:?}", 1, [2, 3])?;
            write!(&writer, "{}+{}", 4, 5)
        });
        // A read gives no bytes of two writes, so it would stop at the end of a piece.
        let mut read = || {
            let mut bytes = [0; 64];
            let count = reader.read(&mut bytes).expect("there is more");
            String::from_utf8_lossy(&bytes[..count]).into_owned()
        };
        assert_eq!((read(), read()), ("1-[2, 3]".into(), "4+5".into()));
        join(writing).expect("it is read");
    });
}
