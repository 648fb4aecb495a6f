//! The methods for what concerns a run as a whole: times, limits, the status policy.

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
                self.settings_mut().times.timeout = Some(timeout);
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
                self.settings_mut().times.grace = Some(grace);
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
                self.settings_mut().times.steps = Some(steps.into_iter().collect());
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
            pub fn contain(mut self, how: crate::contain::Containment) -> $builder {
                self.settings_mut().contain = Some(how);
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
            #[cfg(feature = "forward")]
            pub fn forward_signals(mut self, forward: bool) -> $builder {
                self.settings_mut().signals.forward = forward;
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
                self.settings_mut().signals.foreground = foreground;
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
                self.settings_mut().times.eof_grace = Some(grace);
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
            pub fn on_leak(mut self, what: crate::engine::leak::OnLeak) -> $builder {
                self.settings_mut().on_leak = Some(what);
                self
            }

            /// Which stages' statuses count; [`Pipefail`](crate::StatusPolicy::Pipefail) unless set.
            ///
            /// ```
            /// use pipewright::{Cmd, Pipeline, StatusPolicy, cmd};
            /// let pipeline: Pipeline = [Cmd::sh("exit 3"), cmd!("cat")].into_iter().collect();
            /// assert!(pipeline.status_policy(StatusPolicy::Last).run().is_ok());
            /// ```
            pub fn status_policy(mut self, policy: crate::outcome::StatusPolicy) -> $builder {
                self.settings_mut().policy = Some(policy);
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
            pub fn on_event(
                mut self,
                watch: impl Fn(&crate::engine::events::Event) + Send + Sync + 'static,
            ) -> $builder {
                self.settings_mut().observers.watchers.push(std::sync::Arc::new(move |event| {
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
                self.settings_mut().observers.trace_command = on;
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
            pub fn stdout_limit(mut self, limit: crate::io::capture::Limit) -> $builder {
                self.settings_mut().sizes.stdout = Some(limit);
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
            pub fn stderr_limit(mut self, limit: crate::io::capture::Limit) -> $builder {
                self.settings_mut().sizes.stderr = Some(limit);
                self
            }

            /// How much of what a further descriptor's [`fd_out`](crate::Cmd::fd_out) captures is kept, for every stage that has one of this
            /// number; otherwise as [`stdout_limit`](Self::stdout_limit).
            ///
            /// ```
            /// use pipewright::{Cmd, Limit};
            /// let out = Cmd::sh("echo one >&3; echo two >&3").fd_out(3, Redirect::piped()).fd_limit(3, Limit::Tail(4)).run()?;
            /// assert_eq!(*out.fd(3).unwrap(), "two\n");
            /// # Ok::<(), pipewright::Error>(())
            /// ```
            pub fn fd_limit(mut self, number: i32, limit: crate::io::capture::Limit) -> $builder {
                self.settings_mut().sizes.fds.insert(number, limit);
                self
            }

            /// The capacity to ask for, in bytes, for every pipe of the run. A wish: the kernel rounds it, and may refuse, which is no
            /// error. Unset, busy pipes are grown to 256 KiB within a budget for the process (Linux).
            ///
            /// Linux only (`F_SETPIPE_SZ` of `fcntl(2)`); elsewhere it is ignored. A pipe between two closures is in memory, and has 64 KiB,
            /// or what was asked for, up to 1 MiB, on any system.
            ///
            /// ```
            /// assert_eq!(pipewright::cmd!("echo", "wide").pipe_capacity(1 << 20).read()?, "wide");
            /// # Ok::<(), pipewright::Error>(())
            /// ```
            #[doc(alias = "F_SETPIPE_SZ")]
            #[doc(alias = "capacity")]
            pub fn pipe_capacity(mut self, bytes: usize) -> $builder {
                self.settings_mut().sizes.pipe_capacity = Some(bytes);
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
            pub fn cancel_handle(&self) -> crate::spec::cancel::CancelHandle {
                self.settings().cancel.get_or_init(Default::default).clone()
            }
        }
    };
}
pub(crate) use settings_methods;

use super::Cmd;
settings_methods!(Cmd);
