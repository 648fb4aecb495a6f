//! Facts about the system and this process that need no descriptor.

#![expect(unsafe_code, reason = "sysconf, dlsym, getppid, prctl, a clock: questions to the system")]

/// The most bytes that argv and envp may have together (`sysconf(_SC_ARG_MAX)`).
pub(crate) fn arg_max() -> Option<u64> {
    // SAFETY: asks for a number.
    u64::try_from(unsafe { libc::sysconf(libc::_SC_ARG_MAX) }).ok()
}

/// The most bytes that one string of argv or envp may have, with its NUL: 32 pages on Linux (execve(2)).
pub(crate) fn arg_string_max() -> Option<u64> {
    if cfg!(target_os = "linux") { Some(32 * page_size()) } else { None }
}

fn page_size() -> u64 {
    // SAFETY: asks for a number.
    u64::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096)
}

/// Whether this program runs under ThreadSanitizer, whose runtime aborts at the first `clone(CLONE_VM)`.
#[cfg(target_os = "linux")]
pub(crate) fn thread_sanitized() -> bool {
    // SAFETY: looks a name up in the libraries that are loaded already.
    !unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"__tsan_init".as_ptr()) }.is_null()
}

/// The time since boot in clock ticks, rounded down like the start times in `/proc/PID/stat` (`CLOCK_BOOTTIME`, proc(5)).
#[cfg(target_os = "linux")]
pub(crate) fn boot_ticks() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the structure lives on this stack. A clock that is refused leaves it zero: then nothing has started before.
    unsafe { libc::clock_gettime(libc::CLOCK_BOOTTIME, &raw mut now) };
    // SAFETY: asks for a number.
    let per_second = u64::try_from(unsafe { libc::sysconf(libc::_SC_CLK_TCK) }).unwrap_or(100).max(1);
    let (seconds, nanos) = (u64::try_from(now.tv_sec).unwrap_or(0), u64::try_from(now.tv_nsec).unwrap_or(0));
    seconds * per_second + nanos * per_second / 1_000_000_000
}
#[cfg(not(target_os = "linux"))]
pub(crate) fn boot_ticks() -> u64 {
    0
}

pub(crate) fn pid() -> i32 {
    // SAFETY: cannot fail, no memory involved.
    unsafe { libc::getpid() }
}

pub(crate) fn parent_pid() -> i32 {
    // SAFETY: cannot fail, no memory involved.
    unsafe { libc::getppid() }
}

/// Whether the system gives this process the orphans among its descendants: it is pid 1 of its namespace, or a subreaper (prctl(2)).
#[cfg(target_os = "linux")]
pub(crate) fn adopts_orphans() -> bool {
    let mut is_subreaper: libc::c_int = 0;
    // SAFETY: the call writes one int, which lives on this stack. Where it is refused, the int stays 0.
    unsafe { libc::prctl(libc::PR_GET_CHILD_SUBREAPER, &raw mut is_subreaper) };
    is_subreaper != 0 || pid() == 1
}
#[cfg(not(target_os = "linux"))]
pub(crate) fn adopts_orphans() -> bool {
    false
}
