//! Rust code as a stage: it stands where a process stands, and ends, fails and is ended as one.

mod blame;
mod blocked;
mod bulk;
mod ending;
mod failing;
mod left_behind;
mod memory_errors;
mod one_shot;
mod places;
mod ready_made;
mod redirects;
mod scoped;
mod starting;
mod stress;

use std::sync::mpsc::{Receiver, Sender};

use crate::prelude::*;

/// A grace that no test may wait for.
const NO_GRACE_NEEDED: Duration = Duration::from_secs(30);

/// A pipeline of the one stage.
fn alone(stage: Stage) -> Pipeline {
    Pipeline::from(stage)
}

/// Writes the text, whatever its input.
fn say(text: &'static str) -> Stage {
    Stage::from_fn(move |_, output| Ok(output.write_all(text.as_bytes())?)).label("say")
}

/// Passes everything on.
fn copy() -> Stage {
    Stage::from_fn(|input, output| {
        io::copy(input, output)?;
        Ok(())
    })
    .label("copy")
}

/// Lines in upper case.
fn upper() -> Stage {
    Stage::from_fn(|input, output| {
        for line in input.lines() {
            writeln!(output, "{}", line?.to_uppercase())?;
        }
        Ok(())
    })
    .label("upper")
}

/// Writes lines until a write fails.
fn yes() -> Stage {
    Stage::from_fn(|_, output| {
        let lines = b"y\n".repeat(4096);
        loop {
            output.write_all(&lines)?;
        }
    })
    .label("yes")
}

/// Takes everything and says how many bytes it was.
fn count_bytes() -> Stage {
    Stage::from_fn(|input, output| {
        let bytes = io::copy(input, &mut io::sink())?;
        Ok(writeln!(output, "{bytes}")?)
    })
    .label("count")
}

/// Reads a line and returns.
fn head() -> Stage {
    Stage::from_fn(|input, output| {
        let mut line = String::new();
        input.read_line(&mut line)?;
        Ok(output.write_all(line.as_bytes())?)
    })
    .label("head")
}

/// A closure that touches neither end until it is released: tells that it runs, and sits.
struct Stuck {
    running: Receiver<()>,
    release: Sender<()>,
}

impl Stuck {
    fn stage() -> (Stage, Stuck) {
        let (tell, running) = channel();
        let (release, released) = channel::<()>();
        let stage = Stage::from_fn_once(move |_, _| {
            let _ = tell.send(());
            let _ = released.recv();
            Ok(())
        });
        (stage.label("stuck"), Stuck { running, release })
    }

    fn is_running(&self) {
        self.running.recv().expect("the closure runs");
    }

    /// Lets it return, and waits until what it holds is dropped.
    fn release(self) {
        drop(self.release);
        while self.running.recv().is_ok() {}
    }
}

/// Where closures leave what they saw, for a look after the run.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Vec<String>>>);

impl Notes {
    fn add(&self, note: impl ToString) {
        self.0.lock().expect("no panic").push(note.to_string());
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().expect("no panic"))
    }
}

/// Reads to the end and notes what it came to: "end", or the error.
fn noting(notes: &Notes) -> Stage {
    let notes = notes.clone();
    Stage::from_fn(move |input, _| {
        let result = input.read_to_end(&mut Vec::new());
        notes.add(result.as_ref().map_or_else(ToString::to_string, |_| "end".to_owned()));
        result?;
        Ok(())
    })
    .label("noting")
}

/// Nothing comes in: stdin is not this process's.
fn without_input(pipeline: impl Into<Pipeline>) -> Pipeline {
    pipeline.into().stdin(Redirect::null())
}

/// The process that upper-cases, as a pipeline.
fn upper_process() -> Pipeline {
    role("upper").into()
}
