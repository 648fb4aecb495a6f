//! Upper-cases a file of any size: Rust code between two files, in constant memory.
//! `cargo run --example file_stream [FROM [TO]]` reads itself unless told otherwise, and writes to stdout.

use std::env;
use std::io::{BufRead, Write};

use pipewright::{Pipeline, Redirect, Stage};

const ITSELF: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/file_stream.rs");

fn main() -> pipewright::Result<()> {
    let mut args = env::args_os().skip(1);
    let from = args.next().unwrap_or(ITSELF.into());

    let upper = Stage::from_fn(|input, output| {
        loop {
            let chunk = input.fill_buf()?;
            if chunk.is_empty() {
                return Ok(());
            }
            let length = chunk.len();
            output.write_all(&chunk.to_ascii_uppercase())?;
            input.consume(length);
        }
    });
    let mut upper = Pipeline::from(upper).stdin(Redirect::file(from));
    if let Some(to) = args.next() {
        upper = upper.stdout(Redirect::file(to));
    }
    upper.run()?;
    Ok(())
}
