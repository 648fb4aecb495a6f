//! Every interleaving that loom finds of the rendezvous's small cases, spins off.
//!
//! `RUSTFLAGS="--cfg loom" cargo test --release --lib rendezvous::models`: three preemptions, two or one in the longer ones. A model fails on a deadlock, on
//! two threads in one cell, and on what it asserts. A deadline is there as one that has passed: it then strikes at every point.

use std::io::{IoSlice, IoSliceMut};
use std::time::Instant;

use loom::sync::Arc;
use loom::thread;

use super::side_lock::{MAX_PASSED_OVER, SideLock};
use super::{Rendezvous, Side, TransferError};
use crate::clock::Deadline;

fn model(f: impl Fn() + Sync + Send + 'static) {
    bounded(3, f);
}

/// With fewer preemptions, where threads have much to do.
fn bounded(preemptions: usize, f: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(f);
}

fn new(capacity: usize) -> (Arc<Rendezvous>, Arc<Rendezvous>) {
    let rendezvous = Arc::new(Rendezvous::new(capacity));
    (rendezvous.clone(), rendezvous)
}

fn write_until(rendezvous: &Rendezvous, bytes: &[u8], deadline: Deadline) -> Result<usize, TransferError> {
    rendezvous.write(&[IoSlice::new(bytes)], deadline)
}

fn write(rendezvous: &Rendezvous, bytes: &[u8]) -> Result<usize, TransferError> {
    write_until(rendezvous, bytes, Deadline::NEVER)
}

fn read_until<const N: usize>(rendezvous: &Rendezvous, deadline: Deadline) -> Result<Vec<u8>, TransferError> {
    let mut buffer = [0; N];
    let read = rendezvous.read(&mut [IoSliceMut::new(&mut buffer)], deadline)?;
    Ok(buffer[..read].to_vec())
}

fn read<const N: usize>(rendezvous: &Rendezvous) -> Result<Vec<u8>, TransferError> {
    read_until::<N>(rendezvous, Deadline::NEVER)
}

/// All until the stop, and that.
fn read_all<const N: usize>(rendezvous: &Rendezvous) -> (Vec<u8>, TransferError) {
    let mut all = Vec::new();
    loop {
        match read::<N>(rendezvous) {
            Ok(bytes) => all.extend(bytes),
            Err(stop) => return (all, stop),
        }
    }
}

fn passed() -> Deadline {
    Deadline::at(Instant::now())
}

/// Writes and the closing behind them, against reads of one byte.
fn writes_then_the_end(capacity: usize, writes: &'static [&'static [u8]]) {
    model(move || {
        let (writer, reader) = new(capacity);
        let thread = thread::spawn(move || {
            for bytes in writes {
                assert_eq!(write(&writer, bytes), Ok(bytes.len()));
            }
            writer.close(Side::Writer);
        });
        assert_eq!(read_all::<1>(&reader), (writes.concat(), TransferError::PeerClosed));
        thread.join().unwrap();
    });
}

#[test]
fn all_that_is_written_is_read_then_the_end() {
    writes_then_the_end(0, &[b"ab", b"c"]);
}

#[test]
fn all_that_is_kept_is_read_then_the_end() {
    writes_then_the_end(1, &[b"a", b"b"]);
}

#[test]
fn a_big_write_goes_by_hand_or_by_ring() {
    model(|| {
        let (writer, reader) = new(2);
        let thread = thread::spawn(move || {
            assert_eq!(write(&writer, b"abc"), Ok(3));
            writer.close(Side::Writer);
        });
        assert_eq!(read_all::<2>(&reader), (b"abc".to_vec(), TransferError::PeerClosed));
        thread.join().unwrap();
    });
}

#[test]
fn a_write_fills_what_a_waiting_reader_lends_and_offers_the_rest() {
    bounded(2, || {
        let (writer, reader) = new(0);
        let thread = thread::spawn(move || {
            assert_eq!(write(&writer, b"abc"), Ok(3));
            let second = write_until(&writer, b"d", passed());
            writer.close(Side::Writer);
            second
        });
        let (seen, stop) = read_all::<2>(&reader);
        assert_eq!(stop, TransferError::PeerClosed);
        match thread.join().unwrap() {
            Ok(count) => assert_eq!((count, &*seen), (1, &b"abcd"[..])),
            Err(stop) => assert_eq!((stop, &*seen), (TransferError::TimedOut, &b"abc"[..])),
        }
    });
}

/// The reader's side is closed by a third thread: what the write says was taken is what the read got.
fn closed_under_a_write(side: Side) {
    bounded(2, move || {
        let (writer, reader) = new(0);
        let closer = reader.clone();
        let writing = thread::spawn(move || write(&writer, b"ab"));
        let closing = thread::spawn(move || closer.close(side));
        let (seen, stop) = read_all::<1>(&reader);
        assert_eq!(stop, if side == Side::Reader { TransferError::Closed } else { TransferError::PeerClosed });
        closing.join().unwrap();
        match writing.join().unwrap() {
            Ok(written) => assert_eq!(seen, b"ab"[..written]),
            Err(stop) => {
                assert_eq!(seen, b"");
                assert_eq!(stop, if side == Side::Reader { TransferError::PeerClosed } else { TransferError::Closed });
            }
        }
    });
}

#[test]
fn a_reader_closed_under_a_write_tells_how_far_it_came() {
    closed_under_a_write(Side::Reader);
}

#[test]
fn a_writer_closed_under_a_write_tells_how_far_it_came() {
    closed_under_a_write(Side::Writer);
}

#[test]
fn the_end_of_a_ring_comes_after_the_last_byte_that_was_acknowledged() {
    model(|| {
        let (writer, reader) = new(2);
        let closer = writer.clone();
        let writing = thread::spawn(move || write(&writer, b"a").unwrap_or(0));
        let closing = thread::spawn(move || closer.close(Side::Writer));
        let (mut seen, stop) = read_all::<2>(&reader);
        assert_eq!(stop, TransferError::PeerClosed);
        let written = writing.join().unwrap();
        closing.join().unwrap();
        assert_eq!(read::<2>(&reader), Err(TransferError::PeerClosed), "the end is for ever");
        seen.truncate(2);
        assert_eq!(seen.len(), written);
    });
}

#[test]
fn both_sides_closed_wake_both() {
    model(|| {
        let (writer, reader) = new(0);
        let closer = reader.clone();
        let writing = thread::spawn(move || write(&writer, b"a"));
        let closing = thread::spawn(move || {
            closer.close(Side::Writer);
            closer.close(Side::Reader);
        });
        let seen = read::<1>(&reader);
        closing.join().unwrap();
        assert_eq!(seen.is_ok(), writing.join().unwrap().is_ok());
        assert_eq!(write(&reader, b"x"), Err(TransferError::Closed));
        assert_eq!(read::<1>(&reader), Err(TransferError::Closed));
    });
}

/// A write that gives up at any moment, then the end.
fn given_up_writes(capacity: usize) {
    model(move || {
        let (writer, reader) = new(capacity);
        let thread = thread::spawn(move || {
            let written = write_until(&writer, b"ab", passed());
            writer.close(Side::Writer);
            match written {
                Ok(written) => written,
                Err(stop) => {
                    assert_eq!(stop, TransferError::TimedOut);
                    0
                }
            }
        });
        let (seen, stop) = read_all::<1>(&reader);
        assert_eq!(stop, TransferError::PeerClosed);
        assert_eq!(seen, b"ab"[..thread.join().unwrap()]);
    });
}

#[test]
fn a_write_that_gives_up_was_taken_as_far_as_it_says() {
    given_up_writes(0);
}

#[test]
fn a_kept_write_that_gives_up_was_taken_as_far_as_it_says() {
    given_up_writes(1);
}

#[test]
fn a_read_that_gives_up_took_nothing() {
    for capacity in [0, 1] {
        model(move || {
            let (writer, reader) = new(capacity);
            let thread = thread::spawn(move || {
                assert_eq!(write(&writer, b"a"), Ok(1));
                writer.close(Side::Writer);
            });
            let mut seen = match read_until::<1>(&reader, passed()) {
                Err(stop) => {
                    assert!(stop == TransferError::TimedOut || stop == TransferError::PeerClosed);
                    Vec::new()
                }
                Ok(bytes) => bytes,
            };
            seen.extend(read_all::<1>(&reader).0);
            assert_eq!(seen, b"a");
            thread.join().unwrap();
        });
    }
}

// Loans double what there is to try: with two preemptions it takes minutes.
#[test]
fn two_writers_take_turns() {
    bounded(1, || {
        let (first, reader) = new(0);
        let second = first.clone();
        let one = thread::spawn(move || write(&first, b"ab"));
        let other = thread::spawn(move || write(&second, b"c"));
        // One byte first, so that the turn lasts over two reads.
        let mut seen = read::<1>(&reader).unwrap();
        seen.extend(read::<1>(&reader).unwrap());
        reader.close(Side::Reader);
        let done = (one.join().unwrap(), other.join().unwrap());
        match &*seen {
            b"ab" => assert_eq!(done, (Ok(2), Err(TransferError::PeerClosed))),
            b"ca" => assert_eq!(done, (Ok(1), Ok(1))),
            seen => panic!("{seen:?}"),
        }
    });
}

#[test]
fn two_writers_take_turns_at_the_ring() {
    model(|| {
        let (first, reader) = new(3);
        let second = first.clone();
        let one = thread::spawn(move || write(&first, b"ab"));
        assert_eq!(write(&second, b"c"), Ok(1));
        assert_eq!(one.join().unwrap(), Ok(2));
        let seen = read::<4>(&reader).unwrap();
        assert!(seen == b"abc" || seen == b"cab", "{seen:?}");
    });
}

#[test]
fn two_readers_share_a_write() {
    bounded(2, || {
        let (writer, reader) = new(0);
        let second = reader.clone();
        let thread = thread::spawn(move || read::<1>(&second).unwrap());
        let writing = thread::spawn(move || write(&writer, b"ab"));
        let mut seen = read::<1>(&reader).unwrap();
        seen.extend(thread.join().unwrap());
        seen.sort_unstable();
        assert_eq!(seen, b"ab");
        assert_eq!(writing.join().unwrap(), Ok(2));
    });
}

#[test]
fn a_thread_that_waits_for_a_lock_is_passed_over_so_often_and_no_more() {
    model(|| {
        let (lock, other) = {
            let lock = Arc::new(SideLock::new());
            (lock.clone(), lock)
        };
        let held = lock.lock_until(Deadline::NEVER).unwrap();
        // It keeps the lock, so that the loop ends.
        let waiter = thread::spawn(move || std::mem::forget(other.lock_until(Deadline::NEVER).unwrap()));
        let mut guard = Some(held);
        while !lock.has_waiters() {
            thread::yield_now();
        }
        let mut locks = 0;
        while guard.take().is_some() {
            guard = lock.try_lock();
            locks += u32::from(guard.is_some());
            assert!(locks <= MAX_PASSED_OVER);
        }
        waiter.join().unwrap();
    });
}

/// A lock that is handed to a thread whose deadline has passed is taken, or free again.
#[test]
fn a_thread_that_gives_up_waiting_leaves_the_lock_to_others() {
    model(|| {
        let lock = Arc::new(SideLock::new());
        let threads = [passed(), Deadline::NEVER].map(|deadline| {
            let lock = lock.clone();
            thread::spawn(move || drop(lock.lock_until(deadline)))
        });
        for _ in 0..3 {
            drop(lock.lock_until(Deadline::NEVER).unwrap());
        }
        for thread in threads {
            thread.join().unwrap();
        }
        assert!(lock.try_lock().is_some());
    });
}
