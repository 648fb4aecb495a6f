//! This library's pipes in memory.

use pipewright::pipe;

use super::Job;
use super::memory::{ping, stream};

pub fn job(row: &str) -> Option<Job> {
    Some(match row {
        "mem-64" | "mem-4k" | "mem-64k" | "one-64" | "one-4k" | "one-64k" => |task| stream(task, pipe::memory()),
        "mem-ping" | "one-ping" => |task| ping(task, pipe::memory(), pipe::memory()),
        "buf-64" | "buf-4k" | "buf-64k" => |task| stream(task, pipe::buffered(1 << 20)),
        _ => return None,
    })
}
