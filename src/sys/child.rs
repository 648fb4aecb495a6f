//! What runs between clone and exec.
//!
//! The rules here are stricter than anywhere else. With `CLONE_VM` this code runs in the *parent's* memory while one parent
//! thread waits; with `fork` it runs in a copy of a process whose other threads are gone. So: raw system calls only; no
//! allocation, no lock, no panic (hence no indexing, no arithmetic that can overflow, no assert); nothing that
//! runs destructors; out by `exit_group` alone. The errno is read at once after the call, since parent and child share it.

#![expect(unsafe_code, reason = "the child's side of a spawn: raw system calls on memory prepared by the parent")]

use std::ffi::{CStr, c_int, c_void};
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicI32, Ordering::Relaxed};

use super::carray::CArray;
use super::close::close_range;
use super::report::{ABOUT_TO_EXEC, Report, encode};
use super::signals::{self, DEFAULT, IGNORE};
use crate::failure::{Failure, Step};

/// One step of putting descriptors under their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FdOp {
    /// Copy `from` to a free number at or above `above`, close-on-exec; it becomes `Temp(temp)`.
    Save { from: RawFd, above: RawFd, temp: usize },
    /// `to` becomes a copy of `from`, without close-on-exec.
    Dup2 { from: FdSource, to: RawFd },
    /// Source and target are one number: `dup2(n, n)` would leave close-on-exec set, so the flag is cleared.
    Keep { fd: RawFd },
}

/// Where a `Dup2` reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FdSource {
    /// A number known when the plan was made.
    Fd(RawFd),
    /// What the n-th `Save` made.
    Temp(usize),
}

/// One resource limit to set: `RLIMIT_*`, soft, hard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RlimitSpec {
    pub(crate) resource: c_int,
    pub(crate) soft: u64,
    pub(crate) hard: u64,
}

/// The child's own attributes, as numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Attributes {
    /// Open for writing on a cgroup's `cgroup.procs`.
    pub(crate) cgroup: Option<RawFd>,
    pub(crate) new_session: bool,
    pub(crate) process_group: Option<i32>,
    /// Takes the controlling terminal for its group.
    pub(crate) foreground: bool,
    pub(crate) controlling_tty: bool,
    pub(crate) nice: Option<i32>,
    pub(crate) rlimits: Vec<RlimitSpec>,
    pub(crate) umask: Option<u32>,
    pub(crate) groups: Option<Vec<u32>>,
    pub(crate) gid: Option<u32>,
    pub(crate) uid: Option<u32>,
    pub(crate) kill_on_parent_death: bool,
    pub(crate) inherit_signals: bool,
}

impl Attributes {
    /// Credentials never change in memory shared with the parent.
    pub(crate) fn change_credentials(&self) -> bool {
        self.uid.is_some() || self.gid.is_some() || self.groups.is_some()
    }
}

/// Everything the child reads, prepared by the parent. Borrowed for the time of the launch.
pub(crate) struct ChildPlan<'a> {
    pub(crate) candidates: &'a CArray,
    pub(crate) argv: &'a CArray,
    pub(crate) envp: &'a CArray,
    pub(crate) cwd: Option<&'a CStr>,
    pub(crate) fd_ops: &'a [FdOp],
    /// One slot a `Save`; written by the child.
    pub(crate) temps: &'a [AtomicI32],
    /// The ranges to close; `None`: close nothing.
    pub(crate) close: Option<&'a [(u32, u32)]>,
    /// The first number that the child copies nothing from; `None` where it keeps whatever is open.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "only Linux can cut a shared table"))]
    pub(crate) needed_below: Option<u32>,
    /// Where the table of descriptors is the parent's (`CLONE_FILES`): what it is cut at, before anything else.
    pub(crate) cut_at: Option<u32>,
    pub(crate) attributes: &'a Attributes,
    /// The mask for a child that inherits its signals; `None`: the one that the launching thread has.
    pub(crate) mask: Option<u64>,
    /// This process, for the parent-death check.
    pub(crate) parent: i32,
    pub(crate) report: &'a Report,
    /// The fork engine's status pipe; -1 where memory is shared.
    pub(crate) status_fd: RawFd,
    /// Only mark descriptors close-on-exec: `exec()` in this process must leave them open when it fails.
    pub(crate) mark_only: bool,
}

/// The child's main function, on either engine. Never returns to a caller: it ends in exec or in `exit_group`.
///
/// # Safety
/// `plan` is a `*const ChildPlan` that stays valid until exec or exit; the caller is a fresh child with all signals blocked.
pub(crate) unsafe extern "C" fn child_main(plan: *mut c_void) -> c_int {
    // SAFETY: by this function's contract.
    let plan = unsafe { &*plan.cast::<ChildPlan<'_>>() };
    #[cfg(target_os = "linux")]
    if let Some(first) = plan.cut_at {
        // The first call of all. When it is refused the table is still the parent's, where nothing may be changed: out at once.
        if let Err(errno) = super::close::leave_shared_table(first) {
            plan.report.table_is_still_shared(errno);
            exit_now(127);
        }
    }
    // SAFETY: by this function's contract.
    let failure = unsafe { become_program(plan) };
    plan.report.fail(&failure);
    if plan.status_fd >= 0 {
        // Where this fails too, the parent sees an end without a word, or a program that exits with 127 at once.
        let _ = tell(plan.status_fd, &encode(&failure));
    }
    exit_now(127)
}

/// Leaves at once: no destructor, no `atexit`, no flushing of the parent's buffers.
pub(crate) fn exit_now(code: c_int) -> ! {
    // SAFETY: _exit is exit_group with nothing before it.
    unsafe { libc::_exit(code) }
}

/// Turns this process into the program, or says what failed. In a child it runs under the rules of this file; `exec()`
/// calls it in the process itself.
///
/// # Safety
/// The process may be changed for good: its descriptors, its signals, its attributes.
pub(crate) unsafe fn become_program(plan: &ChildPlan<'_>) -> Failure {
    if let Err(failure) = prepare(plan) {
        return failure;
    }
    // From here the child is "about to exec": what ends it now, ends it as the program's own death would be seen.
    plan.report.mark_about_to_exec();
    if plan.status_fd >= 0 {
        // No byte, no exec: the parent would take a program that runs for a child that has died on the way, and wait for its end.
        if let Err(failure) = tell(plan.status_fd, &[ABOUT_TO_EXEC]) {
            return failure;
        }
    }
    let inherit = plan.attributes.inherit_signals;
    clean_signals(inherit, if inherit { plan.mask.unwrap_or(0) } else { 0 });
    exec_first(plan)
}

/// Writes to the status pipe. A few bytes into an empty pipe go at once or not at all. One more try: what failed once for a passing reason
/// must not cost a start.
fn tell(status_fd: RawFd, bytes: &[u8]) -> Result<(), Failure> {
    let write = || {
        // SAFETY: the bytes are as many as said, and are only read.
        let written = unsafe { libc::write(status_fd, bytes.as_ptr().cast(), bytes.len()) };
        step(Step::Pipe, 0, written as c_int)
    };
    write().or_else(|_| write()).map(|_| ())
}

/// Tries the candidates in order. As `execvp(3)`: a missing file leads on, so does a forbidden one, but that is what is
/// reported if nothing else is found.
fn exec_first(plan: &ChildPlan<'_>) -> Failure {
    let mut found = Failure { step: Step::Exec, errno: libc::ENOENT, detail: 0 };
    let mut missing = libc::ENOENT;
    let mut index: c_int = 0;
    for &path in plan.candidates.pointers() {
        if path.is_null() {
            break;
        }
        // SAFETY: NUL-terminated strings and NULL-terminated arrays.
        unsafe { libc::execve(path, plan.argv.as_ptr(), plan.envp.as_ptr()) };
        let errno = last_errno();
        match errno {
            libc::ENOENT | libc::ENOTDIR => missing = errno,
            libc::EACCES => {
                if found.errno != libc::EACCES {
                    found = Failure { step: Step::Exec, errno, detail: index };
                }
            }
            _ => return Failure { step: Step::Exec, errno, detail: index },
        }
        index = index.saturating_add(1);
    }
    // A name that means one file alone has that file's own error.
    if index == 1 && found.errno == libc::ENOENT { Failure { errno: missing, ..found } } else { found }
}

fn prepare(plan: &ChildPlan<'_>) -> Result<(), Failure> {
    let attributes = plan.attributes;
    // First: while the descriptor is what it was, and before rights are given away.
    if let Some(procs) = attributes.cgroup {
        // SAFETY: one byte of a constant; "0" is whoever writes, see cgroups(7).
        step(Step::Cgroup, 0, unsafe { libc::write(procs, b"0".as_ptr().cast(), 1) } as c_int)?;
    }
    // Only the leader of a session without a terminal can take one.
    if attributes.new_session || attributes.controlling_tty {
        // SAFETY: no memory involved.
        step(Step::Session, 0, unsafe { libc::setsid() })?;
    }
    if let Some(group) = attributes.process_group {
        // SAFETY: no memory involved.
        step(Step::ProcessGroup, 0, unsafe { libc::setpgid(0, group) })?;
    }
    if attributes.foreground {
        take_terminal()?;
    }
    for op in plan.fd_ops {
        apply(op, plan.temps)?;
    }
    // Before a limit on descriptors, which would leave the fallbacks without one to look with.
    if let Some(ranges) = plan.close {
        for &(first, last) in ranges {
            // Cut off already. Beyond the cut lie only targets, which no range holds, and what was saved for a moment, which
            // exec closes.
            if plan.cut_at.is_some_and(|cut| cut <= first) {
                continue;
            }
            close_range(first, last, plan.status_fd, plan.mark_only).map_err(|errno| Failure {
                step: Step::Close,
                errno,
                detail: 0,
            })?;
        }
    }
    if attributes.controlling_tty {
        // SAFETY: TIOCSCTTY takes a number.
        step(Step::ControllingTty, 0, unsafe { libc::ioctl(0, libc::TIOCSCTTY as _, 0) })?;
    }
    if let Some(nice) = attributes.nice {
        // SAFETY: no memory involved.
        step(Step::Nice, 0, unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, nice) })?;
    }
    for spec in &attributes.rlimits {
        step(Step::Rlimit, spec.resource, set_limit(spec))?;
    }
    if let Some(mask) = attributes.umask {
        // SAFETY: no memory involved.
        unsafe { libc::umask(mask as libc::mode_t) };
    }
    credentials(attributes)?;
    if let Some(cwd) = plan.cwd {
        // SAFETY: a NUL-terminated string.
        step(Step::Chdir, 0, unsafe { libc::chdir(cwd.as_ptr()) })?;
    }
    if attributes.kill_on_parent_death {
        die_with_parent(plan.parent)?;
    }
    Ok(())
}

/// From the background, which takes SIGTTOU to be blocked: every signal is.
fn take_terminal() -> Result<(), Failure> {
    let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
    // SAFETY: a NUL-terminated string.
    let terminal = step(Step::Foreground, 0, unsafe { libc::open(c"/dev/tty".as_ptr(), flags) })?;
    // SAFETY: no memory involved.
    let group: libc::pid_t = unsafe { libc::getpgrp() };
    // SAFETY: TIOCSPGRP takes a number of this stack.
    step(Step::Foreground, 0, unsafe { libc::ioctl(terminal, libc::TIOCSPGRP as _, &raw const group) })?;
    // SAFETY: nobody else has it.
    unsafe { libc::close(terminal) };
    Ok(())
}

/// By the call that takes 64 bits everywhere: glibc's older one has 32 on some platforms.
#[cfg(target_os = "linux")]
fn set_limit(spec: &RlimitSpec) -> c_int {
    let limit = [spec.soft, spec.hard];
    let old = std::ptr::null_mut::<[u64; 2]>();
    // SAFETY: the two numbers live on this stack and are the kernel's `struct rlimit64`.
    unsafe { libc::syscall(libc::SYS_prlimit64, 0, spec.resource, limit.as_ptr(), old) as c_int }
}
#[cfg(not(target_os = "linux"))]
fn set_limit(spec: &RlimitSpec) -> c_int {
    let limit = libc::rlimit { rlim_cur: spec.soft as _, rlim_max: spec.hard as _ };
    // SAFETY: `limit` lives on this stack.
    unsafe { libc::setrlimit(spec.resource as _, &raw const limit) }
}

fn apply(op: &FdOp, temps: &[AtomicI32]) -> Result<(), Failure> {
    match *op {
        FdOp::Save { from, above, temp } => {
            // SAFETY: no memory involved.
            let saved = step(Step::Dup, from, unsafe { libc::fcntl(from, libc::F_DUPFD_CLOEXEC, above) })?;
            if let Some(slot) = temps.get(temp) {
                slot.store(saved, Relaxed);
            }
        }
        FdOp::Dup2 { from, to } => {
            let from = match from {
                FdSource::Fd(fd) => fd,
                FdSource::Temp(temp) => temps.get(temp).map_or(-1, |slot| slot.load(Relaxed)),
            };
            // SAFETY: no memory involved.
            step(Step::Dup, to, unsafe { libc::dup2(from, to) })?;
        }
        FdOp::Keep { fd } => {
            // SAFETY: no memory involved.
            step(Step::Dup, fd, unsafe { libc::fcntl(fd, libc::F_SETFD, 0) })?;
        }
    }
    Ok(())
}

/// Groups first and the user last: each needs the rights the next one gives away. Raw calls on Linux: glibc's wrappers
/// would make every thread of the process follow.
fn credentials(attributes: &Attributes) -> Result<(), Failure> {
    if let Some(groups) = &attributes.groups {
        // SAFETY: the list was prepared by the parent and is only read.
        step(Step::Groups, 0, unsafe { raw_setgroups(groups.len(), groups.as_ptr()) })?;
    // SAFETY: asks for a number.
    } else if attributes.uid.is_some() && unsafe { libc::geteuid() } == 0 {
        // As std does: a child that gives up root must not keep root's groups.
        // SAFETY: an empty list.
        step(Step::Groups, 0, unsafe { raw_setgroups(0, std::ptr::null()) })?;
    }
    if let Some(gid) = attributes.gid {
        // SAFETY: no memory involved.
        step(Step::Gid, 0, unsafe { raw_setgid(gid) })?;
    }
    if let Some(uid) = attributes.uid {
        // SAFETY: no memory involved.
        step(Step::Uid, 0, unsafe { raw_setuid(uid) })?;
    }
    Ok(())
}

// Where the plain calls take 16-bit numbers, the others.
#[cfg(all(target_os = "linux", not(any(target_arch = "x86", target_arch = "arm"))))]
use libc::{SYS_setgid as SYS_SETGID, SYS_setgroups as SYS_SETGROUPS, SYS_setuid as SYS_SETUID};
#[cfg(all(target_os = "linux", any(target_arch = "x86", target_arch = "arm")))]
use libc::{SYS_setgid32 as SYS_SETGID, SYS_setgroups32 as SYS_SETGROUPS, SYS_setuid32 as SYS_SETUID};

#[cfg(target_os = "linux")]
unsafe fn raw_setgroups(len: usize, groups: *const u32) -> c_int {
    // SAFETY: `groups` points to `len` ids, by the caller.
    unsafe { libc::syscall(SYS_SETGROUPS, len, groups) as c_int }
}
#[cfg(target_os = "linux")]
unsafe fn raw_setgid(gid: u32) -> c_int {
    // SAFETY: no memory involved.
    unsafe { libc::syscall(SYS_SETGID, gid) as c_int }
}
#[cfg(target_os = "linux")]
unsafe fn raw_setuid(uid: u32) -> c_int {
    // SAFETY: no memory involved.
    unsafe { libc::syscall(SYS_SETUID, uid) as c_int }
}
#[cfg(not(target_os = "linux"))]
unsafe fn raw_setgroups(len: usize, groups: *const u32) -> c_int {
    // SAFETY: `groups` points to `len` ids, by the caller.
    unsafe { libc::setgroups(len as _, groups) }
}
#[cfg(not(target_os = "linux"))]
unsafe fn raw_setgid(gid: u32) -> c_int {
    // SAFETY: no memory involved.
    unsafe { libc::setgid(gid) }
}
#[cfg(not(target_os = "linux"))]
unsafe fn raw_setuid(uid: u32) -> c_int {
    // SAFETY: no memory involved.
    unsafe { libc::setuid(uid) }
}

/// The parent may have died between clone and prctl, and its death signal with it: whoever has another parent by now
/// leaves at once.
#[cfg(target_os = "linux")]
fn die_with_parent(parent: i32) -> Result<(), Failure> {
    // SAFETY: no memory involved.
    step(Step::ParentDeath, 0, unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) })?;
    // SAFETY: no memory involved.
    if unsafe { libc::getppid() } != parent {
        exit_now(127);
    }
    Ok(())
}
#[cfg(not(target_os = "linux"))]
fn die_with_parent(_parent: i32) -> Result<(), Failure> {
    Err(Failure { step: Step::ParentDeath, errno: libc::ENOSYS, detail: 0 })
}

/// The signals that stop a process unless it says otherwise, the keyboard's last.
const STOPS: [c_int; 3] = [libc::SIGTTIN, libc::SIGTTOU, libc::SIGTSTP];

/// Handlers first, the mask only afterwards: with the mask open, a handler of the parent would run in the child, on the
/// parent's memory.
///
/// A stop signal let in here would stop a child whose parent cannot move until it execs. Blocked, it waits even while it is ignored,
/// so the mask opens onto dispositions that throw stops away; the default comes last, with execve right behind it.
fn clean_signals(inherit: bool, mask: u64) {
    let stays_ignored = |signal| {
        let kept = matches!(signal, libc::SIGHUP | libc::SIGINT | libc::SIGQUIT) || inherit;
        kept && signals::handler(signal) == IGNORE
    };
    let stops = STOPS.map(|signal| (signal, !stays_ignored(signal)));
    for signal in 1..=signals::LAST {
        if !stays_ignored(signal) {
            signals::set_handler(signal, if STOPS.contains(&signal) { IGNORE } else { DEFAULT });
        }
    }
    signals::set_mask(mask);
    for (signal, is_default) in stops {
        if is_default {
            signals::set_handler(signal, DEFAULT);
        }
    }
}

/// -1 becomes the failed step with its errno.
fn step(step: Step, detail: c_int, returned: c_int) -> Result<c_int, Failure> {
    if returned == -1 { Err(Failure { step, errno: last_errno(), detail }) } else { Ok(returned) }
}

/// The thread's errno, by pointer: `io::Error` is not used on this side.
pub(crate) fn last_errno() -> c_int {
    let place = errno_place();
    // SAFETY: libc's errno pointer is valid for the thread's life.
    unsafe { *place }
}

#[cfg(target_os = "linux")]
/// Puts a saved errno back: the child of a `CLONE_VM` shares the variable with the thread that made it.
pub(crate) fn set_errno(value: c_int) {
    let place = errno_place();
    // SAFETY: libc's errno pointer is valid for the thread's life.
    unsafe { *place = value }
}

fn errno_place() -> *mut c_int {
    #[cfg(target_os = "linux")]
    // SAFETY: takes nothing, returns this thread's slot.
    unsafe {
        libc::__errno_location()
    }
    #[cfg(any(target_os = "macos", target_os = "ios", target_os = "freebsd"))]
    // SAFETY: takes nothing, returns this thread's slot.
    unsafe {
        libc::__error()
    }
    #[cfg(any(target_os = "netbsd", target_os = "openbsd", target_os = "android"))]
    // SAFETY: takes nothing, returns this thread's slot.
    unsafe {
        libc::__errno()
    }
}
