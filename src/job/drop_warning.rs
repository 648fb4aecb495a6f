//! A warning for jobs that are dropped by mistake.

use std::io::Write;
use std::panic::Location;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::Job;

static WARNS: AtomicBool = AtomicBool::new(false);

impl Job {
    /// Whether dropping a [`spawn`](crate::Cmd::spawn)ed job that is not known to have ended prints a warning to stderr, with the place where
    /// it was started. [`detach`](Job::detach) prints none. Off by default; it holds for the whole process, and only in debug builds.
    ///
    /// ```
    /// use pipewright::{Job, cmd};
    /// Job::warn_when_dropped(true);
    /// drop(cmd!("sleep", "60").spawn()?); // "… was dropped before a wait saw its end: src/main.rs:5:29"
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn warn_when_dropped(on: bool) {
        WARNS.store(on, Relaxed);
    }

    pub(super) fn warn(&self, created: &Location<'_>) {
        if cfg!(debug_assertions)
            && WARNS.load(Relaxed)
            && !self.shared.is_over_or_detached()
            && !std::thread::panicking()
        {
            let what = self.plan.line();
            // A closed stderr (EBADF, EPIPE) is no reason to fail.
            let _ = writeln!(
                std::io::stderr(),
                "pipewright: `{what}` was dropped before a wait saw its end, and was ended; started at {created}"
            );
        }
    }
}
