//! Small questions to the system that need no descriptor.

#![expect(unsafe_code, reason = "sysconf, dlsym, getppid: questions without memory")]

/// The bytes that argv and envp may have together (`sysconf(_SC_ARG_MAX)`).
pub(crate) fn arg_max() -> Option<u64> {
    // SAFETY: asks for a number.
    u64::try_from(unsafe { libc::sysconf(libc::_SC_ARG_MAX) }).ok()
}

/// The bytes that one string of argv or envp may have, its NUL counted: 32 pages on Linux (execve(2)).
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
    // SAFETY: looks up a name in what is loaded already.
    !unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"__tsan_init".as_ptr()) }.is_null()
}

pub(crate) fn pid() -> i32 {
    // SAFETY: cannot fail, no memory involved.
    unsafe { libc::getpid() }
}

pub(crate) fn parent_pid() -> i32 {
    // SAFETY: cannot fail, no memory involved.
    unsafe { libc::getppid() }
}
