//! Closing, from either side, before, during and after a use.

use std::sync::Barrier;

use pipewright::pipe::{MemReader, MemWriter};

use super::{assert_closed, assert_end, assert_no_reader, each_kind, join, start, take};
use crate::prelude::*;

#[test]
fn readers_get_what_was_written_then_the_end_for_ever() {
    isolated(|| {
        let ends: [fn(MemWriter); 3] = [drop, |writer| writer.close(), |writer| drop((writer.clone(), writer))];
        for end in ends {
            each_kind(|mut reader, mut writer| {
                let write = start(move || {
                    writer.write_all(b"all of it").expect("it is read");
                    end(writer);
                });
                assert_eq!(take(&mut reader, 9), b"all of it");
                assert_end(&mut reader);
                assert_end(&mut reader.clone());
                join(write);
            });
        }
    });
}

#[test]
fn the_end_comes_with_the_last_writer() {
    isolated(|| {
        each_kind(|mut reader, writer| {
            let mut second = writer.clone();
            drop(writer);
            let write = start(move || second.write_all(b"x"));
            assert_eq!(take(&mut reader, 1), b"x");
            join(write).expect("a writer is left");
            assert_end(&mut reader);
        });
    });
}

#[test]
fn writers_fail_once_the_last_reader_is_gone() {
    isolated(|| {
        each_kind(|reader, mut writer| {
            let mut second = reader.clone();
            drop(reader);
            let read = start(move || take(&mut second, 1));
            writer.write_all(b"x").expect("a reader is left");
            assert_eq!(join(read), b"x");
            for _ in 0..3 {
                assert_no_reader(writer.write(b"y"));
                assert_no_reader((&writer).write(b"y"));
            }
            assert_eq!(writer.write(b"").expect("nothing fails nowhere"), 0);
        });
    });
}

#[test]
fn a_blocked_write_ends_with_its_reader() {
    isolated(|| {
        let ends: [fn(MemReader); 2] = [drop, |reader| reader.close()];
        for end in ends {
            let (mut reader, mut writer) = pipe::memory();
            let write = start(move || (writer.write(b"0123456789"), writer.write(b"more"), writer));
            assert_eq!(take(&mut reader, 4), b"0123");
            end(reader);
            let (first, second, _writer) = join(write);
            assert_eq!(first.expect("a part was read"), 4);
            assert_no_reader(second);
            let (reader, mut writer) = pipe::memory();
            let write = start(move || writer.write(b"x"));
            end(reader);
            assert_no_reader(join(write));
        }
        let (mut reader, mut writer) = pipe::buffered(4);
        let write = start(move || (writer.write_all(b"0123456789"), writer));
        assert_eq!(take(&mut reader, 1), b"0");
        drop(reader);
        assert_no_reader(join(write).0);
    });
}

#[test]
fn a_blocked_read_ends_with_its_writer() {
    isolated(|| {
        let ends: [fn(MemWriter); 2] = [drop, |writer| writer.close()];
        for end in ends {
            each_kind(|mut reader, writer| {
                let read = start(move || reader.read(&mut [0; 8]));
                end(writer);
                assert_eq!(join(read).expect("a clean end"), 0);
            });
        }
    });
}

#[test]
fn a_clone_that_closes_wakes_its_own_side() {
    isolated(|| {
        each_kind(|mut reader, _writer| {
            let closer = reader.clone();
            let read = start(move || reader.read(&mut [0; 8]));
            closer.close();
            assert_closed(join(read));
        });
        let (mut reader, mut writer) = pipe::memory();
        let closer = writer.clone();
        let write = start(move || (writer.write(b"0123"), writer.write(b"x")));
        assert_eq!(take(&mut reader, 1), b"0");
        closer.close();
        let (first, second) = join(write);
        assert_eq!(first.expect("a part was read"), 1);
        assert_closed(second);
        assert_end(&mut reader);
    });
}

#[test]
fn all_clones_of_a_closed_end_are_closed_whatever_the_peer_left() {
    isolated(|| {
        each_kind(|mut reader, writer| {
            writer.close_with_error("the peer's");
            reader.clone().close();
            assert_closed(reader.read(&mut [0; 8]));
        });
        each_kind(|reader, mut writer| {
            reader.close_with_error("the peer's");
            writer.clone().close_with_error("its own");
            assert_closed(writer.write(b"x"));
            assert_closed((&writer).write(b"x"));
        });
    });
}

#[test]
fn waiting_for_a_turn_ends_with_the_side() {
    isolated(|| {
        let (mut reader, writer) = pipe::memory();
        let clones = [writer.clone(), writer.clone(), writer.clone()];
        let writes = clones.map(|mut writer| start(move || writer.write(b"01")));
        assert_eq!(take(&mut reader, 1), b"0");
        drop(reader);
        let mut ended = writes.map(join);
        ended.sort_by_key(|result| result.is_ok());
        let [first, second, part] = ended;
        assert_eq!(part.expect("a part was read"), 1);
        assert_no_reader(first);
        assert_no_reader(second);
        drop(writer);
        let (reader, writer) = pipe::memory();
        let clones = [reader.clone(), reader.clone(), reader];
        let reads = clones.map(|mut reader| start(move || reader.read(&mut [0; 8])));
        drop(writer);
        assert_eq!(reads.map(|read| join(read).expect("a clean end")), [0; 3]);
    });
}

#[test]
fn both_closed_at_once_from_many_threads_wakes_all() {
    isolated(|| {
        for round in 0..count(100, 5_000) {
            let (reader, writer) = pipe::buffered(round % 3);
            let barrier = Barrier::new(8);
            std::thread::scope(|scope| {
                for at in 0..4 {
                    let (mut reader, mut writer) = (reader.clone(), writer.clone());
                    let barrier = &barrier;
                    scope.spawn(move || {
                        barrier.wait();
                        match at {
                            0 => reader.close(),
                            1 => reader.close_with_error("r"),
                            _ => while let Ok(1..) = reader.read(&mut [0; 2]) {},
                        }
                    });
                    scope.spawn(move || {
                        barrier.wait();
                        match at {
                            0 => writer.close(),
                            1 => writer.close_with_error("w"),
                            _ => while let Ok(1..) = writer.write(b"abc") {},
                        }
                    });
                }
            });
            assert_closed(reader.clone().read(&mut [0]));
            assert_closed(writer.clone().write(b"x"));
        }
    });
}

#[test]
fn a_leaked_end_is_one_that_is_still_there() {
    isolated(|| {
        each_kind(|mut reader, mut writer| {
            std::mem::forget((reader.clone(), writer.clone()));
            let write = start(move || writer.write_all(b"x"));
            assert_eq!(take(&mut reader, 1), b"x");
            join(write).expect("it was read");
            let brief = std::time::Duration::from_millis(1);
            let error = reader.read_timeout(&mut [0], brief).expect_err("a writer is left");
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        });
    });
}
