//! What a closure prints, as bytes.

mod complaint;
mod drain;
mod run;
mod settings;
mod swap;
mod turn;

use std::borrow::Cow;
use std::io;
use std::panic::resume_unwind;

pub use settings::{Capture, Stderr};

use crate::io::captured::Captured;

/// What a closure returned, and what was captured while it ran.
///
/// ```
/// use pipewright::testing::capture_stdout;
/// let said = capture_stdout(|| {
///     println!("the answer");
///     42
/// });
/// assert_eq!((said.value, said.text()), (42, "the answer\n".into()));
/// assert!(!said.stderr.is_captured());
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Printed<T> {
    /// What the closure returned.
    pub value: T,
    /// What went to stdout; with [`Stderr::Merge`], what went to either.
    pub stdout: Captured,
    /// What went to stderr, with [`Stderr::Capture`]; not captured otherwise.
    pub stderr: Captured,
}

impl<T> Printed<T> {
    /// What was captured of stdout as text, with U+FFFD for what is not UTF-8; that of stderr when it alone was captured.
    ///
    /// ```
    /// use pipewright::testing::{capture_stderr, capture_stdout};
    /// assert_eq!(capture_stdout(|| print!("out")).text(), "out");
    /// assert_eq!(capture_stderr(|| eprint!("err")).text(), "err");
    /// ```
    pub fn text(&self) -> Cow<'_, str> {
        if self.stdout.is_captured() { self.stdout.to_string_lossy() } else { self.stderr.to_string_lossy() }
    }
}

impl Capture {
    /// Runs `f` and captures what is written to the streams until it returns. See [`capture_stdout`].
    ///
    /// # Panics
    /// With the panic of `f`, after what was captured has been printed. When the capture cannot be set up: see
    /// [`try_run`](Capture::try_run).
    ///
    /// ```
    /// let name = String::from("borrowed");
    /// let said = pipewright::testing::Capture::new().run(|| println!("{name}"));
    /// assert_eq!(said.stdout, "borrowed\n");
    /// ```
    #[track_caller]
    pub fn run<T: Send>(self, f: impl FnOnce() -> T + Send) -> Printed<T> {
        match self.try_run(f) {
            Ok(printed) => printed,
            Err(error) => panic!("cannot capture what a closure prints: {error}"),
        }
    }

    /// Does what [`run`](Capture::run) does, with an error if the capture cannot be set up.
    ///
    /// # Errors
    /// When there are no descriptors for the pipes or no thread for the closure, or what had been printed before could not be flushed: then `f`
    /// has not run. When what `f` printed could not be read or flushed, or a stream not be put back: then `f` has run, and what it
    /// returned is lost.
    ///
    /// # Panics
    /// With the panic of `f`, after what was captured has been printed.
    ///
    /// ```
    /// let said = pipewright::testing::Capture::new().try_run(|| print!("text"))?;
    /// assert_eq!(said.stdout, "text");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn try_run<T: Send>(self, f: impl FnOnce() -> T + Send) -> io::Result<Printed<T>> {
        let left = run::run(&self, f)?;
        let (stdout, stderr) = (left.stdout, left.stderr);
        let relayed = self.stderr == Stderr::Relay;
        // By the macros, on this thread: the harness shows it with the failed test, and not at all with another.
        if left.result.is_err() {
            print!("{}", stdout.to_string_lossy());
        }
        if left.result.is_err() || relayed {
            eprint!("{}", stderr.to_string_lossy());
        }
        let stderr = if relayed { Captured::not_captured() } else { stderr };
        match left.result {
            Ok(value) => Ok(Printed { value, stdout, stderr }),
            Err(panic) => resume_unwind(panic),
        }
    }
}

/// Runs `f` and captures all that it writes to stdout: by `print!`, by system calls on descriptor 1, by C's stdio, by child processes.
///
/// Works in a plain `cargo test`, beside other tests that print, and under any other harness. `f` runs on another thread of the same name,
/// while this one reads: more output than a pipe holds is no problem. It may borrow, return a value, panic and capture again. Captures
/// take turns: there is one at a time in a process. Blocks until `f` returns, and not longer: output that a process in the background
/// writes later is lost to it, and that process gets SIGPIPE.
///
/// The closure's thread holds the lock of [`std::io::stdout`], which keeps the output of others out. **A closure that waits for a
/// thread that prints waits for ever**: after 5 s a line on stderr says so. [`Capture::shared_stdout`], [`isolate`](crate::testing::isolate)
/// and a runner with a process for each test are the ways out. So they are for a closure whose *threads* run commands of this library: what
/// another thread starts keeps the real stdout. The caller must not hold a `StdoutLock`, for the same reason. [The guide](crate::testing) has the rest.
///
/// # Panics
/// With the panic of `f`, after what was captured has been printed. When the capture cannot be set up: see [`Capture::try_run`].
///
/// ```
/// use pipewright::{cmd, testing::capture_stdout};
/// let said = capture_stdout(|| {
///     println!("from here");
///     cmd!("echo", "from a child").run().unwrap();
/// });
/// assert_eq!(said.stdout, "from here\nfrom a child\n");
/// ```
#[track_caller]
pub fn capture_stdout<T: Send>(f: impl FnOnce() -> T + Send) -> Printed<T> {
    Capture::new().run(f)
}

/// Captures stderr like [`capture_stdout`] captures stdout. stdout stays what it is, except that the harness sees nothing of it.
///
/// The lock is that of [`std::io::stderr`] here: the closure must not wait for a thread that does `eprintln!` (or panics), nor may the
/// caller hold a `StderrLock`.
///
/// # Panics
/// Those of [`capture_stdout`].
///
/// ```
/// let said = pipewright::testing::capture_stderr(|| eprintln!("warning"));
/// assert_eq!(said.stderr, "warning\n");
/// assert!(!said.stdout.is_captured());
/// ```
#[track_caller]
pub fn capture_stderr<T: Send>(f: impl FnOnce() -> T + Send) -> Printed<T> {
    Capture { stdout: false, stderr: Stderr::Capture, ..Capture::new() }.run(f)
}

/// Captures both streams like [`capture_stdout`], each for itself. [`Stderr::Merge`] captures them in one, in the order of the writes.
///
/// # Panics
/// Those of [`capture_stdout`].
///
/// ```
/// let said = pipewright::testing::capture(|| {
///     println!("result");
///     eprintln!("warning");
/// });
/// assert_eq!(said.text(), "result\n");
/// assert_eq!(said.stderr, "warning\n");
/// ```
#[track_caller]
pub fn capture<T: Send>(f: impl FnOnce() -> T + Send) -> Printed<T> {
    Capture::new().stderr(Stderr::Capture).run(f)
}
