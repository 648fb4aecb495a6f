//! The crate `cmd_lib`.

use cmd_lib::{run_cmd, spawn, spawn_with_output};

use super::Job;
use super::os::{check_lines, delays};
use crate::task::{Delays, LineCheck, Outcome, Result};

/// A bad exit of any stage is an error everywhere here: codes are not told otherwise.
pub fn job(row: &str) -> Option<Job> {
    Some(match row {
        "spawn" | "many-fds" => |task| {
            let child = &task.child;
            run_cmd!($child nop)?;
            Outcome::codes([0])
        },
        "capture" => |task| {
            let child = &task.child;
            let mut stdout = Vec::new();
            spawn_with_output!($child hello)?.wait_with_raw_output(&mut stdout)?;
            Outcome::captured(0, stdout)
        },
        "three" => |task| {
            let child = &task.child;
            run_cmd!($child nop | $child nop | $child nop)?;
            Outcome::codes([0; 3])
        },
        "pipeline" => |task| {
            let (child, size) = (&task.child, task.size);
            run_cmd!($child generate $size | $child cat | $child sink $size)?;
            Outcome::codes([0; 3])
        },
        "bulk" => |task| {
            let (child, size) = (&task.child, task.size);
            let mut stdout = Vec::new();
            spawn_with_output!($child generate $size)?.wait_with_raw_output(&mut stdout)?;
            Outcome::captured(0, stdout)
        },
        "reuse" => |task| {
            let (child, size) = (&task.child, task.size);
            let mut stdout = task.buffer.take();
            stdout.clear();
            spawn_with_output!($child generate $size)?.wait_with_raw_output(&mut stdout)?;
            Outcome::captured(0, stdout)
        },
        "merged" => |task| {
            let (child, size) = (&task.child, task.size);
            let mut stdout = Vec::new();
            spawn_with_output!($child tiny $size 2>&1)?.wait_with_raw_output(&mut stdout)?;
            Outcome::captured(0, stdout)
        },
        "lines" => |task| {
            let (child, size) = (&task.child, task.size);
            let mut check: Result<LineCheck> = Err("not called".into());
            spawn_with_output!($child lines $size)?.wait_with_pipe(&mut |pipe| check = check_lines(pipe))?;
            check?.outcome(0)
        },
        "delay" => |task| {
            let (child, size) = (&task.child, task.size);
            let mut seen: Result<Delays> = Err("not called".into());
            spawn_with_output!($child ticks $size)?.wait_with_pipe(&mut |pipe| seen = delays(pipe))?;
            seen?.outcome(0)
        },
        "children-1" => |task| {
            let child = &task.child;
            spawn!($child nop)?.wait()?;
            Outcome::codes([0])
        },
        _ => return None,
    })
}

pub fn cannot(row: &str) -> Option<&'static str> {
    match row {
        "both" => Some("cmd_lib sends stderr to a log, line by line"),
        "feed" | "relay" | "tee" => Some("cmd_lib has no way to write to a child"),
        "thousand" => Some("cmd_lib takes two threads of the caller's and its own per capture"),
        _ => None,
    }
}
