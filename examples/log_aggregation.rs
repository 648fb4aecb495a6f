//! Several live sources become one stream, each line with its source's number, as soon as it is written.
//! `cargo run --example log_aggregation [COMMAND…]`, each for the shell: `… 'tail -f a.log' 'tail -f b.log'`

use std::env;
use std::error::Error;
use std::io::{self, Write};
use std::thread;

use pipewright::{Cmd, pipe};

fn main() -> Result<(), Box<dyn Error>> {
    let mut commands: Vec<String> = env::args().skip(1).collect();
    if commands.is_empty() {
        commands.push("for n in 1 2 3; do echo request $n; done".into());
        commands.push("echo started; echo disk is full >&2; exit 1".into());
    }
    let (mut reader, writer) = pipe::memory();
    for (number, command) in commands.into_iter().enumerate() {
        let writer = writer.clone();
        thread::spawn(move || follow(number, &Cmd::sh(command), writer));
    }
    drop(writer);
    io::copy(&mut reader, &mut io::stdout())?;
    Ok(())
}

/// One write a line, so that nothing gets in between. When nobody reads any more, the write fails, and the source is ended.
fn follow(number: usize, source: &Cmd, mut to: impl Write) -> Result<(), Box<dyn Error + Send + Sync>> {
    for line in source.clone().stderr_to_stdout().lines()? {
        // The last item says how the source failed, if it did.
        let line = line.unwrap_or_else(|error| format!("(failed: {error})"));
        to.write_all(format!("[{number}] {line}\n").as_bytes())?;
    }
    Ok(())
}
