//! Commands and pipelines of commands, on Unix: what a shell can wire, without a shell; with deadlines that hold, each stage's
//! status and cost, and errors that name the stage and the step.
//!
//! # A guided tour
//!
//! **A command is a value.** [`cmd!`] writes one, [`Cmd`]'s methods change it, a verb runs it, any number of times. Every word is one argument,
//! exactly as it is: no shell sees it. `..` spreads an array, an iterator, an `Option`.
//!
//! ```
//! use pipewright::cmd;
//! let path = "a file; with $pecial 'characters'";
//! let verbose = Some("-n");
//! let cmd = cmd!("printf", "%s", path).env("LC_ALL", "C");
//! assert_eq!(cmd.read()?, path);
//! assert_eq!(cmd!("echo", verbose.., "x").read()?, "x");
//! # Ok::<(), pipewright::Error>(())
//! ```
//!
//! **A verb says what you want of it.** They are the same on commands and pipelines, and all but the last two block:
//!
//! | | stdin unset | stdout unset | stderr unset | a bad exit | gives |
//! |---|---|---|---|---|---|
//! | [`run`](Cmd::run) | inherited | inherited | inherited | an error | [`Output`] |
//! | [`status`](Cmd::status) | inherited | inherited | inherited | data | [`Status`] |
//! | [`output`](Cmd::output) | nothing | captured | captured | an error | [`Output`] |
//! | [`read`](Cmd::read), [`read_bytes`](Cmd::read_bytes) | nothing | captured | inherited | an error | text, bytes |
//! | [`for_each_line`](Cmd::for_each_line) | nothing | to a callback | inherited | an error | [`Output`] |
//! | [`lines`](Cmd::lines), [`reader`](Cmd::reader) | nothing | read by you | inherited | an error at the end | [`Lines`], [`Reader`] |
//! | [`spawn`](Cmd::spawn) | inherited | inherited | inherited | data of [`Job::wait`] | [`Job`] |
//!
//! **A pipeline is commands in a row**, by `|` or [`pipe`](Cmd::pipe) or from an iterator. A stage that failed fails it, the rightmost
//! first; one that died of SIGPIPE because the next had enough did not fail. [`allow_codes`](Cmd::allow_codes), [`unchecked`](Cmd::unchecked)
//! and [`StatusPolicy`] say otherwise. Stages count from 0.
//!
//! ```
//! use pipewright::cmd;
//! let out = (cmd!("yes") | cmd!("head", "-n", "2") | cmd!("grep", "no").allow_codes([1])).output()?;
//! assert_eq!(out.stdout, "");
//! assert_eq!(out.stages[0].status.signal(), Some(13));
//! assert_eq!(out.stages[2].status.code(), Some(1));
//! # Ok::<(), pipewright::Error>(())
//! ```
//!
//! **Rust code is a stage, too**, as a closure that reads what the stage before writes: [`pipe_fn`](Cmd::pipe_fn), or a [`Stage`] value. It has a
//! status as a process has one, its error is the run's, and it ends its upstream as a process would. [`scoped`](Cmd::scoped) closures may borrow.
//! [`tap`](Cmd::tap), [`map_lines`](Cmd::map_lines), [`filter_lines`](Cmd::filter_lines) and [`tee_to`](Cmd::tee_to) are ready made. [`pipe`] has the pipes
//! themselves, in memory and the kernel's.
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
//! # Ok::<(), pipewright::Error>(())
//! ```
//!
//! **Streams go where a [`Redirect`] sends them**: a file, a descriptor, bytes, a reader, a writer, a callback for each line, a
//! capture within a [`Limit`], or several at once. [`stderr_to_stdout`](Cmd::stderr_to_stdout) is `2>&1`.
//!
//! ```
//! use pipewright::{Redirect, cmd};
//! let sorted = cmd!("sort").stdin(Redirect::bytes("b\na\n")).stderr(Redirect::null());
//! assert_eq!(sorted.read()?, "a\nb");
//! # Ok::<(), pipewright::Error>(())
//! ```
//!
//! **A child may have more than three streams**: [`fd_out`](Cmd::fd_out) and [`fd_in`](Cmd::fd_in) wire a further descriptor as stdout and
//! stdin are wired, [`map_fd`](Cmd::map_fd) hands over one that is open, and [`arg_reader`](Cmd::arg_reader) is `<(…)`. [`fd`] has the system
//! calls for those who know them by name.
//!
//! ```
//! use pipewright::{Cmd, cmd};
//! let out = Cmd::sh("echo text; echo 100% >&3").fd_piped_out(3).output()?;
//! assert_eq!(*out.fd(3).unwrap(), "100%\n");
//! let sorted = |words: &str| cmd!("printf", words) | cmd!("sort");
//! let common = cmd!("comm", "-12").arg_reader(sorted(r"b\na\n")).arg_reader(sorted(r"c\nb\n"));
//! assert_eq!(common.read()?, "b");
//! # Ok::<(), pipewright::Error>(())
//! ```
//!
//! **A run has one deadline**, which covers starting, feeding, reading and waiting. When it passes, the processes are asked to end, then
//! killed, and the error holds what was captured. A [`CancelHandle`] does the same from another thread.
//!
//! ```
//! use pipewright::{ErrorKind, cmd};
//! use std::time::Duration;
//! let error = cmd!("sleep", "60").timeout(Duration::from_millis(20)).run().unwrap_err();
//! assert_eq!(error.kind(), ErrorKind::Timeout);
//! ```
//!
//! **An [`Error`] knows** its [`ErrorKind`], the stage, the program, the [`Step`] that failed, what the system said, the status, the output so far.
//! `{}` is one line, `{:#}` is all of it, and no text shows a secret.
//!
//! ```
//! use pipewright::{Cmd, cmd};
//! let error = (cmd!("echo", "x") | Cmd::sh("cat; echo 'no space left' >&2; exit 3").label("pack")).output().unwrap_err();
//! assert_eq!(error.to_string(), "`pack` (/bin/sh, stage 1 of 2) exited with code 3");
//! assert_eq!(error.output().unwrap().stdout, "x\n");
//! assert!(format!("{error:#}").ends_with("stderr:\n    no space left"));
//! ```
//!
//! **A [`Job`] is a run in progress**: it can be waited for from several threads, signalled, shut down; its ends can be taken.
//! Dropping it kills and reaps what it started; [`detach`](Job::detach) lets that live. `std::process::exit` runs no drop, and so kills
//! nothing.
//!
//! ```
//! use pipewright::cmd;
//! use std::time::Duration;
//! let job = cmd!("sleep", "60").spawn()?;
//! assert_eq!(job.try_wait()?, None);
//! let report = job.shutdown(Duration::from_secs(5))?;
//! assert!(report.survivors.is_empty());
//! assert_eq!(job.wait()?.signal(), Some(15));
//! # Ok::<(), pipewright::Error>(())
//! ```
//!
//! **What a run starts ends with it.** A timeout, a cancel, a kill and a drop reach its descendants, and who holds one of its streams. [`contain`](Cmd::contain)
//! puts the run into a group, a session or a cgroup of its own; [`KillReport`] says what was reached, and by what [`Means`].
//! [`shutdown_plan`](Cmd::shutdown_plan) sets the signals that come before SIGKILL, [`on_leak`](Cmd::on_leak) what becomes of those who are left.
//!
//! ```
//! use pipewright::{Cmd, OnLeak};
//! let out = Cmd::sh("sleep 60 & echo done").on_leak(OnLeak::Kill).output()?;
//! assert_eq!(out.stdout, "done\n");
//! # if !cfg!(target_os = "linux") { return Ok(()); }
//! assert_eq!(out.leaked.unwrap().processes[0].name, "sleep");
//! # Ok::<(), pipewright::Error>(())
//! ```
//!
//! **What happens can be watched**: [`Job::events`] is an iterator over what starts, is written, ends, is killed or left, with its time;
//! [`on_event`](Cmd::on_event) calls a closure for it, and the feature `tracing` makes spans of it.
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
//! **In tests**, the feature `testing` has [`testing`], which captures what code prints, by itself, from C or by children, under plain
//! `cargo test`; runs a test in a process of its own; and names what leaks. The feature `assert_cmd` adds [that crate's](Cmd::assert) assertions
//! on runs.
//!
//! ```
//! use pipewright::{Cmd, testing};
//! let printed = testing::capture_stdout(|| Cmd::sh("echo from a child").run().is_ok());
//! assert_eq!(printed.text(), "from a child\n");
//! Cmd::sh("echo no >&2; exit 3").assert().code(3).stderr("no\n");
//! ```
//!
//! **Signals to this process** (the feature `forward`, on by default) reach the runs that [ask for it](Cmd::forward_signals), from [`forward::signals`] on: Ctrl-C and `kill` end
//! them, then this process. A run in the [`foreground`](Cmd::foreground) has the terminal.
//!
//! ```no_run
//! let _forwarding = pipewright::forward::signals()?;
//! pipewright::cmd!("make", "-j8").forward_signals(true).run()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! **What will happen can be read first**: [`dry_run`](Cmd::dry_run) gives the [`Plan`], with who owns each end; a command's `Display` is a
//! line for a shell.
//!
//! **Below all that**, [`fd`] has what a pipe can be asked and told by descriptor, moves bytes without copying them, and takes part in
//! make's [jobserver](fd::Jobserver).
//!
//! # What it does not do
//!
//! - End what it cannot see: without [`contain`](Cmd::contain), a process whose parent has ended (a double fork) and that holds no stream of
//!   the run; [`KillReport`] says what was reached. Elsewhere than on Linux, what the processes that it started have started in turn.
//! - Run on anything but Unix. Linux is tested; macOS and FreeBSD are type-checked and untested.
//! - Async, terminals of its own (a pty), shell syntax. The README says what to use instead, and lists the pitfalls of pipes and processes.

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
pub use outcome::error::{Error, ErrorKind};
pub use outcome::output::{FdOutput, Leak, Output, StageReport};
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

/// The README's examples, run as tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// A result with this library's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;
