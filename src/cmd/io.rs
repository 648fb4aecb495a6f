//! Where the command's streams go.

use super::Cmd;
use crate::redirect::{In, Out, Redirect};

impl Cmd {
    /// Where stdin comes from. Unset: `/dev/null` for `output`, `read`, `lines` and `reader`; this process's own for `run`, `status` and
    /// `spawn`.
    ///
    /// Takes text and bytes as they are, an open file or pipe, or a [`Redirect`]; a path is [`Redirect::file`], any reader
    /// [`Redirect::from_reader`]. A file is opened at the start, not here.
    ///
    /// ```
    /// use pipewright::{cmd, Redirect};
    /// assert_eq!(cmd!("wc", "-c").stdin("four").read()?.trim(), "4");
    /// assert_eq!(cmd!("wc", "-c").stdin(Redirect::file("/dev/null")).read()?.trim(), "0");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    #[doc(alias = "input")]
    #[doc(alias = "stdin_bytes")]
    #[doc(alias = "stdin_fd")]
    pub fn stdin(mut self, from: impl Into<Redirect<In>>) -> Cmd {
        self.command_mut().streams.stdin = Some(from.into().into_kind());
        self
    }

    /// Where stdout goes. Unset: captured by `output` and `read`, read by `lines` and `reader`, this process's own for the others.
    ///
    /// Takes an open file or pipe, or a [`Redirect`].
    ///
    /// `output`, `read` and `read_bytes` with a stdout that was sent elsewhere succeed and give empty text or bytes.
    ///
    /// ```
    /// use pipewright::{cmd, Redirect};
    /// assert_eq!(cmd!("echo", "lost").stdout(Redirect::null()).read()?, "");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn stdout(mut self, to: impl Into<Redirect<Out>>) -> Cmd {
        self.command_mut().streams.stdout = Some(to.into().into_kind());
        self
    }

    /// Where stderr goes. Unset: captured by `output`, this process's own for the others.
    ///
    /// ```
    /// use pipewright::{Cmd, Redirect};
    /// let out = Cmd::sh("echo warning >&2").stderr(Redirect::capture()).run()?;
    /// assert_eq!(out.stderr, "warning\n");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn stderr(mut self, to: impl Into<Redirect<Out>>) -> Cmd {
        self.command_mut().streams.stderr = Some(to.into().into_kind());
        self
    }

    /// `2>&1`: stderr goes where stdout goes, through the same open description, so the order is the one of the writes. It is
    /// resolved after the redirections, whatever the order of the calls.
    ///
    /// ```
    /// use pipewright::Cmd;
    /// let both = Cmd::sh("echo one; echo two >&2; echo three").stderr_to_stdout().read()?;
    /// assert_eq!(both, "one\ntwo\nthree");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    #[doc(alias = "2>&1")]
    pub fn stderr_to_stdout(mut self) -> Cmd {
        self.command_mut().streams.merge.stderr_to_stdout = true;
        self
    }

    /// `1>&2`: stdout goes where stderr goes. Resolved after the redirections. Together with
    /// [`stderr_to_stdout`](Cmd::stderr_to_stdout) the two change places.
    ///
    /// ```
    /// use pipewright::Cmd;
    /// let out = Cmd::sh("echo one; echo two >&2").stdout_to_stderr().output()?;
    /// assert_eq!(out.stderr, "one\ntwo\n");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    #[doc(alias = "1>&2")]
    pub fn stdout_to_stderr(mut self) -> Cmd {
        self.command_mut().streams.merge.stdout_to_stderr = true;
        self
    }

    /// Exchanges stdout and stderr: each goes where the other was sent.
    ///
    /// ```
    /// use pipewright::Cmd;
    /// let out = Cmd::sh("echo out; echo err >&2").swap_stdout_stderr().output()?;
    /// assert_eq!((out.stdout_str()?, out.stderr_str()?), ("err\n", "out\n"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "3>&1 1>&2 2>&3")]
    pub fn swap_stdout_stderr(self) -> Cmd {
        self.stderr_to_stdout().stdout_to_stderr()
    }
}
