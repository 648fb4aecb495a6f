//! Many writers and readers, records of random sizes, closings at random moments.

use std::collections::HashMap;
use std::io::IoSlice;

use pipewright::pipe::{MemReader, MemWriter};

use crate::prelude::*;

/// A record: its writer, its number, its length, and as many bytes that follow from those.
fn record(name: u8, number: u32, length: usize) -> Vec<u8> {
    let mut record = vec![name];
    record.extend(number.to_be_bytes());
    record.extend((length as u32).to_be_bytes());
    record.extend((0..length).map(|at| (at as u8) ^ name ^ (number as u8)));
    record
}

/// Writes records until there is no reader, in one of several ways. What was taken, in full records and bytes.
fn write_records(mut writer: MemWriter, name: u8, records: usize, mut random: Random) -> (usize, usize) {
    let mut bytes = 0;
    for number in 0..records {
        let most = *random.pick(&[1, 64, 5_000, 100_000]);
        let record = record(name, number as u32, random.below(most));
        let written = match random.below(3) {
            0 => writer.write(&record),
            1 => (&writer).write(&record),
            _ => {
                let (head, rest) = record.split_at(random.below(record.len()));
                writer.write_vectored(&[IoSlice::new(head), IoSlice::new(rest)])
            }
        };
        let written = written.unwrap_or(0);
        bytes += written;
        if written < record.len() {
            return (number, bytes);
        }
    }
    (records, bytes)
}

/// What one reader gets, until the end or the closing.
fn read_all(mut reader: MemReader, mut random: Random, mut stop: impl FnMut(usize) -> bool) -> Vec<u8> {
    let mut seen = Vec::new();
    let mut buffer = vec![0; 70_000];
    loop {
        let most = *random.pick(&[1, 16, 4_096, 70_000]);
        let size = 1 + random.below(most);
        let read = match random.below(4) {
            0 => reader.read_timeout(&mut buffer[..size], Duration::from_micros(50)),
            _ => reader.read(&mut buffer[..size]),
        };
        match read {
            Ok(0) => return seen,
            Ok(read) => seen.extend_from_slice(&buffer[..read]),
            Err(error) if error.kind() == std::io::ErrorKind::TimedOut => {}
            Err(_) => return seen,
        }
        if stop(seen.len()) {
            return seen;
        }
    }
}

/// How many records of each writer are in a stream, which may end in the middle of one. Panics when one is torn or out of turn.
fn records_in(mut stream: &[u8]) -> HashMap<u8, usize> {
    let mut counts = HashMap::new();
    while stream.len() >= 9 {
        let name = stream[0];
        let length = u32::from_be_bytes(stream[5..9].try_into().expect("four bytes")) as usize;
        let number = counts.entry(name).or_insert(0);
        let expected = record(name, *number as u32, length);
        let here = expected.len().min(stream.len());
        assert!(stream[..here] == expected[..here], "record {number} of {name} is torn");
        if here == expected.len() {
            *number += 1;
        }
        stream = &stream[here..];
    }
    counts
}

#[test]
fn no_record_is_torn_lost_or_doubled() {
    isolated(|| {
        let mut random = Random::new(41);
        for round in 0..count(6, 400) {
            let capacity = *random.pick(&[0, 1, 100, 4_096, 65_536]);
            let (reader, writer) = pipe::buffered(capacity);
            let records = 30;
            std::thread::scope(|scope| {
                let writers: Vec<_> = (0..3)
                    .map(|name| {
                        let (writer, random) = (writer.clone(), Random::new(random.next()));
                        scope.spawn(move || write_records(writer, name, records, random))
                    })
                    .collect();
                drop(writer);
                let stream = read_all(reader, Random::new(random.next()), |_| false);
                let total: usize = writers.into_iter().map(|writer| writer.join().expect("no panic").1).sum();
                assert_eq!(stream.len(), total, "round {round}, capacity {capacity}");
                assert_eq!(records_in(&stream), (0..3).map(|name| (name, records)).collect());
            });
            progress();
        }
    });
}

#[test]
fn a_closing_at_any_moment_loses_nothing_that_was_acknowledged() {
    isolated(|| {
        let mut random = Random::new(42);
        for round in 0..count(25, 2_000) {
            let capacity = *random.pick(&[0, 1, 100, 65_536]);
            let (reader, writer) = pipe::buffered(capacity);
            let after = random.below(200_000);
            let closer = writer.clone();
            std::thread::scope(|scope| {
                let writers: Vec<_> = (0..2)
                    .map(|name| {
                        let (writer, random) = (writer.clone(), Random::new(random.next()));
                        scope.spawn(move || write_records(writer, name, 20, random))
                    })
                    .collect();
                drop(writer);
                // The writing side is closed while its clones write: what they were told is written arrives, and nothing else.
                let mut closer = Some(closer);
                let close = |seen| {
                    if seen >= after {
                        closer.take().inspect(MemWriter::close);
                    }
                    false
                };
                let stream = if round % 2 == 0 {
                    read_all(reader, Random::new(random.next()), close)
                } else {
                    let closer = closer.take().expect("not used yet");
                    scope.spawn(move || {
                        std::thread::yield_now();
                        closer.close();
                    });
                    read_all(reader, Random::new(random.next()), |_| false)
                };
                drop(closer);
                let written: Vec<_> = writers.into_iter().map(|writer| writer.join().expect("no panic")).collect();
                let bytes: usize = written.iter().map(|(_, bytes)| bytes).sum();
                assert_eq!(stream.len(), bytes, "round {round}, capacity {capacity}");
                let counts = records_in(&stream);
                for (name, (records, _)) in (0..).zip(&written) {
                    assert_eq!(counts.get(&name).copied().unwrap_or(0), *records, "round {round}");
                }
            });
            progress();
        }
    });
}

#[test]
fn readers_that_leave_let_the_others_have_the_rest() {
    isolated(|| {
        let mut random = Random::new(43);
        for _ in 0..count(10, 1_000) {
            let capacity = *random.pick(&[0, 7, 65_536]);
            let (reader, writer) = pipe::buffered(capacity);
            let read = AtomicUsize::new(0);
            let total = std::thread::scope(|scope| {
                for at in 0..3 {
                    let (reader, random) = (reader.clone(), Random::new(random.next()));
                    let read = &read;
                    // The first two leave early.
                    let enough = if at < 2 { 10_000 } else { usize::MAX };
                    scope.spawn(move || {
                        read.fetch_add(read_all(reader, random, |seen| seen >= enough).len(), SeqCst);
                    });
                }
                drop(reader);
                write_records(writer, 9, 30, Random::new(random.next())).1
            });
            assert_eq!(read.into_inner(), total);
            progress();
        }
    });
}
