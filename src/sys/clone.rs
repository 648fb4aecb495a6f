//! The clone engine, and whether it works here. Linux only.

#![expect(unsafe_code, reason = "clone")]

use std::io;
use std::os::fd::{AsFd, FromRawFd, OwnedFd};
use std::ptr;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

use super::child::{self, ChildPlan};
use super::errno::{last_errno, set_errno};
use super::fd_table_cut;
use super::fds;
use super::launched::{Launched, conclude, open_pidfd, pidfds_work};
use super::probed::{Probed, is_shortage};
use super::report::Slot;
use super::signals::AllBlocked;
use super::stack::Stack;
use crate::setup_step::{Failure, Step};

/// Starts a child in this process's own memory, and returns when the child has left it. `None`: clone is refused, now and from now on.
pub(super) fn clone(plan: &mut ChildPlan<'_>, slot: &Slot) -> Option<Result<Launched, Failure>> {
    plan.fds.cut_at = fd_table_cut::cut_at(&plan.fds, run_probe);
    if plan.fds.cut_at.is_some() {
        match attempt(plan, slot, libc::CLONE_FILES) {
            Ok(Attempt::Begun(child)) => return Some(conclude(child, slot.outcome())),
            Ok(Attempt::Refused(error)) => fd_table_cut::refused(&error),
            Err(failure) => return Some(Err(failure)),
        }
        plan.fds.cut_at = None;
        slot.reset();
    }
    match attempt(plan, slot, 0) {
        Ok(Attempt::Begun(child)) => Some(conclude(child, slot.outcome())),
        Ok(Attempt::Refused(error)) if is_shortage(&error) => Some(Err(Failure::new(Step::Clone, &error))),
        Ok(Attempt::Refused(error)) => {
            WORKS.refute(&error);
            None
        }
        Err(failure) => Some(Err(failure)),
    }
}

/// The result of one try.
enum Attempt {
    /// A child was made: its report says how far it came.
    Begun(Launched),
    /// No child was made, or only one that could not get a table of its own.
    Refused(io::Error),
}

/// Whether a clone may ask for a descriptor of its child (`CLONE_PIDFD`): yes, until that is refused and the same clone without it is not.
static ASKS_FOR_PIDFD: Probed = Probed::new();

fn attempt(plan: &mut ChildPlan<'_>, slot: &Slot, more_flags: libc::c_int) -> Result<Attempt, Failure> {
    let stack = Stack::take().map_err(|error| Failure::new(Step::Clone, &error))?;
    let pidfd_flag = if pidfds_work() && ASKS_FOR_PIDFD.ask(|| Ok(true)) { libc::CLONE_PIDFD } else { 0 };
    let errno = last_errno();
    let (made, pidfd) = {
        // No handler of the host may run on the child's side, on memory that both share.
        let blocked = AllBlocked::new();
        plan.mask.get_or_insert(blocked.before());
        let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD | more_flags;
        let plan = (&raw const *plan).cast_mut().cast();
        match raw_clone(&stack, child_entry, flags | pidfd_flag, plan) {
            (Err(refusal), _) if pidfd_flag != 0 && !is_shortage(&refusal) => {
                let made = raw_clone(&stack, child_entry, flags, plan);
                if made.0.is_ok() {
                    ASKS_FOR_PIDFD.refute(&refusal);
                }
                made
            }
            made => made,
        }
    };
    set_errno(errno);
    stack.put_back();
    let pid = match made {
        Ok(pid) => pid,
        Err(error) => return Ok(Attempt::Refused(error)),
    };
    let child = Launched { pid, pidfd: pidfd.or_else(|| open_pidfd(pid)) };
    match slot.unshare_errno() {
        None => Ok(Attempt::Begun(child)),
        Some(errno) => {
            // It has exited, and is reaped like any child that failed.
            let _ = conclude(child, Err(Failure { step: Step::Close, errno, detail: 0 }));
            Ok(Attempt::Refused(io::Error::from_raw_os_error(errno)))
        }
    }
}

/// The clone itself: the pid, and the pidfd if the kernel made one. The slot is preset to -1, because old kernels ignore the flag.
fn raw_clone(
    stack: &Stack,
    entry: extern "C" fn(*mut libc::c_void) -> libc::c_int,
    flags: libc::c_int,
    argument: *mut libc::c_void,
) -> (io::Result<i32>, Option<OwnedFd>) {
    let mut slot: libc::c_int = -1;
    // SAFETY: the stack is ours and unused, `argument` is what `entry` expects and outlives the child's stay in this
    // memory (CLONE_VFORK), and `slot` is where CLONE_PIDFD writes.
    let pid = super::check(unsafe { libc::clone(entry, stack.top(), flags, argument, &raw mut slot) });
    if pid.is_err() || slot < 0 {
        return (pid, None);
    }
    fds::saw(slot);
    // SAFETY: the kernel made the descriptor for us, close-on-exec.
    let pidfd = unsafe { OwnedFd::from_raw_fd(slot) };
    // Without a spare descriptor it stays on its low number: still right, if only until the host opens its stream again.
    let moved = if slot > 2 { None } else { fds::dup_above(pidfd.as_fd(), 3).ok() };
    (pid, Some(moved.unwrap_or(pidfd)))
}

extern "C" fn child_entry(plan: *mut libc::c_void) -> libc::c_int {
    // SAFETY: `clone` passes on the plan it was given.
    unsafe { child::child_main(plan) }
}

/// Whether `clone(CLONE_VM | CLONE_VFORK)` does here what it says. Some hosts refuse it (a seccomp filter), some quietly
/// make it a fork (valgrind, qemu-user), some die of it (ThreadSanitizer). Asked once, with a child that writes a mark and exits. A
/// failure by a lack of descriptors, processes or memory is no answer and not remembered.
pub(super) fn clone_works() -> bool {
    WORKS.ask(probe)
}

static WORKS: Probed = Probed::new();

extern "C" fn probe_entry(mark: *mut libc::c_void) -> libc::c_int {
    // SAFETY: `probe` passes its own mark, and waits.
    let mark = unsafe { &*mark.cast::<AtomicU8>() };
    mark.store(1, Relaxed);
    child::exit_now(0)
}

fn probe() -> io::Result<bool> {
    if super::sysinfo::thread_sanitized() {
        return Ok(false);
    }
    let mark = AtomicU8::new(0);
    run_probe(probe_entry, 0, (&raw const mark).cast_mut().cast())?;
    Ok(mark.load(Relaxed) == 1)
}

/// Runs a child in this memory that does `entry` and exits, and reaps it.
pub(super) fn run_probe(
    entry: extern "C" fn(*mut libc::c_void) -> libc::c_int,
    more_flags: libc::c_int,
    argument: *mut libc::c_void,
) -> io::Result<()> {
    let stack = Stack::take()?;
    let errno = last_errno();
    let pid = {
        let _blocked = AllBlocked::new();
        // No exit signal: the host's SIGCHLD handling and its `waitpid(-1)` never see this child.
        raw_clone(&stack, entry, libc::CLONE_VM | libc::CLONE_VFORK | more_flags, argument).0
    };
    set_errno(errno);
    stack.put_back();
    let pid = pid?;
    // SAFETY: our own child, which has exited or, under an emulation, will at once.
    let reaped = super::retry(|| super::check(unsafe { libc::waitpid(pid, ptr::null_mut(), libc::__WALL) }));
    let reaped = reaped.or_else(|error| match error.raw_os_error() {
        Some(libc::ECHILD) => Err(error),
        // Refused by a filter.
        _ => super::retry(|| {
            let options = libc::WEXITED | libc::__WALL;
            // SAFETY: the same child; Linux takes a null pointer where no report is wanted.
            super::check(unsafe { libc::waitid(libc::P_PID, pid.unsigned_abs(), ptr::null_mut(), options) })
        }),
    });
    match reaped {
        // ECHILD: a host that waits for everything, with __WALL too, was faster. What the child left behind stands all the same.
        Err(error) if error.raw_os_error() != Some(libc::ECHILD) => Err(error),
        _ => Ok(()),
    }
}
