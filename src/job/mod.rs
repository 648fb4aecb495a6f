//! The handle of a live run, and the verbs that start one.

// rustdoc shows the blocks of `Cmd` and `Pipeline` in the order of these lines: the verbs come first.
mod verbs;

mod drop_warning;
mod events;
mod exec;
mod kill;
mod reader;
mod scoped;

use std::fmt;
use std::panic::{Location, resume_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::clock::Deadline;
use crate::engine::events::EventKind;
use crate::outcome::{Error, ErrorKind, Fault, Output};
use crate::pipe::{PipeReader, PipeWriter};
use crate::plan::Plan;
use crate::process::Process;
use crate::run::launch::start;
use crate::run::options::{Drive, Wants};
use crate::run::shared::{Shared, Untaken};
use crate::run::started::Members;
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
/// **Dropping it ends the run**: the processes that still run are killed (SIGKILL) and reaped within 50 ms, with the descendants that a
/// short walk finds (see [`Means`]). A reaper thread reaps those that do not end in that time. [`detach`](Job::detach) lets them live
/// instead. `std::process::exit` runs no drop.
///
/// All methods except [`output`](Job::output) and [`detach`](Job::detach) take `&self`, and any number of threads may call them. A run that
/// has bytes to move (a capture, a feed, a callback) or a deadline has a thread of its own; any other is driven by the threads that wait.
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
    members: Members,
    plan: Arc<Plan>,
    /// Where it was spawned; `None` for the job inside of a reader, which is dropped as a rule.
    created: Option<&'static Location<'static>>,
}

impl Job {
    /// Starts the plan, with a thread if the run has work while no thread waits. `reader`: the caller reads the verb's stdout.
    #[track_caller]
    pub(crate) fn start(plan: Arc<Plan>, reader: bool) -> Result<Job, Fault> {
        let driven = plan.needs_driver(reader);
        let run =
            start(Arc::clone(&plan), Drive::ByJob, Wants { reader, wake: driven, watched: true, ..Wants::default() })?;
        let members = run.members.clone();
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
        Ok(Job { shared, members, plan, created })
    }

    /// Blocks until the run is over, and returns its status, whatever that is. Ends nothing. It first closes a piped stdin that was not
    /// taken, and reads and throws away piped outputs that were not taken, so that no full pipe blocks the run.
    ///
    /// # Errors
    /// What is no status: the timeout passed, a callback or a closure failed, a status was stolen. After a timeout or a cancel every call
    /// returns the same error, with the output so far in it. In a callback of the run itself it is [`ErrorKind::Deadlock`], at once.
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

    /// The status of the run if it is over, or `None`. Does not block, and leaves a piped stdin open.
    ///
    /// # Errors
    /// Those of [`wait`](Job::wait), except [`ErrorKind::Deadlock`]. What the system refuses is [`ErrorKind::Io`].
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
        self.wait_with(Deadline::after(Duration::ZERO), Untaken::Keep)
    }

    /// Blocks like [`wait`](Job::wait), for `timeout` at most. Returns `None` if the run is not over then: it goes on, unlike after the
    /// builder's `timeout`, and may be waited for again.
    ///
    /// # Errors
    /// Those of [`wait`](Job::wait).
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

    /// Blocks like [`wait_timeout`](Job::wait_timeout), until `deadline`.
    ///
    /// # Errors
    /// Those of [`wait`](Job::wait).
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

    /// Blocks like [`wait`](Job::wait), and returns the output. A bad status is an error, like in the builder's `output`.
    ///
    /// # Errors
    /// Those of [`wait`](Job::wait), and a bad status.
    ///
    /// ```
    /// use pipewright::{Redirect, cmd};
    /// let job = cmd!("echo", "text").stdout(Redirect::capture()).spawn()?;
    /// assert_eq!(job.output()?.stdout, "text\n");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn output(self) -> Result<Output, Error> {
        self.wait()?;
        self.shared.take().and_then(|outcome| outcome.checked(&self.plan)).map_err(|fault| fault.into_error(&self.plan))
    }

    /// Emits that a signal is about to be sent to the whole run: before it is sent, because the event of an end must not come before its
    /// cause. A panic of a watcher ends the run, like one in the driver, and is then resumed.
    fn emit_killed(&self, signal: i32) {
        if let Err(panic) = self.shared.emit(EventKind::Killed { signal }) {
            self.end();
            resume_unwind(panic);
        }
    }

    fn end(&self) {
        self.shared.end(&self.members);
    }

    fn wait_until(&self, deadline: Deadline) -> Result<Option<Status>, Error> {
        self.wait_with(deadline, Untaken::Discard)
    }

    fn wait_with(&self, deadline: Deadline, untaken: Untaken) -> Result<Option<Status>, Error> {
        self.shared.wait_until(deadline, untaken).transpose().map_err(|fault| fault.into_error(&self.plan))
    }

    /// The process ids, by stage, without the closures. The list stays the same after the processes have ended. Does not block.
    ///
    /// ```
    /// use pipewright::cmd;
    /// let job = (cmd!("echo", "text") | cmd!("grep", "-q", "text")).spawn()?;
    /// assert_eq!(job.pids().len(), 2);
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn pids(&self) -> Vec<u32> {
        self.members.processes.iter().map(Process::pid).collect()
    }

    /// The processes, by stage, without the closures. Does not block.
    ///
    /// ```
    /// let job = pipewright::cmd!("true").spawn()?;
    /// assert!(job.processes()[0].wait()?.success());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn processes(&self) -> &[Process] {
        &self.members.processes
    }

    /// This process's end of a [`piped`](crate::Redirect::piped) stdin. `None` if stdin is not piped, or if the end was taken or discarded by a
    /// wait before. Does not block; a write to the end blocks while the pipe is full. The child reads the end of its input when the end is
    /// dropped.
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

    /// This process's end of a [`piped`](crate::Redirect::piped) stdout. `None` if stdout is not piped, or if the end was taken or discarded by
    /// a wait before. Does not block; a read from the end blocks until there are bytes. After it is dropped, the child's writes fail (EPIPE).
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

    /// This process's end of a [`piped`](crate::Redirect::piped) stderr. `None` if stderr is not piped, or if the end was taken or discarded by
    /// a wait before. Does not block; a read from the end blocks until there are bytes. After it is dropped, the child's writes fail (EPIPE).
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

    /// This process's end of the piped input `number`, like [`take_stdin`](Job::take_stdin). If several stages have one, each call takes the
    /// next stage's.
    ///
    /// ```
    /// use pipewright::{Cmd, Redirect};
    /// use std::io::Write;
    /// let job = Cmd::sh("read line <&3; exit $line").fd_in(3, Redirect::piped()).spawn()?;
    /// job.take_fd_in(3).expect("the first to ask").write_all(b"7\n")?;
    /// assert_eq!(job.wait()?.code(), Some(7));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn take_fd_in(&self, number: i32) -> Option<PipeWriter> {
        self.shared.take_end(Stream::Input(number)).map(PipeWriter::from_fd)
    }

    /// This process's end of the piped output `number`, like [`take_stdout`](Job::take_stdout). If several stages have one, each call takes
    /// the next stage's.
    ///
    /// ```
    /// use pipewright::{Cmd, Redirect};
    /// let job = Cmd::sh("echo report >&3").fd_out(3, Redirect::piped()).spawn()?;
    /// let report = job.take_fd_out(3).expect("the first to ask");
    /// assert_eq!(std::io::read_to_string(report)?, "report\n");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn take_fd_out(&self, number: i32) -> Option<PipeReader> {
        self.shared.take_end(Stream::Output(number)).map(PipeReader::from_fd)
    }

    /// The events of the run, from its beginning: stages that started and ended, the lines of streams that this library reads (a capture, a
    /// callback, a writer), processes that were stopped, killed or left. See [`Events`] and [`EventKind`](crate::EventKind). Does not block.
    ///
    /// Each of several iterators has all events, except lines from before this call that were not kept: those that a capture's
    /// [`Limit`](crate::Limit) left out, and those that went to a callback or a writer. [`on_event`](crate::Cmd::on_event) misses none.
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

    /// Lets the run live without this handle. Its processes are reaped when they end, so they leave no zombies. The run's thread goes on: it
    /// feeds, captures and keeps the timeout. Piped streams that were not taken are closed. Does not block.
    ///
    /// ```
    /// pipewright::cmd!("true").spawn()?.detach();
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    #[doc(alias = "kill_on_drop")]
    #[doc(alias = "disown")]
    pub fn detach(self) {
        self.members.container.iter().for_each(|container| container.let_live());
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
