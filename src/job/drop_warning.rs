//! Jobs that are dropped by oversight.

use std::io::Write;
use std::panic::Location;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::Job;

static WARNS: AtomicBool = AtomicBool::new(false);

impl Job {
    /// Whether a [`spawn`](crate::Cmd::spawn)ed job that is dropped before its end was seen, and without [`detach`](Job::detach), says so on
    /// stderr, with the place where it was started. Off unless set; for this whole process. In debug builds alone: elsewhere this does nothing.
    ///
    /// ```
    /// use pipewright::{Job, cmd};
    /// Job::warn_when_dropped(true);
    /// drop(cmd!("sleep", "60").spawn()?); // "… was dropped while nobody had waited for it: src/main.rs:5:29"
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
            // To a stderr that is gone there is nothing to say.
            let _ = writeln!(
                std::io::stderr(),
                "pipewright: `{what}` was dropped while nobody had waited for it, and was ended; started at {created}"
            );
        }
    }
}
