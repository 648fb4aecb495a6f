//! Prompts only at a terminal: sorts the words of a line that is typed, or those of a pipe or a file, which the
//! first program of the pipeline then reads by itself. `cargo run --example stdin_kind`, `… stdin_kind < README.md`

use std::error::Error;
use std::io::{self, IsTerminal, Write};

use pipewright::{Redirect, cmd};

fn main() -> Result<(), Box<dyn Error>> {
    let words = if io::stdin().is_terminal() {
        // Not on stdout, which may be a file.
        eprint!("Words to sort? ");
        let mut line = String::new();
        io::stdin().read_line(&mut line)?;
        Redirect::bytes(line)
    } else {
        Redirect::inherit()
    };
    let sorted = cmd!("tr", "-s", "[:space:]", "\n") | cmd!("sort", "-u");
    let sorted = sorted.stdin(words).env("LC_ALL", "C").read_bytes()?;
    io::stdout().write_all(&sorted)?;
    Ok(())
}
