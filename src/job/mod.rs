//! A run in progress, as a handle; and the verbs that start one.

mod drop_warning;
mod events;
mod exec;
mod kill;
mod reader;
mod scoped;
mod verbs;

use std::fmt;
use std::panic::{Location, resume_unwind};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use crate::clock::Deadline;
use crate::contain::Container;
use crate::engine::cancellation::Stop;
use crate::engine::closure::Function;
use crate::engine::events::EventKind;
use crate::outcome::{Error, ErrorKind, Fault, Output};
use crate::pipe::{PipeReader, PipeWriter};
use crate::plan::Plan;
use crate::process::Process;
use crate::run::launch::{Drive, Wants, start};
use crate::run::shared::{Leftovers, Shared};
use crate::setup_step::Step;
use crate::status::Status;
use crate::stream::Stream;
use crate::sys::thread;

pub use events::Events;
pub use kill::{KillReport, Means, Survivor};
pub use reader::{Lines, LinesBytes, Reader};
pub use scoped::Scoped;

/// A live run: a command or a pipeline that was started by [`spawn`](crate::Cmd::spawn).
///
/// **Dropping it ends what it started**: every process that still runs is killed (SIGKILL), with its descendants as far as a short walk
/// finds them (see [`Means`]), and reaped, within 50 ms; what does not
/// die in that time is left to a reaper thread. [`detach`](Job::detach) lets them live instead. `std::process::exit` runs no drop.
///
/// All methods but [`output`](Job::output) and [`detach`](Job::detach) take `&self`, and any number of threads may call them. Where the run has bytes to move (a capture,
/// a feed, a callback) or a time to keep, one thread of its own does that; otherwise there is no thread.
///
/// ```
/// use pipewright::{cmd, Redirect};
/// use std::io::{Read, Write};
/// let job = cmd!("tr", "a-z", "A-Z").stdin(Redirect::piped()).stdout(Redirect::piped()).spawn()?;
/// job.take_stdin().unwrap().write_all(b"live")?;
/// let mut text = String::new();
/// job.take_stdout().unwrap().read_to_string(&mut text)?;
/// assert_eq!(text, "LIVE");
/// assert!(job.wait()?.success());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a job that is dropped is killed; `detach` lets it live"]
pub struct Job {
    shared: Arc<Shared>,
    processes: Vec<Process>,
    closures: Vec<Function>,
    /// What stops the closures, as long as the run holds it.
    stop: Option<Weak<Stop>>,
    container: Option<Arc<Container>>,
    plan: Arc<Plan>,
    /// Where; `None` for one that is there to be dropped, behind a reader.
    created: Option<&'static Location<'static>>,
}

impl Job {
    /// Starts the plan; with a thread where somebody has to see to it. `reader`: the caller reads the verb's stdout.
    #[track_caller]
    pub(crate) fn start(plan: Arc<Plan>, reader: bool) -> Result<Job, Fault> {
        let driven = plan.needs_driver(reader);
        let run =
            start(Arc::clone(&plan), Drive::ByJob, Wants { reader, wake: driven, watched: true, ..Wants::default() })?;
        let (processes, closures) = (run.processes.clone(), run.closures.clone());
        let stop = run.stop.as_ref().map(Arc::downgrade);
        let container = run.container.clone();
        let shared = Arc::new(Shared::new(run, driven));
        if driven {
            let driver = Arc::clone(&shared);
            let started = thread::start("pipewright-job", move || driver.drive());
            // Without its thread the run is dropped with `shared`, which ends what was started.
            started.map_err(|error| {
                Fault::new(ErrorKind::Spawn, "cannot start the run's thread").step_failed(Step::Thread).because(error)
            })?;
        }
        let created = if reader { None } else { Some(Location::caller()) };
        Ok(Job { shared, processes, closures, stop, container, plan, created })
    }

    /// Blocks until the run is over, and says how it ended, whatever the status; ends nothing. Before it waits, a piped stdin that nobody took
    /// is closed, and a piped output that nobody took is read and thrown away, so that no full pipe holds it up.
    ///
    /// # Errors
    /// What no status can say: the timeout passed, a callback or a closure failed, a status was stolen. After a timeout or a cancel every
    /// call gives the same error, with the output so far in it.
    ///
    /// ```
    /// use pipewright::{ErrorKind, cmd};
    /// use std::time::Duration;
    /// assert_eq!(cmd!("sh", "-c", "exit 3").spawn()?.wait()?.code(), Some(3));
    /// let late = cmd!("sleep", "60").timeout(Duration::from_millis(20)).spawn()?;
    /// assert_eq!(late.wait().unwrap_err().kind(), ErrorKind::Timeout);
    /// assert_eq!(late.wait().unwrap_err().kind(), ErrorKind::Timeout);
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn wait(&self) -> Result<Status, Error> {
        loop {
            if let Some(status) = self.wait_until(Deadline::NEVER)? {
                return Ok(status);
            }
        }
    }

    /// How the run ended, if it has; `None` while it goes on. Does not block; an untaken stdin is left open.
    ///
    /// # Errors
    /// As [`wait`](Job::wait). That the run has ended is none; what the system refuses is [`ErrorKind::Io`].
    ///
    /// ```
    /// use pipewright::{Redirect, cmd};
    /// let job = cmd!("cat").stdin(Redirect::piped()).spawn()?;
    /// assert_eq!(job.try_wait()?, None);
    /// job.wait()?;
    /// assert!(job.try_wait()?.is_some_and(|status| status.success()));
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn try_wait(&self) -> Result<Option<Status>, Error> {
        self.wait_with(Deadline::after(Duration::ZERO), Leftovers::Keep)
    }

    /// As [`wait`](Job::wait), for at most `timeout`; `None` when the run is not over by then. It goes on, and waiting may be
    /// repeated. Not to be confused with the builder's `timeout`, which ends the run.
    ///
    /// # Errors
    /// As [`wait`](Job::wait).
    ///
    /// ```
    /// use pipewright::cmd;
    /// use std::time::Duration;
    /// let job = cmd!("sleep", "60").spawn()?;
    /// assert_eq!(job.wait_timeout(Duration::from_millis(10))?, None);
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn wait_timeout(&self, timeout: Duration) -> Result<Option<Status>, Error> {
        self.wait_until(Deadline::after(timeout))
    }

    /// As [`wait_timeout`](Job::wait_timeout), until a moment.
    ///
    /// # Errors
    /// As [`wait`](Job::wait).
    ///
    /// ```
    /// use pipewright::cmd;
    /// use std::time::{Duration, Instant};
    /// let job = cmd!("true").spawn()?;
    /// assert!(job.wait_deadline(Instant::now() + Duration::from_secs(60))?.is_some());
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn wait_deadline(&self, deadline: Instant) -> Result<Option<Status>, Error> {
        self.wait_until(Deadline::at(deadline))
    }

    /// Blocks until the run is over and gives what it left, checked as the builder's `output` is.
    ///
    /// # Errors
    /// As [`wait`](Job::wait), and a status that is an error.
    ///
    /// ```
    /// use pipewright::{Redirect, cmd};
    /// let job = cmd!("echo", "text").stdout(Redirect::capture()).spawn()?;
    /// assert_eq!(job.output()?.stdout, "text\n");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn output(self) -> Result<Output, Error> {
        self.wait()?;
        self.shared.take().and_then(|over| over.checked(&self.plan)).map_err(|fault| fault.into_error(&self.plan))
    }

    /// Says that a signal is about to be sent to all of it: no end is told before its cause. A panic of those who hear it ends the run, as
    /// for one that is told by its driver, and goes on.
    fn tell_killed(&self, signal: i32) {
        if let Err(panic) = self.shared.tell(EventKind::Killed { signal }) {
            self.end();
            resume_unwind(panic);
        }
    }

    fn end(&self) {
        self.shared.end(&self.processes, self.container.as_ref(), || self.stop_closures());
    }

    fn wait_until(&self, deadline: Deadline) -> Result<Option<Status>, Error> {
        self.wait_with(deadline, Leftovers::LetGo)
    }

    fn wait_with(&self, deadline: Deadline, leftovers: Leftovers) -> Result<Option<Status>, Error> {
        self.shared.wait_until(deadline, leftovers).transpose().map_err(|fault| fault.into_error(&self.plan))
    }

    /// The processes' numbers, by stage, without the closures. They stay what they were after the processes have ended.
    ///
    /// ```
    /// use pipewright::cmd;
    /// let job = (cmd!("echo", "text") | cmd!("grep", "-q", "text")).spawn()?;
    /// assert_eq!(job.pids().len(), 2);
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn pids(&self) -> Vec<u32> {
        self.processes.iter().map(Process::pid).collect()
    }

    /// The processes, by stage, without the closures.
    ///
    /// ```
    /// let job = pipewright::cmd!("true").spawn()?;
    /// assert!(job.processes()[0].wait()?.success());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn processes(&self) -> &[Process] {
        &self.processes
    }

    /// Our end of a piped stdin, once; `None` when it is not [`piped`](crate::Redirect::piped), was taken already, or a wait let
    /// go of it. Does not block; a write to the end does while the pipe is full. Dropping the end is the end of the child's
    /// input.
    ///
    /// ```
    /// use pipewright::{Redirect, cmd};
    /// use std::io::Write;
    /// let job = cmd!("grep", "-q", "text").stdin(Redirect::piped()).spawn()?;
    /// job.take_stdin().expect("the first to ask").write_all(b"text\n")?;
    /// assert!(job.take_stdin().is_none());
    /// assert!(job.wait()?.success());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn take_stdin(&self) -> Option<PipeWriter> {
        self.shared.take_end(Stream::Stdin).map(PipeWriter::from_fd)
    }

    /// Our end of a piped stdout, once; `None` when it is not [`piped`](crate::Redirect::piped), was taken already, or a wait let
    /// go of it. Does not block; a read from the end does until there is something. Dropping the end breaks the child's pipe.
    ///
    /// ```
    /// use pipewright::{Redirect, cmd};
    /// let job = cmd!("sh", "-c", "echo text").stdout(Redirect::piped()).spawn()?;
    /// let stdout = job.take_stdout().expect("the first to ask");
    /// assert_eq!(std::io::read_to_string(stdout)?, "text\n");
    /// assert!(job.wait()?.success());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn take_stdout(&self) -> Option<PipeReader> {
        self.shared.take_end(Stream::Stdout).map(PipeReader::from_fd)
    }

    /// Our end of a piped stderr, once; `None` when it is not [`piped`](crate::Redirect::piped), was taken already, or a wait let
    /// go of it. Does not block; a read from the end does until there is something. Dropping the end breaks the child's pipe.
    ///
    /// ```
    /// use pipewright::{Redirect, cmd};
    /// let job = cmd!("sh", "-c", "echo text >&2").stderr(Redirect::piped()).spawn()?;
    /// let stderr = job.take_stderr().expect("the first to ask");
    /// assert_eq!(std::io::read_to_string(stderr)?, "text\n");
    /// assert!(job.wait()?.success());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn take_stderr(&self) -> Option<PipeReader> {
        self.shared.take_end(Stream::Stderr).map(PipeReader::from_fd)
    }

    /// Our end of a piped further input, of the first stage that has one by this number and was not asked yet; otherwise as
    /// [`take_stdin`](Job::take_stdin).
    ///
    /// ```
    /// use pipewright::Cmd;
    /// use std::io::Write;
    /// let job = Cmd::sh("read line <&3; exit $line").fd_in(3, Redirect::piped()).spawn()?;
    /// job.take_fd_in(3).expect("the first to ask").write_all(b"7\n")?;
    /// assert_eq!(job.wait()?.code(), Some(7));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn take_fd_in(&self, number: i32) -> Option<PipeWriter> {
        self.shared.take_end(Stream::Input(number)).map(PipeWriter::from_fd)
    }

    /// Our end of a piped further output, of the first stage that has one by this number and was not asked yet; otherwise as
    /// [`take_stdout`](Job::take_stdout).
    ///
    /// ```
    /// use pipewright::Cmd;
    /// let job = Cmd::sh("echo report >&3").fd_out(3, Redirect::piped()).spawn()?;
    /// let report = job.take_fd_out(3).expect("the first to ask");
    /// assert_eq!(std::io::read_to_string(report)?, "report\n");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn take_fd_out(&self, number: i32) -> Option<PipeReader> {
        self.shared.take_end(Stream::Output(number)).map(PipeReader::from_fd)
    }

    /// What happens in the run, from its beginning, as it happens: who started and ended, the lines of streams that this library reads
    /// (a capture, a callback, a writer), what was stopped, killed or left. See [`Events`] and [`EventKind`](crate::EventKind). Does not
    /// block. Any number may be asked for, each of which has all of it, but for lines that are not kept: those that a capture's
    /// [`Limit`](crate::Limit) left out, and those that went to a callback or a writer, before one was there to hear them.
    /// [`on_event`](crate::Cmd::on_event) is there from the beginning.
    ///
    /// ```
    /// use pipewright::{EventKind, cmd};
    /// let job = (cmd!("echo", "text") | cmd!("grep", "-q", "text")).spawn()?;
    /// let exits = job.events().filter(|event| matches!(event.kind, EventKind::Exited { .. }));
    /// assert_eq!(exits.count(), 2);
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn events(&self) -> Events {
        Events::new(Arc::clone(&self.shared), &self.plan)
    }

    /// Lets the run live on without this handle. Its processes are reaped when they end, so they leave no zombie. What its thread does
    /// (feeding, capturing, keeping the timeout) goes on; a piped stream that nobody took is closed. Does not block.
    ///
    /// ```
    /// pipewright::cmd!("true").spawn()?.detach();
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn detach(self) {
        self.container.iter().for_each(|container| container.let_live());
        self.shared.detach();
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job").field("state", &self.shared).field("pids", &self.pids()).finish()
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        self.created.iter().for_each(|created| self.warn(created));
        self.end();
    }
}
