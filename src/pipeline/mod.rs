//! Commands in a row.

mod join;
mod show;

use std::fmt;
use std::sync::Arc;

use crate::cmd::settings::{Settings, settings_methods};
use crate::cmd::{Cmd, Spec, env_methods};
use crate::redirect::{In, Out, Redirect};
use crate::stage::FunctionSpec;

pub(crate) use show::shell_line;

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
    pub(crate) stages: Vec<StageSpec>,
    /// What feeds the next stage; one less than there are stages.
    pub(crate) links: Vec<Link>,
    pub(crate) settings: Settings,
    /// A part of the pipeline came with a setting of a whole run.
    pub(crate) misplaced: Option<Misplaced>,
}

/// One stage: what runs there.
#[derive(Clone)]
pub(crate) enum StageSpec {
    Command(Arc<Spec>),
    Function(Arc<FunctionSpec>),
}

/// Which of a stage's outputs feeds the next stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Link {
    Stdout,
    Stderr,
    Both,
}

/// A setting of a whole run on a part of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Misplaced {
    /// The first stage of that part.
    pub(crate) stage: usize,
    pub(crate) setting: &'static str,
}

impl Pipeline {
    /// A pipeline of one.
    pub(crate) fn of(stage: StageSpec) -> Pipeline {
        Pipeline { stages: vec![stage], ..Pipeline::default() }
    }

    /// Adds `next`'s stages behind `self`'s.
    fn joined(mut self, link: Link, next: Pipeline) -> Pipeline {
        self.demote(0);
        let first = self.stages.len();
        let mut next = next;
        next.demote(0);
        if let Some(misplaced) = next.misplaced {
            let moved = Misplaced { stage: misplaced.stage + first, ..misplaced };
            self.misplaced.get_or_insert(moved);
        }
        if !self.stages.is_empty() && !next.stages.is_empty() {
            self.links.push(link);
        }
        self.links.extend(next.links);
        self.stages.extend(next.stages);
        self
    }

    /// What was a whole run becomes a part of one: its settings have no place any more.
    fn demote(&mut self, stage: usize) {
        let settings = std::mem::take(&mut self.settings);
        if let Some(&setting) = settings.names().first() {
            self.misplaced.get_or_insert(Misplaced { stage, setting });
        }
    }

    /// A name for the stage that was added last, in errors and results. Nothing on an empty pipeline.
    ///
    /// ```
    /// use pipewright::cmd;
    /// let error = cmd!("true").pipe_fn(|_, _| Err("no idea")?).label("think").run().unwrap_err();
    /// assert_eq!(error.to_string(), "`think` (closure, stage 1 of 2) failed: no idea");
    /// ```
    pub fn label(mut self, name: impl Into<String>) -> Pipeline {
        if let Some(last) = self.stages.last_mut() {
            last.set_label(name.into());
        }
        self
    }

    /// Where the first stage's stdin comes from.
    ///
    /// Replaces what that stage set itself. Nothing on an empty pipeline.
    ///
    /// ```
    /// use pipewright::{cmd, Redirect};
    /// let sorted = (cmd!("sort") | cmd!("head", "-n", "1")).stdin(Redirect::bytes("b\na\n"));
    /// assert_eq!(sorted.read()?, "a");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn stdin(mut self, from: Redirect<In>) -> Pipeline {
        let from = Some(from.into_kind());
        match self.stages.first_mut() {
            Some(StageSpec::Command(spec)) => Arc::make_mut(spec).stdin = from,
            Some(StageSpec::Function(function)) => Arc::make_mut(function).stdin = from,
            None => {}
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
    pub fn stdout(mut self, to: Redirect<Out>) -> Pipeline {
        let to = Some(to.into_kind());
        match self.stages.last_mut() {
            Some(StageSpec::Command(spec)) => Arc::make_mut(spec).stdout = to,
            Some(StageSpec::Function(function)) => Arc::make_mut(function).stdout = to,
            None => {}
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
    pub fn stderr(mut self, to: Redirect<Out>) -> Pipeline {
        let target = Arc::new(to.into_kind());
        self.each_command(|spec| spec.outer.stderr = Some(Arc::clone(&target)));
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
        self.each_command(|spec| spec.merge.stderr_to_stdout = true);
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
        for stage in &mut self.stages {
            match stage {
                StageSpec::Command(spec) => Arc::make_mut(spec).unchecked = true,
                StageSpec::Function(function) => Arc::make_mut(function).unchecked = true,
            }
        }
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
        self.each_command(|spec| spec.sigpipe_codes = on);
        self
    }

    fn each_command(&mut self, mut change: impl FnMut(&mut Spec)) {
        for stage in &mut self.stages {
            if let StageSpec::Command(spec) = stage {
                change(Arc::make_mut(spec));
            }
        }
    }

    fn each_env(&mut self, change: impl Fn(&mut Vec<crate::spawn::EnvChange>, &mut Option<std::path::PathBuf>)) {
        self.each_command(|spec| change(&mut spec.outer.env, &mut spec.outer.cwd));
    }
}

env_methods!(Pipeline, "every present stage; a stage's own changes come after it", each_env);
settings_methods!(Pipeline);

impl From<Cmd> for Pipeline {
    /// A pipeline of one is the command: its settings are the run's.
    fn from(cmd: Cmd) -> Pipeline {
        let (spec, settings) = cmd.into_parts();
        Pipeline { settings, ..Pipeline::of(StageSpec::Command(spec)) }
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
        parts.into_iter().map(Into::into).reduce(|all, next| all.joined(Link::Stdout, next)).unwrap_or_default()
    }
}

/// The pipeline as a line for a shell; see [`Cmd`]'s.
impl fmt::Display for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shell_line(self.stages.iter(), &self.links))
    }
}

impl fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pipeline({self})")
    }
}
