//! A command as a value.

mod args;
mod attrs;
pub(crate) mod cancel;
mod env;
mod exec;
mod fds;
mod io;
mod macros;
pub(crate) mod quote;
pub(crate) mod settings;
mod show;
mod to_std;
pub(crate) mod which;

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::fd::Jobserver;
use crate::pipeline::Pipeline;
use crate::redirect::{Common, Input, Target};
use crate::spawn::{Attributes, EnvChange};
use settings::Settings;

pub use attrs::Resource;
pub use cancel::CancelHandle;
pub(crate) use env::env_methods;
#[doc(hidden)]
pub use macros::{Arg, ArgSingle};
pub(crate) use show::{command_line, linked_line};

/// A command to run: program, arguments, environment, redirections, attributes.
///
/// A value: cloned freely, sent anywhere, run any number of times. The methods take it and give it back changed, and of two calls
/// that set the same thing the last one counts. Nothing happens before a verb: [`run`](Cmd::run), [`output`](Cmd::output), [`read`](Cmd::read),
/// [`lines`](Cmd::lines), [`spawn`](Cmd::spawn) and their kin. The child gets the descriptors 0, 1 and 2 and nothing else,
/// default signal dispositions and an empty signal mask.
///
/// Usually written with [`cmd!`](crate::cmd!):
///
/// Only verbs block. The methods that build touch nothing outside the value, cannot fail, and panic only where an
/// iterator given to them does; what is wrong with a value is an error of the verb. Dropping a command drops what its
/// redirects hold, and no process.
///
/// ```
/// use pipewright::{cmd, Cmd};
/// let built = Cmd::new("printf").arg("%s-%s").args(["a", "b"]);
/// let brief = cmd!("printf", "%s-%s", ["a", "b"]..);
/// assert_eq!(built.read()?, "a-b");
/// assert_eq!(brief.read()?, "a-b");
/// # Ok::<(), pipewright::Error>(())
/// ```
#[derive(Clone)]
#[must_use = "a command does nothing until it is run"]
pub struct Cmd {
    spec: Arc<Spec>,
    settings: Settings,
}

/// What concerns one process.
#[derive(Clone)]
pub(crate) struct Spec {
    pub(crate) program: OsString,
    pub(crate) arg0: Option<OsString>,
    pub(crate) args: Vec<ArgText>,
    /// Descriptors beyond the standard ones.
    pub(crate) extra: Vec<Extra>,
    /// Kept open: its numbers are in the environment.
    pub(crate) jobserver: Option<Jobserver>,
    pub(crate) env: Vec<EnvChange>,
    pub(crate) cwd: Option<PathBuf>,
    pub(crate) stdin: Option<Input>,
    pub(crate) stdout: Option<Target>,
    pub(crate) stderr: Option<Target>,
    pub(crate) merge: Merge,
    /// What a pipeline around this stage says, for what the stage does not say itself.
    pub(crate) outer: Outer,
    pub(crate) attributes: Attributes,
    pub(crate) label: Option<String>,
    pub(crate) allowed_codes: Vec<i32>,
    pub(crate) unchecked: bool,
    pub(crate) sigpipe_codes: bool,
    pub(crate) allow_relative_path: bool,
    pub(crate) inherit_fds: bool,
}

#[derive(Clone)]
pub(crate) struct ArgText {
    pub(crate) text: OsString,
    pub(crate) secret: bool,
    /// It names a descriptor; the text is the plan's to make.
    pub(crate) opens: Option<Opens>,
}

impl ArgText {
    fn plain(text: impl AsRef<OsStr>) -> ArgText {
        ArgText { text: text.as_ref().to_owned(), secret: false, opens: None }
    }
}

/// What is behind an argument that names a descriptor.
#[derive(Clone)]
pub(crate) enum Opens {
    Fd(Common),
    /// `<(…)`: what these stages write.
    Reader(Pipeline),
    /// `>(…)`: what these stages read.
    Writer(Pipeline),
}

/// A descriptor beyond the standard ones.
#[derive(Clone)]
pub(crate) struct Extra {
    pub(crate) number: i32,
    pub(crate) source: ExtraSource,
}

#[derive(Clone)]
pub(crate) enum ExtraSource {
    Given(Common),
    In(Input),
    Out(Target),
}

impl fmt::Debug for ExtraSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExtraSource::Given(common) => common.fmt(f),
            ExtraSource::In(input) => input.fmt(f),
            ExtraSource::Out(target) => target.fmt(f),
        }
    }
}

/// Which of the two outputs follows the other, once both are redirected. Both at once: they change places.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Merge {
    pub(crate) stderr_to_stdout: bool,
    pub(crate) stdout_to_stderr: bool,
}

#[derive(Clone, Default)]
pub(crate) struct Outer {
    pub(crate) env: Vec<EnvChange>,
    pub(crate) cwd: Option<PathBuf>,
    /// Shared, so that the stages it was set on are known to mean one place.
    pub(crate) stderr: Option<Arc<Target>>,
}

impl Cmd {
    /// A command that runs `program`: a path if it has a slash in it, relative to the *child's* working directory; else a
    /// name to look for in the child's PATH (`/bin:/usr/bin` when it has none). An empty or relative element of PATH is refused unless
    /// [`allow_relative_path`](Cmd::allow_relative_path) allows it. A file without `#!` line is an error; no shell is ever started
    /// behind your back.
    ///
    /// Nothing is looked up or checked here: a program that does not exist is a
    /// [`ProgramNotFound`](crate::ErrorKind::ProgramNotFound) error of the verb.
    ///
    /// ```
    /// use pipewright::{Cmd, ErrorKind};
    /// assert_eq!(Cmd::new("echo").arg("hi").read()?, "hi");
    /// let error = Cmd::new("no-such-program-here").run().unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::ProgramNotFound);
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn new(program: impl AsRef<OsStr>) -> Cmd {
        Cmd {
            spec: Arc::new(Spec {
                program: program.as_ref().to_owned(),
                arg0: None,
                args: Vec::new(),
                extra: Vec::new(),
                jobserver: None,
                env: Vec::new(),
                cwd: None,
                stdin: None,
                stdout: None,
                stderr: None,
                merge: Merge::default(),
                outer: Outer::default(),
                attributes: Attributes::default(),
                label: None,
                allowed_codes: Vec::new(),
                unchecked: false,
                sigpipe_codes: false,
                allow_relative_path: false,
                inherit_fds: false,
            }),
            settings: Settings::default(),
        }
    }

    /// `/bin/sh -c text`: the one door to a shell. What comes from elsewhere does not belong in the text, but in
    /// arguments: `Cmd::sh("grep -- \"$1\" log | wc -l").args(["sh", pattern])`.
    ///
    /// The first argument after the text is the shell's `$0`.
    ///
    /// ```
    /// use pipewright::Cmd;
    /// assert_eq!(Cmd::sh("echo $((6 * 7))").read()?, "42");
    /// assert_eq!(Cmd::sh("echo \"$1\"").args(["sh", "two words"]).read()?, "two words");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn sh(text: impl AsRef<OsStr>) -> Cmd {
        Cmd::new("/bin/sh").arg("-c").arg(text)
    }

    /// A name for this command in errors and results, instead of the program's.
    ///
    /// The program sees nothing of it.
    ///
    /// ```
    /// use pipewright::cmd;
    /// let error = cmd!("false").label("check").run().unwrap_err();
    /// assert_eq!(error.label(), Some("check"));
    /// ```
    pub fn label(mut self, name: impl Into<String>) -> Cmd {
        self.spec_mut().label = Some(name.into());
        self
    }

    /// These exit codes are no failure either, as 1 is none for `grep`. Added to 0 and to those of earlier calls.
    ///
    /// ```
    /// use pipewright::cmd;
    /// let found = cmd!("grep", "needle", "/dev/null").allow_codes([1]).read()?;
    /// assert_eq!(found, "");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn allow_codes(mut self, codes: impl IntoIterator<Item = i32>) -> Cmd {
        self.spec_mut().allowed_codes.extend(codes);
        self
    }

    /// This command's bad status is data, not an error; it still shows in [`Output::status`](crate::Output::status) if no
    /// checked stage failed.
    ///
    /// ```
    /// use pipewright::cmd;
    /// let out = cmd!("sh", "-c", "exit 3").unchecked().output()?;
    /// assert_eq!(out.status.code(), Some(3));
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn unchecked(mut self) -> Cmd {
        self.spec_mut().unchecked = true;
        self
    }

    /// Whether this command's exit code 141 counts as a death of SIGPIPE: for a shell or a wrapper that reports its own child's
    /// so. Off unless asked: a program may mean its 141.
    ///
    /// It then is no failure where a death of SIGPIPE is none: when the next stage had enough, under
    /// [`Pipefail`](crate::StatusPolicy::Pipefail).
    ///
    /// ```
    /// use pipewright::{cmd, Cmd};
    /// let wrapped = Cmd::sh("yes; exit $?"); // The shell says 141 for its `yes`.
    /// let first = wrapped.sigpipe_codes(true) | cmd!("head", "-n", "1");
    /// assert_eq!(first.read()?, "y");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn sigpipe_codes(mut self, on: bool) -> Cmd {
        self.spec_mut().sigpipe_codes = on;
        self
    }

    /// The same builder, for changes to the stage itself.
    fn spec_mut(&mut self) -> &mut Spec {
        Arc::make_mut(&mut self.spec)
    }

    pub(crate) fn into_parts(self) -> (Arc<Spec>, Settings) {
        (self.spec, self.settings)
    }
}

/// A value of a variable that is this long is hidden also where a child printed it.
const LONG: usize = 4;

impl Spec {
    /// The name that errors and results use.
    pub(crate) fn name(&self) -> String {
        self.label.clone().unwrap_or_else(|| self.program.to_string_lossy().into_owned())
    }

    /// The changes to the environment in their order, the pipeline's before the stage's own.
    pub(crate) fn env_changes(&self) -> Vec<EnvChange> {
        self.outer.env.iter().chain(&self.env).cloned().collect()
    }

    pub(crate) fn current_dir(&self) -> Option<&PathBuf> {
        self.cwd.as_ref().or(self.outer.cwd.as_ref())
    }

    pub(crate) fn stderr(&self) -> Option<&Target> {
        self.stderr.as_ref().or(self.outer.stderr.as_deref())
    }

    /// Texts that nothing rendered may hold: secret arguments, and the values that the builder gave to variables.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &OsStr> {
        let args = self.args.iter().filter(|arg| arg.secret).map(|arg| arg.text.as_os_str());
        let values = self.outer.env.iter().chain(&self.env).filter_map(|change| match change {
            EnvChange::SetSecret(_, value) => Some(value.as_os_str()),
            // Hiding a value like `1` or `debug` wherever it stands would make a message unreadable.
            EnvChange::Set(key, value) if !env::is_public(key) && value.len() >= LONG => Some(value.as_os_str()),
            _ => None,
        });
        args.chain(values)
    }
}

/// The command line, as [`Display`](fmt::Display) shows it.
impl fmt::Debug for Cmd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cmd({self})")
    }
}

/// The command as a line for a shell, which survives a paste: quoted, with its redirections as far as a shell has them. Secrets
/// and the values of variables are not in it: they show as `"${KEY:?}"`, so that a paste fails loudly instead of
/// running something else.
///
/// ```
/// use pipewright::cmd;
/// let cmd = cmd!("curl", "--header", "a b", "https://example.org").env("TOKEN", "s3cret");
/// assert_eq!(cmd.to_string(), "TOKEN=\"${TOKEN:?}\" curl --header 'a b' https://example.org");
/// ```
impl fmt::Display for Cmd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&command_line(&self.spec))
    }
}
