//! A command and its words.

use std::ffi::OsStr;
use std::sync::Arc;

use super::Cmd;
use crate::spec::{Arg, ArgSource, Command, Settings};

/// # Program and arguments
impl Cmd {
    /// A command that runs `program`. A program with a slash is a path, relative to the *child's* working directory. Any other is looked up
    /// in the child's PATH, or in `/bin:/usr/bin` if it has none. An empty or relative element of PATH is refused unless
    /// [`allow_relative_path`](Cmd::allow_relative_path) allows it. A file without a `#!` line is an error: no shell is started for it.
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

    /// `/bin/sh -c text`, the only function here that starts a shell. Pass values as arguments instead of pasting them into the text:
    /// `Cmd::sh("grep -- \"$1\" log | wc -l").args(["sh", pattern])`.
    ///
    /// The first argument after the text is the shell's `$0`.
    ///
    /// ```
    /// use pipewright::Cmd;
    /// assert_eq!(Cmd::sh("echo $((6 * 7))").read()?, "42");
    /// let quoted = Cmd::sh("echo \"$1\"").args(["sh", "two words"]);
    /// assert_eq!(quoted.read()?, "two words");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    #[doc(alias = "shell")]
    #[doc(alias = "system")]
    pub fn sh(text: impl AsRef<OsStr>) -> Cmd {
        Cmd::new("/bin/sh").arg("-c").arg(text)
    }

    /// Adds an argument, exactly as it is: no shell sees it, so spaces and quotes are part of it.
    ///
    /// Errors count arguments from 1, like the shell's `$1`, and stages from 0. An argument that contains a NUL byte is an
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) error of the verb, and one over the system's limit (`execve(2)`) is
    /// [`TooLong`](crate::ErrorKind::TooLong).
    ///
    /// ```
    /// use pipewright::cmd;
    /// assert_eq!(cmd!("echo").arg("a  'b'").read()?, "a  'b'");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Cmd {
        self.command_mut().args.push(Arg::plain(arg));
        self
    }

    /// Adds several arguments, each like [`arg`](Cmd::arg), behind those of earlier calls.
    ///
    /// ```
    /// use pipewright::cmd;
    /// let echo = cmd!("echo").args(["a b", "c"]).args(Some("d"));
    /// assert_eq!(echo.read()?, "a b c d");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Cmd {
        self.command_mut().args.extend(args.into_iter().map(Arg::plain));
        self
    }

    /// Names this command in errors and results, instead of its program. The program does not see the name.
    ///
    /// ```
    /// use pipewright::cmd;
    /// let error = cmd!("false").label("check").run().unwrap_err();
    /// assert_eq!(error.label(), Some("check"));
    /// ```
    #[doc(alias = "name")]
    pub fn label(mut self, name: impl Into<String>) -> Cmd {
        self.command_mut().label = Some(name.into());
        self
    }

    /// Sets what the program sees as its own name, `argv[0]`. The default is the program as given.
    ///
    /// It changes neither the file that is run (`execve(2)`) nor the name in errors, which is [`label`](Cmd::label). A NUL byte in it is
    /// an [`InvalidInput`](crate::ErrorKind::InvalidInput) error of the verb.
    ///
    /// ```
    /// use pipewright::Cmd;
    /// let sh = Cmd::new("/bin/sh").arg0("myself").args(["-c", "echo $0"]);
    /// assert_eq!(sh.read()?, "myself");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    #[doc(alias = "argv0")]
    pub fn arg0(mut self, name: impl AsRef<OsStr>) -> Cmd {
        self.command_mut().program.arg0 = Some(name.as_ref().to_owned());
        self
    }

    /// Adds an argument that no error, `Display` or plan shows. Every process on the machine can still read it in `ps`, so a
    /// [variable](Cmd::secret_env) or stdin is a better place for a secret.
    ///
    /// ```
    /// use pipewright::cmd;
    /// let cmd = cmd!("login", "--password").secret_arg("hunter2");
    /// assert_eq!(cmd.to_string(), "login --password \"${SECRET:?}\"");
    /// ```
    #[doc(alias = "password")]
    pub fn secret_arg(mut self, arg: impl AsRef<OsStr>) -> Cmd {
        self.command_mut().args.push(Arg { secret: true, ..Arg::plain(arg) });
        self
    }

    pub(crate) fn arg_that_opens(mut self, source: ArgSource) -> Cmd {
        self.command_mut().args.push(Arg { source: Some(source), ..Arg::plain("/dev/fd/…") });
        self
    }
}
