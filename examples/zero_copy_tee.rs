//! What a program writes, to a file and to a second program at once, and no byte of it through this process. Linux.
//! `cargo run --example zero_copy_tee [LINES]` says what that cost this process.

use std::error::Error;
use std::fs::File;
use std::io::{self, read_to_string};
use std::os::fd::AsFd;
use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use pipewright::{Redirect, cmd, fd};

/// For the two pipes that everything goes through: on smaller ones, reading and writing would be as quick.
const CAPACITY: usize = 1024 * 1024;

fn main() -> Result<(), Box<dyn Error>> {
    let lines = std::env::args().nth(1).unwrap_or_else(|| "1000000".into());
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("copy");
    let file = File::create(&path)?;
    let limit = Duration::from_secs(600);
    let sum = cmd!("cksum").timeout(limit);

    let writer = cmd!("seq", lines).stdout(Redirect::piped()).timeout(limit).spawn()?;
    let reader = sum.clone().stdin(Redirect::piped()).stdout(Redirect::piped()).spawn()?;
    let from = writer.take_stdout().ok_or("it was piped")?;
    let to = reader.take_stdin().ok_or("it was piped")?;
    // A wish: a user's pipes have a budget.
    let _ = (fd::set_capacity(&from, CAPACITY), fd::set_capacity(&to, CAPACITY));
    let bytes = tee(&from, &to, &file)?;
    drop(to);
    println!("the program's sum: {}", read_to_string(reader.take_stdout().ok_or("it was piped")?)?.trim_end());
    reader.output()?;
    writer.output()?;

    println!("the file's sum:    {}", sum.stdin(Redirect::file(&path)).read()?);
    let cost = getrusage(UsageWho::RUSAGE_SELF)?;
    println!("{bytes} bytes: {} in this process, {} in the kernel", cost.user_time(), cost.system_time());
    Ok(())
}

/// Shows all that comes to the one pipe, and moves it to the file.
fn tee(from: impl AsFd, to: impl AsFd, file: impl AsFd) -> io::Result<u64> {
    let mut bytes = 0;
    loop {
        let shown = fd::tee_pipes(&from, &to, CAPACITY)?;
        if shown == 0 {
            return Ok(bytes);
        }
        bytes += fd::copy_at_most(&from, &file, shown as u64)?.bytes;
    }
}
