//! Descriptors beyond the standard ones, and arguments that name one.

use super::Cmd;
use crate::fd::{FdMap, IntoGivenFd, Jobserver};
use crate::redirect::{In, Out, Redirect};
use crate::spec::{Arg, ArgSource, Common, ExtraFd, FdSource};

impl Cmd {
    /// Gives the child this descriptor under this number: exactly what it is, with its offset and flags (dup2(2)). Any number of
    /// descriptors, in any order and overlap.
    ///
    /// Whatever owns a descriptor is taken by the first start, and this process's copy is closed before that start returns. An
    /// `Arc<OwnedFd>` is shared: any number of starts and numbers may have it, and it stays open as long as the builder, a clone of it, a
    /// [`Job`](crate::Job) it started, or the `Arc` lives. See [`GivenFd`](crate::fd::GivenFd).
    ///
    /// Numbers go from 3 up. The verb fails with a [`Conflict`](crate::ErrorKind::Conflict) for a number that is given twice, and for 0, 1 and 2,
    /// which are set by `stdin`, `stdout` and `stderr`; and with [`InvalidInput`](crate::ErrorKind::InvalidInput) for a number below zero or beyond
    /// this process's limit of open files.
    ///
    /// ```
    /// use pipewright::{Cmd, pipe};
    /// let (reader, writer) = pipe::kernel()?;
    /// Cmd::sh("echo report >&3").map_fd(writer, 3).run()?;
    /// assert_eq!(std::io::read_to_string(reader)?, "report\n");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "dup2")]
    #[doc(alias = "map_shared_fd")]
    #[doc(alias = "pass_fd")]
    #[doc(alias = "pass_shared_fd")]
    pub fn map_fd<How>(self, fd: impl IntoGivenFd<How>, number: i32) -> Cmd {
        self.extra(number, FdSource::Given(Common::Fd(fd.given())))
    }

    /// All of a map's descriptors at once, otherwise as [`map_fd`](Cmd::map_fd).
    ///
    /// ```
    /// use pipewright::{Cmd, fd::FdMap};
    /// let mut map = FdMap::new();
    /// map.insert(std::fs::File::open("/dev/null")?, 5)?;
    /// map.insert(std::fs::File::open("/dev/null")?, 6)?;
    /// assert_eq!(Cmd::sh("cat <&5 <&6").fd_map(map).read()?, "");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn fd_map(self, map: FdMap) -> Cmd {
        map.into_entries().fold(self, |cmd, (number, fd)| cmd.extra(number, FdSource::Given(Common::Fd(fd))))
    }

    /// Where a further input of the child, its descriptor `number`, comes from: whatever stdin may come from.
    ///
    /// ```
    /// use pipewright::{Cmd, Redirect};
    /// let sum = Cmd::sh("read a; read b <&3; echo $((a + b))").stdin(Redirect::bytes("1\n"));
    /// assert_eq!(sum.fd_in(3, "2\n").read()?, "3");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    ///
    /// With [`Redirect::piped`], [`Job::take_fd_in`](crate::Job::take_fd_in) gives the other end.
    #[doc(alias = "fd_piped_in")]
    pub fn fd_in(self, number: i32, from: impl Into<Redirect<In>>) -> Cmd {
        self.extra(number, FdSource::In(from.into().into_kind()))
    }

    /// Where a further output of the child, its descriptor `number`, goes: wherever stdout may go. What is captured is in
    /// [`Output::fd`](crate::Output::fd).
    ///
    /// ```
    /// use pipewright::{Cmd, Redirect};
    /// let out = Cmd::sh("echo text; echo 100% >&3").fd_out(3, Redirect::capture()).output()?;
    /// assert_eq!(out.stdout, "text\n");
    /// assert_eq!(*out.fd(3).unwrap(), "100%\n");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    ///
    /// With [`Redirect::piped`], [`Job::take_fd_out`](crate::Job::take_fd_out) gives the other end; verbs that end with the run capture it.
    #[doc(alias = "fd_piped_out")]
    pub fn fd_out(self, number: i32, to: impl Into<Redirect<Out>>) -> Cmd {
        self.extra(number, FdSource::Out(to.into().into_kind()))
    }

    /// One more argument: a path by which the program opens this descriptor, `/dev/fd/N` with a number chosen for the child. Taken or
    /// shared like in [`map_fd`](Cmd::map_fd).
    ///
    /// ```
    /// use pipewright::{cmd, pipe};
    /// use std::io::Write;
    /// let (reader, mut writer) = pipe::kernel()?;
    /// writer.write_all(b"from a pipe")?;
    /// drop(writer);
    /// assert_eq!(cmd!("cat").arg_fd(reader).read()?, "from a pipe");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "arg_shared_fd")]
    pub fn arg_fd<How>(self, fd: impl IntoGivenFd<How>) -> Cmd {
        self.arg_that_opens(ArgSource::Fd(Common::Fd(fd.given())))
    }

    /// Has the child take part in a jobserver: one of [`Jobserver::new`] is named in its MAKEFLAGS and CARGO_MAKEFLAGS, and its two
    /// descriptors are passed on. One [from the environment](Jobserver::from_env) is what children take part in anyway. The
    /// builder and its clones keep it open.
    ///
    /// ```
    /// use pipewright::{cmd, fd::Jobserver};
    /// let server = Jobserver::new(2)?;
    /// let told = cmd!("sh", "-c", "echo \"$MAKEFLAGS\"").jobserver(&server);
    /// assert_eq!(told.read()?, server.make_flags().unwrap());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "MAKEFLAGS")]
    pub fn jobserver(mut self, server: &Jobserver) -> Cmd {
        self.command_mut().streams.jobserver = Some(server.clone());
        match server.make_flags() {
            Some(flags) => self.env("MAKEFLAGS", &flags).env("CARGO_MAKEFLAGS", &flags),
            None => self,
        }
    }

    fn extra(mut self, number: i32, source: FdSource) -> Cmd {
        self.command_mut().streams.extra.push(ExtraFd { number, source });
        self
    }

    pub(crate) fn arg_that_opens(mut self, source: ArgSource) -> Cmd {
        self.command_mut().args.push(Arg { source: Some(source), ..Arg::plain("/dev/fd/…") });
        self
    }
}
