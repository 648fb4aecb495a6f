//! The crate `async-process`, on `futures-lite`'s executor.

use async_process::{Child, Command, Stdio};
use futures_lite::future::{block_on, zip};
use futures_lite::io::BufReader;
use futures_lite::{AsyncBufReadExt, AsyncWriteExt};

use super::Job;
use super::os::code;
use crate::task::{Delays, LineCheck, Outcome, Result, Task};

pub fn job(row: &str) -> Option<Job> {
    Some(match row {
        "spawn" | "many-fds" => {
            |task| block_on(async { Outcome::codes([code(command(task, &["nop"]).status().await?)]) })
        }
        "capture" => |task| capture(task, &["hello"]),
        "three" => |task| block_on(pipeline(task, [&["nop"], &["nop"], &["nop"]])),
        "pipeline" => |task| {
            let size = task.size_text();
            block_on(pipeline(task, [&["generate", &size], &["cat"], &["sink", &size]]))
        },
        "lines" => |task| block_on(lines(task)),
        "delay" => |task| block_on(delay(task)),
        "relay" => |task| block_on(relay(task)),
        _ => return None,
    })
}

pub fn cannot(row: &str) -> Option<&'static str> {
    match row {
        "bulk" | "reuse" | "both" | "feed" | "merged" => Some(
            "async-process: `futures-lite` fills the whole spare capacity with zeroes after each wait, so that a capture's time is quadratic in its size (about 13 MB/s here)",
        ),
        _ => None,
    }
}

fn command(task: &Task, args: &[&str]) -> Command {
    let mut command = Command::new(&task.child);
    command.args(args);
    command
}

fn capture(task: &Task, args: &[&str]) -> Result<Outcome> {
    let output = block_on(command(task, args).output())?;
    Outcome::captured(code(output.status), output.stdout)
}

async fn pipeline(task: &Task, stages: [&[&str]; 3]) -> Result<Outcome> {
    let mut children: Vec<Child> = Vec::new();
    for (index, args) in stages.iter().enumerate() {
        let mut command = command(task, args);
        if let Some(before) = children.last_mut().and_then(|child| child.stdout.take()) {
            command.stdin(before.into_stdio().await?);
        }
        if index < 2 {
            command.stdout(Stdio::piped());
        }
        children.push(command.spawn()?);
    }
    let mut codes = Vec::new();
    for mut child in children {
        codes.push(code(child.status().await?));
    }
    Outcome::codes(codes)
}

async fn lines(task: &Task) -> Result<Outcome> {
    let mut child = command(task, &["lines", &task.size_text()]).stdout(Stdio::piped()).spawn()?;
    let mut stdout = BufReader::new(child.stdout.take().ok_or("no stdout")?);
    let (mut check, mut line) = (LineCheck::default(), Vec::new());
    while stdout.read_until(b'\n', &mut line).await? > 0 {
        check.see(line.strip_suffix(b"\n").unwrap_or(&line));
        line.clear();
    }
    check.outcome(code(child.status().await?))
}

async fn delay(task: &Task) -> Result<Outcome> {
    let mut child = command(task, &["ticks", &task.size_text()]).stdout(Stdio::piped()).spawn()?;
    let mut stdout = BufReader::new(child.stdout.take().ok_or("no stdout")?);
    let (mut delays, mut line) = (Delays::default(), Vec::new());
    while stdout.read_until(b'\n', &mut line).await? > 0 {
        delays.see(&line)?;
        line.clear();
    }
    delays.outcome(code(child.status().await?))
}

async fn relay(task: &Task) -> Result<Outcome> {
    let mut from = command(task, &["generate", &task.size_text()]).stdout(Stdio::piped()).spawn()?;
    let mut to = command(task, &["sink", &task.size_text()]).stdin(Stdio::piped()).spawn()?;
    let output = from.stdout.take().ok_or("no stdout")?;
    let mut input = to.stdin.take().ok_or("no stdin")?;
    futures_lite::io::copy(output, &mut input).await?;
    input.close().await?;
    drop(input);
    let (one, other) = zip(from.status(), to.status()).await;
    Outcome::codes([code(one?), code(other?)])
}
