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
use super::errno::last_errno;
use super::report::{ABOUT_TO_EXEC, Slot, encode};
use super::signals::{self, DEFAULT, IGNORE};
use crate::setup_step::{Failure, Step};

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
    /// A number that was known when the plan was made.
    Fd(RawFd),
    /// The copy that the n-th `Save` made.
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
    pub(crate) exec: Exec<'a>,
    pub(crate) fds: Fds<'a>,
    pub(crate) attributes: &'a Attributes,
    /// The mask for a child that inherits its signals; `None`: the mask of the launching thread.
    pub(crate) mask: Option<u64>,
    /// This process, for the parent-death check.
    pub(crate) parent: i32,
    pub(crate) report: Report<'a>,
}

/// What `execve` gets, and the directory before it.
pub(crate) struct Exec<'a> {
    pub(crate) candidates: &'a CArray,
    pub(crate) argv: &'a CArray,
    pub(crate) envp: &'a CArray,
    pub(crate) cwd: Option<&'a CStr>,
}

/// The child's descriptors.
pub(crate) struct Fds<'a> {
    pub(crate) ops: &'a [FdOp],
    /// One slot for each `Save`; written by the child.
    pub(crate) temps: &'a [AtomicI32],
    /// The ranges to close; `None`: close nothing.
    pub(crate) close: Option<&'a [(u32, u32)]>,
    /// The first number that the child copies nothing from; `None` where it keeps whatever is open.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "only Linux can cut a shared table"))]
    pub(crate) needed_below: Option<u32>,
    /// Where the table of descriptors is the parent's (`CLONE_FILES`): the number to cut it at, before anything else.
    pub(crate) cut_at: Option<u32>,
}

/// The way in which the caller learns how far the child came.
#[derive(Clone, Copy)]
pub(crate) enum Report<'a> {
    /// There is no child: this very process becomes the program, and a failure is returned. Descriptors are only marked close-on-exec,
    /// so that they are still open then.
    Return,
    /// By shared memory (clone).
    Shared(&'a Slot),
    /// By a close-on-exec pipe (fork).
    Pipe(RawFd),
}

impl Report<'_> {
    /// From here on the child's end is the program's own.
    fn about_to_exec(self) -> Result<(), Failure> {
        match self {
            Report::Return => {}
            Report::Shared(slot) => slot.mark_about_to_exec(),
            // No byte, no exec: the parent would take a program that runs for a child that has died on the way, and wait for its end.
            Report::Pipe(fd) => tell(fd, &[ABOUT_TO_EXEC])?,
        }
        Ok(())
    }

    fn fail(self, failure: &Failure) {
        match self {
            Report::Return => {}
            Report::Shared(slot) => slot.fail(failure),
            Report::Pipe(fd) => {
                // Where this fails too, the parent sees an end without a word, or a program that exits with 127 at once.
                let _ = tell(fd, &encode(failure));
            }
        }
    }

    /// The descriptor that a close must leave open; -1: none.
    fn spare_fd(self) -> RawFd {
        if let Report::Pipe(fd) = self { fd } else { -1 }
    }
}

/// The child's main function, on either engine. Never returns to a caller: it ends in exec or in `exit_group`.
///
/// # Safety
/// `plan` is a `*const ChildPlan` that stays valid until exec or exit; the caller is a fresh child with all signals blocked.
pub(crate) unsafe extern "C" fn child_main(plan: *mut c_void) -> c_int {
    // SAFETY: by this function's contract.
    let plan = unsafe { &*plan.cast::<ChildPlan<'_>>() };
    #[cfg(target_os = "linux")]
    if let (Some(first), Report::Shared(slot)) = (plan.fds.cut_at, plan.report) {
        // The first call of all. When it is refused the table is still the parent's, where nothing may be changed: out at once.
        if let Err(errno) = super::close::leave_shared_table(first) {
            slot.table_is_still_shared(errno);
            exit_now(127);
        }
    }
    // SAFETY: by this function's contract.
    let failure = unsafe { become_program(plan) };
    plan.report.fail(&failure);
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
    if let Err(failure) = plan.report.about_to_exec() {
        return failure;
    }
    let inherit = plan.attributes.inherit_signals;
    clean_signals(inherit, if inherit { plan.mask.unwrap_or(0) } else { 0 });
    exec_first(&plan.exec)
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

/// Tries the candidates in order, like `execvp(3)`: a file that is missing, or cannot be looked for, leads on, and so does one that is
/// forbidden. If no candidate is a program, the failure is the first forbidden one, else the first that could not be looked for.
fn exec_first(exec: &Exec<'_>) -> Failure {
    let mut found = Failure { step: Step::Exec, errno: libc::ENOENT, detail: 0 };
    let mut missing = libc::ENOENT;
    let mut index: c_int = 0;
    for &path in exec.candidates.pointers() {
        if path.is_null() {
            break;
        }
        // SAFETY: NUL-terminated strings and NULL-terminated arrays.
        unsafe { libc::execve(path, exec.argv.as_ptr(), exec.envp.as_ptr()) };
        let errno = last_errno();
        match errno {
            libc::ENOENT | libc::ENOTDIR => missing = errno,
            libc::EACCES if found.errno != libc::EACCES => found = Failure { step: Step::Exec, errno, detail: index },
            libc::EACCES => {}
            libc::ENAMETOOLONG | libc::ELOOP | libc::ESTALE | libc::ENODEV | libc::ETIMEDOUT => {
                if found.errno == libc::ENOENT {
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
        // SAFETY: one byte of a constant; "0" means the writing process, see cgroups(7).
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
    for op in plan.fds.ops {
        apply(op, plan.fds.temps)?;
    }
    // Before a limit on descriptors, which would leave the fallbacks without one to look with.
    if let Some(ranges) = plan.fds.close {
        let (spare, mark_only) = (plan.report.spare_fd(), matches!(plan.report, Report::Return));
        for &(first, last) in ranges {
            // Cut off already. Beyond the cut lie only targets, which no range holds, and what was saved for a moment, which
            // exec closes.
            if plan.fds.cut_at.is_some_and(|cut| cut <= first) {
                continue;
            }
            let failed = |errno| Failure { step: Step::Close, errno, detail: 0 };
            close_range(first, last, spare, mark_only).map_err(failed)?;
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
    if let Some(cwd) = plan.exec.cwd {
        // SAFETY: a NUL-terminated string.
        step(Step::Chdir, 0, unsafe { libc::chdir(cwd.as_ptr()) })?;
    }
    if attributes.kill_on_parent_death {
        die_with_parent(plan.parent)?;
    }
    Ok(())
}

/// Works from the background, because every signal is blocked, SIGTTOU included.
fn take_terminal() -> Result<(), Failure> {
    let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
    // SAFETY: a NUL-terminated string.
    let terminal = step(Step::Foreground, 0, unsafe { libc::open(c"/dev/tty".as_ptr(), flags) })?;
    // SAFETY: no memory involved.
    let group: libc::pid_t = unsafe { libc::getpgrp() };
    // SAFETY: TIOCSPGRP takes a number of this stack.
    step(Step::Foreground, 0, unsafe { libc::ioctl(terminal, libc::TIOCSPGRP as _, &raw const group) })?;
    // SAFETY: this function opened it, and passed it on to nothing.
    unsafe { libc::close(terminal) };
    Ok(())
}

/// Uses the call that takes 64 bits everywhere: glibc's older one has 32 on some platforms.
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
        // Like std: a child that gives up root must not keep root's groups.
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

// Where the plain calls take 16-bit numbers, these take 32 bits.
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

/// The parent may have died between clone and prctl, and then no death signal comes: a child that has another parent by now leaves at
/// once.
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
