//! What concerns a run as a whole: times, limits, the status policy.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::cancel::CancelHandle;
use crate::clock::Deadline;
use crate::process::contain::Containment;
use crate::process::pauses;
use crate::pump::events::Watcher;
use crate::pump::{Limit, OnLeak, Steps, Timing};

/// Which stages' statuses count.
///
/// An [`unchecked`](crate::Cmd::unchecked) stage and an allowed code are no failure under any of them.
///
/// ```
/// use pipewright::{Cmd, StatusPolicy, cmd};
/// let pipeline = Cmd::sh("exit 3") | cmd!("cat");
/// assert_eq!(pipeline.run().unwrap_err().stage(), Some(0));
/// assert!(pipeline.status_policy(StatusPolicy::Last).run()?.status.success());
/// # Ok::<(), pipewright::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum StatusPolicy {
    /// Any stage that failed, the rightmost first; a stage that died of SIGPIPE because the next one had enough did not fail.
    #[default]
    Pipefail,
    /// The last stage alone.
    Last,
    /// Any stage, a death of SIGPIPE included.
    Strict,
}

/// The settings that a builder carries for its runs.
#[derive(Debug, Clone, Default)]
pub(crate) struct Settings {
    pub(crate) timeout: Option<Duration>,
    pub(crate) grace: Option<Duration>,
    /// What a run that is ended gets before it is killed.
    pub(crate) steps: Option<Steps>,
    pub(crate) contain: Option<Containment>,
    pub(crate) eof_grace: Option<Duration>,
    pub(crate) on_leak: Option<OnLeak>,
    pub(crate) policy: Option<StatusPolicy>,
    pub(crate) stdout_limit: Option<Limit>,
    pub(crate) stderr_limit: Option<Limit>,
    /// By the descriptor's number.
    pub(crate) fd_limits: BTreeMap<i32, Limit>,
    pub(crate) capacity: Option<usize>,
    pub(crate) watchers: Watchers,
    /// Whether a subscriber is told the command line.
    #[cfg(feature = "tracing")]
    pub(crate) trace_command: bool,
    /// Signals to this process reach the run.
    pub(crate) forward_signals: bool,
    /// The run has the terminal.
    pub(crate) foreground: bool,
    pub(crate) cancel: OnceLock<CancelHandle>,
}

/// Callbacks for what happens.
#[derive(Clone, Default)]
pub(crate) struct Watchers(pub(crate) Vec<Watcher>);

impl std::fmt::Debug for Watchers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} callbacks", self.0.len())
    }
}

/// From TERM to KILL, unless the builder says otherwise.
const GRACE: Duration = Duration::from_secs(1);

/// From the last process's end to giving up on who still holds a stream, where something is to be done about that.
const EOF_GRACE: Duration = Duration::from_millis(100);

impl Settings {
    /// The names of what is set: what a stage inside a pipeline must not carry.
    pub(crate) fn names(&self) -> Vec<&'static str> {
        let mut names = Vec::new();
        let mut name = |set: bool, name| {
            if set {
                names.push(name)
            }
        };
        name(self.timeout.is_some(), "timeout");
        name(self.grace.is_some(), "grace");
        name(self.steps.is_some(), "shutdown_plan");
        name(self.contain.is_some(), "contain");
        name(self.eof_grace.is_some(), "eof_grace");
        name(self.on_leak.is_some(), "on_leak");
        name(self.policy.is_some(), "status_policy");
        name(self.stdout_limit.is_some(), "stdout_limit");
        name(self.stderr_limit.is_some(), "stderr_limit");
        name(!self.fd_limits.is_empty(), "fd_limit");
        name(self.capacity.is_some(), "capacity");
        name(!self.watchers.0.is_empty(), "on_event");
        #[cfg(feature = "tracing")]
        name(self.trace_command, "trace_command");
        name(self.forward_signals, "forward_signals");
        name(self.foreground, "foreground");
        name(self.cancel.get().is_some(), "cancel_handle");
        names
    }

    /// What the processes are put into: one that has the terminal has a group.
    pub(crate) fn container(&self) -> Option<&Containment> {
        self.contain.as_ref().or(self.foreground.then_some(&Containment::Group))
    }

    /// How long streams are waited for that strangers hold.
    pub(crate) fn eof_grace(&self) -> Option<Duration> {
        let given_up = !matches!(self.on_leak, None | Some(OnLeak::Allow));
        self.eof_grace.or(given_up.then_some(EOF_GRACE))
    }

    /// The times of a run that starts now.
    pub(crate) fn timing(&self) -> Timing {
        Timing {
            deadline: Deadline::after_opt(self.timeout),
            paused: (self.forward_signals || self.foreground).then(pauses::spent),
            steps: match &self.steps {
                Some(steps) => Arc::clone(steps),
                None => Arc::new([(libc::SIGTERM, self.grace.unwrap_or(GRACE))]),
            },
            eof_grace: self.eof_grace(),
            on_leak: self.on_leak.unwrap_or_default(),
        }
    }
}

macro_rules! settings_methods {
    ($builder:ident) => {
        impl $builder {
            /// Ends the run after this long. The clock starts with the verb, before the first process, and covers everything:
            /// starting, feeding, reading, waiting. When it passes, the processes and their descendants (see
            /// [`Means`](crate::Means)) are asked to end (TERM, and CONT for those that are stopped) and, after [`grace`](Self::grace), killed; the pipes are closed, whoever else holds
            /// them; the verb returns [`Timeout`](crate::ErrorKind::Timeout) with what was captured.
            ///
            /// What it cannot interrupt: the kernel in `chdir`, `open` or `execve` on a dead mount, and Rust code of yours that runs
            /// on your thread (a line callback of a blocking verb).
            ///
            /// ```
            /// use pipewright::{Cmd, ErrorKind};
            /// use std::time::Duration;
            /// // The grandchild would keep the pipes open for longer; the timeout holds all the same.
            /// let error = Cmd::sh("echo so far; sleep 5 & exec sleep 60")
            ///     .timeout(Duration::from_millis(100))
            ///     .output()
            ///     .unwrap_err();
            /// assert_eq!(error.kind(), ErrorKind::Timeout);
            /// assert_eq!(error.output().unwrap().stdout, "so far\n");
            /// ```
            pub fn timeout(mut self, timeout: std::time::Duration) -> $builder {
                self.settings.timeout = Some(timeout);
                self
            }

            /// How long processes get between being asked to end and being killed: one second, unless set. Zero kills almost
            /// at once.
            ///
            /// Counts after a [`timeout`](Self::timeout) or a cancel. What processes say meanwhile goes on to all that their streams lead to: a
            /// target, writer or callback that has not taken all of it by the end of this time is named in the error.
            ///
            /// ```
            /// use pipewright::{Cmd, ErrorKind};
            /// use std::time::Duration;
            /// let deaf = Cmd::sh("trap '' TERM; while :; do :; done").timeout(Duration::from_millis(50));
            /// let error = deaf.grace(Duration::ZERO).run().unwrap_err();
            /// assert_eq!(error.kind(), ErrorKind::Timeout);
            /// ```
            #[doc(alias = "kill_after")]
            pub fn grace(mut self, grace: std::time::Duration) -> $builder {
                self.settings.grace = Some(grace);
                self
            }

            /// What a run that is ended gets before it is killed, by a [`timeout`](Self::timeout) or a cancel: signals, by their numbers of
            /// signal(7), each with the time until the next one; SIGKILL comes behind the last. Without, SIGTERM and
            /// [`grace`](Self::grace), which this replaces. Nothing at all: SIGKILL at once. A process that is stopped is continued
            /// by each step, so that it sees its signal.
            ///
            /// [`Job::shutdown_with`](crate::Job::shutdown_with) takes the same; [`kill`](crate::Job::kill) and a drop have no time for
            /// steps.
            ///
            /// ```
            /// use pipewright::{Cmd, ErrorKind};
            /// use std::time::Duration;
            /// let second = Duration::from_secs(1);
            /// let polite = Cmd::sh("trap 'exit 3' INT; while :; do :; done").timeout(Duration::from_millis(50));
            /// let error = polite.shutdown_plan([(2, second), (15, second)]).run().unwrap_err(); // SIGINT, SIGTERM
            /// assert_eq!(error.output().unwrap().stages[0].status.code(), Some(3));
            /// ```
            pub fn shutdown_plan(mut self, steps: impl IntoIterator<Item = (i32, std::time::Duration)>) -> $builder {
                self.settings.steps = Some(steps.into_iter().collect());
                self
            }

            /// What the run's processes are put into; see [`Containment`](crate::Containment). Unset: nothing, they stay in this process's
            /// group.
            ///
            /// A stage that sets a group or a session of its own is a [`Conflict`](crate::ErrorKind::Conflict), where the container is one.
            ///
            /// ```
            /// use pipewright::{Containment, Cmd};
            /// let leads = Cmd::sh("kill -s 0 -- -$$ && echo leads").contain(Containment::Group);
            /// assert_eq!(leads.read()?, "leads");
            /// # Ok::<(), pipewright::Error>(())
            /// ```
            pub fn contain(mut self, how: crate::process::contain::Containment) -> $builder {
                self.settings.contain = Some(how);
                self
            }

            /// Whether a signal that tells this process to end, stop or go on reaches the run too: with
            /// [`forward::signals`](crate::forward::signals), which says how. Without that it does nothing.
            ///
            /// ```
            /// use pipewright::{cmd, forward};
            /// let _forwarding = forward::signals()?;
            /// assert_eq!(cmd!("echo", "done").forward_signals(true).read()?, "done");
            /// # Ok::<(), Box<dyn std::error::Error>>(())
            /// ```
            pub fn forward_signals(mut self, forward: bool) -> $builder {
                self.settings.forward_signals = forward;
                self
            }

            /// Whether the run has this process's terminal while it runs: for an editor, a pager, a shell, with `run`, `status` and `spawn`. Its
            /// processes are in a group of their own, which Ctrl-C and Ctrl-Z then go to alone; the terminal is taken back when the run is
            /// over. Where Ctrl-Z stops them, this process's group stops too, and goes on with them; timeouts have so much
            /// longer. See tcsetpgrp(3).
            ///
            /// Without a terminal, or while this process is in the background itself, there is nothing to hand over, and that is no error. Any
            /// other [`contain`](Self::contain) than a group is a [`Conflict`](crate::ErrorKind::Conflict).
            ///
            /// ```
            /// let edited = pipewright::cmd!("true", "notes.txt").foreground(true).run()?; // `vi`, or what EDITOR says
            /// assert!(edited.status.success());
            /// # Ok::<(), pipewright::Error>(())
            /// ```
            #[doc(alias = "tcsetpgrp")]
            pub fn foreground(mut self, foreground: bool) -> $builder {
                self.settings.foreground = foreground;
                self
            }

            /// How long after the last process's end to wait for the end of captured and fed streams, which some
            /// other process may hold open. Unset: until they end, or the timeout. Zero: what is there is taken. Counted once,
            /// from the last end: a grandchild that keeps writing does not extend it. A result that was cut says so in
            /// [`Output::leaked`](crate::Output::leaked).
            ///
            /// It counts from the last stage's end, and a closure that still reads has not ended: a pipe into a closure that some
            /// other process holds open is a matter of [`timeout`](Self::timeout).
            ///
            /// ```
            /// use pipewright::Cmd;
            /// use std::time::Duration;
            /// let out = Cmd::sh("echo done; sleep 5 &").eof_grace(Duration::ZERO).output()?;
            /// assert_eq!(out.stdout, "done\n");
            /// assert!(out.leaked.is_some());
            /// # Ok::<(), pipewright::Error>(())
            /// ```
            pub fn eof_grace(mut self, grace: std::time::Duration) -> $builder {
                self.settings.eof_grace = Some(grace);
                self
            }

            /// What is done about processes that are left when the run is over, because they hold one of its streams or are in its
            /// [`contain`](Self::contain)er; nothing, unless set. Streams are then waited for as long as [`eof_grace`](Self::eof_grace) says,
            /// or, where that is unset, 100 ms after the last process's end.
            ///
            /// ```
            /// use pipewright::{Cmd, ErrorKind, OnLeak};
            /// let error = Cmd::sh("sleep 60 & echo done").on_leak(OnLeak::Fail).output().unwrap_err();
            /// assert_eq!(error.kind(), ErrorKind::Leaked);
            /// assert_eq!(error.output().unwrap().stdout, "done\n");
            /// ```
            pub fn on_leak(mut self, what: crate::pump::OnLeak) -> $builder {
                self.settings.on_leak = Some(what);
                self
            }

            /// Which stages' statuses count; [`Pipefail`](crate::StatusPolicy::Pipefail) unless set.
            ///
            /// ```
            /// use pipewright::{Cmd, Pipeline, StatusPolicy, cmd};
            /// let pipeline: Pipeline = [Cmd::sh("exit 3"), cmd!("cat")].into_iter().collect();
            /// assert!(pipeline.status_policy(StatusPolicy::Last).run().is_ok());
            /// ```
            pub fn status_policy(mut self, policy: crate::cmd::settings::StatusPolicy) -> $builder {
                self.settings.policy = Some(policy);
                self
            }

            /// Calls `watch` for everything that happens in a run, as it happens; see [`EventKind`](crate::EventKind). A second call adds another
            /// one. Of a live [`Job`](crate::Job), [`events`](crate::Job::events) gives the same.
            ///
            /// It is called by whichever thread sees to the run, which waits for it.
            ///
            /// # Panics
            /// A panic in it ends the run, and it is not called again. The panic goes on where the caller's own thread told of the event: to the
            /// caller of a blocking verb, of what starts a run, of what sends a signal, and of a drop. Where a [`Job`](crate::Job), its
            /// thread or a wait of it did, every wait gives [`ErrorKind::Panic`](crate::ErrorKind::Panic), as for other callbacks.
            ///
            /// ```
            /// use pipewright::{EventKind, cmd};
            /// use std::sync::{Arc, Mutex};
            /// let seen = Arc::new(Mutex::new(Vec::new()));
            /// let noted = Arc::clone(&seen);
            /// let pipeline = cmd!("echo", "text") | cmd!("cat");
            /// pipeline.on_event(move |event| noted.lock().unwrap().push(event.kind.clone())).output()?;
            /// let exits = seen.lock().unwrap().iter().filter(|kind| matches!(kind, EventKind::Exited { .. })).count();
            /// assert_eq!(exits, 2);
            /// # Ok::<(), pipewright::Error>(())
            /// ```
            pub fn on_event(mut self, watch: impl Fn(&crate::pump::events::Event) + Send + Sync + 'static) -> $builder {
                self.settings.watchers.0.push(std::sync::Arc::new(move |event| {
                    watch(event);
                    true
                }));
                self
            }

            /// Whether the command line is in the `run` span for `tracing`'s subscribers, without what is
            /// [secret](crate::Cmd::secret_arg). Off unless set: arguments tend to hold what a log should not.
            ///
            /// ```
            /// pipewright::cmd!("echo", "harmless").trace_command(true).read()?;
            /// # Ok::<(), pipewright::Error>(())
            /// ```
            #[cfg(feature = "tracing")]
            pub fn trace_command(mut self, on: bool) -> $builder {
                self.settings.trace_command = on;
                self
            }

            /// How much of a captured stdout is kept, or at which size the run fails. All of it, unless set.
            ///
            /// In bytes. Only captures are limited: a file, a writer or a callback gets everything. Too much under
            /// [`Limit::Fail`](crate::Limit::Fail) is [`LimitExceeded`](crate::ErrorKind::LimitExceeded).
            ///
            /// ```
            /// use pipewright::{cmd, Limit};
            /// let out = cmd!("seq", "1000").stdout_limit(Limit::Head(4)).output()?;
            /// assert_eq!(out.stdout, "1\n2\n");
            /// assert_eq!(out.stdout.omitted(), 3889);
            /// # Ok::<(), pipewright::Error>(())
            /// ```
            pub fn stdout_limit(mut self, limit: crate::pump::Limit) -> $builder {
                self.settings.stdout_limit = Some(limit);
                self
            }

            /// The same for a captured stderr.
            ///
            /// In bytes, for captures only; in a pipeline for all stages together.
            ///
            /// ```
            /// use pipewright::{Cmd, Limit};
            /// let out = Cmd::sh("echo 1 22 333 >&2").stderr_limit(Limit::Tail(4)).output()?;
            /// assert_eq!(out.stderr, "333\n");
            /// # Ok::<(), pipewright::Error>(())
            /// ```
            pub fn stderr_limit(mut self, limit: crate::pump::Limit) -> $builder {
                self.settings.stderr_limit = Some(limit);
                self
            }

            /// How much of what a further descriptor's [`fd_out`](crate::Cmd::fd_out) captures is kept, for every stage that has one of this
            /// number; otherwise as [`stdout_limit`](Self::stdout_limit).
            ///
            /// ```
            /// use pipewright::{Cmd, Limit};
            /// let out = Cmd::sh("echo one >&3; echo two >&3").fd_piped_out(3).fd_limit(3, Limit::Tail(4)).run()?;
            /// assert_eq!(*out.fd(3).unwrap(), "two\n");
            /// # Ok::<(), pipewright::Error>(())
            /// ```
            pub fn fd_limit(mut self, number: i32, limit: crate::pump::Limit) -> $builder {
                self.settings.fd_limits.insert(number, limit);
                self
            }

            /// The capacity to ask for, in bytes, for every pipe of the run. A wish: the kernel rounds it, and may refuse, which is no
            /// error. Unset, busy pipes are grown to 256 KiB within a budget for the process (Linux).
            ///
            /// Linux only (`F_SETPIPE_SZ` of `fcntl(2)`); elsewhere it is ignored. A pipe between two closures is in memory, and has 64 KiB,
            /// or what was asked for, up to 1 MiB, on any system.
            ///
            /// ```
            /// assert_eq!(pipewright::cmd!("echo", "wide").capacity(1 << 20).read()?, "wide");
            /// # Ok::<(), pipewright::Error>(())
            /// ```
            #[doc(alias = "F_SETPIPE_SZ")]
            pub fn capacity(mut self, bytes: usize) -> $builder {
                self.settings.capacity = Some(bytes);
                self
            }

            /// A handle that ends this builder's runs from another thread; see [`CancelHandle`](crate::CancelHandle). Every call
            /// gives the same one, and clones of the builder made afterwards share it.
            ///
            /// Does not block. A builder whose handle was used is cancelled for good.
            ///
            /// ```
            /// let cmd = pipewright::cmd!("true");
            /// let cancel = cmd.cancel_handle();
            /// cmd.run()?;
            /// assert!(!cancel.is_cancelled());
            /// # Ok::<(), pipewright::Error>(())
            /// ```
            pub fn cancel_handle(&self) -> crate::cmd::CancelHandle {
                self.settings.cancel.get_or_init(Default::default).clone()
            }
        }
    };
}
pub(crate) use settings_methods;

use super::Cmd;
settings_methods!(Cmd);
