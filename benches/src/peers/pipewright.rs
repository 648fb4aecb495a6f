//! This library, by its public surface.

use std::hint::black_box;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use pipewright::fd::{self, PollSet};
use pipewright::{Cmd, Job as Running, Output, Pipeline, Redirect, Resource};

use super::os::resident;
use super::{Job, pipewright_memory};
use crate::task::{Delays, LineCheck, Outcome, Result, Task};

pub fn job(row: &str) -> Option<Job> {
    Some(match row {
        "spawn" | "many-fds" => spawn,
        "capture" => |task| capture(&command(task, &["hello"])),
        "capture-test" => |_| {
            let said = pipewright::testing::capture_stdout(|| println!("hello"));
            Outcome::captured(0, said.stdout.into_vec())
        },
        "three" => |task| pipeline(task, [&["nop"], &["nop"], &["nop"]]),
        "options" => options,
        "option-fd" => |task| {
            let fd = std::io::stderr().as_fd().try_clone_to_owned()?;
            status(&command(task, &["nop"]).map_fd(fd, 3))
        },
        "option-group" => |task| status(&command(task, &["nop"]).process_group(0)),
        "option-session" => |task| status(&command(task, &["nop"]).new_session(true)),
        "option-rlimit" => |task| status(&command(task, &["nop"]).rlimit(Resource::Core, 64, 64)),
        "option-cwd" => |task| status(&command(task, &["nop"]).current_dir("/")),
        "option-umask" => |task| status(&command(task, &["nop"]).umask(0o027)),
        "pipeline" => |task| pipeline(task, [&["generate", &task.size_text()], &["cat"], &["sink", &task.size_text()]]),
        "bulk" => |task| capture(&command(task, &["generate", &task.size_text()])),
        "reuse" => reuse,
        "both" => |task| capture(&command(task, &["both", &task.size_text()])),
        "feed" => |task| capture(&command(task, &["cat"]).stdin(Redirect::bytes(task.input.take()))),
        "merged" => |task| capture(&command(task, &["tiny", &task.size_text()]).stderr_to_stdout()),
        "lines" => lines,
        "relay" => relay,
        "tee" => |task| tee(task, None),
        "delay" => delay,
        "thousand" => thousand,
        "memory" => |task| memory(task, true),
        "memory-bare" => |task| memory(task, false),
        "children-1" | "children-10" | "children-100" | "children-1000" | "children-2000" => children,
        "stages-1" | "stages-10" | "stages-100" | "stages-200" => stages,
        "plan" => plan,
        _ => return pipewright_memory::job(row),
    })
}

/// Second ways to do a row's job, as its own functions say.
pub fn second_job(row: &str) -> Option<Job> {
    Some(match row {
        "lines" => lines_iterator,
        "delay" => delay_iterator,
        "thousand" => jobs,
        "relay" => relay_feed,
        "tee" => |task| tee(task, Some(1 << 20)),
        _ => return None,
    })
}

fn command(task: &Task, args: &[&str]) -> Cmd {
    Cmd::new(&task.child).args(args)
}

fn code(status: pipewright::Status) -> i32 {
    status.code().unwrap_or(-1)
}

fn outcome(output: Output) -> Outcome {
    Outcome {
        codes: output.stages.iter().map(|stage| code(stage.status)).collect(),
        stdout: output.stdout.into_vec(),
        stderr: output.stderr.into_vec(),
        ..Outcome::default()
    }
}

fn spawn(task: &Task) -> Result<Outcome> {
    status(&command(task, &["nop"]))
}

fn status(command: &Cmd) -> Result<Outcome> {
    Outcome::codes([code(command.status()?)])
}

fn options(task: &Task) -> Result<Outcome> {
    let command = command(task, &["nop"]).new_session(true).umask(0o027).current_dir("/");
    let fd = std::io::stderr().as_fd().try_clone_to_owned()?;
    status(&command.rlimit(Resource::Core, 64, 64).map_fd(fd, 3))
}

fn capture(command: &Cmd) -> Result<Outcome> {
    Ok(outcome(command.output()?))
}

fn reuse(task: &Task) -> Result<Outcome> {
    let mut buffer = task.buffer.take();
    buffer.clear();
    let output = command(task, &["generate", &task.size_text()]).output_into(&mut buffer)?;
    Ok(Outcome { stdout: buffer, ..outcome(output) })
}

fn pipeline(task: &Task, stages: [&[&str]; 3]) -> Result<Outcome> {
    let pipeline: Pipeline = stages.iter().map(|args| command(task, args)).collect();
    Ok(outcome(pipeline.run()?))
}

fn lines(task: &Task) -> Result<Outcome> {
    let mut check = LineCheck::default();
    let output = command(task, &["lines", &task.size_text()]).for_each_line(|line| check.see(line))?;
    check.outcome(code(output.status))
}

/// With the iterator, whose lines the caller may keep.
fn lines_iterator(task: &Task) -> Result<Outcome> {
    let mut check = LineCheck::default();
    for line in command(task, &["lines", &task.size_text()]).lines_bytes()? {
        check.see(&line?);
    }
    // A bad exit would have been the last item.
    check.outcome(0)
}

fn delay(task: &Task) -> Result<Outcome> {
    let mut delays = Delays::default();
    let output = command(task, &["ticks", &task.size_text()]).for_each_line(|line| delays.see(line))?;
    delays.outcome(code(output.status))
}

fn delay_iterator(task: &Task) -> Result<Outcome> {
    let mut delays = Delays::default();
    for line in command(task, &["ticks", &task.size_text()]).lines_bytes()? {
        delays.see(&line?)?;
    }
    delays.outcome(0)
}

/// A child that reads what the caller writes.
fn sink(task: &Task) -> Result<Running> {
    Ok(command(task, &["sink", &task.size_text()]).stdin(Redirect::piped()).spawn()?)
}

fn relay(task: &Task) -> Result<Outcome> {
    let from = command(task, &["generate", &task.size_text()]).stdout(Redirect::piped()).spawn()?;
    let to = sink(task)?;
    let output = from.take_stdout().ok_or("no stdout")?;
    let input = to.take_stdin().ok_or("no stdin")?;
    fd::copy(&output, &input)?;
    drop(input);
    Outcome::codes([code(from.wait()?), code(to.wait()?)])
}

/// The relay as a redirect: the run's own engine moves the bytes.
fn relay_feed(task: &Task) -> Result<Outcome> {
    let to = sink(task)?;
    let input = to.take_stdin().ok_or("no stdin")?;
    let from = command(task, &["generate", &task.size_text()]);
    let from = from.stdout(Redirect::tee([Redirect::fd(input)])).run()?;
    Outcome::codes([code(from.status), code(to.wait()?)])
}

/// Into pipes of the kernel's size, or with a capacity of this many bytes.
fn tee(task: &Task, capacity: Option<usize>) -> Result<Outcome> {
    let (one, other) = (sink(task)?, sink(task)?);
    let targets = [one.take_stdin().ok_or("no stdin")?, other.take_stdin().ok_or("no stdin")?];
    if let Some(capacity) = capacity {
        for target in &targets {
            fd::set_capacity(target, capacity)?;
        }
    }
    let from = command(task, &["generate", &task.size_text()]);
    let from = from.stdout(Redirect::tee(targets.map(Redirect::fd))).run()?;
    Outcome::codes([code(from.status), code(one.wait()?), code(other.wait()?)])
}

/// All on this thread: the outputs are waited for together.
fn thousand(task: &Task) -> Result<Outcome> {
    let mut running = Vec::new();
    for _ in 0..task.size {
        let job = command(task, &["sleep", "500"]).stdout(Redirect::piped()).spawn()?;
        let stdout = job.take_stdout().ok_or("no stdout")?;
        running.push((job, stdout));
    }
    let mut all = Outcome::default();
    while !running.is_empty() {
        let mut set = PollSet::new();
        running.iter().for_each(|(_, stdout)| {
            set.readable(stdout);
        });
        set.wait(None)?;
        let ready: Vec<usize> = set.ready().collect();
        drop(set);
        for index in ready.into_iter().rev() {
            let (job, mut stdout) = running.swap_remove(index);
            stdout.read_to_end(&mut all.stdout)?;
            all.codes.push(code(job.wait()?));
        }
    }
    Ok(all)
}

/// The same by jobs that capture: each has what it needs to move its bytes.
fn jobs(task: &Task) -> Result<Outcome> {
    let start = |_| Ok(command(task, &["sleep", "500"]).stdout(Redirect::capture()).spawn()?);
    finish((0..task.size).map(start).collect::<Result<_>>()?)
}

fn finish(jobs: Vec<Running>) -> Result<Outcome> {
    let mut all = Outcome::default();
    for job in jobs {
        let one = outcome(job.output()?);
        all.codes.extend(one.codes);
        all.stdout.extend(one.stdout);
    }
    Ok(all)
}

/// Jobs that run until a pipe which they all read has no writer.
fn memory(task: &Task, captured: bool) -> Result<Outcome> {
    let (held, hold) = std::io::pipe()?;
    let held = Arc::new(OwnedFd::from(held));
    let before = resident()?;
    let start = |_| {
        let command = command(task, &["cat"]).stdin(Redirect::shared_fd(Arc::clone(&held)));
        let capture = Redirect::capture;
        Ok(if captured { command.stdout(capture()).stderr(capture()) } else { command }.spawn()?)
    };
    let jobs = (0..task.size).map(start).collect::<Result<Vec<_>>>()?;
    let each = (resident()? as f64 - before as f64) / task.size as f64;
    drop(hold);
    Ok(Outcome { figure: Some(each), ..finish(jobs)? })
}

fn children(task: &Task) -> Result<Outcome> {
    let mut jobs = Vec::new();
    for _ in 0..task.size {
        jobs.push(command(task, &["cat"]).stdin(Redirect::piped()).spawn()?);
    }
    let codes = jobs.iter().map(|job| Ok(code(job.wait()?))).collect::<Result<Vec<_>>>();
    Outcome::codes(codes?)
}

fn stages(task: &Task) -> Result<Outcome> {
    let pipeline: Pipeline = (0..task.size).map(|_| command(task, &["cat"])).collect();
    Ok(outcome(pipeline.stdin(Redirect::null()).run()?))
}

fn plan(task: &Task) -> Result<Outcome> {
    let args = ["-a", "-b", "--long", "option", "file one", "file two", "3", "4", "5", "last"];
    let command = command(task, &args);
    black_box(black_box(command.clone()).dry_run()?);
    Ok(Outcome { count: 1, ..Outcome::default() })
}
