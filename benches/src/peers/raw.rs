//! Plain system calls written for the one job: the limit of what a library can do.

use std::io::{ErrorKind, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::thread;
use std::time::Duration;

use memchr::memchr_iter;

use super::Job;
use super::os::KIB;
use super::raw_bytes::{interest, nonblocking, pipe, poll, read_into, read_to_end, splice, tee, write};
use super::raw_spawn::{Child, spawn, wait};
use crate::task::{Delays, LineCheck, Outcome, Result, Task};

const SMALL: i32 = 0;
const BULK: i32 = 256 * 1024;
const BIG: i32 = 1024 * 1024;

pub fn job(row: &str) -> Option<Job> {
    Some(match row {
        "spawn" => |task| run(task, Child { args: &["nop"], ..Child::default() }),
        "many-fds" => |task| run(task, Child { args: &["nop"], share_files: true, ..Child::default() }),
        "options" => |task| run(task, Child { args: &["nop"], options: true, ..Child::default() }),
        "capture" => |task| capture(task, &["hello"], SMALL, Vec::new()),
        "capture-test" => |_| capture_own(),
        "three" => |task| pipeline(task, [&["nop"], &["nop"], &["nop"]], SMALL),
        "pipeline" => |task| {
            let size = task.size_text();
            pipeline(task, [&["generate", &size], &["cat"], &["sink", &size]], BULK)
        },
        "bulk" => |task| capture(task, &["generate", &task.size_text()], BULK, Vec::new()),
        "reuse" => |task| {
            let mut buffer = task.buffer.take();
            buffer.clear();
            capture(task, &["generate", &task.size_text()], BULK, buffer)
        },
        "both" => both,
        "feed" => feed,
        "merged" => merged,
        "lines" => lines,
        "relay" => relay,
        "tee" => tee_to_two,
        "delay" => delay,
        "thousand" => thousand,
        _ => return None,
    })
}

fn run(task: &Task, child: Child<'_>) -> Result<Outcome> {
    Outcome::codes([wait(spawn(&task.child, child)?)?])
}

/// A child whose stdout we read.
fn source(task: &Task, args: &[&str], capacity: i32) -> Result<(i32, OwnedFd)> {
    let (reader, writer) = pipe(capacity)?;
    let pid = spawn(&task.child, Child { stdio: [None, Some(writer.as_raw_fd()), None], args, ..Child::default() })?;
    Ok((pid, reader))
}

/// A child whose stdin we write.
fn sink(task: &Task, capacity: i32) -> Result<(i32, OwnedFd)> {
    let (reader, writer) = pipe(capacity)?;
    let args = ["sink", &task.size_text()];
    let pid =
        spawn(&task.child, Child { stdio: [Some(reader.as_raw_fd()), None, None], args: &args, ..Child::default() })?;
    Ok((pid, writer))
}

fn capture(task: &Task, args: &[&str], capacity: i32, mut into: Vec<u8>) -> Result<Outcome> {
    let (pid, reader) = source(task, args, capacity)?;
    read_to_end(&reader, &mut into, if capacity == SMALL { 4 * KIB } else { 64 * KIB })?;
    Outcome::captured(wait(pid)?, into)
}

/// This process's own stdout, replaced and put back: for what fits into a pipe, where no other thread prints and no test harness is in
/// the way.
fn capture_own() -> Result<Outcome> {
    let (reader, writer) = pipe(SMALL)?;
    let saved = std::io::stdout().as_fd().try_clone_to_owned()?;
    replace_stdout(&writer)?;
    println!("hello");
    std::io::stdout().flush()?;
    replace_stdout(&saved)?;
    drop(writer);
    let mut into = Vec::new();
    read_to_end(&reader, &mut into, 4 * KIB)?;
    Outcome::captured(0, into)
}

fn replace_stdout(by: &OwnedFd) -> Result<()> {
    // SAFETY: stdout belongs to the process as a whole; no value owns its number.
    if unsafe { libc::dup2(by.as_raw_fd(), 1) } == -1 {
        return Err(std::io::Error::last_os_error().into());
    }
    Ok(())
}

fn pipeline(task: &Task, stages: [&[&str]; 3], capacity: i32) -> Result<Outcome> {
    let (first, second) = (pipe(capacity)?, pipe(capacity)?);
    let stdio = [
        [None, Some(first.1.as_raw_fd()), None],
        [Some(first.0.as_raw_fd()), Some(second.1.as_raw_fd()), None],
        [Some(second.0.as_raw_fd()), None, None],
    ];
    let mut pids = Vec::new();
    for (args, stdio) in stages.into_iter().zip(stdio) {
        pids.push(spawn(&task.child, Child { stdio, args, ..Child::default() })?);
    }
    drop((first, second));
    Outcome::codes(pids.into_iter().map(wait).collect::<std::io::Result<Vec<_>>>()?)
}

fn both(task: &Task) -> Result<Outcome> {
    let (outputs, errors) = (pipe(BULK)?, pipe(BULK)?);
    let stdio = [None, Some(outputs.1.as_raw_fd()), Some(errors.1.as_raw_fd())];
    let pid = spawn(&task.child, Child { stdio, args: &["both", &task.size_text()], ..Child::default() })?;
    let ends = [outputs.0, errors.0];
    drop((outputs.1, errors.1));
    let mut captured = [Vec::new(), Vec::new()];
    let mut fds = ends.each_ref().map(|end| interest(end, libc::POLLIN));
    while fds.iter().any(|fd| fd.fd >= 0) {
        poll(&mut fds)?;
        for ((fd, end), into) in fds.iter_mut().zip(&ends).zip(&mut captured) {
            if fd.fd >= 0 && fd.revents != 0 && read_into(end, into, 64 * KIB)? == 0 {
                fd.fd = -1;
            }
        }
    }
    let [stdout, stderr] = captured;
    Ok(Outcome { codes: vec![wait(pid)?], stdout, stderr, ..Outcome::default() })
}

fn feed(task: &Task) -> Result<Outcome> {
    let input = task.input.take();
    let (inputs, outputs) = (pipe(BIG)?, pipe(BIG)?);
    let stdio = [Some(inputs.0.as_raw_fd()), Some(outputs.1.as_raw_fd()), None];
    let pid = spawn(&task.child, Child { stdio, args: &["cat"], ..Child::default() })?;
    drop((inputs.0, outputs.1));
    nonblocking(&inputs.1)?;
    let mut feeding = Some(inputs.1);
    let (mut rest, mut stdout) = (&input[..], Vec::new());
    loop {
        let mut fds = vec![interest(&outputs.0, libc::POLLIN)];
        fds.extend(feeding.as_ref().map(|end| interest(end, libc::POLLOUT)));
        poll(&mut fds)?;
        if let (Some(end), Some(libc::pollfd { revents: 1.., .. })) = (&feeding, fds.get(1)) {
            match write(end, &rest[..rest.len().min(256 * KIB)]) {
                Ok(put) => rest = &rest[put..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
            if rest.is_empty() {
                feeding = None;
            }
        }
        if fds[0].revents != 0 && read_into(&outputs.0, &mut stdout, 128 * KIB)? == 0 {
            return Outcome::captured(wait(pid)?, stdout);
        }
    }
}

/// Sleeps after a small read: a writer that finds no waiting reader need not wake one.
fn merged(task: &Task) -> Result<Outcome> {
    let (reader, writer) = pipe(BULK)?;
    let end = Some(writer.as_raw_fd());
    let pid =
        spawn(&task.child, Child { stdio: [None, end, end], args: &["tiny", &task.size_text()], ..Child::default() })?;
    drop(writer);
    let mut stdout = Vec::new();
    loop {
        match read_into(&reader, &mut stdout, 64 * KIB)? {
            0 => return Outcome::captured(wait(pid)?, stdout),
            1..4096 => thread::sleep(Duration::from_micros(100)),
            _ => {}
        }
    }
}

fn lines(task: &Task) -> Result<Outcome> {
    let (pid, reader) = source(task, &["lines", &task.size_text()], BULK)?;
    let (mut check, mut buffer) = (LineCheck::default(), Vec::new());
    while read_into(&reader, &mut buffer, 64 * KIB)? > 0 {
        let mut begin = 0;
        for end in memchr_iter(b'\n', &buffer) {
            check.see(&buffer[begin..end]);
            begin = end + 1;
        }
        buffer.drain(..begin);
    }
    check.outcome(wait(pid)?)
}

fn delay(task: &Task) -> Result<Outcome> {
    let (pid, reader) = source(task, &["ticks", &task.size_text()], SMALL)?;
    let (mut delays, mut buffer) = (Delays::default(), Vec::new());
    while read_into(&reader, &mut buffer, 4 * KIB)? > 0 {
        let whole = buffer.len() - buffer.len() % 17;
        for line in buffer[..whole].chunks(17) {
            delays.see(line)?;
        }
        buffer.drain(..whole);
    }
    delays.outcome(wait(pid)?)
}

fn relay(task: &Task) -> Result<Outcome> {
    let (from, output) = source(task, &["generate", &task.size_text()], BIG)?;
    let (to, input) = sink(task, BIG)?;
    while splice(&output, &input, BIG as usize)? > 0 {}
    drop(input);
    Outcome::codes([wait(from)?, wait(to)?])
}

fn tee_to_two(task: &Task) -> Result<Outcome> {
    let (from, output) = source(task, &["generate", &task.size_text()], BIG)?;
    let ((one, first), (other, second)) = (sink(task, BIG)?, sink(task, BIG)?);
    loop {
        let mut doubled = tee(&output, &first, BIG as usize)?;
        if doubled == 0 {
            break;
        }
        while doubled > 0 {
            doubled -= splice(&output, &second, doubled)?;
        }
    }
    drop((first, second));
    Outcome::codes([wait(from)?, wait(one)?, wait(other)?])
}

fn thousand(task: &Task) -> Result<Outcome> {
    let children = (0..task.size).map(|_| source(task, &["sleep", "500"], SMALL)).collect::<Result<Vec<_>>>()?;
    let mut fds: Vec<_> = children.iter().map(|(_, end)| interest(end, libc::POLLIN)).collect();
    let mut all = Outcome::default();
    while all.codes.len() < children.len() {
        poll(&mut fds)?;
        for (fd, (pid, end)) in fds.iter_mut().zip(&children) {
            if fd.fd >= 0 && fd.revents != 0 && read_into(end, &mut all.stdout, 4 * KIB)? == 0 {
                fd.fd = -1;
                all.codes.push(wait(*pid)?);
            }
        }
    }
    Ok(all)
}
