//! The command's words.

use std::ffi::OsStr;

use super::Cmd;
use crate::spec::Arg;

impl Cmd {
    /// One more argument, exactly as it is: no shell sees it, spaces and quotes are part of it.
    ///
    /// Errors count arguments from 1, as the program's `$1`, and stages from 0. An argument with a NUL byte in it is an
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) error at the start, one over the system's limit (`execve(2)`)
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

    /// More arguments.
    ///
    /// Each is one argument, as with [`arg`](Cmd::arg); they come after those of earlier calls.
    ///
    /// ```
    /// use pipewright::cmd;
    /// assert_eq!(cmd!("echo").args(["a b", "c"]).args(Some("d")).read()?, "a b c d");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Cmd {
        self.command_mut().args.extend(args.into_iter().map(Arg::plain));
        self
    }

    /// An argument that nothing rendered ever shows: no error, no `Display`, no plan. (Every process on the machine can still
    /// read it in `ps`; a variable or stdin is the better place for a secret.)
    ///
    /// ```
    /// use pipewright::cmd;
    /// let cmd = cmd!("login", "--password").secret_arg("hunter2");
    /// assert_eq!(cmd.to_string(), "login --password \"${SECRET:?}\"");
    /// ```
    pub fn secret_arg(mut self, arg: impl AsRef<OsStr>) -> Cmd {
        self.command_mut().args.push(Arg { secret: true, ..Arg::plain(arg) });
        self
    }

    /// What the program sees as its own name, `argv[0]`; unset, it is the program as given.
    ///
    /// Which file is run does not follow from it (`execve(2)`), nor does the name in errors: that is
    /// [`label`](Cmd::label). A NUL byte in it is an [`InvalidInput`](crate::ErrorKind::InvalidInput) error at the
    /// start.
    ///
    /// ```
    /// use pipewright::Cmd;
    /// assert_eq!(Cmd::new("/bin/sh").arg0("myself").args(["-c", "echo $0"]).read()?, "myself");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn arg0(mut self, name: impl AsRef<OsStr>) -> Cmd {
        self.command_mut().program.arg0 = Some(name.as_ref().to_owned());
        self
    }
}
