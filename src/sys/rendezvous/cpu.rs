//! The processor that the calling thread runs on.

/// A hint: the answer may be old when it is used.
#[cfg(all(target_os = "linux", not(miri), not(all(test, loom))))]
pub(super) fn current() -> Option<u32> {
    // SAFETY: takes no argument.
    let cpu = unsafe { libc::sched_getcpu() };
    u32::try_from(cpu).ok()
}

#[cfg(not(all(target_os = "linux", not(miri), not(all(test, loom)))))]
pub(super) fn current() -> Option<u32> {
    None
}
