//! What a contender is given, and what it gives back to be checked.

use std::cell::Cell;
use std::path::PathBuf;

/// Any error; a sample that has one has no figure.
pub type Error = Box<dyn std::error::Error + Send + Sync>;
pub type Result<T> = std::result::Result<T, Error>;

/// The size of the numbered blocks that bulk rows move.
pub const BLOCK: usize = 65_536;

/// One operation's circumstances.
pub struct Task {
    /// The row's measure of work: bytes, lines, children, stages, or nothing.
    pub size: u64,
    /// The bytes of one write, in rows about pipes in memory.
    pub piece: usize,
    /// The helper program.
    pub child: String,
    /// What to feed; prepared anew for each operation.
    pub input: Cell<Vec<u8>>,
    /// What the operation before captured, for contenders that reuse it.
    pub buffer: Cell<Vec<u8>>,
}

/// What an operation did. A row's check says which of it counts.
#[derive(Default, Debug)]
pub struct Outcome {
    /// The exit codes of what ran; 0 for a child of a peer that hides the code but would have failed.
    pub codes: Vec<i32>,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    /// Lines, children or messages seen.
    pub count: u64,
    pub bytes: u64,
    /// Nothing came out of order.
    pub ordered: bool,
    /// The operation's own figure, where that is not the time it took.
    pub figure: Option<f64>,
}

impl Outcome {
    pub fn codes(codes: impl IntoIterator<Item = i32>) -> Result<Outcome> {
        Ok(Outcome { codes: codes.into_iter().collect(), ..Outcome::default() })
    }

    pub fn captured(code: i32, stdout: Vec<u8>) -> Result<Outcome> {
        Ok(Outcome { codes: vec![code], stdout, ..Outcome::default() })
    }
}

impl Task {
    pub fn new(size: u64, piece: usize) -> Result<Task> {
        Ok(Task { size, piece, child: child_program()?, input: Cell::default(), buffer: Cell::default() })
    }

    /// The size, as the helper takes it.
    pub fn size_text(&self) -> String {
        self.size.to_string()
    }
}

/// The helper program is built beside this one.
fn child_program() -> Result<String> {
    let path: PathBuf = std::env::current_exe()?.with_file_name("bench-child");
    if !path.exists() {
        return Err(format!("{} is missing: build the whole package", path.display()).into());
    }
    path.into_os_string().into_string().map_err(|path| format!("{path:?} is not UTF-8").into())
}

/// This many bytes in numbered blocks, like those that the helper generates.
pub fn numbered_blocks(bytes: u64) -> Vec<u8> {
    let mut all = vec![b'x'; bytes as usize];
    for (number, block) in all.chunks_mut(BLOCK).enumerate() {
        block[..8].copy_from_slice(format!("{number:08x}").as_bytes());
    }
    all
}

/// Whether the lines of the helper come one after the other: a comparison of their first eight bytes, cheap enough to be made while
/// the time runs, the same for every contender.
#[derive(Default)]
pub struct LineCheck {
    count: u64,
    bytes: u64,
    last: u64,
    disorder: bool,
}

impl LineCheck {
    #[inline]
    pub fn see(&mut self, line: &[u8]) {
        let key = line.first_chunk().map_or(0, |key| u64::from_be_bytes(*key));
        self.disorder |= key <= self.last;
        self.last = key;
        self.count += 1;
        self.bytes += line.len() as u64;
    }

    pub fn outcome(self, code: i32) -> Result<Outcome> {
        let LineCheck { count, bytes, disorder, .. } = self;
        Ok(Outcome { codes: vec![code], count, bytes, ordered: !disorder, ..Outcome::default() })
    }
}

/// The delays of lines that carry the time at which they were written.
#[derive(Default)]
pub struct Delays(Vec<u64>);

impl Delays {
    pub fn see(&mut self, line: &[u8]) -> Result<()> {
        let written = u64::from_str_radix(std::str::from_utf8(line)?.trim_end(), 16)?;
        self.0.push(monotonic().saturating_sub(written));
        Ok(())
    }

    /// The median, as the figure.
    pub fn outcome(mut self, code: i32) -> Result<Outcome> {
        self.0.sort_unstable();
        let figure = self.0.get(self.0.len() / 2).map(|nanos| *nanos as f64);
        Ok(Outcome { codes: vec![code], count: self.0.len() as u64, figure, ..Outcome::default() })
    }
}

fn monotonic() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is valid for writes.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}
