//! The two engines: how a child process comes to be.
//!
//! *Clone* (Linux): `clone(CLONE_VM | CLONE_VFORK | CLONE_PIDFD)` on a stack of our own. No page table is copied, the parent's thread goes
//! on when the child has left its memory, the child's report is read from memory, and the pidfd is there from birth.
//!
//! *Fork*: everywhere else, where the first is refused or emulated, and when credentials change. The same child routine; its
//! report comes through a close-on-exec pipe, with a byte sent just before exec, so that "died on the way" is never
//! taken for "runs".

#![expect(unsafe_code, reason = "clone and fork")]

use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

use super::child::{self, ABOUT_TO_EXEC, ChildPlan, Report};
use super::signals::AllBlocked;
use super::{fds, pidfd, stream, wait};
use crate::failure::{Failure, Step};

/// How children are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    Clone,
    Fork,
}

/// A child that runs its program.
#[derive(Debug)]
pub(crate) struct Launched {
    pub(crate) pid: i32,
    /// Missing where the kernel has none, or has no descriptor left to give.
    pub(crate) pidfd: Option<OwnedFd>,
}

/// The environment variable that forces an engine, read once: `clone`, `fork`, or `portable` (fork, and no pidfd even where there
/// are some). For the test-suite, and for a look at what a fallback does.
const FORCE: &str = "PIPEWRIGHT_ENGINE";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Forced {
    Nothing,
    Clone,
    Fork,
    Portable,
}

fn forced() -> Forced {
    static FORCED: OnceLock<Forced> = OnceLock::new();
    *FORCED.get_or_init(|| match std::env::var_os(FORCE) {
        Some(name) if name == "clone" => Forced::Clone,
        Some(name) if name == "fork" => Forced::Fork,
        Some(name) if name == "portable" => Forced::Portable,
        _ => Forced::Nothing,
    })
}

/// The engine for children whose credentials do not change.
pub(crate) fn engine() -> Engine {
    match forced() {
        Forced::Clone => Engine::Clone,
        Forced::Fork | Forced::Portable => Engine::Fork,
        Forced::Nothing if clone_works() => Engine::Clone,
        Forced::Nothing => Engine::Fork,
    }
}

/// Starts the child that `plan` describes, and returns once it runs its program or is gone. `plan` gets its mask, its
/// report and its status pipe here.
pub(crate) fn launch(plan: ChildPlan<'_>, engine: Engine) -> Result<Launched, Failure> {
    let report = Report::default();
    let plan = ChildPlan { report: &report, ..plan };
    match engine {
        Engine::Clone => clone(plan),
        Engine::Fork => fork(plan),
    }
}

/// Becomes the program in this very process; returns only what failed.
pub(crate) fn become_program(plan: &ChildPlan<'_>) -> Failure {
    // SAFETY: the caller asked for the process to be replaced.
    unsafe { child::become_program(plan) }
}

#[cfg(not(target_os = "linux"))]
fn clone(plan: ChildPlan<'_>) -> Result<Launched, Failure> {
    fork(plan)
}

#[cfg(not(target_os = "linux"))]
fn clone_works() -> bool {
    false
}

#[cfg(target_os = "linux")]
fn clone(mut plan: ChildPlan<'_>) -> Result<Launched, Failure> {
    let stack = super::stack::Stack::take().map_err(|error| Failure::new(Step::Clone, &error))?;
    let errno = child::last_errno();
    let (made, pidfd) = {
        // No handler of the host may run on the child's side, on memory that both share.
        let blocked = AllBlocked::new();
        plan.mask = blocked.before();
        let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD;
        raw_clone(&stack, child_entry, flags, (&raw const plan).cast_mut().cast())
    };
    child::set_errno(errno);
    stack.put_back();
    let pid = made.map_err(|error| Failure::new(Step::Clone, &error))?;
    let child = Launched { pid, pidfd: pidfd.or_else(|| open_pidfd(pid)) };
    conclude(child, plan.report.outcome())
}

/// The clone itself: the pid, and the pidfd if the kernel made one. The slot is preset to -1, because old kernels ignore the flag.
#[cfg(target_os = "linux")]
fn raw_clone(
    stack: &super::stack::Stack,
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
    // SAFETY: the kernel made the descriptor for us, close-on-exec.
    let pidfd = unsafe { OwnedFd::from_raw_fd(slot) };
    // Without a spare descriptor it stays on its low number: still right, if only until the host opens its stream again.
    let moved = if slot > 2 { None } else { fds::dup_above(pidfd.as_fd(), 3).ok() };
    (pid, Some(moved.unwrap_or(pidfd)))
}

#[cfg(target_os = "linux")]
extern "C" fn child_entry(plan: *mut libc::c_void) -> libc::c_int {
    // SAFETY: `clone` passes on the plan it was given.
    unsafe { child::child_main(plan) }
}

/// Whether `clone(CLONE_VM | CLONE_VFORK)` does here what it says. Some hosts refuse it (a seccomp filter), some quietly
/// make it a fork (valgrind, qemu-user), some die of it (ThreadSanitizer). Asked once, with a child that writes a mark and exits; a
/// failure for want of descriptors, processes or memory is not an answer and not remembered.
#[cfg(target_os = "linux")]
fn clone_works() -> bool {
    const UNKNOWN: u8 = 0;
    const WORKS: u8 = 1;
    const REFUSED: u8 = 2;
    static ANSWER: AtomicU8 = AtomicU8::new(UNKNOWN);
    match ANSWER.load(Relaxed) {
        WORKS => true,
        REFUSED => false,
        _ => {
            let answer = match probe() {
                Ok(true) => WORKS,
                Ok(false) => REFUSED,
                Err(error) => match error.raw_os_error() {
                    Some(libc::EMFILE | libc::ENFILE | libc::EAGAIN | libc::ENOMEM) => return true,
                    _ => REFUSED,
                },
            };
            ANSWER.store(answer, Relaxed);
            answer == WORKS
        }
    }
}

#[cfg(target_os = "linux")]
extern "C" fn probe_entry(mark: *mut libc::c_void) -> libc::c_int {
    // SAFETY: `probe` passes its own mark, and waits.
    let mark = unsafe { &*mark.cast::<AtomicU8>() };
    mark.store(1, Relaxed);
    child::exit_now(0)
}

#[cfg(target_os = "linux")]
fn probe() -> io::Result<bool> {
    if super::env::thread_sanitized() {
        return Ok(false);
    }
    let mark = AtomicU8::new(0);
    let stack = super::stack::Stack::take()?;
    let errno = child::last_errno();
    let pid = {
        let _blocked = AllBlocked::new();
        // No exit signal: the host's SIGCHLD handling and its `waitpid(-1)` never see this child.
        raw_clone(&stack, probe_entry, libc::CLONE_VM | libc::CLONE_VFORK, (&raw const mark).cast_mut().cast()).0
    };
    child::set_errno(errno);
    stack.put_back();
    let pid = pid?;
    // SAFETY: our own child, which has exited or, under an emulation, will at once.
    super::retry(|| super::check(unsafe { libc::waitpid(pid, ptr::null_mut(), libc::__WALL) }))?;
    Ok(mark.load(Relaxed) == 1)
}

fn fork(mut plan: ChildPlan<'_>) -> Result<Launched, Failure> {
    let pipe_failed = |error: &io::Error| Failure::new(Step::Pipe, error);
    let (reader, writer) = os_pipe::pipe().map_err(|error| pipe_failed(&error))?;
    let reader = fds::clear_of_stdio(reader.into()).map_err(|error| pipe_failed(&error))?;
    // Above every number that the child's map uses: a `dup2` there must not close the way back.
    let above = highest_target(&plan).saturating_add(1).max(3);
    let writer = fds::move_above(writer.into(), above).map_err(|error| pipe_failed(&error))?;
    plan.status_fd = writer.as_raw_fd();
    let made = {
        let blocked = AllBlocked::new();
        plan.mask = blocked.before();
        // SAFETY: the child runs nothing but `child_main`, which keeps the rules for a fork of a process with threads.
        let pid = unsafe { libc::fork() };
        if pid == 0 {
            // SAFETY: the plan is a copy in the child's own memory; all signals are blocked.
            unsafe { child::child_main((&raw const plan).cast_mut().cast()) };
            child::exit_now(127);
        }
        super::check(pid)
    };
    let pid = made.map_err(|error| Failure::new(Step::Clone, &error))?;
    drop(writer);
    let outcome = read_report(&reader);
    conclude(Launched { pid, pidfd: open_pidfd(pid) }, outcome)
}

fn highest_target(plan: &ChildPlan<'_>) -> i32 {
    let target = |op: &child::FdOp| match *op {
        child::FdOp::Dup2 { to, .. } => to,
        child::FdOp::Save { above, .. } => above,
        child::FdOp::Keep { fd } => fd,
    };
    plan.fd_ops.iter().map(target).max().unwrap_or(2)
}

/// Reads what the child reports, up to the end that exec's close-on-exec brings: the byte alone is success.
fn read_report(reader: &OwnedFd) -> Result<(), Failure> {
    let mut bytes = Vec::new();
    while stream::read_into(reader.as_fd(), &mut bytes, 64).map_err(|error| Failure::new(Step::Pipe, &error))? > 0 {}
    let record = bytes.strip_prefix(&[ABOUT_TO_EXEC]).unwrap_or(&bytes);
    match <[u8; Report::BYTES]>::try_from(record) {
        Ok(record) => Err(Report::decode(record)),
        Err(_) if bytes == [ABOUT_TO_EXEC] => Ok(()),
        Err(_) => Err(Failure { step: Step::Vanished, errno: 0, detail: 0 }),
    }
}

/// A descriptor for a child without one. A refusal (old kernel, seccomp, no descriptor left) leaves the portable way.
fn open_pidfd(pid: i32) -> Option<OwnedFd> {
    if !cfg!(target_os = "linux") || forced() == Forced::Portable {
        return None;
    }
    pidfd::open(pid).and_then(fds::clear_of_stdio).ok()
}

/// A child that failed has exited or is about to: it is reaped here, so that no failed spawn leaves a zombie. That somebody
/// else reaped it first is as good.
fn conclude(child: Launched, outcome: Result<(), Failure>) -> Result<Launched, Failure> {
    if let Err(failure) = outcome {
        // Ends a child that lives on behind a broken status pipe, so that the wait below is short; a dead one does not mind.
        let _ = match &child.pidfd {
            Some(pidfd) => pidfd::send_signal(pidfd.as_fd(), libc::SIGKILL),
            None => wait::kill(child.pid, libc::SIGKILL),
        };
        let which = match &child.pidfd {
            Some(pidfd) => wait::Child::Pidfd(pidfd.as_fd()),
            None => wait::Child::Pid(child.pid),
        };
        let _ = wait::reap(which, true);
        return Err(failure);
    }
    Ok(child)
}
