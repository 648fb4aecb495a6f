//! What tests of the library share: the helper program as a command, and bounds on liveness.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, kill, sigaction};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;
use pipewright::{Cmd, Error, cmd};

use crate::harness::{children, fixture, open_fds, process_fds, process_state, skip};

/// The caller's own error.
#[derive(Debug, PartialEq, thiserror::Error)]
#[error("the caller's own, number {0}")]
pub(crate) struct Own(pub(crate) u32);

/// A writer whose bytes can be looked at.
#[derive(Clone, Default)]
pub(crate) struct Sheet(Arc<Mutex<Vec<u8>>>);

impl Sheet {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.0.lock().expect("no writer panics").clone()
    }

    /// A line callback that writes each line and a `|`.
    pub(crate) fn lines(&self) -> impl FnMut(&[u8]) + Send + use<> {
        let mut sheet = self.clone();
        move |line: &[u8]| io::Write::write_all(&mut sheet, &[line, b"|"].concat()).expect("memory takes all")
    }
}

impl io::Write for Sheet {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no writer panics").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A reader that calls the closure for each read.
pub(crate) struct Reading<F>(pub(crate) F);

impl<F: FnMut(&mut [u8]) -> io::Result<usize>> io::Read for Reading<F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0(buffer)
    }
}

/// A writer that calls the closure for each write; a flush does nothing.
pub(crate) struct Writing<F>(pub(crate) F);

impl<F: FnMut(&[u8]) -> io::Result<usize>> io::Write for Writing<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The helper program in a role.
pub(crate) fn role(name: &str) -> Cmd {
    cmd!(fixture(), name)
}

/// The path of a built example; `None`, said by name, when only parts of the package were built.
pub(crate) fn built_example(name: &str) -> Option<PathBuf> {
    let exe = std::env::current_exe().expect("the path of the test binary");
    let path = exe.ancestors().nth(2).expect("it is in deps").join("examples").join(name);
    if !path.exists() {
        skip("the example is not built; plain `cargo test` builds it");
        return None;
    }
    Some(path)
}

/// Ends a process that is not a child of this one; one that has ended already is no error.
pub(crate) fn kill_stranger(pid: &str) {
    let pid: i32 = pid.trim().parse().expect("a pid");
    assert!(pid > 1, "{pid} means many");
    // One that has ended already may have left its number to a real stranger.
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    if !name.starts_with("pipewright-fixt") {
        return;
    }
    let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
}

/// Runs with longer and longer times until there was time enough for what `wanted` sees: the error, and its time.
#[track_caller]
pub(crate) fn timed_out(run: impl Fn(Duration) -> Error, wanted: impl Fn(&Error) -> bool) -> (Error, Duration) {
    for millis in [150, 600, 2400, 8000] {
        let time = Duration::from_millis(millis);
        let error = run(time);
        if wanted(&error) {
            return (error, time);
        }
    }
    panic!("it never came so far");
}

/// What `f` gives, which must come within the time: a bound with slack, for what would otherwise take many times as long.
#[track_caller]
pub(crate) fn within<T>(limit: Duration, f: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let value = f();
    let took = start.elapsed();
    assert!(took < limit, "took {took:?}, more than {limit:?}");
    value
}

/// No child is there at this moment, not even a zombie.
#[track_caller]
pub(crate) fn assert_no_child() {
    let left = waitid(Id::All, WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT | WaitPidFlag::WEXITED);
    assert_eq!(left, Err(Errno::ECHILD), "a child is left");
}

/// Runs `f` with SIGPIPE ignored, as Rust's runtime leaves it, and with its default, as in a host written in C.
pub(crate) fn whatever_sigpipe_does(f: impl Fn()) {
    for handler in [SigHandler::SigIgn, SigHandler::SigDfl] {
        let action = SigAction::new(handler, SaFlags::empty(), SigSet::empty());
        // SAFETY: default and ignore run no code.
        let before = unsafe { sigaction(Signal::SIGPIPE, &action) }.expect("SIGPIPE can be set");
        f();
        // SAFETY: as it was.
        unsafe { sigaction(Signal::SIGPIPE, &before) }.expect("SIGPIPE can be put back");
    }
}

/// An executable file with this text.
pub(crate) fn executable(path: &Path, text: impl AsRef<[u8]>) {
    std::fs::write(path, text).expect("the file can be written");
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).expect("its mode can be set");
}

/// A program of this name that says the path it was run by.
pub(crate) fn teller(directory: &Path, name: &str) -> PathBuf {
    let path = directory.join(name);
    executable(&path, format!("#!{} echo\n", fixture()));
    path
}

/// Whether the engine is the one without process descriptors, where a thread a child sees its end, and lets go of its pipe a
/// moment later.
pub(crate) fn is_portable() -> bool {
    std::env::var_os("PIPEWRIGHT_ENGINE").is_some_and(|engine| engine == "portable")
}

/// No fd is open here now that was not `before`.
#[track_caller]
pub(crate) fn assert_no_new_fd(before: &BTreeMap<i32, String>) {
    let start = Instant::now();
    let new = loop {
        let mut new = open_fds();
        new.retain(|fd, target| before.get(fd) != Some(target));
        if new.is_empty() || !is_portable() || start.elapsed() > Duration::from_secs(2) {
            break new;
        }
    };
    assert!(new.is_empty(), "new fds: {new:?}");
}

/// What the fds 0, 1 and 2 of a child that waits are. It has no others, except those that the loader of its program opens and
/// closes on the way.
#[track_caller]
pub(crate) fn three_fds(pid: u32) -> [String; 3] {
    let start = Instant::now();
    loop {
        let fds = process_fds(pid);
        if fds.keys().eq(&[0, 1, 2]) {
            return [0, 1, 2].map(|fd| fds[&fd].clone());
        }
        assert!(start.elapsed() < Duration::from_secs(5), "the child has {fds:?}");
    }
}

/// No child is left, zombies included. One that a busy machine let outlive its KILL has a second to go.
#[track_caller]
pub(crate) fn assert_childless() {
    let start = Instant::now();
    while !children().is_empty() {
        assert!(start.elapsed() < Duration::from_secs(1), "left: {:?}", children());
        std::thread::yield_now();
    }
}

/// The time that everything else may take, beyond what a test waits for on purpose: the promised 100 ms, ten times over.
pub(crate) const SLACK: Duration = Duration::from_secs(1);

/// Orphans may take a moment to end, and a moment more until their new parent reaps them.
#[track_caller]
pub(crate) fn assert_gone(pids: &[i32]) {
    let start = Instant::now();
    while let Some(left) = pids.iter().find(|pid| !matches!(process_state(**pid), None | Some('Z'))) {
        assert!(start.elapsed() < SLACK, "{left} is left");
        std::thread::yield_now();
    }
}

/// Runs `each` on all items at once, a thread for each: most of what is bounded in time is waiting.
pub(crate) fn all_at_once<T: Sync>(items: &[T], each: impl Fn(&T) + Sync) {
    std::thread::scope(|scope| {
        let threads: Vec<_> = items.iter().map(|item| scope.spawn(|| each(item))).collect();
        // The panic's own text was printed by its thread.
        let failed = threads.into_iter().filter_map(|thread| thread.join().err()).count();
        assert_eq!(failed, 0, "failures among {} items", items.len());
    });
}

/// Names what a body is there to do that its own test started once more.
pub(crate) const PART: &str = "PIPEWRIGHT_TEST_PART";

/// Whether strace is there and may trace.
pub(crate) fn can_trace() -> bool {
    let mut strace = Command::new("strace");
    strace.args(["-f", "-e", "trace=none", "-o", "/dev/null", fixture(), "exit", "0"]);
    strace.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// The trace of this test's body, which runs once more in the default engine, doing `part`, under these of strace's expressions.
#[track_caller]
pub(crate) fn traced(part: &str, expressions: &[&str]) -> String {
    let directory = tempfile::tempdir().expect("a directory");
    let log = directory.path().join("log");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-e", "signal=none"]);
    for expression in expressions {
        strace.args(["-e", expression]);
    }
    strace.arg("-o").arg(&log);
    strace.arg(std::env::current_exe().expect("the path of the test binary")).args(std::env::args_os().skip(1));
    strace.env(PART, part).env_remove("PIPEWRIGHT_ENGINE");
    let output = strace.output().expect("strace starts");
    assert!(output.status.success(), "{part}: {output:?}");
    std::fs::read_to_string(log).expect("a log")
}
