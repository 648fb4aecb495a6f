//! The crate `xshell`.

use xshell::{Cmd, Shell};

use super::Job;
use super::os::code;
use crate::task::{Outcome, Result, Task};

pub fn job(row: &str) -> Option<Job> {
    Some(match row {
        "spawn" | "many-fds" => |task| {
            command(&Shell::new()?, task, &["nop"]).run()?;
            Outcome::codes([0])
        },
        "capture" => |task| capture(command(&Shell::new()?, task, &["hello"])),
        "bulk" | "reuse" => |task| capture(command(&Shell::new()?, task, &["generate", &task.size_text()])),
        "both" => |task| capture(command(&Shell::new()?, task, &["both", &task.size_text()])),
        "feed" => |task| capture(command(&Shell::new()?, task, &["cat"]).stdin(task.input.take())),
        _ => return None,
    })
}

pub fn cannot(row: &str) -> Option<&'static str> {
    match row {
        "three" | "pipeline" => Some("xshell has no pipelines"),
        "merged" => Some("xshell cannot merge streams"),
        "lines" | "delay" | "relay" | "tee" => Some("xshell gives output at the end only"),
        _ => None,
    }
}

fn command<'a>(shell: &'a Shell, task: &Task, args: &[&str]) -> Cmd<'a> {
    shell.cmd(&task.child).args(args).quiet()
}

fn capture(command: Cmd<'_>) -> Result<Outcome> {
    let output = command.output()?;
    let (stdout, stderr) = (output.stdout, output.stderr);
    Ok(Outcome { codes: vec![code(output.status)], stdout, stderr, ..Outcome::default() })
}
