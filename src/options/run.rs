//! The methods for what concerns a run as a whole: times, limits, the status policy.

use crate::cmd::Cmd;

macro_rules! settings_methods {
    ($builder:ident) => {
        $crate::options::methods! {
            $builder;
            /// # Which stages count
            impl {
                /// Sets which stages' statuses count. The default is [`Pipefail`](crate::StatusPolicy::Pipefail).
                ///
                /// ```
                /// use pipewright::{Cmd, StatusPolicy, cmd};
                /// let line = Cmd::sh("exit 3") | cmd!("cat");
                /// assert!(line.status_policy(StatusPolicy::Last).run().is_ok());
                /// ```
                #[doc(alias = "pipefail")]
                pub fn status_policy(mut self, policy: crate::outcome::StatusPolicy) -> Self {
                    self.settings_mut().policy = Some(policy);
                    self
                }
            }

            /// # Time
            impl {
                /// Ends the run after this time. The clock starts with the verb, before the first process, and covers starting, feeding,
                /// reading and waiting. When it passes, the processes and their descendants (see [`Means`](crate::Means)) get SIGTERM, and
                /// SIGCONT if they are stopped. After [`grace`](Self::grace) they are killed. The pipes are closed, even if another process
                /// still holds them, and the verb returns [`Timeout`](crate::ErrorKind::Timeout) with what was captured.
                ///
                /// It cannot interrupt the kernel in `chdir`, `open` or `execve` on a dead mount, nor your own code on your own thread,
                /// like a line callback of a blocking verb.
                ///
                /// ```
                /// use pipewright::{Cmd, ErrorKind};
                /// use std::time::Duration;
                /// // The grandchild would keep the pipes open for five seconds.
                /// let error = Cmd::sh("echo so far; sleep 5 & exec sleep 60")
                ///     .timeout(Duration::from_millis(100))
                ///     .output()
                ///     .unwrap_err();
                /// assert_eq!(error.kind(), ErrorKind::Timeout);
                /// assert_eq!(error.output().unwrap().stdout, "so far\n");
                /// ```
                #[doc(alias = "deadline")]
                pub fn timeout(mut self, timeout: std::time::Duration) -> Self {
                    self.settings_mut().times.timeout = Some(timeout);
                    self
                }

                /// Sets how long processes have between being asked to end and being killed, by a [`timeout`](Self::timeout) or a cancel.
                /// The default is one second. Zero kills them almost at once.
                ///
                /// What processes write in this time still goes where their streams lead. The error names a target, writer or callback that
                /// has not taken all of it when the time ends.
                ///
                /// ```
                /// use pipewright::{Cmd, ErrorKind};
                /// use std::time::Duration;
                /// let error = Cmd::sh("trap '' TERM; while :; do :; done")
                ///     .timeout(Duration::from_millis(50))
                ///     .grace(Duration::ZERO)
                ///     .run()
                ///     .unwrap_err();
                /// assert_eq!(error.kind(), ErrorKind::Timeout);
                /// ```
                #[doc(alias = "kill_after")]
                pub fn grace(mut self, grace: std::time::Duration) -> Self {
                    self.settings_mut().times.grace = Some(grace);
                    self
                }

                /// Sets the signals that a run gets before SIGKILL when a [`timeout`](Self::timeout) or a cancel ends it. Each step is a
                /// signal's number (see signal(7)) and the time until the next step; SIGKILL follows the last one. No step at all means
                /// SIGKILL at once. The plan replaces the default, which is SIGTERM and the time of [`grace`](Self::grace). Each step
                /// continues stopped processes, so that they see its signal.
                ///
                /// [`Job::shutdown_with`](crate::Job::shutdown_with) takes the same steps. [`kill`](crate::Job::kill) and a drop have no
                /// time for steps.
                ///
                /// ```
                /// use pipewright::{Cmd, ErrorKind};
                /// use std::time::Duration;
                /// let second = Duration::from_secs(1);
                /// let error = Cmd::sh("trap 'exit 3' INT; while :; do :; done")
                ///     .timeout(Duration::from_millis(50))
                ///     .shutdown_plan([(2, second), (15, second)]) // SIGINT, SIGTERM
                ///     .run()
                ///     .unwrap_err();
                /// let stage = &error.output().unwrap().stages[0];
                /// assert_eq!(stage.status.code(), Some(3));
                /// ```
                #[doc(alias = "kill_signal")]
                #[doc(alias = "terminate")]
                pub fn shutdown_plan(mut self, steps: impl IntoIterator<Item = (i32, std::time::Duration)>) -> Self {
                    self.settings_mut().times.steps = Some(steps.into_iter().collect());
                    self
                }

                /// Sets how long to wait, after the last process's end, for the end of captured and fed streams, which another process may
                /// hold open. The default is to wait until they end or the timeout passes. Zero takes what is there. The time runs once,
                /// from the last end: a grandchild that keeps writing does not extend it. [`Output::leaked`](crate::Output::leaked) says
                /// that a result was cut.
                ///
                /// A closure that still reads has not ended, so the time does not run yet. Only [`timeout`](Self::timeout) limits a closure
                /// whose input pipe another process holds open.
                ///
                /// ```
                /// use pipewright::Cmd;
                /// use std::time::Duration;
                /// let leaky = Cmd::sh("echo done; sleep 5 &");
                /// let out = leaky.eof_grace(Duration::ZERO).output()?;
                /// assert_eq!(out.stdout, "done\n");
                /// assert!(out.leaked.is_some());
                /// # Ok::<(), pipewright::Error>(())
                /// ```
                pub fn eof_grace(mut self, grace: std::time::Duration) -> Self {
                    self.settings_mut().times.eof_grace = Some(grace);
                    self
                }

                /// Gives a handle that ends this builder's runs from another thread; see [`CancelHandle`](crate::CancelHandle). Every call
                /// gives the same handle, and clones of the builder that are made afterwards share it. A builder whose handle was used
                /// stays cancelled. Does not block.
                ///
                /// ```
                /// let cmd = pipewright::cmd!("true");
                /// let cancel = cmd.cancel_handle();
                /// cmd.run()?;
                /// assert!(!cancel.is_cancelled());
                /// # Ok::<(), pipewright::Error>(())
                /// ```
                #[doc(alias = "abort")]
                pub fn cancel_handle(&self) -> crate::spec::cancel::CancelHandle {
                    self.settings().cancel.get_or_init(Default::default).clone()
                }
            }

            /// # What is left behind
            impl {
                /// Sets what happens to processes that are left when the run is over, because they hold one of its streams or are in its
                /// [container](Self::contain). The default is nothing. With it, streams are waited for as long as
                /// [`eof_grace`](Self::eof_grace) says, or for 100 ms after the last process's end if that is unset.
                ///
                /// ```
                /// use pipewright::{Cmd, ErrorKind, OnLeak};
                /// let leaky = Cmd::sh("sleep 60 & echo done").on_leak(OnLeak::Fail);
                /// let error = leaky.output().unwrap_err();
                /// assert_eq!(error.kind(), ErrorKind::Leaked);
                /// assert_eq!(error.output().unwrap().stdout, "done\n");
                /// ```
                #[doc(alias = "orphan")]
                #[doc(alias = "daemon")]
                pub fn on_leak(mut self, what: crate::engine::leak::OnLeak) -> Self {
                    self.settings_mut().on_leak = Some(what);
                    self
                }

                /// Puts the run's processes into a process group, a session or a cgroup of their own; see
                /// [`Containment`](crate::Containment). By default they stay in this process's group.
                ///
                /// A stage that sets a group or a session of its own is a [`Conflict`](crate::ErrorKind::Conflict) with a group or a
                /// session.
                ///
                /// ```
                /// use pipewright::{Containment, Cmd};
                /// let leads = Cmd::sh("kill -s 0 -- -$$ && echo leads");
                /// assert_eq!(leads.contain(Containment::Group).read()?, "leads");
                /// # Ok::<(), pipewright::Error>(())
                /// ```
                #[doc(alias = "cgroup")]
                #[doc(alias = "killpg")]
                pub fn contain(mut self, how: crate::contain::Containment) -> Self {
                    self.settings_mut().contain = Some(how);
                    self
                }
            }

            /// # Sizes
            impl {
                /// Limits, in bytes, how much of a captured stdout is kept, or fails the run at a size. The default is to keep all of it.
                ///
                /// Only captures are limited: a file, a writer or a callback gets everything. More than [`Limit::Fail`](crate::Limit::Fail)
                /// allows is [`LimitExceeded`](crate::ErrorKind::LimitExceeded).
                ///
                /// ```
                /// use pipewright::{cmd, Limit};
                /// let numbers = cmd!("seq", "1000").stdout_limit(Limit::Head(4));
                /// let out = numbers.output()?;
                /// assert_eq!(out.stdout, "1\n2\n");
                /// assert_eq!(out.stdout.omitted(), 3889);
                /// # Ok::<(), pipewright::Error>(())
                /// ```
                #[doc(alias = "max_output")]
                #[doc(alias = "truncate")]
                pub fn stdout_limit(mut self, limit: crate::io::capture::Limit) -> Self {
                    self.settings_mut().sizes.stdout = Some(limit);
                    self
                }

                /// Limits a captured stderr like [`stdout_limit`](Self::stdout_limit) limits stdout: in a pipeline for all stages together.
                ///
                /// ```
                /// use pipewright::{Cmd, Limit};
                /// let noisy = Cmd::sh("echo 1 22 333 >&2").stderr_limit(Limit::Tail(4));
                /// assert_eq!(noisy.output()?.stderr, "333\n");
                /// # Ok::<(), pipewright::Error>(())
                /// ```
                pub fn stderr_limit(mut self, limit: crate::io::capture::Limit) -> Self {
                    self.settings_mut().sizes.stderr = Some(limit);
                    self
                }

                /// Limits what [`fd_out`](crate::Cmd::fd_out) captures from the descriptor `number`, in every stage that has one of this
                /// number, like [`stdout_limit`](Self::stdout_limit).
                ///
                /// ```
                /// use pipewright::{Cmd, Limit, Redirect};
                /// let words = Cmd::sh("echo one >&3; echo two >&3");
                /// let captured = words.fd_out(3, Redirect::capture());
                /// let out = captured.fd_limit(3, Limit::Tail(4)).run()?;
                /// assert_eq!(*out.fd(3).unwrap(), "two\n");
                /// # Ok::<(), pipewright::Error>(())
                /// ```
                pub fn fd_limit(mut self, number: i32, limit: crate::io::capture::Limit) -> Self {
                    self.settings_mut().sizes.fds.insert(number, limit);
                    self
                }

                /// Asks for this capacity, in bytes, for every pipe of the run. The kernel rounds it and may refuse it, which is not an
                /// error. By default, busy pipes are grown to 256 KiB, within a budget for the process (Linux).
                ///
                /// Linux only (`F_SETPIPE_SZ` of `fcntl(2)`); it is ignored on other systems. A pipe between two closures is in memory. It
                /// has 64 KiB, or what you ask for up to 1 MiB, on any system.
                ///
                /// ```
                /// let wide = pipewright::cmd!("echo", "wide").pipe_capacity(1 << 20);
                /// assert_eq!(wide.read()?, "wide");
                /// # Ok::<(), pipewright::Error>(())
                /// ```
                #[doc(alias = "F_SETPIPE_SZ")]
                #[doc(alias = "capacity")]
                pub fn pipe_capacity(mut self, bytes: usize) -> Self {
                    self.settings_mut().sizes.pipe_capacity = Some(bytes);
                    self
                }
            }

            /// # Signals and the terminal
            impl {
                /// Whether the run has this process's terminal while it runs: for an editor, a pager or a shell, with `run`, `status` and
                /// `spawn`. Its processes are in a group of their own, which alone gets Ctrl-C and Ctrl-Z. The terminal is taken back when
                /// the run is over. If Ctrl-Z stops the processes, this process's group stops too and goes on with them, and the time until
                /// then does not count for timeouts. See tcsetpgrp(3).
                ///
                /// Without a terminal, or while this process is in the background itself, there is nothing to hand over, and that is not an
                /// error. A [container](Self::contain) other than a group is a [`Conflict`](crate::ErrorKind::Conflict).
                ///
                /// ```
                /// // In earnest: `vi`, or what EDITOR says.
                /// let edited = pipewright::cmd!("true", "notes.txt").foreground(true).run()?;
                /// assert!(edited.status.success());
                /// # Ok::<(), pipewright::Error>(())
                /// ```
                #[doc(alias = "tcsetpgrp")]
                #[doc(alias = "tty")]
                #[doc(alias = "job control")]
                pub fn foreground(mut self, foreground: bool) -> Self {
                    self.settings_mut().signals.foreground = foreground;
                    self
                }

                /// Whether signals that tell this process to end, to stop or to go on also reach the run. It takes effect once
                /// [`forward::signals`](crate::forward::signals) was called, which describes it, and does nothing before.
                ///
                /// ```
                /// use pipewright::{cmd, forward};
                /// let _forwarding = forward::signals()?;
                /// let echo = cmd!("echo", "done").forward_signals(true);
                /// assert_eq!(echo.read()?, "done");
                /// # Ok::<(), Box<dyn std::error::Error>>(())
                /// ```
                #[doc(alias = "Ctrl-C")]
                #[doc(alias = "SIGINT")]
                #[cfg(feature = "forward")]
                pub fn forward_signals(mut self, forward: bool) -> Self {
                    self.settings_mut().signals.forward = forward;
                    self
                }
            }

            /// # Watching
            impl {
                /// Calls `watch` for everything that happens in a run, when it happens; see [`EventKind`](crate::EventKind). Another call
                /// adds another callback. [`Job::events`](crate::Job::events) gives the same events for a live run.
                ///
                /// The thread that drives the run calls it and waits for it.
                ///
                /// # Panics
                /// A panic of the callback ends the run, and the callback is not called again. The panic continues in the caller if the
                /// caller's own thread reported the event: in a blocking verb, in what starts a run or sends a signal, and in a drop. If a
                /// [`Job`](crate::Job)'s thread or one of its waits reported it, every wait returns
                /// [`ErrorKind::Panic`](crate::ErrorKind::Panic), like for other callbacks.
                ///
                /// ```
                /// use pipewright::{EventKind, cmd};
                /// use std::sync::atomic::{AtomicUsize, Ordering};
                /// use std::sync::Arc;
                /// let count = Arc::new(AtomicUsize::new(0));
                /// let exits = Arc::clone(&count);
                /// let line = (cmd!("echo", "text") | cmd!("cat")).on_event(move |event| {
                ///     if matches!(event.kind, EventKind::Exited { .. }) {
                ///         exits.fetch_add(1, Ordering::Relaxed);
                ///     }
                /// });
                /// line.output()?;
                /// assert_eq!(count.load(Ordering::Relaxed), 2);
                /// # Ok::<(), pipewright::Error>(())
                /// ```
                #[doc(alias = "log")]
                #[doc(alias = "set -x")]
                pub fn on_event(
                    mut self,
                    watch: impl Fn(&crate::engine::events::Event) + Send + Sync + 'static,
                ) -> Self {
                    self.settings_mut().observers.watchers.push(std::sync::Arc::new(move |event| {
                        watch(event);
                        true
                    }));
                    self
                }

                /// Whether the `run` span for `tracing`'s subscribers holds the command line, without its
                /// [secrets](crate::Cmd::secret_arg). Off by default, because arguments often hold what a log should not.
                ///
                /// Needs the feature `tracing`.
                ///
                /// ```
                /// pipewright::cmd!("echo", "harmless").trace_command(true).read()?;
                /// # Ok::<(), pipewright::Error>(())
                /// ```
                #[cfg(feature = "tracing")]
                pub fn trace_command(mut self, on: bool) -> Self {
                    self.settings_mut().observers.trace_command = on;
                    self
                }
            }
        }
    };
}
pub(crate) use settings_methods;

settings_methods!(Cmd);
