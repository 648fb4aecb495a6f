//! Making a child process: the choice of the engine, and the engine that works everywhere.
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

use super::child::{self, ChildPlan, Report};
#[cfg(target_os = "linux")]
use super::clone::{clone, clone_works};
use super::forced::{Forced, forced};
use super::launched::{conclude, open_pidfd};
use super::report::{ABOUT_TO_EXEC, Slot};
use super::signals::AllBlocked;
use super::{fds, stream};
use crate::setup_step::{Failure, Step};

pub(crate) use super::launched::{Launched, undo};

/// How children are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    Clone,
    Fork,
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

/// Starts the child that `plan` describes, and returns once it runs its program or is gone. The plan's mask and report are set here.
pub(crate) fn launch(plan: ChildPlan<'_>, engine: Engine) -> Result<Launched, Failure> {
    let slot = Slot::default();
    let mut plan = ChildPlan { report: Report::Shared(&slot), ..plan };
    if engine == Engine::Clone {
        if let Some(launched) = clone(&mut plan, &slot) {
            return launched;
        }
    }
    fork(plan)
}

/// Becomes the program in this very process; returns only what failed.
pub(crate) fn become_program(plan: &ChildPlan<'_>) -> Failure {
    // SAFETY: the caller asked for the process to be replaced.
    unsafe { child::become_program(plan) }
}

#[cfg(not(target_os = "linux"))]
fn clone(_plan: &mut ChildPlan<'_>, _slot: &Slot) -> Option<Result<Launched, Failure>> {
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
    let writer = clear_of_map(writer.into(), plan.fds.ops).map_err(|error| pipe_failed(&error))?;
    plan.report = Report::Pipe(writer.as_raw_fd());
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
    match <[u8; Slot::BYTES]>::try_from(record) {
        Ok(record) => Err(Slot::decode(record)),
        Err(_) if bytes == [ABOUT_TO_EXEC] => Ok(()),
        Err(_) => Err(Failure { step: Step::Vanished, errno: 0, detail: 0 }),
    }
}
