//! Descriptors beyond the standard ones, and arguments that name one.

use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;

use super::Cmd;
use crate::fd::{FdMap, GivenFd, Jobserver};
use crate::once::TakeOnce;
use crate::redirect::{In, Out, Redirect};
use crate::spec::{Arg, ArgSource, Common, ExtraFd, FdSource};

impl Cmd {
    /// The child gets this descriptor under this number: exactly what it is, with its offset and flags, see dup2(2). One-shot: the first
    /// start takes it, and this process's copy is closed before that start returns. Any number of descriptors, in any order and overlap.
    ///
    /// Numbers from 3 up. Of errors of the verb: a number that is given twice, or that is 0, 1 or 2 (which `stdin`, `stdout` and `stderr` are for),
    /// is a [`Conflict`](crate::ErrorKind::Conflict); one below zero or beyond this process's limit of open files is
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput).
    ///
    /// ```
    /// use pipewright::{Cmd, pipe};
    /// let (reader, writer) = pipe::kernel()?;
    /// Cmd::sh("echo report >&3").map_fd(writer, 3).run()?;
    /// assert_eq!(std::io::read_to_string(reader)?, "report\n");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "dup2")]
    pub fn map_fd(self, fd: impl Into<OwnedFd>, number: i32) -> Cmd {
        self.extra(number, FdSource::Given(Common::Fd(TakeOnce::new(fd.into()))))
    }

    /// As [`map_fd`](Cmd::map_fd), for any number of starts and numbers. It stays open as long as the builder, a clone of it, a
    /// [`Job`](crate::Job) it started, or the `Arc` lives.
    ///
    /// ```
    /// use pipewright::Cmd;
    /// use std::{fs::File, sync::Arc};
    /// let null = Arc::new(File::open("/dev/null")?.into());
    /// let both = Cmd::sh("cat <&5 <&6").map_shared_fd(Arc::clone(&null), 5).map_shared_fd(null, 6);
    /// assert_eq!((both.read()?, both.read()?), (String::new(), String::new()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn map_shared_fd(self, fd: Arc<OwnedFd>, number: i32) -> Cmd {
        self.extra(number, FdSource::Given(Common::SharedFd(fd)))
    }

    /// As [`map_fd`](Cmd::map_fd), under the number that the descriptor has here.
    ///
    /// ```
    /// use pipewright::{Cmd, pipe};
    /// use std::os::fd::{AsFd, AsRawFd, OwnedFd};
    /// let (reader, writer) = pipe::kernel()?;
    /// let number = writer.as_fd().as_raw_fd();
    /// Cmd::sh("echo report > /dev/fd/$1").args(["sh", &number.to_string()]).pass_fd(writer).run()?;
    /// assert_eq!(std::io::read_to_string(reader)?, "report\n");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn pass_fd(self, fd: impl Into<OwnedFd>) -> Cmd {
        let fd = fd.into();
        let number = fd.as_raw_fd();
        self.map_fd(fd, number)
    }

    /// As [`map_shared_fd`](Cmd::map_shared_fd), under the number that the descriptor has here.
    ///
    /// ```
    /// use pipewright::Cmd;
    /// use std::os::fd::{AsRawFd, OwnedFd};
    /// use std::{fs::File, sync::Arc};
    /// let null: Arc<OwnedFd> = Arc::new(File::open("/dev/null")?.into());
    /// let number = null.as_raw_fd().to_string();
    /// let cat = Cmd::sh("cat < /dev/fd/$1").args(["sh", &number]).pass_shared_fd(null);
    /// assert_eq!((cat.read()?, cat.read()?), (String::new(), String::new()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn pass_shared_fd(self, fd: Arc<OwnedFd>) -> Cmd {
        let number = fd.as_raw_fd();
        self.map_shared_fd(fd, number)
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
        map.into_entries().fold(self, |cmd, (number, fd)| {
            let fd = match fd {
                GivenFd::Once(slot) => Common::Fd(slot),
                GivenFd::Shared(fd) => Common::SharedFd(fd),
            };
            cmd.extra(number, FdSource::Given(fd))
        })
    }

    /// Where a further input of the child, its descriptor `number`, comes from: whatever stdin may come from.
    ///
    /// ```
    /// use pipewright::{Cmd, Redirect};
    /// let sum = Cmd::sh("read a; read b <&3; echo $((a + b))").stdin(Redirect::bytes("1\n"));
    /// assert_eq!(sum.fd_in(3, Redirect::bytes("2\n")).read()?, "3");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
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
    pub fn fd_out(self, number: i32, to: impl Into<Redirect<Out>>) -> Cmd {
        self.extra(number, FdSource::Out(to.into().into_kind()))
    }

    /// A pipe into the child's descriptor `number`, whose end [`Job::take_fd_in`](crate::Job::take_fd_in) gives. With verbs that end with the
    /// run it is empty.
    ///
    /// ```
    /// use pipewright::Cmd;
    /// use std::io::Write;
    /// let job = Cmd::sh("read line <&3; exit $line").fd_piped_in(3).spawn()?;
    /// job.take_fd_in(3).unwrap().write_all(b"7\n")?;
    /// assert_eq!(job.wait()?.code(), Some(7));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn fd_piped_in(self, number: i32) -> Cmd {
        self.fd_in(number, Redirect::piped())
    }

    /// A pipe out of the child's descriptor `number`: captured by the verbs that end with the run, see
    /// [`Output::fd`](crate::Output::fd), and with [`spawn`](Cmd::spawn) to be taken by [`Job::take_fd_out`](crate::Job::take_fd_out).
    ///
    /// ```
    /// use pipewright::Cmd;
    /// let out = Cmd::sh("echo text; echo 100% >&3").fd_piped_out(3).output()?;
    /// assert_eq!(*out.fd(3).unwrap(), "100%\n");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn fd_piped_out(self, number: i32) -> Cmd {
        self.fd_out(number, Redirect::piped())
    }

    /// One more argument: a path by which the program opens this descriptor, `/dev/fd/N` with a number chosen for the child. One-shot, as
    /// [`map_fd`](Cmd::map_fd).
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
    pub fn arg_fd(self, fd: impl Into<OwnedFd>) -> Cmd {
        self.arg_that_opens(ArgSource::Fd(Common::Fd(TakeOnce::new(fd.into()))))
    }

    /// As [`arg_fd`](Cmd::arg_fd), for any number of starts; otherwise as [`map_shared_fd`](Cmd::map_shared_fd).
    ///
    /// ```
    /// use pipewright::cmd;
    /// use std::{fs::File, sync::Arc};
    /// let cat = cmd!("cat").arg_shared_fd(Arc::new(File::open("/dev/null")?.into()));
    /// assert_eq!((cat.read()?, cat.read()?), (String::new(), String::new()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn arg_shared_fd(self, fd: Arc<OwnedFd>) -> Cmd {
        self.arg_that_opens(ArgSource::Fd(Common::SharedFd(fd)))
    }

    /// Short for [`stdin`](Cmd::stdin) with [`Redirect::fd`].
    ///
    /// ```
    /// use pipewright::cmd;
    /// let null = std::fs::File::open("/dev/null")?;
    /// assert_eq!(cmd!("cat").stdin_fd(null).read()?, "");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn stdin_fd(self, fd: impl Into<OwnedFd>) -> Cmd {
        self.stdin(Redirect::fd(fd))
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
