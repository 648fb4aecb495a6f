//! Which packages changed their state most often? Asks the log of Debian's package manager, by the tools that a shell
//! would use, without a shell: `cargo run --example pipeline [LOG]`.

use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use pipewright::{Error, Output, Redirect, cmd};

const BUNDLED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/data/dpkg.log");

fn main() -> ExitCode {
    let log = env::args_os().nth(1).map_or(PathBuf::from(BUNDLED), PathBuf::from);
    match busiest_packages(&log) {
        Ok(output) => {
            print_counts(&output.stdout_lossy());
            print_stages(&output);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("pipeline: {error}{}", last_words(&error));
            ExitCode::FAILURE
        }
    }
}

/// `2025-06-24 14:36:25 status unpacked zlib1g:amd64 1:1.2.13` is one change of state.
fn busiest_packages(log: &Path) -> Result<Output, Error> {
    let pipeline = cmd!("grep", " status ").allow_codes([1]) // 1: no such line, which is an answer
        | cmd!("cut", "-d", " ", "-f", "5").label("cut package")
        | cmd!("cut", "-d", ":", "-f", "1").label("cut name")
        | cmd!("sort")
        | cmd!("uniq", "-c")
        | cmd!("sort", "-k1,1nr", "-k2").label("sort by count")
        | cmd!("head", "-n", "10");
    pipeline.stdin(Redirect::file(log)).env("LC_ALL", "C").timeout(Duration::from_secs(60)).output()
}

fn print_counts(counts: &str) {
    println!("changes  package");
    for line in counts.lines() {
        let (count, package) = line.trim_start().split_once(' ').unwrap_or((line, ""));
        println!("{count:>7}  {package}");
    }
}

fn print_stages(output: &Output) {
    println!("\nstage          status                    wall ms   CPU ms  peak KiB");
    for stage in &output.stages {
        let (cpu, peak) = match &stage.usage {
            Some(usage) => (millis(usage.cpu_time()), (usage.max_rss / 1024).to_string()),
            None => ("?".into(), "?".into()),
        };
        let status = stage.status.to_string();
        println!("{:<13}  {status:<24}  {:>7}  {cpu:>7}  {peak:>8}", stage.label, millis(stage.wall));
    }
    println!("(A child starts out in this program's memory, so no peak is below this program's own.)");
}

fn millis(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64() * 1000.0)
}

/// What the failed command itself said last.
fn last_words(error: &Error) -> String {
    let stderr = error.output().map(Output::stderr_lossy).unwrap_or_default();
    stderr.lines().last().map(|line| format!(": {line}")).unwrap_or_default()
}
