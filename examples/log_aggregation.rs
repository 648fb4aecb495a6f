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
        thread::spawn(move || follow(number, &Cmd::sh(command).stderr_to_stdout(), writer));
    }
    drop(writer);
    io::copy(&mut reader, &mut io::stdout())?;
    Ok(())
}

/// One write a line, so that nothing gets in between. When the reader is gone, the write fails, and with it the run.
fn follow(number: usize, source: &Cmd, mut to: impl Write) -> io::Result<()> {
    let mut tell = |line: &[u8]| to.write_all(&[format!("[{number}] ").as_bytes(), line, b"\n"].concat());
    match source.for_each_line(&mut tell) {
        Ok(_) => Ok(()),
        Err(error) => tell(format!("(failed: {error})").as_bytes()),
    }
}
