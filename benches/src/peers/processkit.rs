//! The crate `processkit`, on tokio's current-thread runtime. It puts every child into a group or cgroup of its own.

use std::cell::LazyCell;

use processkit::{Command, Pipeline, Stdin, StdioMode};
use tokio::runtime::{Builder, Runtime};

use super::Job;
use crate::task::{Outcome, Result, Task};

thread_local! {
    static RUNTIME: LazyCell<Runtime> =
        LazyCell::new(|| Builder::new_current_thread().enable_all().build().expect("a runtime starts"));
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    RUNTIME.with(|runtime| runtime.block_on(future))
}

pub fn job(row: &str) -> Option<Job> {
    Some(match row {
        "spawn" | "many-fds" => |task| {
            let command = command(task, &["nop"]).inherit_stdin();
            let command = command.stdout(StdioMode::Inherit).stderr(StdioMode::Inherit);
            Outcome::codes([block_on(async { command.start().await?.wait().await })?.code().unwrap_or(-1)])
        },
        "capture" => |task| capture(command(task, &["hello"])),
        "three" => |task| pipeline(task, [&["nop"], &["nop"], &["nop"]]),
        "options" => |task| {
            let command = command(task, &["nop"]).inherit_stdin().setsid().umask(0o027).current_dir("/");
            let command = command.stdout(StdioMode::Inherit).stderr(StdioMode::Inherit);
            Outcome::codes([block_on(async { command.start().await?.wait().await })?.code().unwrap_or(-1)])
        },
        "pipeline" => |task| {
            let size = task.size_text();
            pipeline(task, [&["generate", &size], &["cat"], &["sink", &size]])
        },
        "bulk" | "reuse" => |task| capture(command(task, &["generate", &task.size_text()])),
        "feed" => |task| capture(command(task, &["cat"]).stdin(Stdin::from_bytes(task.input.take()))),
        _ => return None,
    })
}

pub fn cannot(row: &str) -> Option<&'static str> {
    match row {
        "both" => Some("processkit captures stderr as text, in lines"),
        "merged" => Some("processkit merges streams inside of pipelines only"),
        "lines" | "delay" => {
            Some("processkit's lines are `String`s from a bounded queue that drops lines when it is full")
        }
        "relay" | "tee" => Some("processkit has no byte stream of a live child's stdout"),
        _ => None,
    }
}

fn command(task: &Task, args: &[&str]) -> Command {
    Command::new(&task.child).args(args)
}

fn capture(command: Command) -> Result<Outcome> {
    let result = block_on(command.output_bytes())?;
    Outcome::captured(result.code().unwrap_or(-1), result.into_stdout())
}

/// A bad exit of any stage is the pipeline's.
fn pipeline(task: &Task, stages: [&[&str]; 3]) -> Result<Outcome> {
    let [first, second, third] = stages.map(|args| command(task, args));
    let pipeline: Pipeline = first.pipe(second).pipe(third);
    let result = block_on(pipeline.output_bytes())?;
    Outcome::codes([result.code().unwrap_or(-1); 3])
}
