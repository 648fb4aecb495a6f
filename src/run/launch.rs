//! Executing a plan: from data to running processes.
//!
//! First comes all that can fail without a trace: images, one-shot redirects, files. Then each stage gets the pipes that it is the first
//! to use, its child is started, and what no later stage needs is closed. At any moment the fewest descriptors are open, and each end has
//! one owner, whose drop closes it.
//!
//! After any failure, what was started is killed and reaped before the error is returned: a [`Launch`] owns all that has begun, and its
//! drop does that.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Arc;
use std::time::Instant;

use super::check;
use super::closures::Closures;
use super::conclude::RunResult;
use super::ends::{PipeEnds, PipedEnds};
use super::files::Files;
use super::flows::FlowBuilder;
use super::options::{Drive, Wants};
#[cfg(feature = "forward")]
use super::signal_registry::Registered;
use super::spawn_error::{bad_input, run_setup_error, setup_error, spawn_error};
use super::started::{Guards, Members, Run};
use crate::clock::Deadline;
use crate::contain::{Container, Containment};
use crate::engine::Engine;
use crate::engine::broadcast::Broadcast;
use crate::engine::cancellation::Cancellation;
use crate::engine::control::Control;
use crate::engine::events::EventKind;
use crate::engine::stages::StageHandle;
use crate::engine::stopped_children::StoppedChildren;
use crate::engine::timing::Timing;
use crate::fd::child_table::{ChildTable, Refused};
use crate::fd::real_stdio::{self, Streams};
use crate::io::callback::BorrowedCallback;
use crate::outcome::{ErrorKind, Fault};
use crate::pipe::makeflags;
use crate::pipe::{self, budget};
use crate::plan::{Endpoint, PipePlan, Plan};
use crate::process::Process;
use crate::process::terminal::{self, Terminal};
use crate::setup_step::{Failure, Step};
use crate::spawn::{self, Image, ImageSpec, Prepared};
use crate::spec::Command;
use crate::sys::fds;

/// Starts everything.
pub(crate) fn start(plan: Arc<Plan>, drive: Drive, mut wants: Wants<'_>) -> Result<Run, Fault> {
    makeflags::look_once();
    let images = images(&plan)?;
    // Before a file is truncated or a one-shot taken.
    check_cancelled(&plan)?;
    let timing = plan.settings.timing();
    if timing.deadline.passed() && !plan.stages.is_empty() {
        return Err(too_late(&plan, 0));
    }
    check::check(&plan)?;
    let files = Files::open(&plan)?;
    let deadline = timing.deadline;
    let (run, closures) = prepare(&plan, timing, &wants)?;
    let mut launch = Launch { ends: PipeEnds::new(plan.pipes.len()), closures, run, files, drive, deadline };
    let mut images = images.into_iter();
    (0..plan.stages.len()).try_for_each(|index| launch.stage(index, &mut images))?;
    launch.emit_started();
    let scope = wants.scope.take();
    let Launch { ends, run, files, .. } = &mut launch;
    FlowBuilder { run, ends, files, wants }.build(drive == Drive::ByCaller)?;
    let Launch { ends, closures, run, files, .. } = launch;
    drop((ends, files));
    // Last: only the start of a thread can fail from here on, and the readers and writers of the closures' pipes exist.
    match closures.start(scope) {
        Ok(()) => Ok(run),
        // The caller's buffer, if there is one, is in the run by now: it goes back inside the error.
        Err(error) => Err(run.give_up(error)),
    }
}

/// Runs the plan on the calling thread, to its end.
pub(crate) fn run_to_end(plan: &Arc<Plan>, wants: Wants<'_>, lent: BorrowedCallback<'_>) -> RunResult {
    let mut run = start(Arc::clone(plan), Drive::ByCaller, wants)?;
    // There is no handle: the engine's own `Process`es are enough.
    run.members.processes.clear();
    for flow in run.piped.discard() {
        run.engine.add_stream(flow);
    }
    match run.drive(Deadline::NEVER, lent) {
        Ok(_) => run.conclude(),
        Err(error) => Err(run.give_up(error)),
    }
}

/// A run without stages, into which they are then started.
fn prepare(plan: &Arc<Plan>, timing: Timing, wants: &Wants<'_>) -> Result<(Run, Closures), Fault> {
    let cancel = plan.settings.cancel.get();
    let has_closures = plan.commands().count() < plan.stages.len();
    let forwards = plan.settings.signals.forward;
    let is_woken = wants.wake || cancel.is_some() || has_closures || forwards;
    let no_pipe = |error| run_setup_error(Step::Pipe, error);
    let (wake, waker) = is_woken.then(Control::new).transpose().map_err(no_pipe)?.unzip();
    let stop = has_closures.then(Cancellation::new).transpose().map_err(no_pipe)?;
    let terminal = terminal_to_lend(plan)?;
    let container = plan.settings.container().map(Container::new).transpose();
    let container = container.map_err(|error| run_setup_error(Step::Cgroup, error))?.map(Arc::new);
    let mut commands = plan.commands().map(|(_, spec)| spec);
    if let (Some(container), true) = (&container, commands.all(|spec| spec.attributes.kill_on_parent_death)) {
        container.end_with_this_process(timing.deadline).map_err(|failure| watchdog_error(plan, &failure))?;
    }
    let registration = cancel.zip(waker.clone()).map(|(cancel, waker)| cancel.register(waker));
    check_cancelled(plan)?;
    #[cfg(feature = "forward")]
    let registered =
        waker.clone().filter(|_| forwards).map(|waker| Registered::join(waker, timing.grace())).transpose()?;
    let closures = Closures::new(plan, stop.clone().zip(waker.clone()));
    let run = Run {
        members: Members {
            processes: Vec::with_capacity(plan.stages.len()),
            closures: Vec::new(),
            stop: stop.as_ref().map(Arc::downgrade),
            container: container.clone(),
        },
        engine: Engine::new(timing, wake, stop, container),
        plan: Arc::clone(plan),
        began: Vec::with_capacity(plan.stages.len()),
        piped: PipedEnds::default(),
        waker,
        broadcast: broadcast_of(plan, wants.watched),
        guards: Guards {
            grants: Vec::new(),
            _cancel: registration,
            terminal,
            #[cfg(feature = "forward")]
            registered,
        },
    };
    Ok((run, closures))
}

/// Broadcasts the run's events, to the plan's watchers first; `watched`: more may come.
fn broadcast_of(plan: &Plan, watched: bool) -> Option<Arc<Broadcast>> {
    let watchers = &plan.settings.observers.watchers;
    #[cfg_attr(not(feature = "tracing"), expect(unused_mut, reason = "a subscriber asks for one"))]
    let mut broadcast = (watched || !watchers.is_empty()).then(Arc::<Broadcast>::default);
    #[cfg(feature = "tracing")]
    super::trace::trace(plan, || Arc::clone(broadcast.get_or_insert_default()));
    if let Some(broadcast) = &broadcast {
        watchers.iter().for_each(|watcher| broadcast.observe(Arc::clone(watcher), Vec::new()));
    }
    broadcast
}

/// What execve(2) gets, by command. All are checked before anything is opened.
fn images(plan: &Plan) -> Result<Vec<Image>, Fault> {
    let mut images = Vec::with_capacity(plan.stages.len());
    for (index, spec) in plan.commands() {
        let image = Image::new(ImageSpec {
            program: &spec.program.name,
            arg0: spec.program.arg0.as_deref(),
            args: &mut spec.args.iter().map(|arg| arg.text.as_os_str()),
            env: &spec.env_changes().cloned().collect::<Vec<_>>(),
            cwd: spec.current_dir().map(|dir| dir.as_path()),
            allow_relative_path: spec.program.allow_relative_path,
        });
        images.push(image.map_err(|bad| bad_input(&bad).at(plan.stage_name(index)))?);
    }
    Ok(images)
}

fn terminal_to_lend(plan: &Plan) -> Result<Option<Arc<Terminal>>, Fault> {
    if !plan.settings.signals.foreground {
        return Ok(None);
    }
    let terminal = Terminal::to_lend().map_err(|error| run_setup_error(Step::Foreground, error))?;
    Ok(terminal.map(Arc::new))
}

/// Whether the terminal may stop a stage (SIGTTIN, SIGTTOU): it has a process group of its own, which is in the background.
fn may_be_stopped(plan: &Plan) -> bool {
    let contained = matches!(plan.settings.container(), Some(Containment::Group));
    let grouped = contained || plan.commands().any(|(_, spec)| spec.attributes.process_group.is_some());
    grouped && terminal::is_there()
}

/// A run that is being started.
///
/// It owns all that has begun, and its drop undoes it: after a failed step, and after a panic in the caller's code (a callback for events,
/// a reader that is to be made). The fields are dropped in their order. The ends go first, so that no process waits for this one to read;
/// then the closures, which never began, and which the run would wait for; then the run, which kills and reaps its processes.
struct Launch {
    ends: PipeEnds,
    closures: Closures,
    run: Run,
    files: Files,
    drive: Drive,
    deadline: Deadline,
}

fn check_cancelled(plan: &Plan) -> Result<(), Fault> {
    match plan.settings.cancel.get() {
        Some(cancel) if cancel.is_cancelled() => {
            Err(Fault::new(ErrorKind::Cancelled, "the run was cancelled before it started"))
        }
        _ => Ok(()),
    }
}

/// The watchdog that ends the run's container when this process dies could not be started.
fn watchdog_error(plan: &Plan, failure: &Failure) -> Fault {
    if timed_out(failure) && plan.settings.times.timeout.is_some() {
        return too_late(plan, 0);
    }
    run_setup_error(Step::ParentDeath, failure.io_error())
}

fn timed_out(failure: &Failure) -> bool {
    failure.step == Step::Thread && failure.errno == libc::ETIMEDOUT
}

fn too_late(plan: &Plan, stage: usize) -> Fault {
    let timeout = plan.settings.times.timeout.unwrap_or_default();
    let what = format!("was not started: the timeout of {timeout:?} passed before");
    Fault::new(ErrorKind::Timeout, what).at(plan.stage_name(stage))
}

impl Launch {
    /// Starts a stage. From its clone(2) on, the run owns its process.
    fn stage(&mut self, index: usize, images: &mut impl Iterator<Item = Image>) -> Result<(), Fault> {
        let plan = Arc::clone(&self.run.plan);
        if self.deadline.passed() {
            return Err(too_late(&plan, index));
        }
        self.make_pipes(index)?;
        let began = Instant::now();
        match plan.stages[index].stage.command().and_then(|spec| Some((spec, images.next()?))) {
            Some((spec, image)) => {
                let process = self.process(index, spec, image, began)?;
                self.run.engine.add_stage(StageHandle::Process(process.clone()));
                self.run.members.processes.push(process);
            }
            None => {
                let made = self.closures.prepare(index, &mut self.ends, &self.files);
                let closure = made.map_err(|error| setup_error(Step::Pipe, error).at(plan.stage_name(index)))?;
                self.run.engine.add_stage(StageHandle::Closure(closure.clone()));
                self.run.members.closures.push(closure);
            }
        }
        self.run.began.push(began);
        self.close_after(index);
        Ok(())
    }

    /// Emits that every stage has started. No code of the caller's runs before this.
    fn emit_started(&mut self) {
        let Run { plan, engine, began, broadcast, guards, members, .. } = &mut self.run;
        #[cfg(feature = "forward")]
        guards.registered.iter().for_each(|it| it.started(&members.processes, members.container.as_ref()));
        if guards.terminal.is_some() || may_be_stopped(plan) {
            engine.look_for_stopped(StoppedChildren::at(guards.terminal.clone()));
        }
        engine.set_broadcast(broadcast.clone());
        let Some(broadcast) = broadcast else { return };
        let mut pids = members.processes.iter().map(Process::pid);
        for (index, (stage, began)) in plan.stages.iter().zip(began).enumerate() {
            let pid = stage.stage.command().and_then(|_| pids.next());
            broadcast.emit_at(*began, EventKind::Started { stage: index, label: stage.stage.name(), pid });
        }
    }

    fn process(&self, index: usize, spec: &Command, image: Image, began: Instant) -> Result<Process, Fault> {
        let container = self.run.members.container.as_deref();
        let named = |error: Fault| error.at(self.run.plan.stage_name(index));
        let mut attributes = spec.attributes.clone();
        let mut leads = container.is_some_and(|container| container.place(&mut attributes));
        let streams = real_stdio::streams();
        let map = self.fd_map(index, &streams)?;
        let is_first = self.run.began.is_empty();
        let terminal = self.run.guards.terminal.as_ref().filter(|_| leads || is_first);
        attributes.foreground = terminal.is_some();
        terminal.iter().for_each(|terminal| terminal.is_lent());
        let own = self.ends.numbers();
        let mut prepared = Arc::new(Prepared::new(image, attributes, map, spec.streams.inherit_fds, &own));
        let mut launched = loop {
            let (failure, mut refused) = match spawn::spawn(prepared, self.deadline) {
                Ok(launched) => break launched,
                Err(refused) => refused,
            };
            let attributes = Prepared::attributes(&mut refused);
            let otherwise = container.zip(attributes);
            match otherwise.and_then(|(container, attributes)| container.place_otherwise(&failure, attributes)) {
                Some(leads_then) => (leads, prepared) = (leads_then, refused),
                None if timed_out(&failure) => return Err(too_late(&self.run.plan, index)),
                None => return Err(named(spawn_error(&failure, refused.image()))),
            }
        };
        drop(streams);
        launched.pidfd = launched.pidfd.map(|pidfd| self.move_high(pidfd));
        let process = Process::new(launched, began, leads).map_err(|error| named(setup_error(Step::Thread, error)))?;
        if let (true, Some(container)) = (leads, container) {
            container.is_led_by(&process);
        }
        if let Some((terminal, group)) = terminal.zip(container.and_then(Container::group)) {
            terminal.was_taken_by(group);
        }
        Ok(process)
    }

    /// Makes the pipes that this stage is the first to use. A pipe between stages is grown here: this process has no end of it later.
    fn make_pipes(&mut self, index: usize) -> Result<(), Fault> {
        for binding in &self.run.plan.stages[index].bindings {
            let Endpoint::Pipe(number) = &binding.place else { continue };
            if self.ends.is_made(*number) || matches!(self.run.plan.pipes[*number], PipePlan::Memory) {
                continue;
            }
            let failed = |error| setup_error(Step::Pipe, error).at(self.run.plan.stage_name(index));
            let (reader, writer) = pipe::kernel().map_err(failed)?;
            match (self.run.plan.settings.sizes.pipe_capacity, &self.run.plan.pipes[*number]) {
                // The capacity is a wish: a refusal of F_SETPIPE_SZ is no error.
                (Some(bytes), _) => drop(fds::set_capacity(writer.as_fd(), bytes)),
                (None, PipePlan::Link) => self.run.guards.grants.extend(budget::grow(writer.as_fd())),
                (None, _) => {}
            }
            let (reader, writer) = (reader.into(), writer.into());
            // This process's end stays open, the child's does not.
            match (&self.run.plan.pipes[*number], binding.stream.is_input()) {
                (PipePlan::Link | PipePlan::Memory, _) => self.ends.put(*number, reader, writer),
                (_, true) => self.ends.put(*number, reader, self.move_high(writer)),
                (_, false) => self.ends.put(*number, self.move_high(reader), writer),
            }
        }
        Ok(())
    }

    /// Moves a descriptor that stays open as long as the run out of the way of the next start's, if the run may be long: a job's.
    fn move_high(&self, fd: OwnedFd) -> OwnedFd {
        if self.drive == Drive::ByJob { fds::move_high(fd) } else { fd }
    }

    fn fd_map(&self, index: usize, streams: &Streams) -> Result<ChildTable, Fault> {
        let mut map = ChildTable::new();
        for binding in &self.run.plan.stages[index].bindings {
            let number = binding.stream.number();
            let entered = match &binding.place {
                Endpoint::Pipe(pipe) => match self.ends.end(*pipe, binding.stream.is_input()) {
                    Some(end) => map.insert(end.as_raw_fd(), number),
                    None => Err(Refused),
                },
                place => self.files.enter(place, number, streams, &mut map),
            };
            if entered.is_err() {
                // This cannot happen: every place was opened, and the plan has each number once.
                let what = format!("its {} has no source", binding.stream);
                return Err(Fault::new(ErrorKind::Spawn, what).at(self.run.plan.stage_name(index)));
            }
        }
        Ok(map)
    }

    /// Closes this process's copies of the ends that only started stages use: while one is open here, the reader of the pipe sees no end of
    /// file, and its writer gets no EPIPE.
    fn close_after(&mut self, index: usize) {
        for binding in &self.run.plan.stages[index].bindings {
            let Endpoint::Pipe(number) = &binding.place else { continue };
            let reading = binding.stream.is_input();
            if self.run.plan.users(*number, reading).all(|(stage, _)| stage <= index) {
                self.ends.take(*number, reading);
            }
        }
    }
}

/// Replaces this process by the one program of a plan without pipes. Returns why that failed.
pub(crate) fn exec(plan: &Plan) -> Fault {
    let prepare = || -> Result<(Prepared, Files, Streams), Fault> {
        let mut images = images(plan)?;
        check::check(plan)?;
        let files = Files::open(plan)?;
        let mut map = ChildTable::new();
        let streams = real_stdio::streams();
        for binding in plan.stages.iter().flat_map(|stage| &stage.bindings) {
            // This cannot fail: the plan has no pipes, and each number once.
            let _ = files.enter(&binding.place, binding.stream.number(), &streams, &mut map);
        }
        let (_, spec) = plan.commands().next().ok_or_else(|| Fault::new(ErrorKind::InvalidInput, "no command"))?;
        Ok((
            Prepared::new(images.remove(0), spec.attributes.clone(), map, spec.streams.inherit_fds, &[]),
            files,
            streams,
        ))
    };
    match prepare() {
        // The files stay open until dup2(2) has made the copies.
        Ok((prepared, _files, _streams)) => {
            spawn_error(&spawn::exec(&prepared), prepared.image()).at(plan.stage_name(0))
        }
        Err(error) => error,
    }
}
