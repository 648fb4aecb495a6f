//! The first lines of a program that would never end: they come while it runs, and letting go of the iterator ends it.
//! `cargo run --example first_lines [PROGRAM [ARGUMENT…]]`

use std::env;

use pipewright::{Cmd, cmd};

fn main() -> pipewright::Result<()> {
    let mut args = env::args_os().skip(1);
    let command = match args.next() {
        Some(program) => Cmd::new(program).args(args),
        None => cmd!("yes", "on and on"),
    };
    for line in command.lines()?.take(4) {
        println!("{}", line?);
    }
    // The iterator is gone, and the program with it: killed and reaped.
    Ok(())
}
