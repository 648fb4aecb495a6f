//! What can be found wrong before anything is opened, taken or started.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use crate::fd::FdKind;
use crate::fd::GivenFd;
use crate::once::TakeOnce;
use crate::outcome::{ErrorKind, Fault};
use crate::plan::{Endpoint, PipePlan, Plan, SinkPlan};
use crate::spec::closure::OnceBody;
use crate::spec::{ClosureBody, Input, Stage};
use crate::stream::Stream;
use crate::sys::fds;

/// The first thing that is wrong.
pub(crate) fn check(plan: &Plan) -> Result<(), Fault> {
    unused(plan)?;
    descriptors(plan)
}

/// Looks at the descriptors that the caller gave, and at the numbers they are to have.
fn descriptors(plan: &Plan) -> Result<(), Fault> {
    for (index, stage) in plan.stages.iter().enumerate() {
        for binding in &stage.bindings {
            let number = binding.stream.number();
            let limit = if number > 2 { fds::limit() } else { None }.unwrap_or(u64::MAX);
            if u64::try_from(number).is_ok_and(|number| number >= limit) {
                let what = format!(
                    "cannot be given fd {number}: this process's limit of open files is {limit} (see `ulimit -n`)"
                );
                return Err(Fault::new(ErrorKind::InvalidInput, what).at(plan.stage_name(index)));
            }
            if let Some((what, error)) = fault_of(&binding.place, binding.stream) {
                return Err(Fault::new(ErrorKind::Redirect, what).at(plan.stage_name(index)).because(error));
            }
        }
    }
    for (number, pipe) in plan.pipes.iter().enumerate() {
        let PipePlan::Drain(stream, sinks) = pipe else { continue };
        for sink in sinks {
            let SinkPlan::Endpoint(place) = sink else { continue };
            if let Some((what, error)) = fault_of(place, *stream) {
                let error = Fault::new(ErrorKind::Redirect, what).because(error);
                return Err(match plan.users(number, false).next() {
                    Some((stage, _)) => error.at(plan.stage_name(stage)),
                    None => error,
                });
            }
        }
    }
    Ok(())
}

fn fault_of(place: &Endpoint, stream: Stream) -> Option<(String, io::Error)> {
    match place {
        Endpoint::Fd(GivenFd::Once(slot)) => slot.peek(|fd| fault(fd, stream)).flatten(),
        Endpoint::Fd(GivenFd::Shared(fd)) => fault(fd, stream),
        _ => None,
    }
}

/// What keeps a descriptor from being a stream of a child. It may have been closed behind its owner's back; and a directory can be handed
/// to a child, but not be a standard stream.
fn fault(fd: &OwnedFd, stream: Stream) -> Option<(String, io::Error)> {
    let number = fd.as_raw_fd();
    let standard = stream.number() <= 2;
    match FdKind::of(fd) {
        Err(error) => {
            Some((format!("the descriptor {number} of this process, given as its {stream}, is not open"), error))
        }
        Ok(FdKind::Directory) if standard => {
            let what = format!("the descriptor {number} of this process, given as its {stream}, is a directory");
            Some((what, io::Error::from_raw_os_error(libc::EISDIR)))
        }
        Ok(_) => None,
    }
}

/// Looks at every one-shot before any is taken, so that a conflict leaves the others usable.
fn unused(plan: &Plan) -> Result<(), Fault> {
    let mut closures: Vec<&TakeOnce<Box<OnceBody>>> = Vec::new();
    for (index, stage) in plan.stages.iter().enumerate() {
        if let Stage::Closure(closure) = &stage.stage {
            if let ClosureBody::Once(slot) = &closure.body {
                if slot.is_used() {
                    return Err(used_closure().at(plan.stage_name(index)));
                }
                if closures.iter().any(|other| other.same(slot)) {
                    return Err(closure_twice().at(plan.stage_name(index)));
                }
                closures.push(slot);
            }
        }
        for binding in &stage.bindings {
            if matches!(&binding.place, Endpoint::Fd(GivenFd::Once(slot)) if slot.is_used()) {
                return Err(used_fd(binding.stream).at(plan.stage_name(index)));
            }
        }
    }
    let mut writers = Vec::new();
    for (number, pipe) in plan.pipes.iter().enumerate() {
        let (error, reading) = match pipe {
            PipePlan::Feed(stream, Input::Reader(slot)) => (slot.is_used().then(|| used(*stream)), true),
            PipePlan::Drain(stream, sinks) if sinks.iter().any(is_used) => (Some(used(*stream)), false),
            PipePlan::Drain(stream, sinks) => {
                let twice = sinks.iter().any(|sink| is_another(sink, &mut writers));
                (twice.then(|| used_twice(*stream)), false)
            }
            _ => continue,
        };
        if let Some(error) = error {
            return Err(match plan.users(number, reading).next() {
                Some((stage, _)) => error.at(plan.stage_name(stage)),
                None => error,
            });
        }
    }
    Ok(())
}

fn is_used(sink: &SinkPlan) -> bool {
    match sink {
        SinkPlan::Writer(slot) => slot.is_used(),
        SinkPlan::Endpoint(Endpoint::Fd(GivenFd::Once(slot))) => slot.is_used(),
        _ => false,
    }
}

/// Whether the sink's writer is one of those already seen; a descriptor may be shared, a writer may not.
fn is_another<'a>(sink: &'a SinkPlan, seen: &mut Vec<&'a TakeOnce<Box<dyn std::io::Write + Send>>>) -> bool {
    let SinkPlan::Writer(slot) = sink else { return false };
    let found = seen.iter().any(|other| other.same(slot));
    seen.push(slot);
    found
}

fn used_twice(stream: Stream) -> Fault {
    let what = format!("has a one-shot {stream} that another stream of the same run takes; a writer serves one stream");
    Fault::new(ErrorKind::AlreadyUsed, what)
}

fn closure_twice() -> Fault {
    let what =
        "its one-shot closure has an earlier place in the same pipeline (`pipe_fn` takes one for any number of places)";
    Fault::new(ErrorKind::AlreadyUsed, what)
}

pub(crate) fn used_closure() -> Fault {
    Fault::new(
        ErrorKind::AlreadyUsed,
        "an earlier start took its one-shot closure (`pipe_fn` takes one for any number of runs)",
    )
}

/// The same of a descriptor, which has another word for what can be used again under the numbers beyond the standard ones.
fn used_fd(stream: Stream) -> Fault {
    if stream.number() <= 2 {
        return used(stream);
    }
    let what = format!(
        "an earlier start took its one-shot {stream} (an `Arc<OwnedFd>`, `shared_fd` and `file` can be used any number of times)"
    );
    Fault::new(ErrorKind::AlreadyUsed, what)
}

pub(crate) fn used(stream: Stream) -> Fault {
    let reusable = if stream.is_input() { "reader_with" } else { "each_line" };
    let what = format!(
        "an earlier start took its one-shot {stream} (`{reusable}`, `shared_fd` and `file` can be used any number of times)"
    );
    Fault::new(ErrorKind::AlreadyUsed, what)
}
