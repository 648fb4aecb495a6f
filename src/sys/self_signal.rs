//! Signals of this process to itself: a signal's action saved and restored, and its default action brought about.

#![expect(unsafe_code, reason = "sigaction and raise on values of this stack")]

use std::ffi::c_int;
use std::mem::MaybeUninit;

use super::signals::{self, DEFAULT, IGNORE, LAST};

/// A signal's action at the time of a look.
pub(crate) struct Action {
    signal: c_int,
    action: libc::sigaction,
}

impl Action {
    /// The action that the signal has now.
    pub(crate) fn of(signal: c_int) -> Action {
        let mut action = MaybeUninit::<libc::sigaction>::zeroed();
        // SAFETY: asks only; the structure has the right type.
        unsafe { libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr()) };
        // SAFETY: all zero is a valid sigaction, and the call may have filled it.
        Action { signal, action: unsafe { action.assume_init() } }
    }

    pub(crate) fn signal(&self) -> c_int {
        self.signal
    }

    pub(crate) fn is_default(&self) -> bool {
        self.action.sa_sigaction == DEFAULT
    }

    pub(crate) fn is_ignore(&self) -> bool {
        self.action.sa_sigaction == IGNORE
    }

    /// Makes it the signal's action again.
    pub(crate) fn put_back(&self) {
        // SAFETY: the system gave this action, and the code of a handler stays loaded.
        unsafe { libc::sigaction(self.signal, &raw const self.action, std::ptr::null_mut()) };
    }
}

fn bit(signal: c_int) -> u64 {
    if (1..=LAST).contains(&signal) { 1 << (signal - 1) } else { 0 }
}

fn raise(signal: c_int) {
    // SAFETY: takes a number.
    unsafe { libc::raise(signal) };
}

/// Ends this process by the signal's default action. If that does not end it (`init` of a container), exits with 128 plus the signal's number,
/// like a shell.
pub(crate) fn die_of(signal: c_int) -> ! {
    let mask = signals::set_mask(u64::MAX);
    signals::set_handler(signal, DEFAULT);
    raise(signal);
    // A pending signal is delivered here.
    signals::set_mask(mask & !bit(signal));
    std::process::exit(128 + signal)
}

/// Stops this process by SIGTSTP's default action; returns when it was continued, or at once if the system discards the stop: no shell
/// could continue an orphaned group. `is_over` is called while the signal is pending, and says whether a SIGCONT has come since the stop
/// was asked for: then this does not stop. A later SIGCONT discards the pending stop (signal(7)).
pub(crate) fn suspend(is_over: impl FnOnce() -> bool) {
    let before = Action::of(libc::SIGTSTP);
    let mask = signals::set_mask(u64::MAX);
    signals::set_handler(libc::SIGTSTP, DEFAULT);
    raise(libc::SIGTSTP);
    if is_over() {
        // Discards the pending signal.
        signals::set_handler(libc::SIGTSTP, IGNORE);
    }
    // It stops in here.
    signals::set_mask(mask & !bit(libc::SIGTSTP));
    signals::set_mask(mask);
    before.put_back();
}
