//! The line that says that a capture seems to wait for ever, and where it goes.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::fd::real_stdio;
use crate::sys::{fds, signals, stream};

/// The real stderr while a capture has its place, so that no complaint goes into what is captured.
static REAL_STDERR: Mutex<Option<Arc<OwnedFd>>> = Mutex::new(None);

/// Keeps this for complaints; `false` inside of another capture, whose stderr the real one is.
pub(super) fn keep_stderr(real: Option<&Arc<OwnedFd>>) -> bool {
    let mut kept = REAL_STDERR.lock().unwrap_or_else(PoisonError::into_inner);
    let is_first = kept.is_none();
    if is_first {
        *kept = real.cloned();
    }
    is_first
}

/// Descriptor 2 is the real stderr again.
pub(super) fn forget_stderr() {
    *REAL_STDERR.lock().unwrap_or_else(PoisonError::into_inner) = None;
}

/// Writes a line to the real stderr.
pub(super) fn complain(line: &str) {
    // No stream is replaced meanwhile.
    let _streams = real_stdio::streams();
    let real = REAL_STDERR.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let to = real.as_ref().map_or(fds::stdio(2), AsFd::as_fd);
    // A complaint that cannot be written has no other place to go.
    let _ = signals::without_sigpipe(|| stream::write_all(to, line.as_bytes()));
}

/// The locks of std's streams that a capture takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Locks {
    pub(super) stdout: bool,
    pub(super) stderr: bool,
}

impl Locks {
    pub(super) fn any(self) -> bool {
        self != Locks::default()
    }

    pub(super) fn or(self, other: Locks) -> Locks {
        Locks { stdout: self.stdout || other.stdout, stderr: self.stderr || other.stderr }
    }

    pub(super) fn without(self, other: Locks) -> Locks {
        Locks { stdout: self.stdout && !other.stdout, stderr: self.stderr && !other.stderr }
    }
}

const WAYS_OUT: &str = "Ways out: Capture::new().shared_stdout(true); pipewright::testing::isolate; a runner with a process for \
                        each test, as cargo-nextest";

/// For a capture that has taken these locks, or is about to.
pub(super) fn waits_for_closure(locks: Locks) -> String {
    let name = own_name();
    let stdout = ("stdout", "print!, println!, io::stdout");
    let stderr = ("stderr", "eprint!, eprintln!, io::stderr");
    let taken = [(locks.stdout, stdout), (locks.stderr, stderr)];
    let taken = || taken.iter().filter(|(taken, _)| *taken).map(|(_, words)| words);
    let ways = taken().map(|(_, ways)| *ways).collect::<Vec<_>>().join(", ");
    let locks = taken().map(|(lock, _)| *lock).collect::<Vec<_>>().join(" or ");
    format!(
        "pipewright: the capture of `{name}` goes on without a word of its closure. Does the closure wait for a thread that prints \
         ({ways})? That thread waits for the lock of {locks}, which the capture holds. Or does somebody hold that lock? {WAYS_OUT}.\n"
    )
}

/// For a capture whose turn does not come.
pub(super) fn waits_for_turn(holder: &str) -> String {
    let name = own_name();
    format!(
        "pipewright: `{name}` waits for the capture of `{holder}` to end, of which there is one at a time in a process. Is this one \
         on a thread that the closure of that one waits for? {WAYS_OUT}.\n"
    )
}

/// The calling thread's name, as complaints say it.
pub(super) fn own_name() -> String {
    thread::current().name().unwrap_or("a thread without name").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_locks_that_are_taken_are_named() {
        let both = Locks { stdout: true, stderr: true };
        let words = waits_for_closure(Locks { stderr: true, ..Locks::default() });
        assert!(
            words.contains("the lock of stderr,") && words.contains("(eprint!") && !words.contains(" print!"),
            "{words}"
        );
        assert!(waits_for_closure(both).contains(
            "io::stdout, eprint!, eprintln!, io::stderr)? That thread waits for the lock of stdout or stderr,"
        ));
        assert_eq!(both.without(Locks { stdout: true, stderr: false }), Locks { stdout: false, stderr: true });
    }
}
