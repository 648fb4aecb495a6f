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

/// One element of a pipeline, as a value: a command, or a closure that reads what the stage before writes and writes what the next one
/// reads.
///
/// Closures stand where processes stand, first and last, too, and each runs on a thread of its own. Between two of them the pipe is in
/// memory; towards a process it is one of the kernel's. A closure that
///
/// - returns, or stops reading, ends the stage before it as a process would: by a broken pipe;
/// - returns an error fails the run with [`Closure`](crate::ErrorKind::Closure), its error as the source; the next stage gets the
///   end of its input, or that error where it is a closure, too. As a status it is exit code 1;
/// - panics fails the run with [`Panic`](crate::ErrorKind::Panic) and the panic's text. As a status it is exit code 101;
/// - returns the `BrokenPipe` that its output gave ended as a process that dies of SIGPIPE: no failure, where the next stage had enough;
/// - does not return when the time is up has the [`grace`](Pipeline::grace) that processes have; then, or at once where there are only
///   closures, its reads and writes fail. One that still does not return is left behind on its thread, and the error names it.
///   [`scoped`](Pipeline::scoped) closures are waited for.
///
/// `?` turns any error into the closure's.
///
/// ```
/// use pipewright::{Stage, cmd};
/// use std::io::{Read, Write};
/// let source = Stage::from_fn(|_, output| Ok(output.write_all(b"b\na\n")?));
/// let shout = Stage::map_lines(|line| line.to_uppercase());
/// assert_eq!((source | cmd!("sort") | shout).read()?, "A\nB");
/// # Ok::<(), pipewright::Error>(())
/// ```
#[derive(Clone)]
#[must_use = "a stage does nothing until its pipeline is run"]
pub struct Stage {
    stage: spec::Stage,
    /// Those of a command; a run of this stage alone has them.
    settings: Settings,
}

impl Stage {
    /// A closure, for any number of runs. It may run several times at once.
    ///
    /// ```
    /// use pipewright::{Stage, cmd};
    /// use std::io::{BufRead, Write};
    /// let reversed = Stage::from_fn(|input, output| {
    ///     for line in input.lines() {
    ///         writeln!(output, "{}", line?.chars().rev().collect::<String>())?;
    ///     }
    ///     Ok(())
    /// });
    /// assert_eq!((cmd!("echo", "abc") | reversed.label("reverse")).read()?, "cba");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn from_fn(
        work: impl Fn(&mut StageReader, &mut StageWriter) -> Result<(), BoxError> + Send + Sync + 'static,
    ) -> Stage {
        Stage::of(ClosureBody::Reusable(Arc::new(work)), UNNAMED)
    }

    /// A closure for one run: it may consume what it holds. All clones share it, and a second run is
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

    /// Shows the bytes that pass to a callback, as they come, in pieces of any size: to count them, or to hash them. It returns nothing,
    /// or a `Result` whose error is the stage's.
    ///
    /// ```
    /// use pipewright::{Stage, cmd};
    /// use std::sync::{Arc, atomic::{AtomicUsize, Ordering}};
    /// let count = Arc::new(AtomicUsize::new(0));
    /// let counted = Arc::clone(&count);
    /// let tap = Stage::tap(move |chunk| { counted.fetch_add(chunk.len(), Ordering::Relaxed); });
    /// assert_eq!((cmd!("echo", "abc") | tap | cmd!("tr", "a", "x")).read()?, "xbc");
    /// assert_eq!(count.load(Ordering::Relaxed), 4);
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn tap<R: LineResult>(callback: impl FnMut(&[u8]) -> R + Send + 'static) -> Stage {
        let callback = Mutex::new(callback);
        let work = move |input: &mut StageReader, output: &mut StageWriter| {
            lines::tap(input, output, |chunk| locked(&callback)(chunk))
        };
        Stage::from_fn(work).label("tap")
    }

    /// Puts each line through a callback. It gets the line as text without its newline, which the result gets back; a last line without
    /// one stays without. Lines go on at the latest when the stage waits for more.
    ///
    /// A line that is not UTF-8 fails the stage: [`from_fn`](Stage::from_fn) takes bytes.
    ///
    /// ```
    /// use pipewright::{Stage, cmd};
    /// let quoted = cmd!("printf", r"a\nb\n") | Stage::map_lines(|line| format!("> {line}"));
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

    /// Lets pass the lines for which a callback says so. It gets the line as text without its newline. Lines go on at the latest
    /// when the stage waits for more.
    ///
    /// A line that is not UTF-8 fails the stage: [`from_fn`](Stage::from_fn) takes bytes.
    ///
    /// ```
    /// use pipewright::{Stage, cmd};
    /// let errors = cmd!("printf", r"ok\nE1\nE2\n") | Stage::filter_lines(|line| line.starts_with('E'));
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

    /// Writes what passes to a writer, too, and flushes that at the end. For one run. When the next stage has had enough, the writer still
    /// gets the rest, as with `tee -p`.
    ///
    /// An error of the writer is the stage's.
    ///
    /// ```
    /// use pipewright::{Stage, cmd, pipe};
    /// let (copy, writer) = pipe::kernel()?;
    /// let counted = cmd!("echo", "abc") | Stage::tee_to(writer) | cmd!("wc", "-c");
    /// assert_eq!(counted.read()?.trim(), "4");
    /// assert_eq!(std::io::read_to_string(copy)?, "abc\n");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn tee_to(writer: impl Write + Send + 'static) -> Stage {
        Stage::from_fn_once(|input, output| lines::tee(input, output, writer)).label("tee_to")
    }

    /// A name for this stage in errors and results.
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

/// A callback that another run left by a panic is called again: what state it left is its own affair. Locked for one call, not for a
/// run: the same stage may stand in a pipeline twice.
fn locked<F>(callback: &Mutex<F>) -> std::sync::MutexGuard<'_, F> {
    callback.lock().unwrap_or_else(PoisonError::into_inner)
}

impl From<Cmd> for Stage {
    /// The command as an element of a pipeline. A setting of a whole run that it carries is a
    /// [`Conflict`](crate::ErrorKind::Conflict) in a pipeline of several.
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
