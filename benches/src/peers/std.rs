//! The standard library.

use std::io::{Error, Read, Write};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread::{self, ScopedJoinHandle};
use std::time::Duration;

use super::os::{check_lines, code, delays, resident, with_options};
use super::{Job, memory};
use crate::task::{Outcome, Result, Task};

pub fn job(row: &str) -> Option<Job> {
    Some(match row {
        "spawn" | "many-fds" => spawn,
        "capture" => |task| capture(task, &["hello"]),
        "three" => |task| pipeline(task, [&["nop"], &["nop"], &["nop"]]),
        "options" => options,
        "pipeline" => |task| pipeline(task, [&["generate", &task.size_text()], &["cat"], &["sink", &task.size_text()]]),
        "bulk" | "reuse" => |task| capture(task, &["generate", &task.size_text()]),
        "both" => |task| capture(task, &["both", &task.size_text()]),
        "feed" => feed,
        "merged" => merged,
        "lines" => lines,
        "relay" => relay,
        "tee" => tee,
        "delay" => delay,
        "thousand" => thousand,
        "memory" => memory,
        "memory-bare" => memory_bare,
        "children-1" | "children-10" | "children-100" | "children-1000" | "children-2000" => children,
        "stages-1" | "stages-10" | "stages-100" | "stages-200" => stages,
        _ => return memory::std_job(row),
    })
}

/// The fast path, as a yardstick for what is done with options.
pub fn plain_job(row: &str) -> Option<Job> {
    (row == "options" || row.starts_with("option-")).then_some(spawn as Job)
}

fn command(task: &Task, args: &[&str]) -> Command {
    let mut command = Command::new(&task.child);
    command.args(args);
    command
}

fn spawn(task: &Task) -> Result<Outcome> {
    Outcome::codes([code(command(task, &["nop"]).status()?)])
}

fn options(task: &Task) -> Result<Outcome> {
    Outcome::codes([code(with_options(&mut command(task, &["nop"])).status()?)])
}

fn capture(task: &Task, args: &[&str]) -> Result<Outcome> {
    let output = command(task, args).output()?;
    let (stdout, stderr) = (output.stdout, output.stderr);
    Ok(Outcome { codes: vec![code(output.status)], stdout, stderr, ..Outcome::default() })
}

fn pipeline(task: &Task, stages: [&[&str]; 3]) -> Result<Outcome> {
    let mut children: Vec<Child> = Vec::new();
    for (index, args) in stages.iter().enumerate() {
        let mut command = command(task, args);
        if let Some(before) = children.last_mut().and_then(|child| child.stdout.take()) {
            command.stdin(before);
        }
        if index < 2 {
            command.stdout(Stdio::piped());
        }
        children.push(command.spawn()?);
    }
    wait_all(children)
}

fn wait_all(mut children: Vec<Child>) -> Result<Outcome> {
    let codes = children.iter_mut().map(|child| child.wait().map(code)).collect::<std::io::Result<Vec<_>>>();
    Outcome::codes(codes?)
}

fn feed(task: &Task) -> Result<Outcome> {
    let input = task.input.take();
    let mut child = command(task, &["cat"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut stdin = child.stdin.take().ok_or("no stdin")?;
    let feeder = thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output()?;
    feeder.join().map_err(|_| "the feeder panicked")??;
    Outcome::captured(code(output.status), output.stdout)
}

fn merged(task: &Task) -> Result<Outcome> {
    let (mut reader, writer) = std::io::pipe()?;
    let mut command = command(task, &["tiny", &task.size_text()]);
    let mut child = command.stdout(writer.try_clone()?).stderr(writer).spawn()?;
    // The command holds the writer's ends.
    drop(command);
    let mut stdout = Vec::new();
    reader.read_to_end(&mut stdout)?;
    Outcome::captured(code(child.wait()?), stdout)
}

fn lines(task: &Task) -> Result<Outcome> {
    let mut child = command(task, &["lines", &task.size_text()]).stdout(Stdio::piped()).spawn()?;
    let check = check_lines(child.stdout.take().ok_or("no stdout")?)?;
    check.outcome(code(child.wait()?))
}

fn delay(task: &Task) -> Result<Outcome> {
    let mut child = command(task, &["ticks", &task.size_text()]).stdout(Stdio::piped()).spawn()?;
    let delays = delays(child.stdout.take().ok_or("no stdout")?)?;
    delays.outcome(code(child.wait()?))
}

fn relay(task: &Task) -> Result<Outcome> {
    let mut from = command(task, &["generate", &task.size_text()]).stdout(Stdio::piped()).spawn()?;
    let mut to = command(task, &["sink", &task.size_text()]).stdin(Stdio::piped()).spawn()?;
    let mut output = from.stdout.take().ok_or("no stdout")?;
    let mut input = to.stdin.take().ok_or("no stdin")?;
    std::io::copy(&mut output, &mut input)?;
    drop(input);
    wait_all(vec![from, to])
}

fn tee(task: &Task) -> Result<Outcome> {
    let mut from = command(task, &["generate", &task.size_text()]).stdout(Stdio::piped()).spawn()?;
    let sink = || command(task, &["sink", &task.size_text()]).stdin(Stdio::piped()).spawn();
    let (mut one, mut other) = (sink()?, sink()?);
    let mut output = from.stdout.take().ok_or("no stdout")?;
    let mut inputs = [one.stdin.take().ok_or("no stdin")?, other.stdin.take().ok_or("no stdin")?];
    let mut buffer = vec![0; 65_536];
    loop {
        let got = output.read(&mut buffer)?;
        if got == 0 {
            break;
        }
        for input in &mut inputs {
            input.write_all(&buffer[..got])?;
        }
    }
    drop(inputs);
    wait_all(vec![from, one, other])
}

/// A thread for each, as there is no other way to read from many at once.
fn thousand(task: &Task) -> Result<Outcome> {
    let program = &task.child;
    let results: Vec<std::io::Result<Output>> = thread::scope(|scope| {
        let run = || Command::new(program).args(["sleep", "500"]).stderr(Stdio::inherit()).output();
        let threads: Vec<_> = (0..task.size).map(|_| scope.spawn(run)).collect();
        threads.into_iter().map(joined).collect()
    });
    all_of(results)
}

fn joined(thread: ScopedJoinHandle<'_, std::io::Result<Output>>) -> std::io::Result<Output> {
    thread.join().unwrap_or_else(|_| Err(Error::other("panicked")))
}

fn all_of(results: Vec<std::io::Result<Output>>) -> Result<Outcome> {
    let mut all = Outcome::default();
    for result in results {
        let one = result?;
        all.codes.push(code(one.status));
        all.stdout.extend(one.stdout);
    }
    Ok(all)
}

/// Children that run until a pipe which they all read has no writer, each with a thread.
fn memory(task: &Task) -> Result<Outcome> {
    let (held, hold) = std::io::pipe()?;
    let before = resident()?;
    let (program, started) = (&task.child, AtomicU64::new(0));
    let (results, with) = thread::scope(|scope| {
        let run = || {
            let held = held.try_clone();
            let mut command = Command::new(program);
            command.arg("cat").stdout(Stdio::piped()).stderr(Stdio::piped());
            let child = held.and_then(|held| command.stdin(held).spawn());
            // The command holds a descriptor.
            drop(command);
            started.fetch_add(1, Relaxed);
            child?.wait_with_output()
        };
        let threads: Vec<_> = (0..task.size).map(|_| scope.spawn(run)).collect();
        while started.load(Relaxed) < task.size {
            thread::sleep(Duration::from_millis(1));
        }
        let with = resident();
        drop(hold);
        (threads.into_iter().map(joined).collect(), with)
    });
    let figure = Some((with? as f64 - before as f64) / task.size as f64);
    Ok(Outcome { figure, ..all_of(results)? })
}

/// The same without captures.
fn memory_bare(task: &Task) -> Result<Outcome> {
    let (held, hold) = std::io::pipe()?;
    let before = resident()?;
    let start = |_| command(task, &["cat"]).stdin(held.try_clone()?).spawn();
    let children = (0..task.size).map(start).collect::<std::io::Result<Vec<_>>>()?;
    let figure = Some((resident()? as f64 - before as f64) / task.size as f64);
    drop(hold);
    Ok(Outcome { figure, ..wait_all(children)? })
}

fn children(task: &Task) -> Result<Outcome> {
    let mut children = Vec::new();
    for _ in 0..task.size {
        children.push(command(task, &["cat"]).stdin(Stdio::piped()).spawn()?);
    }
    wait_all(children)
}

fn stages(task: &Task) -> Result<Outcome> {
    let mut children: Vec<Child> = Vec::new();
    for index in 0..task.size {
        let mut command = command(task, &["cat"]);
        match children.last_mut().and_then(|child| child.stdout.take()) {
            Some(before) => command.stdin(before),
            None => command.stdin(Stdio::null()),
        };
        if index + 1 < task.size {
            command.stdout(Stdio::piped());
        }
        children.push(command.spawn()?);
    }
    wait_all(children)
}
