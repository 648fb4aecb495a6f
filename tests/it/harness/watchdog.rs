//! Watches the process of a body from outside, so that the body's process stays its own.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;
use os_pipe::PipeReader;

use super::isolate::PATIENCE;
use super::proc::{self, Stat};

/// The started process of a body and what it writes.
pub(super) struct Body {
    pub(super) child: Child,
    pub(super) output: PipeReader,
}

/// How the process of a body ended.
pub(super) enum End {
    Exited(ExitStatus),
    /// Killed because it made no progress, with what it and its relatives were doing.
    Hung(String),
}

pub(super) struct Run {
    pub(super) output: String,
    pub(super) end: End,
}

/// Waits for the end, as long as there is progress; leaves nothing of the body's group running.
pub(super) fn supervise(mut body: Body, patience: Duration) -> Run {
    let pid = body.child.id() as i32;
    let mut said = Vec::new();
    let mut last = Instant::now();
    // A short patience is meant for the body, not for the start of its process.
    let mut limit = patience.max(PATIENCE);
    let dump = loop {
        if take_output(&mut body.output, Duration::from_millis(20), &mut said) {
            last = Instant::now();
            limit = patience;
        } else if has_ended(pid) {
            break None;
        } else if last.elapsed() > limit {
            break Some(dump(pid));
        }
    };
    if dump.is_some() {
        kill_relatives(pid);
    }
    // Not reaped yet, so the number still means this group.
    let _ = killpg(Pid::from_raw(pid), Signal::SIGKILL);
    while take_output(&mut body.output, Duration::ZERO, &mut said) {}
    let status = body.child.wait().expect("the body's process can be waited for");
    let end = dump.map_or(End::Exited(status), End::Hung);
    Run { output: String::from_utf8_lossy(&said).into_owned(), end }
}

/// Whether there was output within the time.
fn take_output(from: &mut PipeReader, time: Duration, said: &mut Vec<u8>) -> bool {
    let timeout = PollTimeout::try_from(time).expect("a short time");
    let mut fds = [PollFd::new(from.as_fd(), PollFlags::POLLIN)];
    if poll(&mut fds, timeout).unwrap_or(0) == 0 {
        return false;
    }
    let mut buffer = [0; 16 * 1024];
    let n = from.read(&mut buffer).unwrap_or(0);
    if n == 0 {
        // At its end, which poll would report without waiting.
        super::pause(time.min(Duration::from_millis(1)));
        return false;
    }
    let news = &buffer[..n];
    said.extend_from_slice(news);
    // A run that takes long is seen to get on. Words are kept for a report, if there is one.
    if super::is_full() && news.iter().all(|&byte| byte == b'.') {
        let _ = std::io::stderr().write_all(news);
    }
    true
}

fn has_ended(pid: i32) -> bool {
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    !matches!(waitid(Id::Pid(Pid::from_raw(pid)), flags), Ok(WaitStatus::StillAlive))
}

/// The process, the others of its group, and all descendants of these.
fn relatives(pid: i32) -> Vec<Stat> {
    let mut others = proc::processes();
    let mut found: Vec<Stat> = Vec::new();
    loop {
        let belongs = |process: &Stat| {
            process.pid == pid || process.group == pid || found.iter().any(|known| known.pid == process.parent)
        };
        let (more, rest): (Vec<Stat>, Vec<Stat>) = others.into_iter().partition(belongs);
        if more.is_empty() {
            return found;
        }
        found.extend(more);
        others = rest;
    }
}

/// Again and again, because one that forks may be faster than one look.
fn kill_relatives(pid: i32) {
    for _ in 0..100 {
        let mut alive = relatives(pid);
        alive.retain(|process| process.state != 'Z');
        if alive.is_empty() {
            return;
        }
        // The body itself last: its end makes strangers of its children.
        alive.sort_by_key(|process| process.pid == pid);
        for process in alive {
            let _ = kill(Pid::from_raw(process.pid), Signal::SIGKILL);
        }
        super::pause(Duration::from_millis(1));
    }
}

/// What the process and its relatives are doing, thread by thread, and the fds they hold.
fn dump(pid: i32) -> String {
    let mut text = String::new();
    for Stat { pid, comm, state, parent, group } in relatives(pid) {
        let _ = writeln!(text, "process {pid} ({comm}) state {state} parent {parent} group {group}");
        let dir = format!("/proc/{pid}");
        for tid in proc::numbers_in(&format!("{dir}/task")) {
            let task = format!("{dir}/task/{tid}");
            let Some(stat) = proc::stat(&task) else {
                continue;
            };
            let read = |file| std::fs::read_to_string(format!("{task}/{file}")).unwrap_or_default();
            let (wchan, syscall) = (read("wchan"), read("syscall"));
            let _ = writeln!(
                text,
                "  thread {tid} ({}) state {} wchan {} syscall {}",
                stat.comm,
                stat.state,
                wchan.trim(),
                syscall.trim()
            );
        }
        for (fd, target) in proc::fds_of(&dir) {
            let _ = writeln!(text, "  fd {fd} -> {target}");
        }
    }
    text
}
