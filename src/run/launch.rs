//! Executing a plan: from data to running processes.
//!
//! The order is this. First all that can fail without a trace: images, one-shot redirects, files. Then stage by stage: the
//! pipes that the stage is the first to use, the child, and the closing of what no later stage needs. So at any moment the fewest
//! descriptors are open, and each end is held by exactly one owner: dropping is what closes.
//!
//! Whatever fails, what was started is killed and reaped before the error is returned: a [`Launch`] owns all that has begun, and its drop
//! does that.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Arc;
use std::time::Instant;

use super::check;
use super::closure_thread::Task;
use super::closures::Closures;
use super::files::Files;
use super::flows;
use super::flows::Ends;
#[cfg(feature = "forward")]
use super::signal_registry::Forwarded;
use super::spawn_error::{bad_input, run_setup_error, setup_error, spawn_error};
use super::started::{Run, Untaken};
use crate::clock::Deadline;
use crate::contain::{Container, Containment};
use crate::engine::Pump;
use crate::engine::cancellation::Stop;
use crate::engine::control::{Wake, Waker};
use crate::engine::events::{EventKind, Hub};
use crate::engine::stages::Runner;
use crate::engine::stopped_children::Stops;
use crate::engine::timing::Timing;
use crate::fd::child_table::{ChildTable, Refused};
use crate::fd::real_stdio::{self, Streams};
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

/// How the run will be driven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Drive {
    /// To its end, by the thread that starts it.
    ByCaller,
    /// By whoever waits, for as long as they like, or by a thread.
    ByJob,
}

/// Starts a closure that borrows, by its number.
pub(crate) type Scope<'a> = &'a mut dyn FnMut(usize, Task) -> io::Result<()>;

/// What the caller brings along.
#[derive(Default)]
pub(crate) struct Wants<'a> {
    /// The buffer that a captured stdout is appended to. It is taken when nothing can fail any more.
    pub(crate) buffer: Option<&'a mut Vec<u8>>,
    /// Whether the stdout of the verb is to be handed out as an end of a pipe.
    pub(crate) reader: bool,
    /// Whether somebody may want to watch later.
    pub(crate) watched: bool,
    /// Whether the caller means to start a thread that drives the run.
    pub(crate) wake: bool,
    /// Runs the closures that borrow, on threads that a scope joins.
    pub(crate) scope: Option<Scope<'a>>,
}

/// Starts everything.
pub(crate) fn start(plan: Arc<Plan>, drive: Drive, mut wants: Wants<'_>) -> Result<Run, Fault> {
    makeflags::look_once();
    let images = images(&plan)?;
    // Before a file is emptied or a one-shot taken.
    check_cancelled(&plan)?;
    let timing = plan.settings.timing();
    if timing.deadline.passed() && !plan.stages.is_empty() {
        return Err(too_late(&plan, 0));
    }
    check::check(&plan)?;
    let files = Files::open(&plan)?;
    let deadline = timing.deadline;
    let run = prepare(&plan, timing, &wants)?;
    let mut launch = Launch {
        ends: Ends::new(plan.pipes.len()),
        closures: Closures::new(run.stop.clone(), run.waker.clone()),
        run,
        files,
        drive,
        deadline,
    };
    let mut images = images.into_iter();
    (0..plan.stages.len()).try_for_each(|index| launch.stage(index, &mut images))?;
    launch.tell();
    let scope = wants.scope.take();
    flows::build(&mut launch, wants)?;
    let Launch { ends, closures, run, files, .. } = launch;
    drop((ends, files));
    // Last: nothing can fail any more but a thread, and whoever reads or writes is there.
    match closures.start(&plan, scope) {
        Ok(()) => Ok(run),
        // The caller's buffer, if there is one, is in the run by now: it goes back inside the error.
        Err(error) => Err(run.give_up(error)),
    }
}

/// A run without stages, which they are to be started into.
fn prepare(plan: &Arc<Plan>, timing: Timing, wants: &Wants<'_>) -> Result<Run, Fault> {
    let cancel = plan.settings.cancel.get();
    let has_closures = plan.commands().count() < plan.stages.len();
    let forwards = plan.settings.signals.forward;
    let hears = wants.wake || cancel.is_some() || has_closures || forwards;
    let no_pipe = |error| run_setup_error(Step::Pipe, error);
    let (wake, waker) = hears.then(Wake::new).transpose().map_err(no_pipe)?.unzip();
    let stop = has_closures.then(Stop::new).transpose().map_err(no_pipe)?;
    let terminal = terminal_to_lend(plan)?;
    let container = plan.settings.container().map(Container::new).transpose();
    let container = container.map_err(|error| run_setup_error(Step::Cgroup, error))?.map(Arc::new);
    let mut commands = plan.commands().map(|(_, spec)| spec);
    if let (Some(container), true) = (&container, commands.all(|spec| spec.attributes.kill_on_parent_death)) {
        container.end_with_this_process(timing.deadline).map_err(|failure| sentinel_error(plan, &failure))?;
    }
    let registration = cancel.zip(waker.clone()).map(|(cancel, waker)| cancel.register(waker));
    check_cancelled(plan)?;
    #[cfg(feature = "forward")]
    let forwarded =
        waker.clone().filter(|_| forwards).map(|waker| Forwarded::join(waker, timing.grace())).transpose()?;
    Ok(Run {
        pump: Pump::new(timing, wake, stop.clone(), container.clone()),
        plan: Arc::clone(plan),
        processes: Vec::with_capacity(plan.stages.len()),
        closures: Vec::new(),
        began: Vec::with_capacity(plan.stages.len()),
        untaken: Untaken::default(),
        waker,
        stop,
        container,
        hub: hub(plan, wants.watched),
        _grants: Vec::new(),
        _registration: registration,
        terminal,
        #[cfg(feature = "forward")]
        _forwarded: forwarded,
    })
}

/// Where the run says what happens, with those who watch from the beginning.
fn hub(plan: &Plan, watched: bool) -> Option<Arc<Hub>> {
    let watchers = &plan.settings.observers.watchers;
    #[cfg_attr(not(feature = "tracing"), expect(unused_mut, reason = "a subscriber asks for one"))]
    let mut hub = (watched || !watchers.is_empty()).then(Arc::<Hub>::default);
    #[cfg(feature = "tracing")]
    super::trace::trace(plan, || Arc::clone(hub.get_or_insert_default()));
    if let Some(hub) = &hub {
        watchers.iter().for_each(|watcher| hub.watch(Arc::clone(watcher), Vec::new()));
    }
    hub
}

/// What every program gets, by command, checked for all of them before anything is opened.
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

/// Whether a stage may be stopped for using the terminal: it has a group of its own, which is in the background.
fn may_be_stopped(plan: &Plan) -> bool {
    let contained = matches!(plan.settings.container(), Some(Containment::Group));
    let grouped = contained || plan.commands().any(|(_, spec)| spec.attributes.process_group.is_some());
    grouped && terminal::is_there()
}

/// A run that is being started.
///
/// It owns all that has begun, so that a failed step and a panic in the caller's code (a callback for events, a reader that is to be made)
/// are undone by the same drop. The fields are dropped in their order: our ends first, so that no process is left writing to us; then the
/// closures, which never began, and which the run would wait for; then the run, which kills and reaps its processes.
pub(crate) struct Launch {
    pub(crate) ends: Ends,
    closures: Closures,
    pub(crate) run: Run,
    pub(crate) files: Files,
    pub(crate) drive: Drive,
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

/// What ends the run's container with this process could not be started.
fn sentinel_error(plan: &Plan, failure: &Failure) -> Fault {
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
    /// Starts a stage. From the moment of its clone on, its process is the run's.
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
                self.run.pump.begin(Runner::Process(process.clone()));
                self.run.processes.push(process);
            }
            None => {
                let made = self.closures.prepare(index, &plan, &mut self.ends, &self.files);
                let closure = made.map_err(|error| setup_error(Step::Pipe, error).at(plan.stage_name(index)))?;
                self.run.pump.begin(Runner::Function(closure.clone()));
                self.run.closures.push(closure);
            }
        }
        self.run.began.push(began);
        self.close_after(index);
        Ok(())
    }

    /// Says that all of it has started, to those who may do anything: no call of the caller's code comes before this.
    fn tell(&mut self) {
        #[cfg(feature = "forward")]
        self.run._forwarded.iter().for_each(|it| it.started(&self.run.processes, self.run.container.as_ref()));
        let Run { plan, pump, began, hub, terminal, processes, .. } = &mut self.run;
        if terminal.is_some() || may_be_stopped(plan) {
            pump.look_out(Stops::at(terminal.clone()));
        }
        pump.tell_to(hub.clone());
        let Some(hub) = hub else { return };
        let mut pids = processes.iter().map(Process::pid);
        for (index, (stage, began)) in plan.stages.iter().zip(began).enumerate() {
            let pid = stage.stage.command().and_then(|_| pids.next());
            hub.emit_at(*began, EventKind::Started { stage: index, label: stage.stage.name(), pid });
        }
    }

    fn process(&self, index: usize, spec: &Command, image: Image, began: Instant) -> Result<Process, Fault> {
        let container = self.run.container.as_deref();
        let named = |error: Fault| error.at(self.run.plan.stage_name(index));
        let mut attributes = spec.attributes.clone();
        let mut leads = container.is_some_and(|container| container.place(&mut attributes));
        let streams = real_stdio::streams();
        let map = self.fd_map(index, &streams)?;
        let is_first = self.run.began.is_empty();
        let terminal = self.run.terminal.as_ref().filter(|_| leads || is_first);
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
        launched.pidfd = launched.pidfd.map(|pidfd| self.kept(pidfd));
        let process = Process::new(launched, began, leads).map_err(|error| named(setup_error(Step::Thread, error)))?;
        if let (true, Some(container)) = (leads, container) {
            container.is_led_by(&process);
        }
        if let Some((terminal, group)) = terminal.zip(container.and_then(Container::group)) {
            terminal.was_taken_by(group);
        }
        Ok(process)
    }

    /// Makes the pipes that this stage is the first to use. A pipe between stages is grown at birth: nobody can later.
    fn make_pipes(&mut self, index: usize) -> Result<(), Fault> {
        for binding in &self.run.plan.stages[index].bindings {
            let Endpoint::Pipe(number) = &binding.place else { continue };
            if self.ends.is_made(*number) || matches!(self.run.plan.pipes[*number], PipePlan::Memory) {
                continue;
            }
            let failed = |error| setup_error(Step::Pipe, error).at(self.run.plan.stage_name(index));
            let (reader, writer) = pipe::kernel().map_err(failed)?;
            match (self.run.plan.settings.sizes.pipe_capacity, &self.run.plan.pipes[*number]) {
                // A wish: what the kernel does not give is no error.
                (Some(bytes), _) => drop(fds::set_capacity(writer.as_fd(), bytes)),
                (None, PipePlan::Link) => self.run._grants.extend(budget::grow(writer.as_fd())),
                (None, _) => {}
            }
            let (reader, writer) = (reader.into(), writer.into());
            // Our own end stays, the child's does not.
            match (&self.run.plan.pipes[*number], binding.stream.is_input()) {
                (PipePlan::Link | PipePlan::Memory, _) => self.ends.put(*number, reader, writer),
                (_, true) => self.ends.put(*number, reader, self.kept(writer)),
                (_, false) => self.ends.put(*number, self.kept(reader), writer),
            }
        }
        Ok(())
    }

    /// A descriptor that stays as long as the run does, which for a job may be long.
    fn kept(&self, fd: OwnedFd) -> OwnedFd {
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
                // Cannot be: every place was opened, and the plan has each number once.
                let what = format!("its {} has no source", binding.stream);
                return Err(Fault::new(ErrorKind::Spawn, what).at(self.run.plan.stage_name(index)));
            }
        }
        Ok(map)
    }

    /// Closes our copies of the ends that only started stages use: while one is open here, nobody downstream sees an end, and
    /// nobody upstream a broken pipe.
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

/// A run that a waker can be used on, if it has one.
impl Run {
    pub(crate) fn waker(&self) -> Option<&Waker> {
        self.waker.as_ref()
    }

    pub(crate) fn deadline(&self) -> Deadline {
        self.pump.deadline()
    }
}

/// Becomes the one program of a plan without pipes; what kept it from it.
pub(crate) fn exec(plan: &Plan) -> Fault {
    let prepare = || -> Result<(Prepared, Files, Streams), Fault> {
        let mut images = images(plan)?;
        check::check(plan)?;
        let files = Files::open(plan)?;
        let mut map = ChildTable::new();
        let streams = real_stdio::streams();
        for binding in plan.stages.iter().flat_map(|stage| &stage.bindings) {
            // A plan without pipes, which has each number once.
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
        // The files stay open until the copies are made from them.
        Ok((prepared, _files, _streams)) => {
            spawn_error(&spawn::exec(&prepared), prepared.image()).at(plan.stage_name(0))
        }
        Err(error) => error,
    }
}
