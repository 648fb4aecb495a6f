//! How a child process comes to be: which engine, and the one that works everywhere.
//!
//! *Clone* (Linux): `clone(CLONE_VM | CLONE_VFORK | CLONE_PIDFD)` on a stack of our own. No page table is copied, the parent's thread goes
//! on when the child has left its memory, the child's report is read from memory, and the pidfd is there from birth.
//!
//! *Fork*: everywhere else, where the first is refused or emulated, and when credentials change. The same child routine; its
//! report comes through a close-on-exec pipe, with a byte sent just before exec, so that "died on the way" is never
//! taken for "runs".

#![expect(unsafe_code, reason = "fork, and becoming a program")]

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::OnceLock;

use super::child::{self, ChildPlan};
#[cfg(target_os = "linux")]
use super::clone::{clone, clone_works};
use super::probed::Probed;
use super::report::{ABOUT_TO_EXEC, Report};
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
    let mut plan = ChildPlan { report: &report, ..plan };
    if engine == Engine::Clone {
        if let Some(launched) = clone(&mut plan) {
            return launched;
        }
    }
    fork(plan)
}

/// Ends a child that nobody wants any more: killed and reaped.
pub(crate) fn undo(child: Launched) {
    kill(&child);
    reap(&child);
}

/// A child that is gone does not mind.
fn kill(child: &Launched) {
    let sent = child.pidfd.as_ref().map(|pidfd| pidfd::send_signal(pidfd.as_fd(), libc::SIGKILL));
    // Without a descriptor, or where a filter refuses it. ESRCH: the number may be a stranger's.
    if !sent.is_some_and(|sent| sent.map_or_else(|error| error.raw_os_error() == Some(libc::ESRCH), |()| true)) {
        let _ = wait::kill(child.pid, libc::SIGKILL);
    }
}

fn reap(child: &Launched) {
    let _ = wait::reap(wait::Child::new(child.pid, child.pidfd.as_ref().map(AsFd::as_fd)), true);
}

/// Becomes the program in this very process; returns only what failed.
pub(crate) fn become_program(plan: &ChildPlan<'_>) -> Failure {
    // SAFETY: the caller asked for the process to be replaced.
    unsafe { child::become_program(plan) }
}

#[cfg(not(target_os = "linux"))]
fn clone(_plan: &mut ChildPlan<'_>) -> Option<Result<Launched, Failure>> {
    None
}

#[cfg(not(target_os = "linux"))]
fn clone_works() -> bool {
    false
}

fn fork(mut plan: ChildPlan<'_>) -> Result<Launched, Failure> {
    let pipe_failed = |error: &io::Error| Failure::new(Step::Pipe, error);
    let (reader, writer) = os_pipe::pipe().map_err(|error| pipe_failed(&error))?;
    let reader = fds::clear_of_stdio(reader.into()).map_err(|error| pipe_failed(&error))?;
    let writer = clear_of_map(writer.into(), plan.fd_ops).map_err(|error| pipe_failed(&error))?;
    plan.status_fd = writer.as_raw_fd();
    let made = {
        let blocked = AllBlocked::new();
        plan.mask.get_or_insert(blocked.before());
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
    // The writer first: its number may be the last one there is.
    drop(writer);
    // While the child is busy with itself, its number is its own.
    let pidfd = open_pidfd(pid);
    let outcome = read_report(&reader);
    conclude(Launched { pid, pidfd }, outcome)
}

/// The same descriptor under a number that the child's map leaves alone: a `dup2` there must not close the way back.
fn clear_of_map(mut fd: OwnedFd, ops: &[child::FdOp]) -> io::Result<OwnedFd> {
    let is_written =
        |number| number <= 2 || ops.iter().any(|op| matches!(*op, child::FdOp::Dup2 { to, .. } if to == number));
    // What is saved for a moment goes to a number that is free, which this one is not; what is kept is open already.
    while is_written(fd.as_raw_fd()) {
        fd = fds::dup_above(fd.as_fd(), fd.as_raw_fd().max(2).saturating_add(1))?;
    }
    Ok(fd)
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
pub(super) fn open_pidfd(pid: i32) -> Option<OwnedFd> {
    if !pidfds_work() {
        return None;
    }
    let pidfd = pidfd::open(pid).and_then(fds::clear_of_stdio).ok()?;
    // A child that was reaped behind our back may have left its number to a stranger: that one cannot be waited for.
    wait::is_child(pidfd.as_fd()).then_some(pidfd)
}

/// Whether process descriptors can be had here and do all that is asked of them (Linux 5.4, no seccomp filter against them).
pub(super) fn pidfds_work() -> bool {
    static ANSWER: Probed = Probed::new();
    cfg!(target_os = "linux") && forced() != Forced::Portable && ANSWER.ask(pidfd::usable)
}

/// A child that failed has exited or is about to: it is reaped here, so that no failed spawn leaves a zombie. That somebody
/// else reaped it first is as good.
pub(super) fn conclude(child: Launched, outcome: Result<(), Failure>) -> Result<Launched, Failure> {
    if let Err(failure) = outcome {
        if failure.step == Step::Pipe {
            // The status pipe broke, so the child may live; any other failure was its last word. Only then: the number of a
            // child that is gone may be a stranger's.
            kill(&child);
        }
        reap(&child);
        return Err(failure);
    }
    Ok(child)
}
