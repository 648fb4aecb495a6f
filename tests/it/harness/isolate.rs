//! A process of its own for each test body.
//!
//! The test program is started again for the one test, as `testing::isolate` does it; here with a watchdog and an end check. So the
//! body is alone in its process, and its fds, children, threads and signals can be compared exactly while other tests run beside it.

use std::io::Write;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use pipewright::Cmd;
use pipewright::testing::rerun;

use super::check::Snapshot;
use super::proc;
use super::watchdog::{self, End};

/// How long a body may go without output or [`progress`].
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// What the end check and the watchdog put up with.
pub(crate) struct Options {
    /// New fds that may stay open.
    pub(crate) extra_fds: usize,
    /// New threads that may go on.
    pub(crate) extra_threads: usize,
    /// How long the body may go without output or [`progress`].
    pub(crate) patience: Duration,
    /// How long a difference may take to vanish.
    pub(crate) settle: Duration,
}

impl Default for Options {
    fn default() -> Options {
        Options { extra_fds: 0, extra_threads: 0, patience: PATIENCE, settle: Duration::from_secs(2) }
    }
}

/// Runs the body of the calling test in a process of its own, with the check at its end.
///
/// Must be the test's only statement, on the test's own thread, which has the test's name.
#[track_caller]
pub(crate) fn isolated(body: impl FnOnce()) {
    isolated_with(Options::default(), body);
}

/// [`isolated`] with other limits.
#[track_caller]
pub(crate) fn isolated_with(options: Options, body: impl FnOnce()) {
    if let Err(report) = try_isolated(options, body) {
        panic!("{report}");
    }
}

/// [`isolated`] for tests of the harness: in the test's own process a failure is returned as its
/// report. In the body's process a failure still panics.
pub(crate) fn try_isolated(options: Options, body: impl FnOnce()) -> Result<(), String> {
    let Some(test) = rerun().expect("the test's own thread") else {
        run_body(&options, body);
        return Ok(());
    };
    let name = test_name();
    let run = watchdog::supervise(start(test), options.patience);
    let verdict = match run.end {
        // A name that fits no test is a success of zero tests.
        End::Exited(status) if status.success() && run.output.contains("1 passed") => {
            relay_skips(&name, &run.output);
            return Ok(());
        }
        End::Exited(status) => format!("ended with {status}"),
        End::Hung(dump) => format!("made no progress for {:?}\n{dump}", options.patience),
    };
    Err(format!("the body of {name} {verdict}\n--- its output ---\n{}\n--- end ---", run.output))
}

/// The name of the running test.
pub(super) fn test_name() -> String {
    let thread = std::thread::current();
    std::env::var("PIPEWRIGHT_ISOLATED_TEST").unwrap_or_else(|_| thread.name().unwrap_or("a test").to_string())
}

/// Starts the process of the body, in a group of its own so that it can be ended whole. Both its
/// outputs go into one pipe, so that they stay in order.
fn start(test: Cmd) -> watchdog::Body {
    let (reader, writer) = os_pipe::pipe().expect("a pipe for the output");
    let child = Command::from(test)
        .stdin(Stdio::null())
        .stdout(writer.try_clone().expect("a second writer for the output"))
        .stderr(writer)
        .process_group(0)
        .spawn()
        .expect("the test binary can be started again");
    watchdog::Body { child, output: reader }
}

fn run_body(options: &Options, body: impl FnOnce()) {
    // Nothing watches this process once the test's own process is gone.
    prctl::set_pdeathsig(Signal::SIGKILL).expect("can ask to die with the parent");
    keep_inherited_fds();
    forget_nohup();
    open_channel();
    let before = Snapshot::take();
    body();
    before.check(options);
}

/// Marks descriptors that the test-suite was started with as close-on-exec, so that the body does not pass them on.
fn keep_inherited_fds() {
    for fd in proc::open_fds().into_keys().filter(|&fd| fd > 2) {
        // SAFETY: the fd was open a moment ago and this process has no other thread at work.
        let fd = unsafe { BorrowedFd::borrow_raw(fd) };
        let _ = fcntl(fd, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC));
    }
}

/// The suite may have been started under nohup. A body begins with the default actions.
fn forget_nohup() {
    for signal in [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT] {
        // SAFETY: no handler is installed, and this process has no other thread at work.
        unsafe { nix::sys::signal::signal(signal, nix::sys::signal::SigHandler::SigDfl) }
            .expect("a signal that can be set");
    }
}

/// Where progress is written: a copy of stderr, out of the way of a body that closes or
/// redirects 0, 1 or 2 or maps low fds.
static CHANNEL: OnceLock<OwnedFd> = OnceLock::new();

fn open_channel() {
    let copy = super::fds::dup_above(std::io::stderr(), 200);
    CHANNEL.set(copy).expect("one body in a process");
}

/// Tells the watchdog that the body is getting on; shown as a dot.
pub(crate) fn progress() {
    if let Some(channel) = CHANNEL.get() {
        let _ = nix::unistd::write(channel, b".");
    }
}

/// A skipped test has passed, so libtest would not show its words.
fn relay_skips(name: &str, output: &str) {
    let mark = format!("skipped {name}: ");
    for line in output.lines() {
        if let Some(at) = line.find(&mark) {
            let _ = std::io::stderr().write_all(format!("{}\n", &line[at..]).as_bytes());
        }
    }
}
