//! What a signal does to this process as a whole: its action kept and put back, and the default action brought about.

#![expect(unsafe_code, reason = "sigaction and raise on values of this stack")]

use std::ffi::c_int;
use std::mem::MaybeUninit;

use super::signals::{self, DEFAULT, IGNORE, LAST};

/// A signal's action as it was at some time.
pub(crate) struct Action {
    signal: c_int,
    action: libc::sigaction,
}

impl Action {
    /// The one that the signal has now.
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
        // SAFETY: the system gave this action to us, and no code of a process goes away.
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

/// Ends this process as the signal does where nobody handles it. Where it does not end a process (`init` of a container), exits with the
/// code that a shell has for it.
pub(crate) fn die_of(signal: c_int) -> ! {
    let mask = signals::set_mask(u64::MAX);
    signals::set_handler(signal, DEFAULT);
    raise(signal);
    // What waits is delivered here.
    signals::set_mask(mask & !bit(signal));
    std::process::exit(128 + signal)
}

/// Stops this process as SIGTSTP does where nobody handles it; returns when it was continued, or at once where the system discards the
/// stop: nobody could continue a group whose shell is gone. `is_over`, asked once the signal waits, says whether a SIGCONT has come since
/// the stop was asked for: then there is none. One that comes later takes the waiting stop with it (signal(7)).
pub(crate) fn suspend(is_over: impl FnOnce() -> bool) {
    let before = Action::of(libc::SIGTSTP);
    let mask = signals::set_mask(u64::MAX);
    signals::set_handler(libc::SIGTSTP, DEFAULT);
    raise(libc::SIGTSTP);
    if is_over() {
        // Throws away what waits.
        signals::set_handler(libc::SIGTSTP, IGNORE);
    }
    // It stops in here.
    signals::set_mask(mask & !bit(libc::SIGTSTP));
    signals::set_mask(mask);
    before.put_back();
}
