//! Stages that feed each other.

// rustdoc shows the blocks of `Cmd` and `Pipeline` in this order.
mod join;

mod args;

use std::fmt;
use std::sync::Arc;

use crate::cmd::Cmd;
use crate::options::{env_methods, settings_methods};
use crate::redirect::{In, Out, Redirect};
use crate::spec::{self, EnvPart, Link, Settings, shell_line};
use crate::stage::Stage;

/// Commands and closures whose outputs feed the next one, as a value.
///
/// It is written with `|` or [`pipe`](Cmd::pipe), or collected from an iterator. A pipeline inside a pipeline is flattened. A pipeline of
/// one command is that command; an empty one succeeds without doing anything. The verbs are those of [`Cmd`], and so are the methods that
/// concern a run as a whole. `stdin` concerns the first stage and `stdout` the last one; `stderr`, `env` and its siblings, and
/// `current_dir` concern every present stage that did not set its own.
///
/// A method call binds tighter than `|`: `a | b.timeout(d)` gives the timeout to `b` alone. A stage with a setting of the whole run is
/// therefore a [`Conflict`](crate::ErrorKind::Conflict), whose text suggests `(a | b).timeout(d)`.
///
/// Errors and [`Output::stages`](crate::Output::stages) count stages from 0. Only verbs block, and only they fail. Dropping a pipeline
/// drops what its redirects hold, and ends no process.
///
/// ```
/// use pipewright::cmd;
/// use std::time::Duration;
/// let words = cmd!("echo", "b a c") | cmd!("tr", " ", "\n") | cmd!("sort");
/// let sorted = words.timeout(Duration::from_secs(10)).read()?;
/// assert_eq!(sorted, "a\nb\nc");
/// # Ok::<(), pipewright::Error>(())
/// ```
#[derive(Clone, Default)]
#[must_use = "a pipeline does nothing until it is run"]
pub struct Pipeline {
    pub(crate) spec: spec::Pipeline,
}

/// # Streams, statuses and names
impl Pipeline {
    /// Names the stage that was added last, in errors and results. Does nothing on an empty pipeline.
    ///
    /// ```
    /// use pipewright::cmd;
    /// let think = cmd!("true").pipe_fn(|_, _| Err("no idea")?).label("think");
    /// let error = think.run().unwrap_err();
    /// let text = "`think` (closure, stage 1 of 2) failed: no idea";
    /// assert_eq!(error.to_string(), text);
    /// ```
    pub fn label(mut self, name: impl Into<String>) -> Pipeline {
        if let Some(last) = self.spec.stages.last_mut() {
            last.set_label(name.into());
        }
        self
    }

    /// Sets where the first stage's stdin comes from; it replaces what that stage set. On an empty pipeline, the verb fails with a
    /// [`Conflict`](crate::ErrorKind::Conflict).
    ///
    /// ```
    /// use pipewright::cmd;
    /// let first = cmd!("sort") | cmd!("head", "-n", "1");
    /// assert_eq!(first.stdin("b\na\n").read()?, "a");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn stdin(mut self, from: impl Into<Redirect<In>>) -> Pipeline {
        match self.spec.stages.first_mut() {
            Some(first) => first.set_stdin(from.into().into_kind()),
            None => self.spec.misplaced = Some(spec::Misplaced::StdinOfNothing),
        }
        self
    }

    /// Sets where the last stage's stdout goes; it replaces what that stage set. Verbs like `read` then give empty text. Does nothing on an
    /// empty pipeline.
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

    /// Sets one place where the stderr of every present stage goes, except of stages that set their own.
    ///
    /// ```
    /// use pipewright::{Cmd, Redirect};
    /// let noisy = Cmd::sh("echo a >&2") | Cmd::sh("cat; echo b >&2");
    /// let out = noisy.stderr(Redirect::capture()).run()?;
    /// assert_eq!(out.stderr, "a\nb\n");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn stderr(mut self, to: impl Into<Redirect<Out>>) -> Pipeline {
        let target = Arc::new(to.into().into_kind());
        self.spec.each_command(|command| command.streams.pipeline_stderr = Some(Arc::clone(&target)));
        self
    }

    /// Sends every present stage's stderr where its stdout goes: into the next stage, and from the last one to the output.
    ///
    /// ```
    /// use pipewright::{cmd, Cmd};
    /// let both = Cmd::sh("echo a >&2; echo b") | cmd!("cat");
    /// assert_eq!(both.stderr_to_stdout().read()?, "a\nb");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn stderr_to_stdout(mut self) -> Pipeline {
        self.spec.each_command(|command| command.streams.merge.stderr_to_stdout = true);
        self
    }

    /// [`Cmd::unchecked`] for every present stage.
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
    /// let first = Cmd::sh("yes; exit $?") | cmd!("head", "-n", "1");
    /// assert_eq!(first.sigpipe_codes(true).read()?, "y");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn sigpipe_codes(mut self, on: bool) -> Pipeline {
        self.spec.each_command(|command| command.tolerance.sigpipe_codes = on);
        self
    }

    fn join(self, link: Link, next: Pipeline) -> Pipeline {
        Pipeline { spec: self.spec.join(link, next.spec) }
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

env_methods!(Pipeline);
settings_methods!(Pipeline);

impl From<Cmd> for Pipeline {
    /// A pipeline of one command, whose settings are the run's.
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

/// The pipeline as a line for a shell, like [`Cmd`]'s.
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
