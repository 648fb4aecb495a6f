//! Compresses what passes, as a stage between a file and whatever comes next.
//! `cargo run --example gzip_stream [FROM [TO]]` reads itself unless told otherwise, and without TO has gunzip open it again.

use std::env;
use std::io;

use flate2::Compression;
use flate2::write::GzEncoder;
use pipewright::{Pipeline, Redirect, Stage, cmd};

const ITSELF: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/gzip_stream.rs");

fn main() -> pipewright::Result<()> {
    let mut args = env::args_os().skip(1);
    let from = args.next().unwrap_or(ITSELF.into());

    let gzip = Stage::from_fn(|input, output| {
        let mut gzip = GzEncoder::new(output, Compression::default());
        io::copy(input, &mut gzip)?;
        gzip.finish()?; // an error here is one of the run; a drop would swallow it
        Ok(())
    });
    let gzip = Pipeline::from(gzip.label("gzip")).stdin(Redirect::file(from));
    match args.next() {
        Some(to) => gzip.stdout(Redirect::file(to)).run()?,
        None => (gzip | cmd!("gunzip")).run()?,
    };
    Ok(())
}
