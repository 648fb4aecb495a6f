//! Descriptors beyond the standard ones, and arguments that name one.

use crate::cmd::Cmd;
use crate::fd::{FdMap, IntoGivenFd, Jobserver};
use crate::redirect::{In, Out, Redirect};
use crate::spec::{ArgSource, Common, ExtraFd, FdSource};

/// # More descriptors
impl Cmd {
    /// Gives the child this descriptor under this number, with its offset and flags (`dup2(2)`). You can give any number of descriptors, in
    /// any order, with numbers that overlap.
    ///
    /// The first start takes an owned descriptor and closes this process's copy before it returns. An `Arc<OwnedFd>` is shared: any number
    /// of starts and numbers may have it. It stays open as long as the builder, a clone of it, a [`Job`](crate::Job) it started, or the
    /// `Arc` lives. See [`GivenFd`](crate::fd::GivenFd).
    ///
    /// Numbers start at 3. The verb fails with a [`Conflict`](crate::ErrorKind::Conflict) for a number that is given twice, and for 0, 1
    /// and 2, which `stdin`, `stdout` and `stderr` set. It fails with [`InvalidInput`](crate::ErrorKind::InvalidInput) for a number below
    /// zero or beyond this process's limit of open files.
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
    #[doc(alias = "inherit_fd")]
    #[doc(alias = "preserve_fds")]
    pub fn map_fd<How>(self, fd: impl IntoGivenFd<How>, number: i32) -> Cmd {
        self.extra(number, FdSource::Given(Common::Fd(fd.given())))
    }

    /// Gives the child all descriptors of a map, each like [`map_fd`](Cmd::map_fd).
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

    /// Sets where a further input of the child, its descriptor `number`, comes from. It takes what [`stdin`](Cmd::stdin) takes. With
    /// [`Redirect::piped`], [`Job::take_fd_in`](crate::Job::take_fd_in) gives the other end.
    ///
    /// ```
    /// use pipewright::Cmd;
    /// let sum = Cmd::sh("read a; read b <&3; echo $((a + b))");
    /// assert_eq!(sum.stdin("1\n").fd_in(3, "2\n").read()?, "3");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    #[doc(alias = "fd_piped_in")]
    pub fn fd_in(self, number: i32, from: impl Into<Redirect<In>>) -> Cmd {
        self.extra(number, FdSource::In(from.into().into_kind()))
    }

    /// Sets where a further output of the child, its descriptor `number`, goes. It takes what [`stdout`](Cmd::stdout) takes.
    /// [`Output::fd`](crate::Output::fd) holds what was captured. With [`Redirect::piped`], [`Job::take_fd_out`](crate::Job::take_fd_out)
    /// gives the other end; verbs that end with the run capture it.
    ///
    /// ```
    /// use pipewright::{Cmd, Redirect};
    /// let both = Cmd::sh("echo text; echo 100% >&3");
    /// let out = both.fd_out(3, Redirect::capture()).output()?;
    /// assert_eq!(out.stdout, "text\n");
    /// assert_eq!(*out.fd(3).unwrap(), "100%\n");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    #[doc(alias = "fd_piped_out")]
    pub fn fd_out(self, number: i32, to: impl Into<Redirect<Out>>) -> Cmd {
        self.extra(number, FdSource::Out(to.into().into_kind()))
    }

    /// Adds an argument: a path by which the program opens this descriptor. It is `/dev/fd/N`, with a number chosen for the child. The
    /// descriptor is taken or shared like in [`map_fd`](Cmd::map_fd).
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
    #[doc(alias = "/dev/fd")]
    pub fn arg_fd<How>(self, fd: impl IntoGivenFd<How>) -> Cmd {
        self.arg_that_opens(ArgSource::Fd(Common::Fd(fd.given())))
    }

    /// Lets the child take part in a jobserver. One of [`Jobserver::new`] is named in the child's MAKEFLAGS and CARGO_MAKEFLAGS, and its
    /// two descriptors are passed on. Children take part in one [from the environment](Jobserver::from_env) without this call. The builder
    /// and its clones keep the jobserver open.
    ///
    /// ```
    /// use pipewright::{Cmd, fd::Jobserver};
    /// let server = Jobserver::new(2)?;
    /// let told = Cmd::sh("echo \"$MAKEFLAGS\"").jobserver(&server);
    /// assert_eq!(told.read()?, server.make_flags().unwrap());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "MAKEFLAGS")]
    #[doc(alias = "parallel")]
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
}
