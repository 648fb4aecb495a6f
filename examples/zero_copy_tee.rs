//! What a child writes, to a file and to a second child at once, and no byte of it through this process:
//! `cargo run --release --example zero_copy_tee [LINES]`. Linux.

use std::error::Error;
use std::fs::File;
use std::io::Read;
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use pipewright::{Redirect, cmd, fd};

/// For the two pipes that everything goes through: on smaller ones, reading and writing would be as quick.
const CAPACITY: usize = 1024 * 1024;

fn main() -> ExitCode {
    let lines = std::env::args().nth(1).unwrap_or_else(|| "1000000".into());
    match run(&lines) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("zero_copy_tee: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(lines: &str) -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("copy");
    let file = File::create(&path)?;
    let sum = cmd!("cksum").env("LC_ALL", "C").timeout(Duration::from_secs(600));

    let began = Instant::now();
    let writer = cmd!("seq", lines).stdout(Redirect::piped()).timeout(Duration::from_secs(600)).spawn()?;
    let reader = sum.clone().stdin(Redirect::piped()).stdout(Redirect::piped()).spawn()?;
    let from = writer.take_stdout().ok_or("it was piped")?;
    let to = reader.take_stdin().ok_or("it was piped")?;
    // A wish: a user's pipes have a budget.
    let _ = (fd::set_capacity(&from, CAPACITY), fd::set_capacity(&to, CAPACITY));
    let bytes = tee(&from, &to, &file)?;
    drop(to);
    let mut seen = String::new();
    reader.take_stdout().ok_or("it was piped")?.read_to_string(&mut seen)?;
    reader.output()?;
    writer.output()?;
    let took = began.elapsed();

    let again = sum.stdin(Redirect::file(&path)).read()?;
    println!("the child's sum:  {}\nthe file's sum:   {again}", seen.trim_end());
    let own = getrusage(UsageWho::RUSAGE_SELF)?;
    let (user, system) = (own.user_time(), own.system_time());
    println!("{bytes} bytes in {took:.2?}, this process: {}.{:06} s in itself", user.tv_sec(), user.tv_usec());
    println!("and {}.{:06} s in the kernel", system.tv_sec(), system.tv_usec());
    if seen.trim_end() == again { Ok(()) } else { Err("the file has other bytes".into()) }
}

/// Shows all that comes to the one pipe, and moves it to the file.
fn tee(from: impl AsFd, to: impl AsFd, file: impl AsFd) -> std::io::Result<u64> {
    let mut bytes = 0;
    loop {
        let shown = fd::tee_pipes(&from, &to, CAPACITY)?;
        if shown == 0 {
            return Ok(bytes);
        }
        bytes += fd::copy_at_most(&from, &file, shown as u64)?.bytes;
    }
}
