//! At which hours does this machine change its software? Programs and Rust code in one pipeline: what no program does in a
//! word, a closure does. `cargo run --example mixed_pipeline [LOG]`, of Debian's package manager

use std::env;
use std::io::{BufRead, Write};
use std::time::Duration;

use pipewright::{Error, cmd};

const BUNDLED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/data/dpkg.log");

fn main() -> Result<(), Error> {
    let log = env::args_os().nth(1).unwrap_or(BUNDLED.into());
    let installed = cmd!("grep", "-F", " status installed ", log).allow_codes([1]); // 1: there is none
    let hours = installed.pipe_fn(|input, output| {
        for (number, line) in input.lines().enumerate() {
            let line = line?;
            // `2025-06-24 14:36:25 status installed zlib1g:amd64 1:1.2.13`
            let time = line.split(' ').nth(1).filter(|time| time.len() == 8);
            let hour = time.and_then(|time| time.split(':').next()?.parse::<u8>().ok());
            let hour = hour.ok_or_else(|| format!("line {number} has no time: {line}"))?;
            writeln!(output, "{hour:02}:00 to {hour:02}:59")?;
        }
        Ok(())
    });
    let counted = hours.label("hours") | cmd!("sort") | cmd!("uniq", "-c");
    counted.env("LC_ALL", "C").timeout(Duration::from_secs(60)).run()?;
    Ok(())
}
