//! A run's closures: their ends first, with the processes; their threads last.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;

use super::check::used_closure;
use super::closure_thread::Task;
use super::files::{Files, own_stream};
use super::flows::Ends;
use super::launch::Scope;
use super::spawn_error::setup_error;
use crate::engine::cancellation::Stop;
use crate::engine::closure::{Function, function};
use crate::engine::control::Waker;
use crate::io::fd_writer::{Fd, Outlet};
use crate::outcome::Fault;
use crate::pipe::{self, MemReader};
use crate::plan::{Endpoint, PipePlan, Plan};
use crate::setup_step::Step;
use crate::spec::closure::{Source, StageReader, StageWriter, WriterTarget};
use crate::spec::{ClosureBody, Stage};
use crate::sys::{fds, thread};

/// The closures of a run that are not started yet.
pub(crate) struct Closures {
    /// There exactly when the run has a closure.
    ties: Option<(Arc<Stop>, Waker)>,
    /// By stage.
    tasks: Vec<(usize, Task)>,
    /// The pipe in memory that the next closure reads.
    next_input: Option<MemReader>,
}

/// What a pipe in memory holds, unless the builder asked for a capacity: what one of the kernel's does.
const CAPACITY: usize = pipe::budget::DEFAULT;
/// A capacity is a wish, and this the most of it that is granted: what Linux gives a user as a rule.
const MOST: usize = 1 << 20;

impl Closures {
    pub(crate) fn new(stop: Option<Arc<Stop>>, waker: Option<Waker>) -> Closures {
        Closures { ties: stop.zip(waker), tasks: Vec::new(), next_input: None }
    }

    /// Gives a closure its ends.
    pub(crate) fn prepare(
        &mut self,
        index: usize,
        plan: &Plan,
        ends: &mut Ends,
        files: &Files,
    ) -> io::Result<Function> {
        let (stop, waker) = self.ties.clone().ok_or_else(|| io::Error::other("a closure in a run without any"))?;
        let [stdin, stdout] = plan.stages[index].bindings.as_slice() else {
            return Err(io::Error::other("a closure has an input and an output"));
        };
        let source = self.source(&stdin.place, ends, files)?;
        let target = self.target(index, &stdout.place, plan, &stop, ends, files)?;
        let input = StageReader::new(source, Arc::clone(&stop))?;
        let output = StageWriter::new(target, Arc::clone(&stop));
        let (function, post) = function(waker);
        self.tasks.push((index, Task { input, output, stop, post }));
        Ok(function)
    }

    fn source(&mut self, place: &Endpoint, ends: &mut Ends, files: &Files) -> io::Result<Source> {
        Ok(match place {
            Endpoint::Pipe(number) => match (self.next_input.take(), ends.take(*number, true)) {
                (Some(memory), _) => Source::Memory(memory),
                (None, Some(pipe)) => Source::Pipe(pipe),
                (None, None) => return Err(io::Error::other("a closure's input was not made")),
            },
            Endpoint::Inherit(number) => own_stream(*number).map_or(Source::Empty, Source::foreign),
            place => files.shared(place).map_or(Source::Empty, |fd| Source::foreign(Fd::Shared(fd))),
        })
    }

    fn target(
        &mut self,
        index: usize,
        place: &Endpoint,
        plan: &Plan,
        stop: &Stop,
        ends: &mut Ends,
        files: &Files,
    ) -> io::Result<WriterTarget> {
        let outlet = match place {
            Endpoint::Pipe(number) if matches!(plan.pipes[*number], PipePlan::Memory) => {
                let (reader, writer) = pipe::buffered(plan.settings.sizes.pipe_capacity.unwrap_or(CAPACITY).min(MOST));
                stop.breaks(writer.breaker());
                self.next_input = Some(reader);
                return Ok(WriterTarget::Memory(writer));
            }
            Endpoint::Pipe(number) if plan.users(*number, false).all(|(stage, _)| stage == index) => {
                ends.take(*number, false).map(Outlet::ours).transpose()?
            }
            // A process writes to it, too, and must not find its description changed.
            Endpoint::Pipe(number) => {
                let shared = ends.end(*number, false).map(|end| fds::dup_above(end.as_fd(), 3)).transpose()?;
                shared.map(|end| Outlet::shared(Arc::new(end)))
            }
            Endpoint::Inherit(number) => own_stream(*number).map(Outlet::stdio),
            place => files.shared(place).map(Outlet::shared),
        };
        Ok(outlet.map_or(WriterTarget::Discard, WriterTarget::Fd))
    }

    /// Starts the threads. The first that cannot be is the run's error.
    pub(crate) fn start(self, plan: &Plan, mut scope: Option<Scope<'_>>) -> Result<(), Fault> {
        for (index, task) in self.tasks {
            let Stage::Closure(closure) = &plan.stages[index].stage else { continue };
            let started = match (&closure.body, scope.as_mut()) {
                (ClosureBody::Reusable(work), _) => {
                    let work = Arc::clone(work);
                    spawn(move || task.run(move |input, output| work(input, output)))
                }
                (ClosureBody::Once(slot), _) => {
                    let work = slot.take().ok_or_else(|| used_closure().at(plan.stage_name(index)))?;
                    spawn(move || task.run(work))
                }
                (ClosureBody::Borrowed(slot), Some(scope)) => scope(*slot, task),
                (ClosureBody::Borrowed(_), None) => Err(io::Error::other("a closure that borrows, outside its scope")),
            };
            started.map_err(|error| setup_error(Step::Thread, error).at(plan.stage_name(index)))?;
        }
        Ok(())
    }
}

fn spawn(work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::start(THREAD, work).map(drop)
}

/// The name of a closure's thread.
pub(crate) const THREAD: &str = "pipewright-fn";
