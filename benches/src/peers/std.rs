//! The standard library.

use std::io::{Error, Read, Write};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
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
        "thousand" => |task| thousand(task, "500", false),
        "memory" => |task| thousand(task, "1500", true),
        "children-1" | "children-10" | "children-100" | "children-1000" | "children-2000" => children,
        "stages-1" | "stages-10" | "stages-100" | "stages-200" => stages,
        _ => return memory::std_job(row),
    })
}

/// The fast path, as a yardstick for what is done with options.
pub fn plain_job(row: &str) -> Option<Job> {
    (row == "options").then_some(spawn as Job)
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
fn thousand(task: &Task, millis: &str, memory: bool) -> Result<Outcome> {
    let before = resident()?;
    let program = &task.child;
    let mut with = before;
    let results: Vec<std::io::Result<Output>> = thread::scope(|scope| {
        let run = || Command::new(program).args(["sleep", millis]).stderr(Stdio::inherit()).output();
        let threads: Vec<_> = (0..task.size).map(|_| scope.spawn(run)).collect();
        if memory {
            // All of them run by then, and none has ended.
            thread::sleep(Duration::from_millis(1000));
            with = resident().unwrap_or(0);
        }
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err(Error::other("panicked")))).collect()
    });
    let mut all = Outcome::default();
    for result in results {
        let one = result?;
        all.codes.push(code(one.status));
        all.stdout.extend(one.stdout);
    }
    all.figure = memory.then_some((with - before) as f64 / task.size as f64);
    Ok(all)
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
