//! Many threads write to one pipe. What one `write` call gives stays together however long it is, so no line is torn.
//! `cargo run --example concurrent_writers [WRITERS]`

use std::env;
use std::error::Error;
use std::io::{self, BufRead, Write};
use std::thread;

use pipewright::pipe;

const LINES: usize = 1000;

fn main() -> Result<(), Box<dyn Error>> {
    let count: usize = env::args().nth(1).map_or(Ok(4), |count| count.parse())?;
    let (reader, writer) = pipe::memory();
    let writers: Vec<_> = (0..count)
        .map(|id| {
            let mut writer = writer.clone();
            thread::spawn(move || -> io::Result<()> {
                for number in 0..LINES {
                    writeln!(writer, "{id} {number} {}", "=".repeat(number))?;
                }
                Ok(())
            })
        })
        .collect();
    // The end comes when the last writer is gone; this one would keep it away.
    drop(writer);

    let mut seen = vec![0; count];
    for line in reader.lines() {
        let line = line?;
        let [id, number, bar] = line.split(' ').collect::<Vec<_>>()[..] else {
            return Err(format!("torn: {line}").into());
        };
        let (id, number): (usize, usize) = (id.parse()?, number.parse()?);
        if number != seen[id] || bar.len() != number {
            return Err(format!("torn, or out of order: {line}").into());
        }
        seen[id] += 1;
    }
    for writer in writers {
        writer.join().expect("it does not panic")?;
    }
    println!("{count} writers, whole lines of each: {seen:?}");
    Ok(())
}
