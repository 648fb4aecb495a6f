//! A pipe in memory: one thread writes, another reads, and a write comes back when its bytes have been taken.
//! `cargo run --example simple_pipe [LINES]`

use std::env;
use std::error::Error;
use std::io::{self, BufRead, Write};
use std::thread;

use pipewright::pipe;

fn main() -> Result<(), Box<dyn Error>> {
    let count: u32 = env::args().nth(1).map_or(Ok(3), |count| count.parse())?;
    let (reader, mut writer) = pipe::memory();
    let writing = thread::spawn(move || -> io::Result<()> {
        for number in 1..=count {
            writeln!(writer, "line {number}")?;
        }
        // The writer is dropped here, which is the end for the reader.
        Ok(())
    });
    for line in reader.lines() {
        println!("read {:?}", line?);
    }
    writing.join().expect("it does not panic")?;
    println!("that was all");
    Ok(())
}
