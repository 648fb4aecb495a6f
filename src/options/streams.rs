//! Where the command's streams go.

use crate::cmd::Cmd;
use crate::redirect::{In, Out, Redirect};

/// # Streams
impl Cmd {
    /// Sets where stdin comes from. By default it is `/dev/null` for `output`, `read`, `lines` and `reader`, and this process's own for
    /// `run`, `status` and `spawn`.
    ///
    /// Takes text and bytes as they are, an open file or pipe, or a [`Redirect`]: [`Redirect::file`] for a path, [`Redirect::from_reader`]
    /// for a reader. A file is opened at the start, not here.
    ///
    /// ```
    /// use pipewright::{cmd, Redirect};
    /// assert_eq!(cmd!("wc", "-c").stdin("four").read()?.trim(), "4");
    /// let empty = cmd!("wc", "-c").stdin(Redirect::file("/dev/null"));
    /// assert_eq!(empty.read()?.trim(), "0");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    #[doc(alias = "input")]
    #[doc(alias = "stdin_bytes")]
    #[doc(alias = "stdin_fd")]
    #[doc(alias = "stdio")]
    #[doc(alias = "feed")]
    #[doc(alias = "<")]
    pub fn stdin(mut self, from: impl Into<Redirect<In>>) -> Cmd {
        self.command_mut().streams.stdin = Some(from.into().into_kind());
        self
    }

    /// Sets where stdout goes. By default `output` and `read` capture it, you read it with `lines` and `reader`, and with the other verbs
    /// it is this process's own.
    ///
    /// Takes an open file or pipe, or a [`Redirect`]. If stdout goes elsewhere, `output`, `read` and `read_bytes` succeed and give empty
    /// text or bytes.
    ///
    /// ```
    /// use pipewright::{cmd, Redirect};
    /// assert_eq!(cmd!("echo", "lost").stdout(Redirect::null()).read()?, "");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    #[doc(alias = ">")]
    pub fn stdout(mut self, to: impl Into<Redirect<Out>>) -> Cmd {
        self.command_mut().streams.stdout = Some(to.into().into_kind());
        self
    }

    /// Sets where stderr goes. By default `output` captures it, and with the other verbs it is this process's own.
    ///
    /// Takes an open file or pipe, or a [`Redirect`].
    ///
    /// ```
    /// use pipewright::{Cmd, Redirect};
    /// let noisy = Cmd::sh("echo warning >&2").stderr(Redirect::capture());
    /// assert_eq!(noisy.run()?.stderr, "warning\n");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    #[doc(alias = "2>")]
    pub fn stderr(mut self, to: impl Into<Redirect<Out>>) -> Cmd {
        self.command_mut().streams.stderr = Some(to.into().into_kind());
        self
    }

    /// Sends stderr where stdout goes, like `2>&1`. Both use one open description, so what they write stays in order. It applies after the
    /// redirections, whatever the order of the calls.
    ///
    /// ```
    /// use pipewright::Cmd;
    /// let both = Cmd::sh("echo one; echo two >&2; echo three");
    /// assert_eq!(both.stderr_to_stdout().read()?, "one\ntwo\nthree");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    #[doc(alias = "2>&1")]
    #[doc(alias = "STDOUT")]
    #[doc(alias = "merge")]
    pub fn stderr_to_stdout(mut self) -> Cmd {
        self.command_mut().streams.merge.stderr_to_stdout = true;
        self
    }

    /// Sends stdout where stderr goes, like `1>&2`. It applies after the redirections. Together with
    /// [`stderr_to_stdout`](Cmd::stderr_to_stdout) it exchanges the two.
    ///
    /// ```
    /// use pipewright::Cmd;
    /// let both = Cmd::sh("echo one; echo two >&2").stdout_to_stderr();
    /// assert_eq!(both.output()?.stderr, "one\ntwo\n");
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
    /// let swapped = Cmd::sh("echo out; echo err >&2").swap_stdout_stderr();
    /// let out = swapped.output()?;
    /// assert_eq!((out.stdout_str()?, out.stderr_str()?), ("err\n", "out\n"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "3>&1 1>&2 2>&3")]
    pub fn swap_stdout_stderr(self) -> Cmd {
        self.stderr_to_stdout().stdout_to_stderr()
    }
}
