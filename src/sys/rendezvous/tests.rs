//! The rendezvous with real threads, small enough for Miri: `cargo +nightly miri test --lib rendezvous::tests`.

use std::collections::VecDeque;
use std::io::{IoSlice, IoSliceMut};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::backoff::YIELDS;
use super::side_lock::{MAX_PASSED_OVER, SideLock};
use super::state::{LENT, LOAN};
use super::transfer::DIRECT;
use super::{Rendezvous, Side, TransferError};
use crate::clock::Deadline;

const FEW: bool = cfg!(miri);
const ROUNDS: usize = if FEW { 12 } else { 1_000 };
const CAPACITIES: [usize; 4] = [0, 1, 7, DIRECT + 3];

fn write(rendezvous: &Rendezvous, bytes: &[u8], deadline: Deadline) -> Result<usize, TransferError> {
    let (first, rest) = bytes.split_at(bytes.len() / 3);
    rendezvous.write(&[IoSlice::new(first), IoSlice::new(&[]), IoSlice::new(rest)], deadline)
}

fn read(rendezvous: &Rendezvous, into: &mut [u8], deadline: Deadline) -> Result<usize, TransferError> {
    let (first, rest) = into.split_at_mut(into.len() / 2);
    rendezvous.read(&mut [IoSliceMut::new(first), IoSliceMut::new(rest)], deadline)
}

/// The bytes from the `at`-th on, each told by its place.
fn bytes(at: usize, count: usize) -> Vec<u8> {
    (at..at + count).map(|at| (at % 251) as u8).collect()
}

/// A size that is small, or now and then big enough to be handed over directly.
fn size(round: usize) -> usize {
    if round % 10 == 9 { DIRECT + round % 5 } else { 1 + round * 7 % 40 }
}

#[test]
fn bytes_come_in_order_with_and_without_deadlines() {
    for capacity in CAPACITIES {
        let rendezvous = Arc::new(Rendezvous::new(capacity));
        let writer = rendezvous.clone();
        let thread = thread::spawn(move || {
            let mut sent = 0;
            for round in 0..ROUNDS {
                let deadline =
                    if round % 3 == 0 { Deadline::after(Duration::from_micros(30)) } else { Deadline::NEVER };
                match write(&writer, &bytes(sent, size(round)), deadline) {
                    Ok(written) => sent += written,
                    Err(stop) => assert_eq!(stop, TransferError::TimedOut),
                }
            }
            writer.close(Side::Writer);
            sent
        });
        let (mut seen, mut buffer) = (0, vec![0; DIRECT * 2]);
        for round in 0.. {
            let deadline = if round % 4 == 0 { Deadline::after(Duration::from_micros(20)) } else { Deadline::NEVER };
            let wanted = if round % 3 == 0 { buffer.len() } else { 1 + round % 50 };
            match read(&rendezvous, &mut buffer[..wanted], deadline) {
                Ok(count) => {
                    assert_eq!(buffer[..count], bytes(seen, count));
                    seen += count;
                }
                Err(TransferError::TimedOut) => {}
                Err(stop) => {
                    assert_eq!(stop, TransferError::PeerClosed);
                    break;
                }
            }
        }
        assert_eq!(thread.join().unwrap(), seen);
    }
}

#[test]
fn several_writers_and_readers_lose_nothing_when_one_side_is_closed() {
    for (round, capacity) in
        (0..if FEW { 3 } else { 100 }).flat_map(|round| CAPACITIES.map(|capacity| (round, capacity)))
    {
        let rendezvous = Rendezvous::new(capacity);
        let (sent, seen) = thread::scope(|scope| {
            let writers = [1, 2].map(|number| {
                let rendezvous = &rendezvous;
                scope.spawn(move || {
                    let mut sent = 0;
                    while let Ok(written) = write(rendezvous, &bytes(0, size(number * 4 + sent)), Deadline::NEVER) {
                        sent += written;
                    }
                    sent
                })
            });
            let readers = [1, 2].map(|number| {
                let rendezvous = &rendezvous;
                scope.spawn(move || {
                    let (mut seen, mut buffer) = (0, vec![0; number * 30]);
                    while let Ok(count) = read(rendezvous, &mut buffer, Deadline::NEVER) {
                        seen += count;
                        if seen > 50 * round && round % 2 == 0 {
                            rendezvous.close(Side::Writer);
                        }
                    }
                    seen
                })
            });
            if round % 2 == 1 {
                thread::yield_now();
                rendezvous.close(Side::Writer);
            }
            let sum = |threads: [thread::ScopedJoinHandle<'_, usize>; 2]| threads.map(|thread| thread.join().unwrap());
            (sum(writers).iter().sum::<usize>(), sum(readers).iter().sum::<usize>())
        });
        assert_eq!(sent, seen);
    }
}

#[test]
fn a_sleeper_is_woken() {
    for capacity in [0, 2] {
        let rendezvous = Rendezvous::new(capacity);
        thread::scope(|scope| {
            // Both sides are let fall asleep by turns.
            let reader = scope.spawn(|| {
                let mut buffer = [0; 2];
                while let Ok(count) = read(&rendezvous, &mut buffer, Deadline::NEVER) {
                    assert!(buffer[..count].iter().all(|byte| *byte == 5));
                    thread::park_timeout(Duration::from_millis(1));
                }
            });
            for _ in 0..if FEW { 3 } else { 10 } {
                assert_eq!(write(&rendezvous, &[5; 8], Deadline::NEVER), Ok(8));
                thread::park_timeout(Duration::from_millis(1));
            }
            rendezvous.close(Side::Writer);
            reader.join().unwrap();
        });
    }
}

/// Waits until a reader lends its slices.
fn await_loan(rendezvous: &Rendezvous) {
    let limit = Instant::now() + Duration::from_secs(60);
    while rendezvous.meeting.state() & LOAN != LENT {
        assert!(Instant::now() < limit, "no reader lends");
        thread::yield_now();
    }
}

#[test]
fn a_write_to_a_reader_that_waits_needs_no_time() {
    for (capacity, count) in [(0, 1), (0, DIRECT), (7, DIRECT)] {
        let rendezvous = Rendezvous::new(capacity);
        thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let mut buffer = vec![0; DIRECT];
                let read = read(&rendezvous, &mut buffer, Deadline::NEVER).unwrap();
                buffer.truncate(read);
                buffer
            });
            await_loan(&rendezvous);
            assert_eq!(write(&rendezvous, &bytes(0, count), Deadline::at(Instant::now())), Ok(count));
            assert_eq!(reader.join().unwrap(), bytes(0, count));
        });
    }
}

#[test]
fn what_does_not_fit_a_reader_that_waits_comes_after() {
    let rendezvous = Rendezvous::new(0);
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut buffer = [0; 4];
            let mut all = Vec::new();
            while let Ok(count) = read(&rendezvous, &mut buffer, Deadline::NEVER) {
                all.extend_from_slice(&buffer[..count]);
            }
            all
        });
        await_loan(&rendezvous);
        assert_eq!(write(&rendezvous, &bytes(0, 10), Deadline::NEVER), Ok(10));
        await_loan(&rendezvous);
        rendezvous.close(Side::Writer);
        assert_eq!(reader.join().unwrap(), bytes(0, 10));
    });
}

/// Waits until a thread waits for the lock.
fn await_waiter(lock: &SideLock) {
    let limit = Instant::now() + Duration::from_secs(60);
    while !lock.has_waiters() {
        assert!(Instant::now() < limit, "no thread waits");
        thread::yield_now();
    }
}

#[test]
fn a_thread_that_waits_for_a_lock_is_passed_over_so_often_and_no_more() {
    let lock = SideLock::new();
    thread::scope(|scope| {
        let mut guard = lock.try_lock();
        // It keeps the lock, so that the loop ends.
        let waiter = scope.spawn(|| std::mem::forget(lock.lock_until(Deadline::NEVER)));
        await_waiter(&lock);
        let mut locks = 0;
        while guard.take().is_some() {
            guard = lock.try_lock();
            locks += u32::from(guard.is_some());
            assert!(locks <= MAX_PASSED_OVER);
        }
        waiter.join().unwrap();
    });
}

#[test]
fn a_deadline_that_is_near_gives_no_processor_away() {
    let near = || Deadline::after(Duration::from_millis(1));
    let (empty, full) = (Rendezvous::new(0), Rendezvous::new(1));
    assert_eq!(write(&full, b"x", Deadline::NEVER), Ok(1));
    thread::scope(|scope| {
        let reader = scope.spawn(|| read(&empty, &mut [0; 2], Deadline::NEVER));
        await_loan(&empty);
        YIELDS.set(0);
        let results = [Deadline::at(Instant::now()), near()].map(|deadline| {
            // Behind the reader that waits, and for a reader.
            (read(&empty, &mut [0; 2], deadline), write(&full, b"x", deadline))
        });
        let big = write(&full, &bytes(0, DIRECT), near());
        let yields = YIELDS.get();
        empty.close(Side::Writer);
        let timed_out = Err(TransferError::TimedOut);
        assert_eq!((results, big), ([(timed_out, timed_out); 2], timed_out));
        assert_eq!(yields, 0);
        assert_eq!(reader.join().unwrap(), Err(TransferError::PeerClosed));
    });
}

#[derive(Debug, Clone)]
enum Step {
    Write(usize),
    Read(usize),
    Close(Side),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        10 => (0..12usize).prop_map(Step::Write),
        10 => (0..12usize).prop_map(Step::Read),
        1 => Just(Step::Close(Side::Reader)),
        1 => Just(Step::Close(Side::Writer)),
    ];
    prop::collection::vec(step, 0..40)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: if FEW { 8 } else { 512 },
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Alone on both sides, with no time to wait, a ring is a queue.
    #[test]
    fn a_ring_is_a_queue_with_a_limit(capacity in 1..9usize, steps in steps()) {
        let rendezvous = Rendezvous::new(capacity);
        let mut queue = VecDeque::new();
        let (mut no_reader, mut no_writer, mut sent) = (false, false, 0);
        let now = Deadline::at(Instant::now());
        for step in steps {
            match step {
                Step::Write(count) => {
                    let room = (capacity - queue.len()).min(count);
                    let expected = match (no_writer, count, no_reader, room) {
                        (true, ..) => Err(TransferError::Closed),
                        (_, 0, ..) => Ok(0),
                        (_, _, true, _) => Err(TransferError::PeerClosed),
                        (.., 0) => Err(TransferError::TimedOut),
                        _ => Ok(room),
                    };
                    let bytes = bytes(sent, count);
                    prop_assert_eq!(write(&rendezvous, &bytes, now), expected);
                    let written = expected.unwrap_or(0);
                    queue.extend(&bytes[..written]);
                    sent += written;
                }
                Step::Read(count) => {
                    let there = queue.len().min(count);
                    let expected = match (no_reader, count, there, no_writer) {
                        (true, ..) => Err(TransferError::Closed),
                        (_, 0, ..) => Ok(0),
                        (_, _, 0, true) => Err(TransferError::PeerClosed),
                        (_, _, 0, _) => Err(TransferError::TimedOut),
                        _ => Ok(there),
                    };
                    let mut buffer = vec![0; count];
                    prop_assert_eq!(read(&rendezvous, &mut buffer, now), expected);
                    let front: Vec<u8> = queue.drain(..expected.unwrap_or(0)).collect();
                    prop_assert_eq!(&buffer[..front.len()], front);
                }
                Step::Close(side) => {
                    rendezvous.close(side);
                    *if side == Side::Reader { &mut no_reader } else { &mut no_writer } = true;
                }
            }
            prop_assert_eq!(rendezvous.is_closed(Side::Reader), no_reader);
            prop_assert_eq!(rendezvous.is_closed(Side::Writer), no_writer);
        }
    }
}
