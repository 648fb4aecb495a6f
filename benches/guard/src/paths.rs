//! The hot paths, each as often as asked.

use std::hint::black_box;
use std::io::{Read, Write};
use std::thread;

use pipewright::{Cmd, pipe};

pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

pub struct Path {
    pub name: &'static str,
    /// What one round is.
    pub what: &'static str,
    pub run: fn(u64) -> Result<()>,
    /// Rounds of the shorter of the two runs whose difference counts.
    pub rounds: u64,
}

pub const PATHS: &[Path] = &[
    Path { name: "plan", what: "a command of ten arguments built, cloned, planned", run: plan, rounds: 100 },
    Path { name: "capture", what: "a MiB captured, by the engine", run: capture, rounds: 8 },
    Path { name: "lines", what: "a MiB of lines of 64 bytes lent to a closure", run: lines, rounds: 8 },
    Path { name: "buffered", what: "64 bytes into a pipe in memory with room, and out", run: buffered, rounds: 10_000 },
    Path {
        name: "memory",
        what: "64 bytes read from a write that a pipe in memory holds",
        run: memory,
        rounds: 20_000,
    },
];

fn plan(rounds: u64) -> Result<()> {
    let args = ["-a", "-b", "--long", "option", "file one", "file two", "3", "4", "5", "last"];
    for _ in 0..rounds {
        let command = Cmd::new("/bin/program").args(black_box(args));
        black_box(black_box(command.clone()).dry_run()?);
    }
    Ok(())
}

/// This program as a child; the counter does not follow it.
fn child(mib: u64) -> Result<Cmd> {
    Ok(Cmd::new(std::env::current_exe()?).arg("--child").arg(mib.to_string()))
}

fn capture(rounds: u64) -> Result<()> {
    let output = child(rounds)?.output()?;
    equal(output.stdout.len(), rounds << 20)
}

fn lines(rounds: u64) -> Result<()> {
    let mut bytes = 0;
    child(rounds)?.for_each_line(|line| bytes += line.len() + 1)?;
    equal(bytes, rounds << 20)
}

fn buffered(rounds: u64) -> Result<()> {
    let (mut reader, mut writer) = pipe::buffered(4096);
    let mut bytes = [7; 64];
    for _ in 0..rounds {
        writer.write_all(black_box(&bytes))?;
        reader.read_exact(black_box(&mut bytes))?;
    }
    Ok(())
}

/// One write, so that the threads meet once, and how long each waits for the other hardly counts.
fn memory(rounds: u64) -> Result<()> {
    let (mut reader, mut writer) = pipe::memory();
    let all = vec![7; 64 * rounds as usize];
    let writing = thread::spawn(move || writer.write_all(&all));
    let (mut bytes, mut total) = ([0; 64], 0);
    loop {
        match reader.read(black_box(&mut bytes))? {
            0 => break,
            got => total += got,
        }
    }
    writing.join().map_err(|_| "the writer panicked")??;
    equal(total, 64 * rounds)
}

fn equal(is: usize, should: u64) -> Result<()> {
    if is as u64 == should { Ok(()) } else { Err(format!("{is} bytes instead of {should}").into()) }
}

/// What the child writes: `mib` MiB of lines of 64 bytes.
pub fn write_lines(mib: u64) -> Result<()> {
    let mut line = [b'x'; 64];
    line[63] = b'\n';
    let block = line.repeat(1024);
    let mut stdout = std::io::stdout().lock();
    for _ in 0..mib * 16 {
        stdout.write_all(&block)?;
    }
    Ok(())
}
