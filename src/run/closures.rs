//! A run's closures: they get their ends when the processes start, and their threads last.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;

use super::check::used_closure;
use super::closure_thread::ClosureThread;
use super::ends::PipeEnds;
use super::files::{Files, own_stream};
use super::options::Scope;
use super::spawn_error::setup_error;
use crate::engine::cancellation::Cancellation;
use crate::engine::closure::ClosureHandle;
use crate::engine::control::Waker;
use crate::io::fd_writer::{Fd, FdWriter};
use crate::outcome::Fault;
use crate::pipe::{self, MemReader};
use crate::plan::{Endpoint, PipePlan, Plan};
use crate::setup_step::Step;
use crate::spec::closure::{Source, StageReader, StageWriter, WriterTarget};
use crate::spec::{ClosureBody, Stage};
use crate::sys::{fds, thread};

/// The closures of a run whose threads are not started yet.
pub(crate) struct Closures {
    plan: Arc<Plan>,
    /// Set exactly when the run has a closure: what cancels closures, and what they wake at their ends.
    links: Option<(Arc<Cancellation>, Waker)>,
    /// By stage.
    threads: Vec<(usize, ClosureThread)>,
    /// The pipe in memory that the next closure reads.
    next_input: Option<MemReader>,
}

/// The capacity of a pipe in memory in bytes, unless the builder sets one: the kernel's default for a pipe.
const CAPACITY: usize = pipe::budget::DEFAULT;
/// The largest capacity in bytes that a builder gets: Linux's default in /proc/sys/fs/pipe-max-size.
const MOST: usize = 1 << 20;

impl Closures {
    pub(crate) fn new(plan: &Arc<Plan>, links: Option<(Arc<Cancellation>, Waker)>) -> Closures {
        Closures { plan: Arc::clone(plan), links, threads: Vec::new(), next_input: None }
    }

    /// Gives a closure its ends.
    pub(crate) fn prepare(&mut self, index: usize, ends: &mut PipeEnds, files: &Files) -> io::Result<ClosureHandle> {
        let plan = Arc::clone(&self.plan);
        let (cancellation, waker) =
            self.links.clone().ok_or_else(|| io::Error::other("a closure in a run without any"))?;
        let [stdin, stdout] = plan.stages[index].bindings.as_slice() else {
            return Err(io::Error::other("a closure has an input and an output"));
        };
        let source = self.source(&stdin.place, ends, files)?;
        let target = match &stdout.place {
            Endpoint::Pipe(number) if matches!(plan.pipes[*number], PipePlan::Memory) => {
                let (reader, writer) = pipe::buffered(plan.settings.sizes.pipe_capacity.unwrap_or(CAPACITY).min(MOST));
                cancellation.add_breaker(writer.breaker());
                self.next_input = Some(reader);
                WriterTarget::Memory(writer)
            }
            place => fd_writer(&plan, index, place, ends, files)?.map_or(WriterTarget::Discard, WriterTarget::Fd),
        };
        let input = StageReader::new(source, Arc::clone(&cancellation))?;
        let output = StageWriter::new(target, Arc::clone(&cancellation));
        let (function, reporter) = ClosureHandle::new(waker);
        self.threads.push((index, ClosureThread { input, output, cancellation, reporter }));
        Ok(function)
    }

    fn source(&mut self, place: &Endpoint, ends: &mut PipeEnds, files: &Files) -> io::Result<Source> {
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

    /// Starts the threads. The first failure is the run's error.
    pub(crate) fn start(self, mut scope: Option<Scope<'_>>) -> Result<(), Fault> {
        let Closures { plan, threads, .. } = self;
        for (index, thread) in threads {
            let Stage::Closure(closure) = &plan.stages[index].stage else { continue };
            let started = match (&closure.body, scope.as_mut()) {
                (ClosureBody::Reusable(body), _) => {
                    let body = Arc::clone(body);
                    spawn(move || thread.run(move |input, output| body(input, output)))
                }
                (ClosureBody::Once(slot), _) => {
                    let body = slot.take().ok_or_else(|| used_closure().at(plan.stage_name(index)))?;
                    spawn(move || thread.run(body))
                }
                (ClosureBody::Borrowed(slot), Some(scope)) => scope(*slot, thread),
                (ClosureBody::Borrowed(_), None) => Err(io::Error::other("a closure that borrows, outside its scope")),
            };
            started.map_err(|error| setup_error(Step::Thread, error).at(plan.stage_name(index)))?;
        }
        Ok(())
    }
}

/// What a closure writes to, outside of memory.
fn fd_writer(
    plan: &Plan,
    index: usize,
    place: &Endpoint,
    ends: &mut PipeEnds,
    files: &Files,
) -> io::Result<Option<FdWriter>> {
    Ok(match place {
        Endpoint::Pipe(number) if plan.users(*number, false).all(|(stage, _)| stage == index) => {
            ends.take(*number, false).map(FdWriter::own_pipe).transpose()?
        }
        // A process writes to the pipe, too: O_NONBLOCK on the shared file description would change its writes.
        Endpoint::Pipe(number) => {
            let shared = ends.end(*number, false).map(|end| fds::dup_above(end.as_fd(), 3)).transpose()?;
            shared.map(|end| FdWriter::shared(Arc::new(end)))
        }
        Endpoint::Inherit(number) => own_stream(*number).map(FdWriter::new),
        place => files.shared(place).map(FdWriter::shared),
    })
}

fn spawn(body: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::start(THREAD, body).map(drop)
}

/// The name of a closure's thread.
pub(crate) const THREAD: &str = "pipewright-fn";
