//! The work of the ready-made stages.

use std::io::{self, BufRead, BufWriter, Write};
use std::time::{Duration, Instant};

use crate::io::callback::BoxError;
use crate::io::lines::LineSplitter;
use crate::redirect::LineResult;
use crate::spec::closure::{StageReader, StageWriter};

/// In bytes: lines are written in pieces of this size, the capacity of a kernel pipe.
const BUFFER: usize = 64 * 1024;
/// After this time in callbacks, finished lines are passed on, so that a slow callback delays them by one call and not by a whole chunk.
const PATIENCE: Duration = Duration::from_millis(10);

pub(crate) fn tap<R: LineResult>(
    input: &mut StageReader,
    output: &mut StageWriter,
    mut callback: impl FnMut(&[u8]) -> R,
) -> Result<(), BoxError> {
    each_chunk(input, |chunk| {
        callback(chunk).into_result()?;
        Ok(output.write_all(chunk)?)
    })
}

pub(crate) fn tee(input: &mut StageReader, output: &mut StageWriter, mut writer: impl Write) -> Result<(), BoxError> {
    let mut had_enough = false;
    each_chunk(input, |chunk| {
        writer.write_all(chunk)?;
        if had_enough {
            return Ok(());
        }
        match output.write_all(chunk) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                had_enough = true;
                // A later broken pipe is the writer's.
                output.forget_broken();
            }
            result => result?,
        }
        Ok(())
    })?;
    Ok(writer.flush()?)
}

pub(crate) fn map<L: AsRef<[u8]>>(
    input: &mut StageReader,
    output: &mut StageWriter,
    mut callback: impl FnMut(&str) -> L,
) -> Result<(), BoxError> {
    each_line(input, output, |line, newline, output| {
        output.write_all(callback(line).as_ref())?;
        output.write_all(newline)
    })
}

pub(crate) fn filter(
    input: &mut StageReader,
    output: &mut StageWriter,
    mut callback: impl FnMut(&str) -> bool,
) -> Result<(), BoxError> {
    each_line(input, output, |line, newline, output| {
        if callback(line) {
            output.write_all(line.as_bytes())?;
            output.write_all(newline)?;
        }
        Ok(())
    })
}

fn each_chunk(input: &mut StageReader, mut each: impl FnMut(&[u8]) -> Result<(), BoxError>) -> Result<(), BoxError> {
    loop {
        let chunk = input.fill_buf()?;
        if chunk.is_empty() {
            return Ok(());
        }
        each(chunk)?;
        let taken = chunk.len();
        input.consume(taken);
    }
}

/// Calls `each` with each line, its newline and the output. What was written is passed on before the stage waits for more input.
fn each_line(
    input: &mut StageReader,
    output: &mut StageWriter,
    mut each: impl FnMut(&str, &[u8], &mut BufWriter<&mut StageWriter>) -> io::Result<()>,
) -> Result<(), BoxError> {
    let mut output = BufWriter::with_capacity(BUFFER, output);
    let mut lines = LineSplitter::default();
    loop {
        let chunk = input.fill_buf()?;
        if chunk.is_empty() {
            break;
        }
        let mut passed_on = Instant::now();
        lines.push(chunk, |line| -> io::Result<()> {
            each(text(line)?, b"\n", &mut output)?;
            if passed_on.elapsed() > PATIENCE {
                output.flush()?;
                passed_on = Instant::now();
            }
            Ok(())
        })?;
        let taken = chunk.len();
        input.consume(taken);
        output.flush()?;
    }
    lines.finish(|line| each(text(line)?, b"", &mut output))?;
    Ok(output.flush()?)
}

fn text(line: &[u8]) -> io::Result<&str> {
    std::str::from_utf8(line).map_err(|error| {
        io::Error::new(
            io::ErrorKind::InvalidData,
            format!("a line of the input is not UTF-8 (a closure takes bytes): {error}"),
        )
    })
}
