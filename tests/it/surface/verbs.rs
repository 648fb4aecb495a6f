//! Every verb that runs something to its end, in one shape, for what all of them promise.

use crate::prelude::*;

/// What a verb showed of stdout (its start: the rest may be endless), and how it came back.
pub(crate) struct Ran {
    pub(crate) seen: Vec<u8>,
    pub(crate) result: Result<(), Error>,
}

pub(crate) type Verb = fn(&Pipeline) -> Ran;

/// The name of each verb, and the verb. They want a stdout that is captured; `lines` and its kin read it.
pub(crate) const VERBS: [(&str, Verb); 12] = [
    ("run", |pipeline| captured(pipeline.run())),
    ("status", |pipeline| seen_in_error(pipeline.status())),
    ("output", |pipeline| captured(pipeline.output())),
    ("output_into", |pipeline| {
        let mut seen = Vec::new();
        let result = pipeline.output_into(&mut seen).map(drop);
        Ran::new(&seen, result)
    }),
    ("read", |pipeline| seen_in_error(pipeline.read())),
    ("read_bytes", |pipeline| seen_in_error(pipeline.read_bytes())),
    ("lines", |pipeline| match pipeline.lines() {
        Ok(lines) => collected(lines.map(|line| line.map(String::into_bytes))),
        Err(error) => Ran::new(b"", Err(error)),
    }),
    ("lines_bytes", |pipeline| match pipeline.lines_bytes() {
        Ok(lines) => collected(lines),
        Err(error) => Ran::new(b"", Err(error)),
    }),
    ("for_each_line", |pipeline| {
        let mut seen = Vec::new();
        let result = pipeline.for_each_line(|line| keep(&mut seen, line, b"\n")).map(drop);
        Ran::new(&seen, result)
    }),
    ("reader", |pipeline| match pipeline.reader() {
        Ok(reader) => read_all(reader),
        Err(error) => Ran::new(b"", Err(error)),
    }),
    ("spawn, wait", |pipeline| seen_in_error(pipeline.spawn().and_then(|job| job.wait()))),
    ("spawn, output", |pipeline| captured(pipeline.spawn().and_then(|job| job.output()))),
];

/// So much of what was shown is kept.
const KEPT: usize = 256;

impl Ran {
    fn new(seen: &[u8], result: Result<(), Error>) -> Ran {
        Ran { seen: seen[..seen.len().min(KEPT)].to_vec(), result }
    }
}

fn keep(seen: &mut Vec<u8>, bytes: &[u8], end: &[u8]) {
    if seen.len() < KEPT {
        seen.extend_from_slice(bytes);
        seen.extend_from_slice(end);
    }
}

fn captured(result: Result<Output, Error>) -> Ran {
    match result {
        Ok(output) => Ran::new(&output.stdout, Ok(())),
        Err(error) => seen_in_error(Err::<(), _>(error)),
    }
}

fn seen_in_error<T>(result: Result<T, Error>) -> Ran {
    let seen = result.as_ref().err().and_then(Error::output).map(|output| output.stdout.to_vec());
    Ran::new(&seen.unwrap_or_default(), result.map(drop))
}

fn collected(lines: impl Iterator<Item = Result<Vec<u8>, Error>>) -> Ran {
    let mut seen = Vec::new();
    let mut result = Ok(());
    for line in lines {
        assert!(result.is_ok(), "an item after the error");
        match line {
            Ok(line) => keep(&mut seen, &line, b"\n"),
            Err(error) => result = Err(error),
        }
    }
    Ran::new(&seen, result)
}

fn read_all(mut reader: pipewright::Reader) -> Ran {
    let mut seen = Vec::new();
    let mut buffer = [0; 16 * 1024];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ran::new(&seen, Ok(())),
            Ok(read) => keep(&mut seen, &buffer[..read], b""),
            Err(error) => {
                let error = error.into_inner().expect("an error of the library is inside");
                return Ran::new(&seen, Err(*error.downcast().expect("an error of the library is inside")));
            }
        }
    }
}
