//! Commands in a row.

mod args;
mod join;

use std::fmt;
use std::sync::Arc;

use crate::cmd::settings::settings_methods;
use crate::cmd::{Cmd, env_methods};
use crate::redirect::{In, Out, Redirect};
use crate::spec::{self, EnvPart, Link, Settings, shell_line};
use crate::stage::Stage;

/// Commands whose outputs feed the next one, as a value.
///
/// Written with `|` or [`pipe`](Cmd::pipe), or collected from an iterator. Pipelines nest, which flattens them; a pipeline of one is that
/// command; an empty one succeeds without doing anything. Every method of [`Cmd`] that concerns a run as a whole is here too, and the
/// verbs are the same. `stdin` means the first stage, `stdout` the last; `stderr`, `env*` and `current_dir` every present stage
/// that did not set its own.
///
/// A method call binds tighter than `|`: `a | b.timeout(d)` would give the timeout to `b` alone. A stage that carries a setting of the whole
/// run is therefore a [`Conflict`](crate::ErrorKind::Conflict) that says so; `(a | b).timeout(d)` is meant.
///
/// Errors and [`Output::stages`](crate::Output::stages) count stages from 0.
///
/// Only verbs block, and only they fail. Dropping a pipeline drops what its redirects hold, and no process.
///
/// ```
/// use pipewright::cmd;
/// use std::time::Duration;
/// let words = (cmd!("echo", "b a c a") | cmd!("tr", " ", "\n") | cmd!("sort", "-u")).timeout(Duration::from_secs(10));
/// assert_eq!(words.read()?, "a\nb\nc");
/// # Ok::<(), pipewright::Error>(())
/// ```
#[derive(Clone, Default)]
#[must_use = "a pipeline does nothing until it is run"]
pub struct Pipeline {
    pub(crate) spec: spec::Pipeline,
}

impl Pipeline {
    fn join(self, link: Link, next: Pipeline) -> Pipeline {
        Pipeline { spec: self.spec.join(link, next.spec) }
    }

    /// A name for the stage that was added last, in errors and results. Nothing on an empty pipeline.
    ///
    /// ```
    /// use pipewright::cmd;
    /// let error = cmd!("true").pipe_fn(|_, _| Err("no idea")?).label("think").run().unwrap_err();
    /// assert_eq!(error.to_string(), "`think` (closure, stage 1 of 2) failed: no idea");
    /// ```
    pub fn label(mut self, name: impl Into<String>) -> Pipeline {
        if let Some(last) = self.spec.stages.last_mut() {
            last.set_label(name.into());
        }
        self
    }

    /// Where the first stage's stdin comes from.
    ///
    /// Replaces what that stage set itself. On an empty pipeline it is a [`Conflict`](crate::ErrorKind::Conflict) of the verb.
    ///
    /// ```
    /// use pipewright::{cmd, Redirect};
    /// let sorted = (cmd!("sort") | cmd!("head", "-n", "1")).stdin(Redirect::bytes("b\na\n"));
    /// assert_eq!(sorted.read()?, "a");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn stdin(mut self, from: impl Into<Redirect<In>>) -> Pipeline {
        match self.spec.stages.first_mut() {
            Some(first) => first.set_stdin(from.into().into_kind()),
            None => self.spec.misplaced = Some(spec::Misplaced::StdinOfNothing),
        }
        self
    }

    /// Where the last stage's stdout goes.
    ///
    /// Replaces what that stage set itself. Verbs like `read` then give empty text. Nothing on an empty pipeline.
    ///
    /// ```
    /// use pipewright::{cmd, Redirect};
    /// let lost = (cmd!("echo", "a") | cmd!("cat")).stdout(Redirect::null());
    /// assert_eq!(lost.read()?, "");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn stdout(mut self, to: impl Into<Redirect<Out>>) -> Pipeline {
        if let Some(last) = self.spec.stages.last_mut() {
            last.set_stdout(to.into().into_kind());
        }
        self
    }

    /// Where stderr goes, for every present stage that did not set its own: one place for all of them.
    ///
    /// ```
    /// use pipewright::{Cmd, Redirect};
    /// let noisy = (Cmd::sh("echo a >&2") | Cmd::sh("cat; echo b >&2")).stderr(Redirect::capture());
    /// assert_eq!(noisy.run()?.stderr, "a\nb\n");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn stderr(mut self, to: impl Into<Redirect<Out>>) -> Pipeline {
        let target = Arc::new(to.into().into_kind());
        self.spec.each_command(|command| command.streams.pipeline_stderr = Some(Arc::clone(&target)));
        self
    }

    /// Every present stage's stderr goes where its stdout goes: into the next stage, and from the last one to the output.
    ///
    /// ```
    /// use pipewright::{cmd, Cmd};
    /// let both = (Cmd::sh("echo a >&2; echo b") | cmd!("cat")).stderr_to_stdout();
    /// assert_eq!(both.read()?, "a\nb");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn stderr_to_stdout(mut self) -> Pipeline {
        self.spec.each_command(|command| command.streams.merge.stderr_to_stdout = true);
        self
    }

    /// No stage's bad status is an error, as [`Cmd::unchecked`].
    ///
    /// Concerns the present stages, not ones that are added later.
    ///
    /// ```
    /// use pipewright::{cmd, Cmd};
    /// let out = (Cmd::sh("exit 3") | cmd!("cat")).unchecked().output()?;
    /// assert_eq!(out.stages[0].status.code(), Some(3));
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn unchecked(mut self) -> Pipeline {
        self.spec.stages.iter_mut().for_each(spec::Stage::set_unchecked);
        self
    }

    /// [`Cmd::sigpipe_codes`] for every present stage.
    ///
    /// ```
    /// use pipewright::{cmd, Cmd};
    /// let first = (Cmd::sh("yes; exit $?") | cmd!("head", "-n", "1")).sigpipe_codes(true);
    /// assert_eq!(first.read()?, "y");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn sigpipe_codes(mut self, on: bool) -> Pipeline {
        self.spec.each_command(|command| command.tolerance.sigpipe_codes = on);
        self
    }

    fn each_env(&mut self, change: impl Fn(&mut EnvPart)) {
        self.spec.each_command(|command| change(&mut command.environment.pipeline));
    }

    fn settings(&self) -> &Settings {
        &self.spec.settings
    }

    fn settings_mut(&mut self) -> &mut Settings {
        &mut self.spec.settings
    }
}

env_methods!(Pipeline, "every present stage; a stage's own changes come after it", each_env);
settings_methods!(Pipeline);

impl From<Cmd> for Pipeline {
    /// A pipeline of one is the command: its settings are the run's.
    fn from(cmd: Cmd) -> Pipeline {
        Pipeline::from(Stage::from(cmd))
    }
}

impl From<Stage> for Pipeline {
    fn from(stage: Stage) -> Pipeline {
        Pipeline { spec: stage.into_spec() }
    }
}

/// Each stage's stdout feeds the next one.
///
/// ```
/// use pipewright::{cmd, Pipeline};
/// let three: Pipeline = (0..3).map(|_| cmd!("sed", "s/$/x/")).collect();
/// assert_eq!((cmd!("echo", "a") | three).read()?, "axxx");
/// # Ok::<(), pipewright::Error>(())
/// ```
impl<P: Into<Pipeline>> FromIterator<P> for Pipeline {
    fn from_iter<I: IntoIterator<Item = P>>(parts: I) -> Pipeline {
        parts.into_iter().map(Into::into).reduce(|all, next| all.join(Link::Stdout, next)).unwrap_or_default()
    }
}

/// The pipeline as a line for a shell; see [`Cmd`]'s.
impl fmt::Display for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shell_line(self.spec.stages.iter(), &self.spec.links))
    }
}

impl fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pipeline({self})")
    }
}
