//! Starting a child: from a description to a running program, or to the step that failed.

mod diagnose;
mod env_delta;
mod image;
pub(crate) mod path;
mod spawner;
mod thread_state;

use std::os::fd::RawFd;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;
use std::sync::atomic::AtomicI32;
use std::time::Duration;

use crate::clock::Deadline;
use crate::fd::child_table::{self, ChildTable};
use crate::pipe::makeflags;
use crate::setup_step::{Failure, Step};
use crate::sys::child::{ChildPlan, Exec, FdOp, Fds, Report};
use crate::sys::launch::{self, Engine, Launched};
use crate::sys::{signals, sysinfo};
use thread_state::ThreadState;

pub(crate) use crate::sys::child::{Attributes, RlimitSpec};
pub(crate) use diagnose::{Cause, explain};
pub(crate) use env_delta::{EnvChange, EnvDelta};
pub(crate) use image::{BadInput, Image, ImageSpec, is_executable};

/// A child ready to be started: all that can fail without a child has been done.
pub(crate) struct Prepared {
    image: Image,
    attributes: Attributes,
    fd_ops: Vec<FdOp>,
    temps: Vec<AtomicI32>,
    close: Option<Vec<(u32, u32)>>,
    /// The first number that the child copies nothing from; `None` if it keeps all descriptors that are open.
    needed_below: Option<u32>,
    /// The mask of the thread that asks, where another one makes the child.
    mask: Option<u64>,
}

impl Prepared {
    /// `fds` says which of this process's descriptors the child gets; they must stay open until the start. With `inherit_fds` the child keeps
    /// all others, too. `own` are the ends of pipes that the run has open here.
    pub(crate) fn new(
        image: Image,
        attributes: Attributes,
        mut fds: ChildTable,
        inherit_fds: bool,
        own: &[RawFd],
    ) -> Prepared {
        if !inherit_fds {
            let flags = image.envp().strings().iter().find_map(|entry| entry.as_bytes().strip_prefix(b"MAKEFLAGS="));
            for fd in flags.map_or_else(Vec::new, |flags| makeflags::descriptors(flags, own)) {
                // A number that a redirection has taken stays the redirection's.
                let _ = fds.insert(fd, fd);
            }
        }
        let fd_ops = fds.plan();
        let saves = fd_ops.iter().filter(|op| matches!(op, FdOp::Save { .. })).count();
        let mask = (attributes.kill_on_parent_death && attributes.inherit_signals).then(signals::mask);
        let keep: Vec<RawFd> = fds.targets().collect();
        // The child writes to it before any other descriptor takes its number.
        let entrance = attributes.cgroup.and_then(|fd| u32::try_from(fd).ok()).map_or(0, |fd| fd.saturating_add(1));
        Prepared {
            image,
            attributes,
            fd_ops,
            temps: (0..saves).map(|_| AtomicI32::new(-1)).collect(),
            close: (!inherit_fds).then(|| child_table::gaps(&keep)),
            needed_below: (!inherit_fds).then(|| fds.needed_below().max(entrance)),
            mask,
        }
    }

    pub(crate) fn image(&self) -> &Image {
        &self.image
    }

    /// To be changed before another try; `None` while another thread may still be starting the child.
    pub(crate) fn attributes(prepared: &mut Arc<Prepared>) -> Option<&mut Attributes> {
        Arc::get_mut(prepared).map(|prepared| &mut prepared.attributes)
    }

    fn child_plan(&self) -> ChildPlan<'_> {
        ChildPlan {
            exec: Exec {
                candidates: self.image.candidates(),
                argv: self.image.argv(),
                envp: self.image.envp(),
                cwd: self.image.cwd(),
            },
            fds: Fds {
                ops: &self.fd_ops,
                temps: &self.temps,
                close: self.close.as_deref(),
                needed_below: self.needed_below,
                cut_at: None,
            },
            attributes: &self.attributes,
            mask: self.mask,
            parent: if self.attributes.kill_on_parent_death { sysinfo::pid() } else { 0 },
            report: Report::Return,
        }
    }

    /// Launches for a thread that was in this state, if the calling thread is like it.
    fn launch_for(&self, asker: Option<&ThreadState>) -> Result<Launched, Failure> {
        if let Some(asker) = asker {
            let own = ThreadState::own().map_err(|error| Failure::new(Step::ParentDeath, &error))?;
            let set = thread_state::overridden(self.attributes.umask.is_some(), self.attributes.nice.is_some());
            let detail = asker.differences(&own) & !set;
            if detail != 0 {
                return Err(Failure { step: Step::ParentDeath, errno: 0, detail });
            }
        }
        self.launch()
    }

    fn launch(&self) -> Result<Launched, Failure> {
        // Credentials never change in memory shared with this process.
        let engine = if self.attributes.change_credentials() { Engine::Fork } else { launch::engine() };
        launch::launch(self.child_plan(), engine)
    }
}

/// Starts the child. Blocks until it runs its program, which is as long as `chdir` and `execve` take.
///
/// ETXTBSY means that the file is open for writing, mostly in a sibling's child between fork and exec: the start is tried again for half a
/// second, then the error stands.
pub(crate) fn spawn(prepared: Arc<Prepared>, deadline: Deadline) -> Result<Launched, (Failure, Arc<Prepared>)> {
    let mut unlike = 0;
    let mut pauses = [1, 2, 4, 8, 16, 32, 64, 128, 245].into_iter().map(Duration::from_millis);
    loop {
        let result = if prepared.attributes.kill_on_parent_death {
            // The death signal is tied to the *thread* that made the child.
            let shared = Arc::clone(&prepared);
            let asker = if cfg!(target_os = "linux") { ThreadState::own().map(Some) } else { Ok(None) };
            let asker = match asker {
                Ok(asker) => asker,
                Err(error) => return Err((Failure::new(Step::ParentDeath, &error), prepared)),
            };
            let undo = |late: (Result<Launched, Failure>, Arc<Prepared>)| {
                if let Ok(launched) = late.0 {
                    launch::undo(launched);
                }
            };
            // The closure gives its share of `prepared` back, so that the caller can change the attributes for another try.
            let launched = spawner::run(move || (shared.launch_for(asker.as_ref()), shared), deadline, undo);
            launched.map_or_else(|error| Err(Failure::new(Step::Thread, &error)), |(result, _)| result)
        } else {
            prepared.launch()
        };
        match result {
            Ok(launched) => return Ok(launched),
            Err(failure) if failure.step == Step::Exec && failure.errno == libc::ETXTBSY => {
                let Some(pause) = pauses.next() else { return Err((failure, prepared)) };
                if deadline.remaining().is_some_and(|left| left <= pause) {
                    return Err((failure, prepared));
                }
                std::thread::sleep(pause);
            }
            // The whole process may have changed its directory between the two looks.
            Err(failure) if failure.is_unlike() && unlike < 2 => unlike += 1,
            Err(failure) => return Err((failure, prepared)),
        }
    }
}

/// Becomes the program in this process; returns what failed.
pub(crate) fn exec(prepared: &Prepared) -> Failure {
    let mask = signals::AllBlocked::new();
    let plan = ChildPlan { mask: Some(mask.before()), parent: sysinfo::parent_pid(), ..prepared.child_plan() };
    launch::become_program(&plan)
}
