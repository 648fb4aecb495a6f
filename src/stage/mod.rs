//! Rust code as a stage of a pipeline.

pub(crate) mod lines;

use std::fmt;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use crate::cmd::Cmd;
use crate::io::callback::BoxError;
use crate::once::TakeOnce;
use crate::redirect::LineResult;
use crate::spec::closure::{StageReader, StageWriter, UNNAMED};
use crate::spec::{self, Closure, ClosureBody, Settings, shell_line};

/// One element of a pipeline, as a value: a command, or a closure that reads what the stage before it writes and writes what the next one
/// reads.
///
/// A closure can stand wherever a process can, also first and last. Each runs on a thread of its own. Between two closures the pipe is in
/// memory; between a closure and a process it is one of the kernel's. A closure that
///
/// - returns or stops reading ends the stage before it like a process would, by a broken pipe;
/// - returns an error fails the run with [`Closure`](crate::ErrorKind::Closure), and its error is the source. The next stage gets the end of
///   its input, or that error if it is a closure too. As a status it is exit code 1;
/// - panics fails the run with [`Panic`](crate::ErrorKind::Panic) and the panic's text. As a status it is exit code 101;
/// - returns the `BrokenPipe` error of its output counts as killed by SIGPIPE, which is not a failure if the next stage stopped reading;
/// - does not return when the time is up gets the same [`grace`](crate::Pipeline::grace) as processes. Then, or at once if there are only closures,
///   its reads and writes fail. If it still does not return, its thread is left behind and the error names it. The run waits for
///   [`scoped`](crate::Pipeline::scoped) closures.
///
/// `?` turns any error into the closure's.
///
/// ```
/// use pipewright::{Stage, cmd};
/// use std::io::{Read, Write};
/// let source = Stage::from_fn(|_, out| Ok(out.write_all(b"b\na\n")?));
/// let shout = Stage::map_lines(|line| line.to_uppercase());
/// assert_eq!((source | cmd!("sort") | shout).read()?, "A\nB");
/// # Ok::<(), pipewright::Error>(())
/// ```
#[derive(Clone)]
#[must_use = "a stage does nothing until its pipeline is run"]
pub struct Stage {
    stage: spec::Stage,
    /// The settings of a command, which count when this stage runs alone.
    settings: Settings,
}

/// # Closures and ready-made stages
impl Stage {
    /// A closure for any number of runs. It may run in several at the same time.
    ///
    /// ```
    /// use pipewright::{Stage, cmd};
    /// use std::io::{BufRead, Write};
    /// let reverse = Stage::from_fn(|input, output| {
    ///     for line in input.lines() {
    ///         let reversed: String = line?.chars().rev().collect();
    ///         writeln!(output, "{reversed}")?;
    ///     }
    ///     Ok(())
    /// });
    /// assert_eq!((cmd!("echo", "abc") | reverse).read()?, "cba");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn from_fn(
        work: impl Fn(&mut StageReader, &mut StageWriter) -> Result<(), BoxError> + Send + Sync + 'static,
    ) -> Stage {
        Stage::of(ClosureBody::Reusable(Arc::new(work)), UNNAMED)
    }

    /// A closure for one run, which may consume what it holds. All clones share it, and a second run is
    /// [`AlreadyUsed`](crate::ErrorKind::AlreadyUsed).
    ///
    /// ```
    /// use pipewright::{ErrorKind, Pipeline, Stage};
    /// use std::io::Write;
    /// let words = vec!["a", "b"];
    /// let once = Pipeline::from(Stage::from_fn_once(|_, output| {
    ///     for word in words {
    ///         writeln!(output, "{word}")?;
    ///     }
    ///     Ok(())
    /// }));
    /// assert_eq!(once.read()?, "a\nb");
    /// assert_eq!(once.read().unwrap_err().kind(), ErrorKind::AlreadyUsed);
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn from_fn_once(
        work: impl FnOnce(&mut StageReader, &mut StageWriter) -> Result<(), BoxError> + Send + 'static,
    ) -> Stage {
        Stage::of(ClosureBody::Once(TakeOnce::new(Box::new(work))), UNNAMED)
    }

    /// Shows the bytes that pass to a callback, in pieces of any size, for example to count or hash them. The callback returns nothing, or
    /// a `Result` whose error is the stage's. A callback that borrows goes to [`Scoped::tap`](crate::Scoped::tap): with `move`, it would
    /// change a copy.
    ///
    /// ```
    /// use pipewright::{Stage, cmd};
    /// use std::sync::mpsc;
    /// let (sender, pieces) = mpsc::channel();
    /// let tap = Stage::tap(move |chunk| sender.send(chunk.len()));
    /// let changed = cmd!("echo", "abc") | tap | cmd!("tr", "a", "x");
    /// assert_eq!(changed.read()?, "xbc");
    /// drop(changed);
    /// assert_eq!(pieces.iter().sum::<usize>(), 4);
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn tap<R: LineResult>(callback: impl FnMut(&[u8]) -> R + Send + 'static) -> Stage {
        let callback = Mutex::new(callback);
        let work = move |input: &mut StageReader, output: &mut StageWriter| {
            lines::tap(input, output, |chunk| locked(&callback)(chunk))
        };
        Stage::from_fn(work).label("tap")
    }

    /// Replaces each line by what a callback returns. The callback gets the line as text without its newline, which is put back; a last
    /// line without a newline stays without one. Lines are passed on at the latest when the stage waits for more input.
    ///
    /// A line that is not UTF-8 fails the stage: use [`from_fn`](Stage::from_fn) for bytes.
    ///
    /// ```
    /// use pipewright::{Stage, cmd};
    /// let quote = Stage::map_lines(|line| format!("> {line}"));
    /// let quoted = cmd!("printf", r"a\nb\n") | quote;
    /// assert_eq!(quoted.read()?, "> a\n> b");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn map_lines<L: AsRef<[u8]>>(callback: impl FnMut(&str) -> L + Send + 'static) -> Stage {
        let callback = Mutex::new(callback);
        let work = move |input: &mut StageReader, output: &mut StageWriter| {
            lines::map(input, output, |line| locked(&callback)(line))
        };
        Stage::from_fn(work).label("map_lines")
    }

    /// Passes on the lines for which a callback returns true. The callback gets the line as text without its newline. Lines are passed on
    /// at the latest when the stage waits for more input.
    ///
    /// A line that is not UTF-8 fails the stage: use [`from_fn`](Stage::from_fn) for bytes.
    ///
    /// ```
    /// use pipewright::{Stage, cmd};
    /// let only_errors = Stage::filter_lines(|line| line.starts_with('E'));
    /// let errors = cmd!("printf", r"ok\nE1\nE2\n") | only_errors;
    /// assert_eq!(errors.read()?, "E1\nE2");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn filter_lines(callback: impl FnMut(&str) -> bool + Send + 'static) -> Stage {
        let callback = Mutex::new(callback);
        let work = move |input: &mut StageReader, output: &mut StageWriter| {
            lines::filter(input, output, |line| locked(&callback)(line))
        };
        Stage::from_fn(work).label("filter_lines")
    }

    /// Also writes what passes to a writer, and flushes it at the end. For one run. When the next stage stops reading, the writer still
    /// gets the rest, like with `tee -p`.
    ///
    /// An error of the writer is the stage's.
    ///
    /// ```
    /// use pipewright::{Stage, cmd, pipe};
    /// let (copy, writer) = pipe::kernel()?;
    /// let tee = Stage::tee_to(writer);
    /// let counted = cmd!("echo", "abc") | tee | cmd!("wc", "-c");
    /// assert_eq!(counted.read()?.trim(), "4");
    /// assert_eq!(std::io::read_to_string(copy)?, "abc\n");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn tee_to(writer: impl Write + Send + 'static) -> Stage {
        Stage::from_fn_once(|input, output| lines::tee(input, output, writer)).label("tee_to")
    }

    /// Names this stage in errors and results.
    ///
    /// ```
    /// use pipewright::{Pipeline, Stage};
    /// let broken = Stage::from_fn(|_, _| Err("no idea")?).label("think");
    /// let error = Pipeline::from(broken).run().unwrap_err();
    /// assert_eq!(error.to_string(), "`think` (closure) failed: no idea");
    /// ```
    pub fn label(mut self, name: impl Into<String>) -> Stage {
        self.stage.set_label(name.into());
        self
    }

    pub(crate) fn of(body: ClosureBody, label: &str) -> Stage {
        let stage = spec::Stage::Closure(Arc::new(Closure::new(body, label)));
        Stage { stage, settings: Settings::default() }
    }

    pub(crate) fn into_spec(self) -> spec::Pipeline {
        spec::Pipeline::of(self.stage, self.settings)
    }
}

/// A callback that panicked in another run is called again; it has to cope with the state it left. It is locked for one call and not for a
/// run, because the same stage may stand in a pipeline twice.
fn locked<F>(callback: &Mutex<F>) -> std::sync::MutexGuard<'_, F> {
    callback.lock().unwrap_or_else(PoisonError::into_inner)
}

impl From<Cmd> for Stage {
    /// The command as an element of a pipeline. If it has a setting of a whole run, that is a
    /// [`Conflict`](crate::ErrorKind::Conflict) in a pipeline of several stages.
    fn from(cmd: Cmd) -> Stage {
        let (command, settings) = cmd.into_spec();
        Stage { stage: spec::Stage::Command(command), settings }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shell_line(std::iter::once(&self.stage), &[]))
    }
}

impl fmt::Debug for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stage({self})")
    }
}
