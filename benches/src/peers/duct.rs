//! The crate `duct`.

use duct::{Expression, cmd};

use super::Job;
use super::os::{check_lines, code, delays};
use crate::task::{Outcome, Result, Task};

pub fn job(row: &str) -> Option<Job> {
    Some(match row {
        "spawn" | "many-fds" => |task| Outcome::codes([code(command(task, &["nop"]).unchecked().run()?.status)]),
        "capture" => |task| capture(command(task, &["hello"])),
        "three" => |task| pipeline(task, [&["nop"], &["nop"], &["nop"]]),
        "pipeline" => |task| pipeline(task, [&["generate", &task.size_text()], &["cat"], &["sink", &task.size_text()]]),
        "bulk" | "reuse" => |task| capture(command(task, &["generate", &task.size_text()])),
        "both" => |task| capture(command(task, &["both", &task.size_text()])),
        "feed" => |task| capture(command(task, &["cat"]).stdin_bytes(task.input.take())),
        "merged" => |task| {
            let output = command(task, &["tiny", &task.size_text()]).stderr_to_stdout().stdout_capture().run()?;
            Outcome::captured(code(output.status), output.stdout)
        },
        "lines" => |task| {
            let reader = command(task, &["lines", &task.size_text()]).reader()?;
            // A bad exit is an error at the end of the stream.
            check_lines(&reader)?.outcome(0)
        },
        "delay" => |task| delays(&command(task, &["ticks", &task.size_text()]).reader()?)?.outcome(0),
        "thousand" => thousand,
        _ => return None,
    })
}

pub fn cannot(row: &str) -> Option<&'static str> {
    match row {
        "relay" | "tee" => Some("duct has no writer end of a child's stdin"),
        "options" => Some("duct's hook gets a `std::process::Command`: the figure would be std's"),
        _ => None,
    }
}

fn command(task: &Task, args: &[&str]) -> Expression {
    cmd(&task.child, args)
}

fn capture(command: Expression) -> Result<Outcome> {
    let output = command.stdout_capture().stderr_capture().unchecked().run()?;
    let (stdout, stderr) = (output.stdout, output.stderr);
    Ok(Outcome { codes: vec![code(output.status)], stdout, stderr, ..Outcome::default() })
}

/// A bad exit of any stage would be the run's error.
fn pipeline(task: &Task, stages: [&[&str]; 3]) -> Result<Outcome> {
    let [first, second, third] = stages.map(|args| command(task, args));
    let output = first.pipe(second).pipe(third).run()?;
    Outcome::codes([code(output.status); 3])
}

fn thousand(task: &Task) -> Result<Outcome> {
    let mut all = Outcome::default();
    let start = |_| command(task, &["sleep", "500"]).stdout_capture().start();
    let handles = (0..task.size).map(start).collect::<std::io::Result<Vec<_>>>()?;
    for handle in handles {
        let output = handle.into_output()?;
        all.codes.push(code(output.status));
        all.stdout.extend(output.stdout);
    }
    Ok(all)
}
