//! A command as a value.

mod args;
mod attrs;
mod env;
mod fds;
mod io;
mod macros;
pub(crate) mod settings;
mod to_std;
pub(crate) mod which;

use std::ffi::OsStr;
use std::fmt;
use std::sync::Arc;

use crate::spec::{Command, Settings, command_line};

pub use attrs::Resource;
pub(crate) use env::env_methods;
#[doc(hidden)]
pub use macros::{Arg, ArgSingle};

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
    command: Arc<Command>,
    settings: Settings,
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
        Cmd { command: Arc::new(Command::new(program.as_ref())), settings: Settings::default() }
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
        self.command_mut().label = Some(name.into());
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
        self.command_mut().tolerance.codes.extend(codes);
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
        self.command_mut().tolerance.unchecked = true;
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
        self.command_mut().tolerance.sigpipe_codes = on;
        self
    }

    fn command_mut(&mut self) -> &mut Command {
        Arc::make_mut(&mut self.command)
    }

    fn settings(&self) -> &Settings {
        &self.settings
    }

    fn settings_mut(&mut self) -> &mut Settings {
        &mut self.settings
    }

    pub(crate) fn into_spec(self) -> (Arc<Command>, Settings) {
        (self.command, self.settings)
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
        f.write_str(&command_line(&self.command))
    }
}
