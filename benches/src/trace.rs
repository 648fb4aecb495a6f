//! System calls per operation, or per what the row says: of the contender's process with all its threads, and of each child up to its exec, as that part is
//! the contender's, too. Counted by strace in runs that are not timed; the difference of two runs takes off what a process costs
//! by itself.

use std::collections::HashSet;
use std::fs;
use std::process::{Command, Stdio};

use crate::measure::Bench;
use crate::peers::Peer;
use crate::rows::Row;
use crate::sample::Load;

/// Whether there is a strace that may trace here.
pub fn available() -> bool {
    let run =
        Command::new("strace").args(["-o", "/dev/null", "true"]).stdin(Stdio::null()).stderr(Stdio::null()).status();
    run.is_ok_and(|status| status.success())
}

pub fn calls(bench: &Bench, row: &Row, peer: &Peer) -> Option<f64> {
    // Descriptors are opened and memory is touched in both runs, and so cancel out.
    let load = row.small_load();
    let few = count(bench, row, peer, Load { ops: 1, ..load })?;
    let more = count(bench, row, peer, Load { ops: 3, ..load })?;
    Some((more as f64 - few as f64) / 2.0 / row.counted_by().1)
}

fn count(bench: &Bench, row: &Row, peer: &Peer, load: Load) -> Option<u64> {
    let traced = bench.command(row, peer, load)?;
    let log = std::env::temp_dir().join(format!("pipewright-bench-{}.strace", std::process::id()));
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-o"]).arg(&log).arg(traced.get_program()).args(traced.get_args());
    let run = strace.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    let text = fs::read_to_string(&log);
    let _ = fs::remove_file(&log);
    run.ok()?.success().then_some(count_in(&text.ok()?))
}

/// Counts the lines that begin a call, of processes that have not become another program yet.
fn count_in(log: &str) -> u64 {
    let mut parsed =
        log.lines().filter_map(|line| line.split_once(' ')).map(|(pid, rest)| (pid, rest.trim_start())).peekable();
    let first = parsed.peek().map(|(pid, _)| *pid);
    let mut strangers = HashSet::new();
    let mut calls = 0;
    for (pid, what) in parsed {
        if strangers.contains(pid) {
            continue;
        }
        let resumed = what.starts_with("<...");
        calls += u64::from(!resumed && !what.starts_with("+++") && !what.starts_with("---"));
        let exec = what.starts_with("execve") || what.starts_with("<... execve");
        if Some(pid) != first && exec && what.ends_with("= 0") {
            strangers.insert(pid);
        }
    }
    calls
}
