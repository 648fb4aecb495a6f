//! Why does the output of a program that has ended not end? Another process holds its pipe: which one, and under which number.
//! `cargo run --example leak_report [PROGRAM [ARGUMENT…]]`

use std::env;
use std::time::Duration;

use pipewright::{Cmd, OnLeak};

fn main() -> pipewright::Result<()> {
    let mut args = env::args_os().skip(1);
    let command = match args.next() {
        Some(program) => Cmd::new(program).args(args),
        None => Cmd::sh("sleep 60 & echo 'started in the background'"),
    };
    // `Allow` would let them be, `Fail` make it an error.
    let out = command.eof_grace(Duration::from_millis(50)).on_leak(OnLeak::Kill).output()?;
    print!("{}", out.stdout_lossy());
    let Some(leak) = &out.leaked else {
        println!("no process held a stream");
        return Ok(());
    };
    for stream in &leak.streams {
        println!("its {stream} was still open");
    }
    for holder in &leak.holders {
        println!("{} ({}) had it as fd {}", holder.name, holder.pid, holder.fd);
    }
    for process in leak.processes.iter().filter(|process| process.killed) {
        println!("{} ({}) was killed", process.name, process.pid);
    }
    Ok(())
}
