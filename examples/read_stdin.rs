//! Counts bytes and chunks as they come: from a pipe, from a terminal (a chunk is a line then, and control-D the end), or
//! from a program, all by one function. `ls | cargo run --example read_stdin`, `cargo run --example read_stdin ls -l`

use std::env;
use std::error::Error;
use std::io::{self, IsTerminal, Read};

use pipewright::Cmd;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = env::args_os().skip(1);
    let (bytes, chunks, source) = if let Some(program) = args.next() {
        let (bytes, chunks) = count(Cmd::new(program).args(args).reader()?)?;
        (bytes, chunks, "a program")
    } else {
        let stdin = io::stdin().lock();
        let source = if stdin.is_terminal() { "a terminal" } else { "a pipe or a file" };
        let (bytes, chunks) = count(stdin)?;
        (bytes, chunks, source)
    };
    println!("{bytes} bytes in {chunks} chunks from {source}");
    Ok(())
}

/// A chunk is what one read gives.
fn count(mut from: impl Read) -> io::Result<(u64, u64)> {
    // Larger than the buffer that `Stdin` has, which is then left out.
    let mut buffer = vec![0; 64 * 1024];
    let (mut bytes, mut chunks) = (0, 0);
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok((bytes, chunks)),
            Ok(read) => {
                bytes += read as u64;
                chunks += 1;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
