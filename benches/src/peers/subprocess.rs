//! The crate `subprocess`.

use std::io::{Read, Write};

use subprocess::{Exec, ExecExt, ExitStatus, Redirection};

use super::Job;
use super::os::{check_lines, delays};
use crate::task::{Outcome, Result, Task};

pub fn job(row: &str) -> Option<Job> {
    Some(match row {
        "spawn" | "many-fds" => |task| Outcome::codes([code(command(task, &["nop"]).join()?)]),
        "capture" => |task| capture(command(task, &["hello"])),
        "three" => |task| pipeline(task, [&["nop"], &["nop"], &["nop"]]),
        "options" => |task| Outcome::codes([code(command(task, &["nop"]).setpgid().cwd("/").join()?)]),
        "pipeline" => |task| pipeline(task, [&["generate", &task.size_text()], &["cat"], &["sink", &task.size_text()]]),
        "bulk" | "reuse" => |task| capture(command(task, &["generate", &task.size_text()])),
        "both" => |task| capture(command(task, &["both", &task.size_text()])),
        "feed" => |task| capture(command(task, &["cat"]).stdin(task.input.take())),
        "merged" => |task| {
            let command = command(task, &["tiny", &task.size_text()]);
            let output = command.stdout(Redirection::Pipe).stderr(Redirection::Merge).capture()?;
            Outcome::captured(code(output.exit_status), output.stdout)
        },
        "lines" => |task| {
            let mut job = command(task, &["lines", &task.size_text()]).stdout(Redirection::Pipe).start()?;
            let check = check_lines(job.stdout.take().ok_or("no stdout")?)?;
            check.outcome(code(job.wait()?))
        },
        "delay" => |task| {
            let mut job = command(task, &["ticks", &task.size_text()]).stdout(Redirection::Pipe).start()?;
            let delays = delays(job.stdout.take().ok_or("no stdout")?)?;
            delays.outcome(code(job.wait()?))
        },
        "relay" => relay,
        "tee" => tee,
        _ => return None,
    })
}

pub fn cannot(row: &str) -> Option<&'static str> {
    match row {
        "thousand" => {
            Some("subprocess takes a thread of the caller's per capture, as std does, and more time per start")
        }
        _ => None,
    }
}

fn command(task: &Task, args: &[&str]) -> Exec {
    Exec::cmd(&task.child).args(args)
}

fn code(status: ExitStatus) -> i32 {
    status.code().map_or(-1, |code| code as i32)
}

fn capture(command: Exec) -> Result<Outcome> {
    let output = command.stdout(Redirection::Pipe).stderr(Redirection::Pipe).capture()?;
    let (stdout, stderr) = (output.stdout, output.stderr);
    Ok(Outcome { codes: vec![code(output.exit_status)], stdout, stderr, ..Outcome::default() })
}

/// Only the last code is told.
fn pipeline(task: &Task, stages: [&[&str]; 3]) -> Result<Outcome> {
    let [first, second, third] = stages.map(|args| command(task, args));
    let status = (first | second | third).join()?;
    Outcome::codes([code(status); 3])
}

fn relay(task: &Task) -> Result<Outcome> {
    let mut from = command(task, &["generate", &task.size_text()]).stdout(Redirection::Pipe).start()?;
    let mut to = command(task, &["sink", &task.size_text()]).stdin(Redirection::Pipe).start()?;
    let mut input = to.stdin.take().ok_or("no stdin")?;
    std::io::copy(&mut from.stdout.take().ok_or("no stdout")?, &mut input)?;
    drop(input);
    Outcome::codes([code(from.wait()?), code(to.wait()?)])
}

fn tee(task: &Task) -> Result<Outcome> {
    let mut from = command(task, &["generate", &task.size_text()]).stdout(Redirection::Pipe).start()?;
    let sink = || command(task, &["sink", &task.size_text()]).stdin(Redirection::Pipe).start();
    let (mut one, mut other) = (sink()?, sink()?);
    let mut inputs = [one.stdin.take().ok_or("no stdin")?, other.stdin.take().ok_or("no stdin")?];
    let mut output = from.stdout.take().ok_or("no stdout")?;
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
    Outcome::codes([code(from.wait()?), code(one.wait()?), code(other.wait()?)])
}
