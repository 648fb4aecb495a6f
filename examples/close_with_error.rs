//! Errors cross a pipe in both directions: a writer that fails tells its reader, so that a part is never taken for the whole,
//! and a reader that has had enough tells its writer. `cargo run --example close_with_error [NAME=VALUE…]`

use std::error::Error;
use std::io::{self, BufRead, Write};
use std::{env, fmt, thread};

use pipewright::pipe::{self, MemWriter};

#[derive(Debug)]
struct Corrupt {
    record: String,
}

impl fmt::Display for Corrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not NAME=VALUE: {}", self.record)
    }
}

impl Error for Corrupt {}

fn main() {
    let mut records: Vec<String> = env::args().skip(1).collect();
    if records.is_empty() {
        records = ["one=1", "two=2", "three"].map(String::from).into();
    }
    let (reader, mut writer) = pipe::memory();
    let unpacking = thread::spawn(move || {
        if let Err(error) = unpack(&records, &mut writer) {
            writer.close_with_error(error);
        }
    });
    if let Err(error) = print_lines(reader) {
        let cause = error.source().and_then(|source| source.downcast_ref::<Corrupt>());
        println!("the reader gets: {error}; as the writer gave it: {cause:?}");
    }
    unpacking.join().expect("it does not panic");

    let (reader, mut writer) = pipe::memory();
    reader.close_with_error(io::Error::new(io::ErrorKind::QuotaExceeded, "one record is plenty"));
    let error = writer.write(b"record 0\n").expect_err("the reader is closed");
    println!("the writer gets: {error} ({:?})", error.kind());
}

fn unpack(records: &[String], to: &mut MemWriter) -> Result<(), Box<dyn Error + Send + Sync>> {
    for record in records {
        let (name, value) = record.split_once('=').ok_or_else(|| Corrupt { record: record.clone() })?;
        writeln!(to, "{name} is {value}")?;
    }
    Ok(())
}

fn print_lines(from: impl BufRead) -> io::Result<()> {
    for line in from.lines() {
        println!("read {:?}", line?);
    }
    Ok(())
}
