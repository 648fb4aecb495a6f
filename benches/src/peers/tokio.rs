//! The crate `tokio`, on its current-thread runtime, which leads its other one in these rows.

use std::cell::LazyCell;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::runtime::{Builder, Runtime};

use super::Job;
use super::os::{code, with_options};
use crate::task::{Delays, LineCheck, Outcome, Result, Task};

thread_local! {
    // Commands must be made and started inside of it.
    static RUNTIME: LazyCell<Runtime> =
        LazyCell::new(|| Builder::new_current_thread().enable_all().build().expect("a runtime starts"));
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    RUNTIME.with(|runtime| runtime.block_on(future))
}

pub fn job(row: &str) -> Option<Job> {
    Some(match row {
        "spawn" | "many-fds" => {
            |task| block_on(async { Outcome::codes([code(command(task, &["nop"]).status().await?)]) })
        }
        "capture" => |task| capture(task, &["hello"]),
        "three" => |task| block_on(pipeline(task, [&["nop"], &["nop"], &["nop"]])),
        "options" => |task| {
            block_on(async {
                let mut command = command(task, &["nop"]);
                with_options(command.as_std_mut());
                Outcome::codes([code(command.status().await?)])
            })
        },
        "pipeline" => |task| {
            let size = task.size_text();
            block_on(pipeline(task, [&["generate", &size], &["cat"], &["sink", &size]]))
        },
        "bulk" | "reuse" => |task| capture(task, &["generate", &task.size_text()]),
        "both" => |task| capture(task, &["both", &task.size_text()]),
        "feed" => |task| block_on(feed(task)),
        "merged" => |task| block_on(merged(task)),
        "lines" => |task| block_on(lines(task)),
        "delay" => |task| block_on(delay(task)),
        "relay" => |task| block_on(relay(task)),
        "tee" => |task| block_on(tee(task)),
        "thousand" => |task| block_on(thousand(task)),
        _ => return None,
    })
}

pub fn cannot(_: &str) -> Option<&'static str> {
    None
}

fn command(task: &Task, args: &[&str]) -> Command {
    let mut command = Command::new(&task.child);
    command.args(args);
    command
}

fn capture(task: &Task, args: &[&str]) -> Result<Outcome> {
    let output = block_on(async { command(task, args).output().await })?;
    let (stdout, stderr) = (output.stdout, output.stderr);
    Ok(Outcome { codes: vec![code(output.status)], stdout, stderr, ..Outcome::default() })
}

async fn pipeline(task: &Task, stages: [&[&str]; 3]) -> Result<Outcome> {
    let mut children: Vec<Child> = Vec::new();
    for (index, args) in stages.iter().enumerate() {
        let mut command = command(task, args);
        if let Some(before) = children.last_mut().and_then(|child| child.stdout.take()) {
            command.stdin(before.into_owned_fd()?);
        }
        if index < 2 {
            command.stdout(Stdio::piped());
        }
        children.push(command.spawn()?);
    }
    wait_all(children).await
}

async fn wait_all(children: Vec<Child>) -> Result<Outcome> {
    let mut codes = Vec::new();
    for mut child in children {
        codes.push(code(child.wait().await?));
    }
    Outcome::codes(codes)
}

async fn feed(task: &Task) -> Result<Outcome> {
    let input = task.input.take();
    let mut child = command(task, &["cat"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut stdin = child.stdin.take().ok_or("no stdin")?;
    let feed = async move { stdin.write_all(&input).await };
    let (fed, output) = tokio::join!(feed, child.wait_with_output());
    fed?;
    let output = output?;
    Outcome::captured(code(output.status), output.stdout)
}

async fn merged(task: &Task) -> Result<Outcome> {
    let (mut reader, writer) = merged_pipe()?;
    let mut command = command(task, &["tiny", &task.size_text()]);
    let mut child = command.stdout(writer.try_clone()?).stderr(writer).spawn()?;
    drop(command);
    let mut stdout = Vec::new();
    reader.read_to_end(&mut stdout).await?;
    Outcome::captured(code(child.wait().await?), stdout)
}

fn merged_pipe() -> Result<(tokio::net::unix::pipe::Receiver, std::io::PipeWriter)> {
    let (reader, writer) = std::io::pipe()?;
    let reader = tokio::net::unix::pipe::Receiver::from_owned_fd(reader.into())?;
    Ok((reader, writer))
}

async fn lines(task: &Task) -> Result<Outcome> {
    let mut child = command(task, &["lines", &task.size_text()]).stdout(Stdio::piped()).spawn()?;
    let mut stdout = BufReader::new(child.stdout.take().ok_or("no stdout")?);
    let (mut check, mut line) = (LineCheck::default(), Vec::new());
    while stdout.read_until(b'\n', &mut line).await? > 0 {
        check.see(line.strip_suffix(b"\n").unwrap_or(&line));
        line.clear();
    }
    check.outcome(code(child.wait().await?))
}

async fn delay(task: &Task) -> Result<Outcome> {
    let mut child = command(task, &["ticks", &task.size_text()]).stdout(Stdio::piped()).spawn()?;
    let mut stdout = BufReader::new(child.stdout.take().ok_or("no stdout")?);
    let (mut delays, mut line) = (Delays::default(), Vec::new());
    while stdout.read_until(b'\n', &mut line).await? > 0 {
        delays.see(&line)?;
        line.clear();
    }
    delays.outcome(code(child.wait().await?))
}

fn sink(task: &Task) -> Result<(Child, ChildStdin)> {
    let mut child = command(task, &["sink", &task.size_text()]).stdin(Stdio::piped()).spawn()?;
    let stdin = child.stdin.take().ok_or("no stdin")?;
    Ok((child, stdin))
}

async fn relay(task: &Task) -> Result<Outcome> {
    let mut from = command(task, &["generate", &task.size_text()]).stdout(Stdio::piped()).spawn()?;
    let (to, mut input) = sink(task)?;
    tokio::io::copy(&mut from.stdout.take().ok_or("no stdout")?, &mut input).await?;
    drop(input);
    wait_all(vec![from, to]).await
}

async fn tee(task: &Task) -> Result<Outcome> {
    let mut from = command(task, &["generate", &task.size_text()]).stdout(Stdio::piped()).spawn()?;
    let ((one, mut first), (other, mut second)) = (sink(task)?, sink(task)?);
    let mut output = from.stdout.take().ok_or("no stdout")?;
    let mut buffer = vec![0; 65_536];
    loop {
        let got = output.read(&mut buffer).await?;
        if got == 0 {
            break;
        }
        first.write_all(&buffer[..got]).await?;
        second.write_all(&buffer[..got]).await?;
    }
    drop((first, second));
    wait_all(vec![from, one, other]).await
}

async fn thousand(task: &Task) -> Result<Outcome> {
    let mut running = Vec::new();
    for _ in 0..task.size {
        let mut command = command(task, &["sleep", "500"]);
        running.push(command.stdout(Stdio::piped()).spawn()?);
    }
    let mut all = Outcome::default();
    for child in running {
        let output = child.wait_with_output().await?;
        all.codes.push(code(output.status));
        all.stdout.extend(output.stdout);
    }
    Ok(all)
}
