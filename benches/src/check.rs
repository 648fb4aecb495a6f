//! What must be true of a sample for its figure to count. All of it runs outside the timed part.

use crate::task::{BLOCK, Outcome, Task};

pub type Check = fn(&Task, &Outcome) -> Result<(), String>;

/// Every process ended with code 0.
pub fn ended(_: &Task, outcome: &Outcome) -> Result<(), String> {
    match outcome.codes.iter().find(|code| **code != 0) {
        None if outcome.codes.is_empty() => Err("no process ended".to_owned()),
        None => Ok(()),
        Some(code) => Err(format!("a child ended with code {code}")),
    }
}

/// Three of them.
pub fn three(task: &Task, outcome: &Outcome) -> Result<(), String> {
    ended(task, outcome)?;
    same("processes", outcome.codes.len() as u64, 3)
}

/// As many as the size says.
pub fn as_many(task: &Task, outcome: &Outcome) -> Result<(), String> {
    ended(task, outcome)?;
    same("processes", outcome.codes.len() as u64, task.size)
}

/// As many, and each one's greeting.
pub fn as_many_greetings(task: &Task, outcome: &Outcome) -> Result<(), String> {
    as_many(task, outcome)?;
    let hellos = outcome.stdout.chunks(6).filter(|text| text.trim_ascii() == b"hello").count();
    same("greetings", hellos as u64, task.size)
}

pub fn greeting(task: &Task, outcome: &Outcome) -> Result<(), String> {
    ended(task, outcome)?;
    if outcome.stdout.trim_ascii_end() == b"hello" { Ok(()) } else { Err(format!("captured {:?}", outcome.stdout)) }
}

/// The whole stream on stdout.
pub fn blocks(task: &Task, outcome: &Outcome) -> Result<(), String> {
    ended(task, outcome)?;
    numbered(&outcome.stdout, task.size)
}

/// The whole stream on both.
pub fn both_blocks(task: &Task, outcome: &Outcome) -> Result<(), String> {
    blocks(task, outcome)?;
    numbered(&outcome.stderr, task.size)
}

/// Every line of 20 bytes, in the order in which both streams were written.
pub fn merged(task: &Task, outcome: &Outcome) -> Result<(), String> {
    ended(task, outcome)?;
    same("bytes", outcome.stdout.len() as u64, 20 * task.size)?;
    let wrong = outcome.stdout.chunks(20).enumerate().find(|(number, line)| {
        let text = std::str::from_utf8(&line[..16]).unwrap_or_default();
        u64::from_str_radix(text, 16) != Ok(*number as u64)
    });
    wrong.map_or(Ok(()), |(number, _)| Err(format!("line {number} is out of order")))
}

/// Every line of 60 bytes, in order.
pub fn lines(task: &Task, outcome: &Outcome) -> Result<(), String> {
    ended(task, outcome)?;
    same("lines", outcome.count, task.size)?;
    same("bytes without newlines", outcome.bytes, 59 * task.size)?;
    if outcome.ordered { Ok(()) } else { Err("lines out of order".to_owned()) }
}

pub fn ticks(task: &Task, outcome: &Outcome) -> Result<(), String> {
    ended(task, outcome)?;
    same("lines", outcome.count, task.size)
}

/// The bytes or messages of a pipe in memory.
pub fn passed(task: &Task, outcome: &Outcome) -> Result<(), String> {
    same("bytes", outcome.bytes, task.size)?;
    if outcome.ordered { Ok(()) } else { Err("pieces out of order".to_owned()) }
}

pub fn counted(task: &Task, outcome: &Outcome) -> Result<(), String> {
    same("operations", outcome.count, task.size)
}

fn same(what: &str, is: u64, should: u64) -> Result<(), String> {
    if is == should { Ok(()) } else { Err(format!("{is} {what} instead of {should}")) }
}

fn numbered(bytes: &[u8], size: u64) -> Result<(), String> {
    // A peer that cuts a last newline cuts nothing here: a block ends with an x.
    same("bytes", bytes.len() as u64, size)?;
    let wrong = bytes.chunks(BLOCK).enumerate().find(|(number, block)| {
        let text = std::str::from_utf8(&block[..8]).unwrap_or_default();
        u64::from_str_radix(text, 16) != Ok(*number as u64)
    });
    wrong.map_or(Ok(()), |(number, _)| Err(format!("block {number} is not in its place")))
}
