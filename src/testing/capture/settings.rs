//! How to capture.

use std::time::Duration;

/// What becomes of stderr while a closure is captured.
///
/// With all but `Inherit`, the closure's thread holds the lock of [`std::io::stderr`], too: the closure must not wait for a thread that
/// does `eprintln!` (or panics), nor may the caller hold a `StderrLock`.
///
/// ```
/// use pipewright::testing::{Capture, Stderr};
/// let said = Capture::new().stderr(Stderr::Merge).run(|| {
///     print!("1 ");
///     eprint!("2 ");
///     print!("3");
/// });
/// assert_eq!(said.stdout, "2 1 3");
/// ```
///
/// The 2 comes first there, because Rust keeps an unfinished line of stdout back; so would a pipe see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Stderr {
    /// It stays what it is: the process's own, past the test harness.
    #[default]
    Inherit,
    /// It is captured, and printed by `eprint!` on the calling thread when the closure has ended: so the harness shows it when the
    /// test fails, and does not otherwise.
    Relay,
    /// It is captured apart from stdout.
    Capture,
    /// It goes where stdout goes, in the order of the writes.
    Merge,
}

/// How to capture: the settings of [`capture_stdout`](super::capture_stdout), [`capture_stderr`](super::capture_stderr) and [`capture`](super::capture()).
///
/// ```
/// use pipewright::testing::{Capture, Stderr};
/// let said = Capture::new().stderr(Stderr::Capture).limit(4).run(|| {
///     println!("0123456789");
///     eprintln!("no");
/// });
/// assert_eq!((&*said.stdout, said.stdout.omitted()), (&b"0123"[..], 7));
/// assert_eq!(said.stderr, "no\n");
/// ```
#[derive(Debug, Clone, Copy)]
#[must_use = "nothing is captured before `run`"]
pub struct Capture {
    pub(super) stdout: bool,
    pub(super) stderr: Stderr,
    pub(super) limit: usize,
    pub(super) shared_stdout: bool,
    pub(super) patience: Duration,
}

/// The same as [`new`](Capture::new).
impl Default for Capture {
    fn default() -> Capture {
        Capture::new()
    }
}

impl Capture {
    /// Stdout is captured, stderr is not, and there is no limit.
    ///
    /// ```
    /// let said = pipewright::testing::Capture::new().run(|| print!("text"));
    /// assert_eq!(said.stdout, "text");
    /// ```
    pub fn new() -> Capture {
        Capture {
            stdout: true,
            stderr: Stderr::default(),
            limit: usize::MAX,
            shared_stdout: false,
            patience: Duration::from_secs(5),
        }
    }

    /// What becomes of stderr.
    ///
    /// ```
    /// use pipewright::testing::{Capture, Stderr};
    /// let said = Capture::new().stderr(Stderr::Capture).run(|| eprint!("text"));
    /// assert_eq!((&*said.stdout, &*said.stderr), (&b""[..], &b"text"[..]));
    /// ```
    pub fn stderr(mut self, how: Stderr) -> Capture {
        self.stderr = how;
        self
    }

    /// Keeps the first `bytes` of each stream. The rest is read and left out; [`Captured::omitted`](crate::Captured::omitted) counts it.
    ///
    /// ```
    /// let said = pipewright::testing::Capture::new().limit(2).run(|| print!("text"));
    /// assert_eq!((&*said.stdout, said.stdout.omitted()), (&b"te"[..], 2));
    /// ```
    pub fn limit(mut self, bytes: usize) -> Capture {
        self.limit = bytes;
        self
    }

    /// Whether other threads may print meanwhile: those that the closure starts, and with them all others of the process. Needed when the
    /// closure waits for a thread that prints, because otherwise that thread waits for the capture to end.
    ///
    /// Everything that the process prints is then captured, including the harness's lines about other tests and what any thread starts. In a process
    /// with one test, there is nothing else.
    ///
    /// ```
    /// let said = pipewright::testing::Capture::new().shared_stdout(true).run(|| {
    ///     std::thread::spawn(|| println!("text")).join().unwrap();
    /// });
    /// assert!(said.text().contains("text\n"));
    /// ```
    pub fn shared_stdout(mut self, yes: bool) -> Capture {
        self.shared_stdout = yes;
        self
    }

    /// After how much time without a sign of life a line on stderr says what may be the matter; 5 s unless set.
    ///
    /// Nothing is ended then: the line names the ways out.
    ///
    /// ```
    /// use std::time::Duration;
    /// let capture = pipewright::testing::Capture::new();
    /// let capture = capture.patience(Duration::from_secs(60));
    /// let said = capture.run(|| print!("text"));
    /// assert_eq!(said.stdout, "text");
    /// ```
    pub fn patience(mut self, time: Duration) -> Capture {
        self.patience = time;
        self
    }
}
