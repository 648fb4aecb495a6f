//! Signal masks and dispositions by raw system calls: glibc's wrappers hide the signals 32 and 33, which a child inherits
//! all the same.

#![expect(unsafe_code, reason = "raw signal system calls on values of this stack")]

use std::ffi::c_int;

/// The number of the last signal.
#[cfg(target_os = "linux")]
pub(crate) const LAST: c_int = 64;
#[cfg(not(target_os = "linux"))]
pub(crate) const LAST: c_int = 31;

/// `SIG_DFL`, `SIG_IGN`, and whatever else stands for a handler.
pub(crate) const DEFAULT: usize = 0;
pub(crate) const IGNORE: usize = 1;

/// The kernel's `struct sigaction`: handler, flags, then (by architecture) restorer and mask, at most eight words. All zero but the
/// handler is a valid default or ignore on every architecture that puts the handler first.
#[cfg(target_os = "linux")]
type RawAction = [usize; 8];
#[cfg(target_os = "linux")]
const MASK_BYTES: usize = 8;

#[cfg(all(target_os = "linux", any(target_arch = "mips", target_arch = "mips64")))]
compile_error!("the kernel's sigaction has another shape on MIPS; not supported yet");

/// The disposition of a signal; `DEFAULT` for a number the kernel does not know.
#[cfg(target_os = "linux")]
pub(crate) fn handler(signal: c_int) -> usize {
    let mut old: RawAction = [0; 8];
    // SAFETY: asks only; `old` is larger than the kernel's structure.
    unsafe {
        libc::syscall(libc::SYS_rt_sigaction, signal, std::ptr::null::<RawAction>(), old.as_mut_ptr(), MASK_BYTES)
    };
    let [handler, ..] = old;
    handler
}

/// Sets a signal to `DEFAULT` or `IGNORE`. KILL and STOP refuse, which changes nothing.
#[cfg(target_os = "linux")]
pub(crate) fn set_handler(signal: c_int, handler: usize) {
    let new: RawAction = [handler, 0, 0, 0, 0, 0, 0, 0];
    // SAFETY: `new` is larger than the kernel's structure and holds no function.
    unsafe {
        libc::syscall(libc::SYS_rt_sigaction, signal, new.as_ptr(), std::ptr::null_mut::<RawAction>(), MASK_BYTES)
    };
}

/// Sets the thread's mask, a bit a signal, and returns the one before.
#[cfg(target_os = "linux")]
pub(crate) fn set_mask(mask: u64) -> u64 {
    let mut old = 0_u64;
    // SAFETY: both masks live on this stack and have the size said.
    unsafe { libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, &raw const mask, &raw mut old, MASK_BYTES) };
    old
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn handler(signal: c_int) -> usize {
    let mut old = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: asks only; `old` has the right type.
    unsafe { libc::sigaction(signal, std::ptr::null(), old.as_mut_ptr()) };
    // SAFETY: all zero is a valid sigaction, and the call may have filled it.
    unsafe { old.assume_init() }.sa_sigaction
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn set_handler(signal: c_int, handler: usize) {
    let zeroed = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: all zero is a valid sigaction.
    let mut new = unsafe { zeroed.assume_init() };
    new.sa_sigaction = handler;
    // SAFETY: `new` has the right type and holds no function.
    unsafe { libc::sigaction(signal, &raw const new, std::ptr::null_mut()) };
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn set_mask(mask: u64) -> u64 {
    let mut new = std::mem::MaybeUninit::<libc::sigset_t>::zeroed();
    let mut old = std::mem::MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: fills the set.
    unsafe { libc::sigemptyset(new.as_mut_ptr()) };
    for signal in 1..=LAST {
        if mask >> (signal - 1) & 1 == 1 {
            // SAFETY: an initialised set, a valid number.
            unsafe { libc::sigaddset(new.as_mut_ptr(), signal) };
        }
    }
    // SAFETY: both sets live on this stack.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, new.as_ptr(), old.as_mut_ptr()) };
    let mut before = 0;
    for signal in 1..=LAST {
        // SAFETY: the call filled the set.
        if unsafe { libc::sigismember(old.as_ptr(), signal) } == 1 {
            before |= 1 << (signal - 1);
        }
    }
    before
}

/// The thread's mask.
pub(crate) fn mask() -> u64 {
    AllBlocked::new().before()
}

/// Every signal blocked for the life of the value: what a thread needs around a clone, so that no handler of the host runs
/// on the child's side.
pub(crate) struct AllBlocked {
    before: u64,
}

impl AllBlocked {
    pub(crate) fn new() -> Self {
        AllBlocked { before: set_mask(u64::MAX) }
    }

    /// The thread's mask as it was.
    pub(crate) fn before(&self) -> u64 {
        self.before
    }
}

impl Drop for AllBlocked {
    fn drop(&mut self) {
        set_mask(self.before);
    }
}

/// Asks for a SIGKILL when the thread that started this process ends (`PR_SET_PDEATHSIG`). Does nothing where the system lacks that.
#[cfg(feature = "testing")]
pub(crate) fn die_with_parent() {
    #[cfg(target_os = "linux")]
    // It fails for a number that is no signal's.
    let _ = nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL);
}

const SIGPIPE_BIT: u64 = 1 << (libc::SIGPIPE - 1);

/// Whether a write to a pipe without readers would end this process.
pub(crate) fn sigpipe_is_deadly() -> bool {
    handler(libc::SIGPIPE) != IGNORE
}

/// Runs `write` with SIGPIPE blocked, and takes back the SIGPIPE it caused, if none was pending before. For hosts that did not
/// set SIGPIPE to be ignored, as Rust's runtime does.
///
/// A success may have caused one too: a write that had moved some bytes when the last reader went away tells their number.
pub(crate) fn without_sigpipe<T>(write: impl FnOnce() -> T) -> T {
    if !sigpipe_is_deadly() {
        return write();
    }
    let before = set_mask(u64::MAX);
    set_mask(before | SIGPIPE_BIT);
    let was_pending = sigpipe_pending();
    let result = write();
    if !was_pending {
        take_sigpipe();
    }
    set_mask(before);
    result
}

/// Blocks SIGPIPE for the rest of the calling thread's life: for helper threads of the library, which do nothing but write.
pub(crate) fn block_sigpipe_here() {
    let before = set_mask(u64::MAX);
    set_mask(before | SIGPIPE_BIT);
}

fn sigpipe_pending() -> bool {
    let mut pending = std::mem::MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: fills the set.
    unsafe { libc::sigpending(pending.as_mut_ptr()) };
    // SAFETY: zeroed or filled, a valid set either way.
    unsafe { libc::sigismember(pending.as_ptr(), libc::SIGPIPE) == 1 }
}

/// Takes the pending SIGPIPE, which `write(2)` directs at the writing thread.
fn take_sigpipe() {
    let mut set = std::mem::MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: fills the set.
    unsafe { libc::sigemptyset(set.as_mut_ptr()) };
    // SAFETY: an initialised set.
    unsafe { libc::sigaddset(set.as_mut_ptr(), libc::SIGPIPE) };
    if sigpipe_pending() {
        let mut taken = 0;
        // SAFETY: the signal is pending, so this returns at once.
        unsafe { libc::sigwait(set.as_ptr(), &raw mut taken) };
    }
}
