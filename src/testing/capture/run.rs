//! How a capture is done.
//!
//! The closure runs on a thread of std's that was started from a bare one: such a thread has nothing of the test harness's own capture,
//! so what it prints arrives at descriptor 1. It holds the lock of `std::io::stdout` meanwhile, because the harness's main thread
//! prints through that. The caller reads the pipe until the closure's thread says that it is done: the pipe's end may be long in
//! coming, when a process in the background has it.

use std::cell::Cell;
use std::io;
use std::os::fd::{AsFd, RawFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::complaint::{Locks, complain, waits_for_closure, waits_for_turn};
use super::drain::{Stream, until_done};
use super::settings::{Capture, Stderr};
use super::swap::{Swapped, Writer};
use super::turn::Turn;
use crate::fd::real_stdio;
use crate::io::captured::Captured;
use crate::pipe::{self, PipeReader, PipeWriter};
use crate::sys::{pthread, signals, stream};
use crate::testing::isolate;

/// What a closure left: its value or its panic, and what was captured.
pub(super) struct Left<T> {
    pub(super) result: thread::Result<T>,
    pub(super) stdout: Captured,
    pub(super) stderr: Captured,
}

/// Runs `f` with the streams captured.
pub(super) fn run<T: Send>(capture: &Capture, f: impl FnOnce() -> T + Send) -> io::Result<Left<T>> {
    let inside = real_stdio::is_inside();
    // Taken before there are pipes, because a capture that waits needs no descriptors. Kept until the result is read.
    let _turn = (!inside).then(|| Turn::wait(capture.patience, |holder| complain(&waits_for_turn(holder))));
    let (numbers, streams, writers) = pipes(capture)?;
    let (done, signal) = pipe::kernel()?;
    let exclusive = !capture.shared_stdout && !isolate::one_test_per_process();
    let wanted = Locks { stdout: capture.stdout, stderr: capture.stderr != Stderr::Inherit };
    let locks = if exclusive { wanted.without(HELD.get()) } else { Locks::default() };
    // The writers here stay open until the end: without any, poll would report an end over and over.
    let worker = Worker { signal: Signal(signal), exclusive, locks, writers: &writers };
    let patience = locks.any().then_some(capture.patience);
    let (result, streams) = if inside {
        run_here(worker, streams, &done, patience, f)?
    } else {
        run_on_a_thread(worker, streams, &done, patience, f)?
    };
    let mut left = Left { result, stdout: Captured::not_captured(), stderr: Captured::not_captured() };
    for (number, stream) in numbers.into_iter().zip(streams) {
        let place = if number == 1 { &mut left.stdout } else { &mut left.stderr };
        *place = stream.into_captured();
    }
    Ok(left)
}

/// The streams to read, with their numbers, and what takes whose place.
fn pipes(capture: &Capture) -> io::Result<(Vec<RawFd>, Vec<Stream>, Vec<Writer>)> {
    let (mut numbers, mut streams, mut writers) = (Vec::new(), Vec::new(), Vec::<Writer>::new());
    let merged = capture.stdout && capture.stderr == Stderr::Merge;
    let wanted = [(1, capture.stdout), (2, capture.stderr != Stderr::Inherit && !merged)];
    for (number, _) in wanted.into_iter().filter(|(_, wanted)| *wanted) {
        let (reader, writer) = pipe::kernel()?;
        numbers.push(number);
        streams.push(Stream::new(reader, capture.limit));
        writers.push((number, Arc::new(writer.into())));
        if merged {
            writers.push((2, Arc::clone(&writers[0].1)));
        }
    }
    Ok((numbers, streams, writers))
}

/// On a thread without the harness's capture.
fn run_on_a_thread<T: Send>(
    worker: Worker<'_>,
    mut streams: Vec<Stream>,
    done: &PipeReader,
    patience: Option<Duration>,
    f: impl FnOnce() -> T + Send,
) -> io::Result<(thread::Result<T>, Vec<Stream>)> {
    let name = thread::current().name().map(String::from);
    let builder = name.into_iter().fold(thread::Builder::new(), thread::Builder::name);
    let locks = worker.locks;
    let mut task = Some((builder, move || worker.perform(f)));
    // The scope is the caller's: the bare thread ends at once, beside the closure's.
    thread::scope(|scope| {
        let mut spawned = None;
        let mut bare = || spawned = task.take().map(|(builder, perform)| builder.spawn_scoped(scope, perform));
        let streams = pthread::beside(&mut bare, || {
            let quiet = || complain(&waits_for_closure(locks));
            // When this fails, nothing reads any more: the closure's writes then fail instead of waiting for ever.
            until_done(&mut streams, done, patience, quiet).map(|()| streams)
        })?;
        // Before the closure's end: that is a consequence, when its writes failed.
        let streams = streams?;
        let thread = spawned.ok_or_else(|| io::Error::other("the thread of the capture did not run"))??;
        let result = thread.join().unwrap_or_else(|panic| Ok(Err(panic)))?;
        Ok((result, streams))
    })
}

/// Inside of another capture: this thread has what it takes already. Another one reads.
fn run_here<T>(
    worker: Worker<'_>,
    mut streams: Vec<Stream>,
    done: &PipeReader,
    patience: Option<Duration>,
    f: impl FnOnce() -> T,
) -> io::Result<(thread::Result<T>, Vec<Stream>)> {
    let line = waits_for_closure(worker.locks);
    thread::scope(|scope| {
        let read = move || until_done(&mut streams, done, patience, || complain(&line)).map(|()| streams);
        let reader = thread::Builder::new().name("pipewright-test".into()).spawn_scoped(scope, read)?;
        let result = worker.perform(f);
        let streams = reader.join().map_err(|_| io::Error::other("the reader of the capture panicked"))??;
        Ok((result?, streams))
    })
}

thread_local! {
    /// The locks that captures have taken on this thread.
    static HELD: Cell<Locks> = const { Cell::new(Locks { stdout: false, stderr: false }) };
}

/// What the closure's thread needs.
struct Worker<'a> {
    signal: Signal,
    exclusive: bool,
    locks: Locks,
    writers: &'a [Writer],
}

impl Worker<'_> {
    /// Runs `f` on this thread, with the streams replaced.
    fn perform<T>(self, f: impl FnOnce() -> T) -> io::Result<thread::Result<T>> {
        // In the order of their taking: the signal goes off last.
        let _signal = self.signal;
        let _stdout = self.locks.stdout.then(|| io::stdout().lock());
        let _stderr = self.locks.stderr.then(|| io::stderr().lock());
        let swapped = Swapped::begin(self.writers, self.exclusive)?;
        let held = HELD.get();
        HELD.set(held.or(self.locks));
        let inside = real_stdio::set_inside(true);
        let result = catch_unwind(AssertUnwindSafe(f));
        real_stdio::set_inside(inside);
        HELD.set(held);
        match (result, swapped.end()) {
            // The panic says more: it may be why the end failed.
            (Err(panic), _) => Ok(Err(panic)),
            (Ok(value), end) => end.map(|()| Ok(value)),
        }
    }
}

/// Says that the closure's thread is done, also by a panic.
struct Signal(PipeWriter);

impl Drop for Signal {
    fn drop(&mut self) {
        // The other side is there until it has seen this; if it is not, it has seen an error.
        let _ = signals::without_sigpipe(|| stream::write(self.0.as_fd(), b"!"));
    }
}
