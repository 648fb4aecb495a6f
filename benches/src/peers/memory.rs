//! Pipes between two threads: the one job, and the peers that have only that.

use std::io::{Read, Write};
use std::thread;

use futures_lite::future::block_on;
use futures_lite::{AsyncReadExt, AsyncWriteExt};

use super::Job;
use crate::task::{Outcome, Result, Task};

/// The largest piece that a reader takes at once.
const READ: usize = 65_536;

/// One thread writes the row's pieces, each of which begins with its number; this one reads them to the end.
pub fn stream(task: &Task, (reader, writer): (impl Read, impl Write + Send)) -> Result<Outcome> {
    let (size, piece) = (task.size, task.piece);
    thread::scope(|scope| {
        let writing = scope.spawn(move || write_pieces(writer, size, piece));
        let outcome = read_pieces(reader, piece);
        writing.join().map_err(|_| "the writer panicked")??;
        outcome
    })
}

fn write_pieces(mut writer: impl Write, size: u64, piece: usize) -> Result<()> {
    let mut bytes = vec![b'x'; piece];
    for number in 0..size / piece as u64 {
        bytes[..8].copy_from_slice(&number.to_le_bytes());
        writer.write_all(&bytes)?;
    }
    Ok(writer.flush()?)
}

fn read_pieces(mut reader: impl Read, piece: usize) -> Result<Outcome> {
    let mut check = Pieces::new(piece);
    let mut buffer = vec![0; READ];
    loop {
        match reader.read(&mut buffer)? {
            0 => return Ok(check.outcome()),
            got => check.see(&buffer[..got]),
        }
    }
}

/// Looks at the number of each piece, wherever reads begin; one that is cut by the end of a read is not looked at.
struct Pieces {
    piece: u64,
    total: u64,
    disorder: bool,
}

impl Pieces {
    fn new(piece: usize) -> Pieces {
        Pieces { piece: piece as u64, total: 0, disorder: false }
    }

    fn see(&mut self, bytes: &[u8]) {
        let mut at = (self.total.next_multiple_of(self.piece) - self.total) as usize;
        let mut number = (self.total + at as u64) / self.piece;
        while let Some(label) = bytes.get(at..).and_then(|rest| rest.first_chunk()) {
            self.disorder |= u64::from_le_bytes(*label) != number;
            at += self.piece as usize;
            number += 1;
        }
        self.total += bytes.len() as u64;
    }

    fn outcome(self) -> Outcome {
        Outcome { bytes: self.total, ordered: !self.disorder, ..Outcome::default() }
    }
}

/// A byte to another thread and one back, as often as the size says.
pub fn ping(
    task: &Task,
    there: (impl Read + Send, impl Write),
    back: (impl Read, impl Write + Send),
) -> Result<Outcome> {
    let ((mut their_input, mut output), (mut input, mut their_output)) = (there, back);
    thread::scope(|scope| {
        let echo = scope.spawn(move || -> Result<()> {
            let mut byte = [0];
            while their_input.read(&mut byte)? > 0 {
                their_output.write_all(&byte)?;
                their_output.flush()?;
            }
            Ok(())
        });
        let mut outcome = Outcome::default();
        for number in 0..task.size {
            let mut byte = [number as u8];
            output.write_all(&byte)?;
            output.flush()?;
            input.read_exact(&mut byte)?;
            outcome.count += u64::from(byte[0] == number as u8);
        }
        drop(output);
        echo.join().map_err(|_| "the echo panicked")??;
        Ok(outcome)
    })
}

fn rendezvous(row: &str) -> bool {
    matches!(row, "mem-64" | "mem-4k" | "mem-64k" | "one-64" | "one-4k" | "one-64k")
}

fn pings(row: &str) -> bool {
    matches!(row, "mem-ping" | "one-ping")
}

fn buffered(row: &str) -> bool {
    matches!(row, "buf-64" | "buf-4k" | "buf-64k")
}

fn choose(row: &str, streams: Job, echoes: Job) -> Option<Job> {
    match row {
        _ if rendezvous(row) || buffered(row) => Some(streams),
        _ if pings(row) => Some(echoes),
        _ => None,
    }
}

/// The kernel's pipe, by the standard library.
pub fn std_job(row: &str) -> Option<Job> {
    choose(row, |task| stream(task, std::io::pipe()?), |task| ping(task, std::io::pipe()?, std::io::pipe()?))
}

pub fn os_pipe_job(row: &str) -> Option<Job> {
    choose(row, |task| stream(task, os_pipe::pipe()?), |task| ping(task, os_pipe::pipe()?, os_pipe::pipe()?))
}

/// Of no capacity; its variant with a buffer is for the rows about buffers.
pub fn pipe_job(row: &str) -> Option<Job> {
    if buffered(row) {
        return Some(|task| stream(task, pipe::pipe_buffered()));
    }
    choose(row, |task| stream(task, pipe::pipe()), |task| ping(task, pipe::pipe(), pipe::pipe()))
}

/// Without a bound: a writer is never held back.
pub fn io_pipe_job(row: &str) -> Option<Job> {
    fn ends() -> (io_pipe::Reader, io_pipe::Writer) {
        let (writer, reader) = io_pipe::pipe();
        (reader, writer)
    }
    choose(row, |task| stream(task, ends()), |task| ping(task, ends(), ends()))
}

/// An asynchronous pipe, driven by a blocking executor on each side.
struct Blocking<T>(T);

impl<T: AsyncReadExt + Unpin> Read for Blocking<T> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        block_on(self.0.read(into))
    }
}

impl<T: AsyncWriteExt + Unpin> Write for Blocking<T> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        block_on(self.0.write(bytes))
    }

    fn flush(&mut self) -> std::io::Result<()> {
        block_on(self.0.flush())
    }
}

pub fn sluice_job(row: &str) -> Option<Job> {
    fn ends() -> (Blocking<sluice::pipe::PipeReader>, Blocking<sluice::pipe::PipeWriter>) {
        let (reader, writer) = sluice::pipe::pipe();
        (Blocking(reader), Blocking(writer))
    }
    choose(row, |task| stream(task, ends()), |task| ping(task, ends(), ends()))
}
