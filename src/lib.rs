//! Run commands and pipelines from Rust, on Unix: everything a shell can wire up and no shell, deadlines that really end a run, and errors
//! that say which stage failed and how.
//!
//! ```
//! use pipewright::cmd;
//! use std::time::Duration;
//! let words = cmd!("echo", "b a c") | cmd!("tr", " ", "\n") | cmd!("sort");
//! let sorted = words.timeout(Duration::from_secs(10)).read()?;
//! assert_eq!(sorted, "a\nb\nc");
//! # Ok::<(), pipewright::Error>(())
//! ```
//!
//! This page is a tour, in the order in which you will need things. The [`guide`] has recipes, pitfalls and comparisons, and says what to
//! write instead of [std](guide::from_std), [duct](guide::from_duct), [subprocess](guide::from_subprocess) or a
//! [bash script](guide::from_bash).
//!
//! # Commands
//!
//! [`cmd!`] makes a [`Cmd`]. Each item is exactly one argument, whatever characters it contains, because no shell sees it. `items..` expands a
//! list or an `Option`. A command is a value: its methods take it and give it back changed, and it can be run any number of times.
//!
//! ```
//! use pipewright::cmd;
//! let path = "a file; with $pecial 'characters'";
//! let verbose = Some("-n");
//! assert_eq!(cmd!("printf", "%s", path).env("LC_ALL", "C").read()?, path);
//! assert_eq!(cmd!("echo", verbose.., "x").read()?, "x");
//! # Ok::<(), pipewright::Error>(())
//! ```
//!
//! # Verbs
//!
//! You choose a verb for what you want back. Commands and pipelines have the same ones. They block, except the last two rows.
//!
//! | | stdin unset | stdout unset | stderr unset | a bad exit | gives |
//! |---|---|---|---|---|---|
//! | [`run`](Cmd::run) | inherited | inherited | inherited | an error | [`Output`] |
//! | [`status`](Cmd::status) | inherited | inherited | inherited | data | [`Status`] |
//! | [`output`](Cmd::output) | empty | captured | captured | an error | [`Output`] |
//! | [`read`](Cmd::read), [`read_bytes`](Cmd::read_bytes) | empty | captured | inherited | an error | text, bytes |
//! | [`for_each_line`](Cmd::for_each_line) | empty | to a callback | inherited | an error | [`Output`] |
//! | [`lines`](Cmd::lines), [`reader`](Cmd::reader) | empty | read by you | inherited | an error at the end | [`Lines`], [`Reader`] |
//! | [`spawn`](Cmd::spawn) | inherited | inherited | inherited | data of [`Job::wait`] | [`Job`] |
//!
//! # Errors
//!
//! An [`Error`] knows its [`ErrorKind`], the stage, the program, the [`Step`] that failed, what the system said, the status and the output so
//! far. `{}` prints one line and `{:#}` prints everything. No text shows a secret.
//!
//! ```
//! use pipewright::{Cmd, cmd};
//! let pack = Cmd::sh("cat; echo disk full >&2; exit 3").label("pack");
//! let error = (cmd!("echo", "x") | pack).output().unwrap_err();
//! assert!(error.to_string().ends_with("exited with code 3"));
//! assert_eq!(error.label(), Some("pack"));
//! assert_eq!(error.output().unwrap().stdout, "x\n");
//! assert!(format!("{error:#}").ends_with("stderr:\n    disk full"));
//! ```
//!
//! # Pipelines
//!
//! Commands become a [`Pipeline`] by `|`, by [`pipe`](Cmd::pipe) or from an iterator. If any stage fails the pipeline fails, and the
//! rightmost failure is reported. A stage killed by SIGPIPE because its reader stopped early does not count as failed.
//! [`allow_codes`](Cmd::allow_codes), [`unchecked`](Cmd::unchecked) and [`StatusPolicy`] change this. The API counts stages from 0.
//!
//! ```
//! use pipewright::cmd;
//! let two = cmd!("yes") | cmd!("head", "-n", "2");
//! let out = (two | cmd!("grep", "no").allow_codes([1])).output()?;
//! assert_eq!(out.stdout, "");
//! assert_eq!(out.stages[0].status.signal(), Some(13)); // SIGPIPE
//! assert_eq!(out.stages[2].status.code(), Some(1));
//! # Ok::<(), pipewright::Error>(())
//! ```
//!
//! # Streams
//!
//! A stream goes where a [`Redirect`] sends it: to or from a file, a descriptor, bytes, a reader, a writer, a callback for each line, a capture
//! within a [`Limit`], or several of these at once. Text, bytes and files can be given as they are.
//! [`stderr_to_stdout`](Cmd::stderr_to_stdout) is `2>&1`.
//!
//! ```
//! use pipewright::{Redirect, cmd};
//! let sorted = cmd!("sort").stdin("b\na\n").stderr(Redirect::null());
//! assert_eq!(sorted.read()?, "a\nb");
//! # Ok::<(), pipewright::Error>(())
//! ```
//!
//! # Deadlines
//!
//! A run has one deadline, which covers starting, feeding, reading and waiting. When it passes, the processes are asked to end and then killed,
//! and the error holds what was captured. A [`CancelHandle`] does the same from another thread.
//!
//! ```
//! use pipewright::{ErrorKind, cmd};
//! use std::time::Duration;
//! let hung = cmd!("sleep", "60").timeout(Duration::from_millis(20));
//! assert_eq!(hung.run().unwrap_err().kind(), ErrorKind::Timeout);
//! ```
//!
//! # Jobs
//!
//! A [`Job`] is a run in progress. Several threads can wait for it, signal it and shut it down, and the ends of its pipes can be taken.
//! Dropping it kills and reaps what it started; [`detach`](Job::detach) lets that live. `std::process::exit` runs no drop, so it kills nothing.
//!
//! ```
//! use pipewright::cmd;
//! use std::time::Duration;
//! let job = cmd!("sleep", "60").spawn()?;
//! assert_eq!(job.try_wait()?, None);
//! let report = job.shutdown(Duration::from_secs(5))?;
//! assert!(report.survivors.is_empty());
//! assert_eq!(job.wait()?.signal(), Some(15)); // SIGTERM
//! # Ok::<(), pipewright::Error>(())
//! ```
//!
//! # Leaving nothing behind
//!
//! A timeout, cancel, kill or drop ends everything the run started: its descendants in any process group or session, and, except for a drop, any
//! process that still holds one of its streams. [`KillReport`] lists which processes were signalled and how they were found.
//! [`contain`](Cmd::contain) puts the run into a process group, a session or a cgroup of its own.
//! [`shutdown_plan`](Cmd::shutdown_plan) sets the signals that come before SIGKILL. [`on_leak`](Cmd::on_leak) says what happens to a process
//! that outlives the run's own.
//!
//! ```
//! use pipewright::{Cmd, OnLeak};
//! let leaky = Cmd::sh("sleep 60 & echo done").on_leak(OnLeak::Kill);
//! let out = leaky.output()?;
//! assert_eq!(out.stdout, "done\n");
//! # if !cfg!(target_os = "linux") { return Ok(()); }
//! assert_eq!(out.leaked.unwrap().processes[0].name, "sleep");
//! # Ok::<(), pipewright::Error>(())
//! ```
//!
//! # Rust code as a stage
//!
//! A closure can be a stage, with [`pipe_fn`](Cmd::pipe_fn) or as a [`Stage`] value. It reads what the stage before it writes. Its error is the
//! run's error, and when it returns, its neighbours see the end of their streams like they do with a process. [`scoped`](Cmd::scoped)
//! closures may borrow. [`tap`](Cmd::tap), [`map_lines`](Cmd::map_lines), [`filter_lines`](Cmd::filter_lines) and [`tee_to`](Cmd::tee_to) are
//! ready-made stages.
//!
//! ```
//! use pipewright::cmd;
//! use std::io::{BufRead, Write};
//! let numbered = cmd!("printf", r"b\na\n").pipe_fn(|input, output| {
//!     for (number, line) in input.lines().enumerate() {
//!         writeln!(output, "{} {number}", line?)?;
//!     }
//!     Ok(())
//! });
//! assert_eq!((numbered | cmd!("sort")).read()?, "a 1\nb 0");
//!
//! let mut bytes = 0;
//! let counted = cmd!("printf", r"b\na\n").scoped(|scope| {
//!     let sorted = scope.tap(|chunk| bytes += chunk.len()).pipe(cmd!("sort"));
//!     sorted.read()
//! })?;
//! assert_eq!((counted.as_str(), bytes), ("a\nb", 4));
//! # Ok::<(), pipewright::Error>(())
//! ```
//!
//! The pipe between two closures is in memory. You can use such pipes between your own threads, too: see [`pipe`].
//!
//! # More than three streams
//!
//! [`fd_out`](Cmd::fd_out) and [`fd_in`](Cmd::fd_in) wire a further descriptor like stdout and stdin are wired.
//! [`map_fd`](Cmd::map_fd) hands over an open one. [`arg_reader`](Cmd::arg_reader) is `<(…)`. The module [`fd`] offers safe functions for the
//! underlying system calls, and a client and server for make's [jobserver](fd::Jobserver).
//!
//! ```
//! use pipewright::{Cmd, Redirect, cmd};
//! let both = Cmd::sh("echo text; echo 100% >&3").fd_out(3, Redirect::capture());
//! assert_eq!(*both.output()?.fd(3).unwrap(), "100%\n");
//!
//! let sorted = |words: &str| cmd!("printf", words) | cmd!("sort");
//! let (left, right) = (sorted(r"b\na\n"), sorted(r"c\nb\n"));
//! let common = cmd!("comm", "-12").arg_reader(left).arg_reader(right);
//! assert_eq!(common.read()?, "b");
//! # Ok::<(), pipewright::Error>(())
//! ```
//!
//! # Tests
//!
//! The module [`testing`] captures what code prints, by itself, from C or by its children, under plain `cargo test`. It also runs a test in a
//! process of its own and names what a test leaks. [`assert`](Cmd::assert) makes assertions about a run.
//!
//! ```
//! use pipewright::{Cmd, testing};
//! let echo = Cmd::sh("echo from a child");
//! let printed = testing::capture_stdout(|| echo.run().is_ok());
//! assert_eq!(printed.text(), "from a child\n");
//! Cmd::sh("echo no >&2; exit 3").assert().code(3).stderr("no\n");
//! ```
//!
//! # Ctrl-C and other signals
//!
//! From [`forward::signals`] on, signals to this process reach the runs that [ask for them](Cmd::forward_signals): Ctrl-C and `kill` end these
//! runs, then this process. A run in the [`foreground`](Cmd::foreground) has the terminal.
//!
//! ```no_run
//! // It would change what Ctrl-C does to this test.
//! let _forwarding = pipewright::forward::signals()?;
//! pipewright::cmd!("make", "-j8").forward_signals(true).run()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Watching a run
//!
//! [`Job::events`] is an iterator over what happens in a run: what starts, is written, ends, is killed or is left behind, and when.
//! [`on_event`](Cmd::on_event) calls a closure for each event, and the feature `tracing` turns them into spans.
//! [`dry_run`](Cmd::dry_run) shows the [`Plan`] before anything runs.
//!
//! ```
//! use pipewright::{EventKind, cmd};
//! let job = (cmd!("echo", "text") | cmd!("cat")).spawn()?;
//! for event in job.events() {
//!     if let EventKind::Exited { stage, status } = event.kind {
//!         println!("stage {stage} {status}");
//!     }
//! }
//! # Ok::<(), pipewright::Error>(())
//! ```
//!
//! # Limits
//!
//! - A process that has lost its parent (a double fork) and holds none of the run's streams is found only if you use
//!   [`contain`](Cmd::contain). On systems other than Linux, only the processes that this library started are ended.
//! - Linux is tested. macOS and FreeBSD are type-checked and untested. Other systems are not supported.
//! - There is no async, no terminal (pty) for children, and no shell syntax. The [comparison](guide::comparison) says what to use instead.

#[cfg(not(unix))]
compile_error!(
    "pipewright is for Unix: Linux, and untested macOS and BSD. On other systems `duct` or `subprocess` may do."
);

#[cfg(feature = "assert_cmd")]
mod assert;
mod clock;
mod cmd;
mod contain;
mod engine;
pub mod fd;
#[cfg(feature = "forward")]
pub mod forward;
pub mod guide;
mod io;
mod job;
mod lock;
mod once;
mod outcome;
pub mod pipe;
mod pipeline;
mod plan;
mod process;
mod procfs;
mod redirect;
mod run;
mod setup_step;
mod spawn;
mod spec;
mod stage;
mod status;
mod stream;
mod sys;
#[cfg(feature = "testing")]
pub mod testing;
mod text;
mod tree;

pub use cmd::which::which;
pub use cmd::{Cmd, Resource};
pub use contain::Containment;
pub use engine::events::{Event, EventKind};
pub use engine::leak::{LeakedProcess, OnLeak};
pub use io::capture::Limit;
pub use io::captured::Captured;
pub use job::{Events, Job, KillReport, Lines, LinesBytes, Means, Reader, Scoped, Survivor};
pub use outcome::StatusPolicy;

pub use outcome::{Error, ErrorKind, FdOutput, Leak, Output, StageReport};
pub use pipeline::Pipeline;
pub use plan::Plan;
pub use process::{Process, StatusStolen, Usage};
pub use procfs::Unseen;
pub use redirect::{Direction, In, LineResult, Out, Redirect};
pub use setup_step::Step;
pub use spec::cancel::CancelHandle;
pub use spec::closure::{StageReader, StageWriter};
pub use stage::Stage;
pub use status::{Status, StatusUnknown};
pub use stream::Stream;

/// What `cmd!` expands to; not for use by hand.
#[doc(hidden)]
pub mod __private {
    pub use crate::cmd::{Arg, ArgSingle};
}

/// A result with this library's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;
