//! A time limit for all that a program starts: every process is asked to end, then killed and named, whatever its parent is by then.
//! `cargo run --example timeout_tree [SECONDS PROGRAM [ARGUMENT…]]`

use std::env;
use std::time::Duration;

use pipewright::{Cmd, Containment};

/// A child; one that ignores the first signal; and one whose parent has ended.
const TREE: &str = "sleep 60 & (trap '' TERM; sleep 60; sleep 60) & (sleep 60 &) ; wait";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = env::args_os().skip(1);
    let seconds = args.next().and_then(|text| text.to_str()?.parse().ok()).unwrap_or(0.2);
    let command = match args.next() {
        Some(program) => Cmd::new(program).args(args),
        None => Cmd::sh(TREE),
    };
    let job = command.contain(Containment::Group).spawn()?;
    if let Some(status) = job.wait_timeout(Duration::try_from_secs_f64(seconds)?)? {
        println!("in time: {status}");
        return Ok(());
    }
    // One more in the group is the shell that ignores SIGTERM: it gets SIGKILL behind this.
    let report = job.shutdown(Duration::from_millis(100))?;
    println!("out of time: {}", job.wait()?);
    println!("found by: {:?}", report.means);
    println!("ended: {} processes, {} first", report.killed.len(), report.killed[0]);
    for survivor in &report.survivors {
        println!("left: {} ({}): {}", survivor.name, survivor.pid, survivor.why);
    }
    println!("known to be all: {}", if report.complete { "yes" } else { "no, a process may leave a group unseen" });
    Ok(())
}
