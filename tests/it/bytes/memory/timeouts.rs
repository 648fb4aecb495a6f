//! Reads and writes that give up: nothing is lost, nothing comes twice.

use std::io::ErrorKind;

use super::{assert_end, each_kind, join, start, take};
use crate::prelude::*;

const BRIEF: Duration = Duration::from_millis(5);

#[track_caller]
fn assert_timed_out<T: std::fmt::Debug>(result: io::Result<T>) {
    let error = result.expect_err("it timed out");
    assert_eq!((error.kind(), &*error.to_string()), (ErrorKind::TimedOut, "the memory pipe was not ready in time"));
}

/// Gives up, and not before its time.
#[track_caller]
fn gives_up<T: std::fmt::Debug>(f: impl FnOnce() -> io::Result<T>) {
    let start = Instant::now();
    assert_timed_out(within(BRIEF + SLACK, f));
    assert!(start.elapsed() >= BRIEF);
}

#[test]
fn a_read_gives_up_and_the_next_gets_all() {
    isolated(|| {
        each_kind(|mut reader, mut writer| {
            gives_up(|| reader.read_timeout(&mut [0; 8], BRIEF));
            gives_up(|| reader.read_deadline(&mut [0; 8], Instant::now() + BRIEF));
            let write = start(move || writer.write_all(b"later"));
            assert_eq!(take(&mut reader, 5), b"later");
            join(write).expect("it was read");
        });
    });
}

#[test]
fn a_write_gives_up_and_nothing_of_it_is_read() {
    isolated(|| {
        let (mut reader, mut writer) = pipe::memory();
        gives_up(|| writer.write_timeout(b"never", BRIEF));
        gives_up(|| writer.write_deadline(b"never", Instant::now() + BRIEF));
        assert_timed_out(reader.read_timeout(&mut [0; 8], BRIEF));
        let write = start(move || writer.write_all(b"later"));
        assert_eq!(take(&mut reader, 5), b"later");
        join(write).expect("it was read");
        assert_end(&mut reader);
    });
}

#[test]
fn a_write_that_was_read_in_part_says_how_much() {
    isolated(|| {
        let (mut reader, writer) = pipe::memory();
        let write = start(move || (writer.write_timeout(b"0123456789", Duration::from_millis(100)), writer));
        assert_eq!(take(&mut reader, 3), b"012");
        let (written, writer) = join(write);
        assert_eq!(written.expect("a part was read"), 3);
        let write = start(move || (&writer).write_all(b"next"));
        assert_eq!(take(&mut reader, 4), b"next");
        join(write).expect("it was read");
        let (mut reader, writer) = pipe::buffered(4);
        assert_eq!(writer.write_timeout(b"0123456789", BRIEF).expect("a part is kept"), 4);
        gives_up(|| writer.write_timeout(b"4", BRIEF));
        assert_eq!(take(&mut reader, 4), b"0123");
    });
}

#[test]
fn a_time_that_is_over_still_takes_what_is_there() {
    isolated(|| {
        let past = Instant::now();
        let (mut reader, writer) = pipe::buffered(4);
        assert_timed_out(reader.read_deadline(&mut [0; 8], past));
        assert_eq!(writer.write_deadline(b"abcdef", past).expect("there is room for some"), 4);
        assert_timed_out(writer.write_deadline(b"ef", past));
        assert_eq!(reader.read_deadline(&mut [0; 8], past).expect("some is there"), 4);
        assert_eq!(reader.read_deadline(&mut [], past).expect("nothing was asked for"), 0);
        assert_eq!(writer.write_deadline(&[], past).expect("nothing was given"), 0);
        writer.close();
        assert_eq!(reader.read_timeout(&mut [0], Duration::ZERO).expect("the end is there"), 0);
        let (mut reader, writer) = pipe::memory();
        let write = start(move || (&writer).write_all(b"xy"));
        assert_eq!(take(&mut reader, 1), b"x");
        // The write is under way, and so there.
        assert_eq!(reader.read_deadline(&mut [0], past).expect("a byte is there"), 1);
        join(write).expect("it was read");
    });
}

#[test]
fn what_is_in_the_buffer_is_there() {
    isolated(|| {
        each_kind(|mut reader, mut writer| {
            let write = start(move || (writer.write_all(b"ab"), writer));
            let ahead = reader.fill_buf().expect("some").len();
            assert_eq!(reader.read_timeout(&mut [0; 8], Duration::ZERO).expect("it is there"), ahead);
            if ahead == 1 {
                take(&mut reader, 1);
            }
            join(write).0.expect("it was read");
        });
    });
}

#[test]
fn waiting_for_a_turn_counts() {
    isolated(|| {
        let (mut reader, writer) = pipe::memory();
        let mut first = writer.clone();
        let write = start(move || first.write_all(b"0123"));
        assert_eq!(take(&mut reader, 1), b"0");
        gives_up(|| writer.write_timeout(b"behind", BRIEF));
        assert_eq!(take(&mut reader, 3), b"123");
        join(write).expect("it was read");
        // Whichever of the two has its turn, the other one waits behind it.
        let mut other = reader.clone();
        let read = start(move || other.read(&mut [0; 8]));
        for _ in 0..20 {
            assert_timed_out(within(SLACK, || reader.read_timeout(&mut [0; 8], Duration::from_millis(1))));
        }
        drop(writer);
        assert_eq!(join(read).expect("the end"), 0);
    });
}

#[test]
fn a_time_without_end_is_no_overflow() {
    isolated(|| {
        each_kind(|mut reader, writer| {
            let write = start(move || writer.write_timeout(b"x", Duration::MAX));
            assert_eq!(reader.read_timeout(&mut [0; 8], Duration::MAX).expect("it comes"), 1);
            assert_eq!(join(write).expect("it was read"), 1);
        });
    });
}

#[test]
fn calls_that_time_out_at_any_moment_lose_nothing() {
    isolated(|| {
        each_kind(|mut reader, writer| {
            let rounds = count(400, 20_000);
            let write = start(move || {
                let mut sent = Vec::new();
                for round in 0..rounds {
                    let bytes: Vec<u8> = (0..1 + round % 17).map(|at| (sent.len() + at) as u8).collect();
                    let timeout = Duration::from_micros((round % 7 * 20) as u64);
                    let written = match writer.write_timeout(&bytes, timeout) {
                        Err(error) if error.kind() == ErrorKind::TimedOut => 0,
                        written => written.expect("a reader is there"),
                    };
                    sent.extend_from_slice(&bytes[..written]);
                }
                sent
            });
            let mut seen = Vec::new();
            let mut buffer = [0; 9];
            loop {
                let timeout = Duration::from_micros((seen.len() % 5 * 30) as u64);
                let size = 1 + seen.len() % 9;
                match reader.read_timeout(&mut buffer[..size], timeout) {
                    Err(error) if error.kind() == ErrorKind::TimedOut => {}
                    Ok(0) => break,
                    read => seen.extend_from_slice(&buffer[..read.expect("a writer is there")]),
                }
            }
            assert!(join(write) == seen, "what was written and what was read differ");
        });
    });
}
