//! A thread that std has not made.
//!
//! A thread of std's inherits what the test harness put in the way of `print!` (its output capture); a bare one does not, and
//! neither do the threads that it starts.

#![expect(unsafe_code, reason = "pthread_create with a context on the caller's stack, and its join")]

use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::{io, ptr};

/// Runs `work` on a bare thread and `meanwhile` on this one; returns when both have returned. A panic of `work` ends the process.
pub(crate) fn beside<T>(mut work: &mut (dyn FnMut() + Send), meanwhile: impl FnOnce() -> T) -> io::Result<T> {
    let mut thread = MaybeUninit::<libc::pthread_t>::uninit();
    let context: *mut &mut (dyn FnMut() + Send) = &raw mut work;
    // SAFETY: `work` lives on this stack until the thread was joined below, and nothing else uses it meanwhile.
    let answer = unsafe { libc::pthread_create(thread.as_mut_ptr(), ptr::null(), start, context.cast()) };
    if answer != 0 {
        return Err(io::Error::from_raw_os_error(answer));
    }
    // SAFETY: filled by the call, which succeeded.
    let _join = Join(unsafe { thread.assume_init() });
    Ok(meanwhile())
}

extern "C" fn start(context: *mut c_void) -> *mut c_void {
    let work: *mut &mut (dyn FnMut() + Send) = context.cast();
    // SAFETY: what `beside` passed, which waits for this thread; the closure may be sent to it.
    let work = unsafe { &mut *work };
    work();
    ptr::null_mut()
}

/// Joins when dropped, also while a panic passes by: the context is on that stack.
struct Join(libc::pthread_t);

impl Drop for Join {
    fn drop(&mut self) {
        // SAFETY: the thread was created joinable, and is joined here alone.
        unsafe { libc::pthread_join(self.0, ptr::null_mut()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_have_returned() {
        let mut seen = None;
        let here = std::thread::current().id();
        let given = beside(&mut || seen = Some(std::thread::current().id()), || 7).unwrap();
        assert_eq!(given, 7);
        assert!(seen.is_some_and(|there| there != here));
    }

    #[test]
    fn a_panic_of_this_side_waits_for_the_other() {
        let (sender, receiver) = std::sync::mpsc::channel::<()>();
        let (mut receiver, mut done) = (Some(receiver), false);
        let mut work = || done = receiver.take().is_some_and(|receiver| receiver.recv().is_err());
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            beside(&mut work, move || {
                let _sender = sender;
                std::panic::resume_unwind(Box::new("on purpose"))
            })
        }));
        assert!(result.is_err() && done);
    }
}
