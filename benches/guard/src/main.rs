//! Counts the instructions of hot paths under valgrind's callgrind, and fails when one takes a tenth more than the baseline says.
//! `--bless` writes the baseline anew. Instructions of the library's own process, outside the kernel; no clock is read.
//!
//! Each path runs twice, once with three times the rounds: the difference is free of what a process costs by itself.
//!
//! Counts are of one compiler, C library and valgrind, which the baseline names. With others they are shown, and nothing fails: another compiler moves
//! each path by another share, so that no path can stand for how the others should have moved.

mod paths;

use std::fmt::Write;
use std::process::{Command, ExitCode, Stdio};

use paths::{PATHS, Path, Result};

const BASELINE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/baseline.txt");
/// What comes before the toolchain in it.
const TOOLCHAIN: &str = "# With ";
/// How much more than the baseline is too much.
const TOLERANCE: f64 = 1.10;

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<bool> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--child", mib] => paths::write_lines(mib.parse()?).map(|()| true),
        ["--path", name, rounds] => {
            let path = PATHS.iter().find(|path| path.name == name).ok_or("no such path")?;
            (path.run)(rounds.parse()?).map(|()| true)
        }
        [] => match toolchain() {
            Some(toolchain) => compare(&toolchain),
            None => {
                println!("skipped: the guard of instruction counts, as valgrind is not here");
                Ok(true)
            }
        },
        ["--bless"] => bless(&toolchain().ok_or("valgrind is not here")?).map(|()| true),
        _ => Err("usage: pipewright-guard [--bless]".into()),
    }
}

/// All that a count depends on beside the code; none without valgrind.
fn toolchain() -> Option<String> {
    let valgrind = says("valgrind", &["--version"])?;
    let libc = says("getconf", &["GNU_LIBC_VERSION"]).unwrap_or_else(|| "another C library".to_owned());
    Some(format!("{} for {}, {libc}, {valgrind}", env!("GUARD_RUSTC"), env!("GUARD_TARGET")))
}

fn says(program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program).args(args).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Instructions per round; the least of three, as threads and a child may add some.
fn count(path: &Path) -> Result<u64> {
    let mut least = u64::MAX;
    for _ in 0..3 {
        let (few, many) = (collect(path, path.rounds)?, collect(path, 3 * path.rounds)?);
        least = least.min(many.saturating_sub(few) / (2 * path.rounds));
    }
    Ok(least)
}

fn collect(path: &Path, rounds: u64) -> Result<u64> {
    let mut command = Command::new(pipewright::which("valgrind")?);
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(std::env::current_exe()?);
    command.args(["--path", path.name, &rounds.to_string()]).stdin(Stdio::null()).stdout(Stdio::null());
    let valgrind = command.stderr(Stdio::piped()).spawn()?;
    // A spawn's cost depends on how many variables there are to pass on: always the same ones here.
    command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin");
    command.envs((0..30).map(|number| (format!("VARIABLE_{number}"), "a value of some length")));
    // A forked child that ends without an exec prints a line of its own, at any time.
    let ours = format!("=={}== Collected : ", valgrind.id());
    let output = valgrind.wait_with_output()?;
    let text = String::from_utf8_lossy(&output.stderr);
    let counted = text.lines().find_map(|line| line.strip_prefix(&ours)?.trim().parse().ok());
    match counted {
        Some(counted) if output.status.success() => Ok(counted),
        _ => Err(format!("`{}` failed under valgrind:\n{text}", path.name).into()),
    }
}

fn compare(toolchain: &str) -> Result<bool> {
    let baseline = std::fs::read_to_string(BASELINE)?;
    let blessed = baseline.lines().find_map(|line| line.strip_prefix(TOOLCHAIN)).ok_or("no toolchain: --bless")?;
    let mut good = true;
    for path in PATHS {
        let line = baseline.lines().find_map(|line| line.strip_prefix(path.name)?.strip_prefix(' '));
        let before: u64 =
            line.and_then(|line| line.split(' ').next()?.parse().ok()).ok_or("a path has no baseline: --bless")?;
        let now = count(path)?;
        let ratio = now as f64 / before as f64;
        let verdict = match ratio {
            _ if ratio > TOLERANCE => "TOO MANY",
            _ if ratio < 1.0 / TOLERANCE => "fewer: --bless keeps it so",
            _ => "ok",
        };
        good &= ratio <= TOLERANCE;
        println!("{:10}{now:>9} instructions, baseline {before:>9}, {ratio:.2}: {verdict}", path.name);
    }
    if blessed != toolchain {
        println!("skipped: a verdict, as the baseline is of {blessed}, and this is {toolchain}");
    }
    Ok(good || blessed != toolchain)
}

fn bless(toolchain: &str) -> Result<()> {
    let mut text = String::from("# Instructions per round, as `cargo run --release -- --bless` counted them.\n");
    writeln!(text, "{TOOLCHAIN}{toolchain}")?;
    for path in PATHS {
        writeln!(text, "{} {} {}", path.name, count(path)?, path.what)?;
    }
    print!("{text}");
    Ok(std::fs::write(BASELINE, text)?)
}
