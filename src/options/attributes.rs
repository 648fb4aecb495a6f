//! The child's own attributes. System calls between clone and exec set them, on the fast spawn path. Only a change of credentials needs
//! the slower `fork`.

use crate::cmd::Cmd;
use crate::spawn::RlimitSpec;

/// A resource that a process may be limited in (`setrlimit(2)`).
///
/// The system decides which of them it enforces: Linux does not enforce every one for every user.
///
/// ```
/// use pipewright::{Cmd, Resource};
/// let limited = Cmd::sh("ulimit -c").rlimit(Resource::Core, 0, 0);
/// assert_eq!(limited.read()?, "0");
/// # Ok::<(), pipewright::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Resource {
    /// `RLIMIT_AS`: bytes of address space.
    AddressSpace,
    /// `RLIMIT_CORE`: bytes of a core dump.
    Core,
    /// `RLIMIT_CPU`: seconds of CPU time.
    Cpu,
    /// `RLIMIT_DATA`: bytes of data.
    Data,
    /// `RLIMIT_FSIZE`: bytes of a file written.
    FileSize,
    /// `RLIMIT_MEMLOCK`: bytes locked in memory.
    LockedMemory,
    /// `RLIMIT_NOFILE`: one more than the highest descriptor number.
    OpenFiles,
    /// `RLIMIT_NPROC`: processes of the user.
    Processes,
    /// `RLIMIT_STACK`: bytes of the main thread's stack.
    Stack,
}

impl Resource {
    fn number(self) -> i32 {
        let number = match self {
            Resource::AddressSpace => libc::RLIMIT_AS,
            Resource::Core => libc::RLIMIT_CORE,
            Resource::Cpu => libc::RLIMIT_CPU,
            Resource::Data => libc::RLIMIT_DATA,
            Resource::FileSize => libc::RLIMIT_FSIZE,
            Resource::LockedMemory => libc::RLIMIT_MEMLOCK,
            Resource::OpenFiles => libc::RLIMIT_NOFILE,
            Resource::Processes => libc::RLIMIT_NPROC,
            Resource::Stack => libc::RLIMIT_STACK,
        };
        number as i32
    }
}

/// # Attributes of the process
impl Cmd {
    /// Puts the child into a process group (`setpgid(2)`): 0 is a group of its own, whose number is its pid. A terminal's Ctrl-C then no
    /// longer reaches it directly.
    ///
    /// A group that does not exist in this session, a negative one, or the leader of a [`new_session`](Cmd::new_session) fails the start
    /// with [`ErrorKind::Spawn`](crate::ErrorKind::Spawn) at [`Step::ProcessGroup`](crate::Step::ProcessGroup).
    ///
    /// ```
    /// use pipewright::Cmd;
    /// let leads = Cmd::sh("kill -s 0 -- -$$ && echo leads").process_group(0);
    /// assert_eq!(leads.read()?, "leads");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    #[doc(alias = "setpgid")]
    #[doc(alias = "pgid")]
    pub fn process_group(mut self, group: i32) -> Cmd {
        self.command_mut().attributes.process_group = Some(group);
        self
    }

    /// Makes the child the leader of a new session and of a new process group, without a controlling terminal (`setsid(2)`).
    ///
    /// A failure is [`ErrorKind::Spawn`](crate::ErrorKind::Spawn) at [`Step::Session`](crate::Step::Session).
    ///
    /// ```
    /// use pipewright::Cmd;
    /// let leads = Cmd::sh("kill -s 0 -- -$$ && echo leads").new_session(true);
    /// assert_eq!(leads.read()?, "leads");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    #[doc(alias = "setsid")]
    #[doc(alias = "pre_exec")]
    pub fn new_session(mut self, on: bool) -> Cmd {
        self.command_mut().attributes.new_session = on;
        self
    }

    /// Makes the terminal on the child's stdin the controlling one of a new session (`TIOCSCTTY`). `true` implies
    /// [`new_session`](Cmd::new_session); `false` leaves that as it is. This library opens no pseudo-terminal (pty): pass the end of one as
    /// [`stdin`](Cmd::stdin).
    ///
    /// If stdin is not a terminal, or the controlling one of another session, the start fails with
    /// [`ErrorKind::Spawn`](crate::ErrorKind::Spawn) at [`Step::ControllingTty`](crate::Step::ControllingTty).
    ///
    /// ```
    /// use pipewright::{cmd, Redirect, Step};
    /// let no_terminal = cmd!("true").stdin(Redirect::null());
    /// let error = no_terminal.controlling_tty(true).run().unwrap_err();
    /// assert_eq!(error.step(), Some(Step::ControllingTty));
    /// ```
    #[doc(alias = "TIOCSCTTY")]
    #[doc(alias = "pty")]
    #[doc(alias = "openpty")]
    #[doc(alias = "forkpty")]
    pub fn controlling_tty(mut self, on: bool) -> Cmd {
        self.command_mut().attributes.controlling_tty = on;
        self
    }

    /// Sets the permission bits that files created by the child do *not* get (`umask(2)`). The default is this process's mask. It cannot
    /// fail.
    ///
    /// Only the permission bits (`0o777`) count; the system ignores the others. This process opens the files of a
    /// [`Redirect`](crate::Redirect), with its own mask.
    ///
    /// ```
    /// use pipewright::Cmd;
    /// assert_eq!(Cmd::sh("umask").umask(0o027).read()?, "0027");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    #[doc(alias = "pre_exec")]
    pub fn umask(mut self, mask: u32) -> Cmd {
        self.command_mut().attributes.umask = Some(mask);
        self
    }

    /// Limits a resource of the child (`setrlimit(2)`). The child may raise the soft limit up to the hard one.
    ///
    /// The unit is the [`Resource`]'s: bytes, seconds or a count. `u64::MAX` means no limit (`RLIM_INFINITY`). If you call it twice for one
    /// resource, the last call wins. A soft limit above the hard one, or without privileges a hard one above this process's, fails the
    /// start with [`ErrorKind::Spawn`](crate::ErrorKind::Spawn) at [`Step::Rlimit`](crate::Step::Rlimit).
    ///
    /// ```
    /// use pipewright::{Cmd, Resource};
    /// let limited = Cmd::sh("ulimit -n").rlimit(Resource::OpenFiles, 64, 64);
    /// assert_eq!(limited.read()?, "64");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    #[doc(alias = "setrlimit")]
    #[doc(alias = "ulimit")]
    #[doc(alias = "pre_exec")]
    pub fn rlimit(mut self, resource: Resource, soft: u64, hard: u64) -> Cmd {
        let limits = &mut self.command_mut().attributes.rlimits;
        let resource = resource.number();
        limits.retain(|limit| limit.resource != resource);
        limits.push(RlimitSpec { resource, soft, hard });
        self
    }

    /// Sets the child's nice value, from -20 (most CPU time) to 19 (least) (`setpriority(2)`). It is absolute, not added to this process's
    /// value. A value below this process's takes privileges.
    ///
    /// The system clamps other values to -20..=19. A failure is [`ErrorKind::Spawn`](crate::ErrorKind::Spawn) at
    /// [`Step::Nice`](crate::Step::Nice).
    ///
    /// ```
    /// use pipewright::cmd;
    /// assert_eq!(cmd!("nice").nice(19).read()?, "19");
    /// assert_eq!(cmd!("nice").nice(1000).read()?, "19");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    #[doc(alias = "setpriority")]
    pub fn nice(mut self, value: i32) -> Cmd {
        self.command_mut().attributes.nice = Some(value);
        self
    }

    /// Sets the user that the child runs as (`setuid(2)`), which takes privileges. Set [`gid`](Cmd::gid) too, or the child keeps this
    /// process's group. Like with std, a child that gives up root has no supplementary groups unless [`groups`](Cmd::groups) sets them.
    /// Such a child is made by `fork`, which is slower.
    ///
    /// Without the privileges the start fails with [`ErrorKind::Spawn`](crate::ErrorKind::Spawn) at [`Step::Uid`](crate::Step::Uid). The
    /// identity changes before the child enters its working directory and looks up the program, so the new user needs access to both.
    ///
    /// ```
    /// use pipewright::cmd;
    /// let own = cmd!("id", "-u").read()?.parse()?; // Takes no privileges.
    /// cmd!("true").uid(own).run()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "setuid")]
    #[doc(alias = "user")]
    #[doc(alias = "su")]
    pub fn uid(mut self, uid: u32) -> Cmd {
        self.command_mut().attributes.uid = Some(uid);
        self
    }

    /// Sets the group that the child runs as (`setgid(2)`), with the rules of [`uid`](Cmd::uid).
    ///
    /// A failure is [`ErrorKind::Spawn`](crate::ErrorKind::Spawn) at [`Step::Gid`](crate::Step::Gid).
    ///
    /// ```
    /// use pipewright::cmd;
    /// let own = cmd!("id", "-g").read()?.parse()?;
    /// cmd!("true").gid(own).run()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "setgid")]
    #[doc(alias = "group")]
    pub fn gid(mut self, gid: u32) -> Cmd {
        self.command_mut().attributes.gid = Some(gid);
        self
    }

    /// Sets all of the child's supplementary groups (`setgroups(2)`), with the rules of [`uid`](Cmd::uid).
    ///
    /// A failure, for example without privileges, is [`ErrorKind::Spawn`](crate::ErrorKind::Spawn) at
    /// [`Step::Groups`](crate::Step::Groups).
    ///
    /// ```
    /// use pipewright::{cmd, Step};
    /// match cmd!("id", "-G").groups([4711]).read() {
    ///     Ok(ids) => assert!(ids.ends_with("4711")),
    ///     Err(error) => assert_eq!(error.step(), Some(Step::Groups)),
    /// }
    /// ```
    #[doc(alias = "setgroups")]
    pub fn groups(mut self, groups: impl IntoIterator<Item = u32>) -> Cmd {
        self.command_mut().attributes.groups = Some(groups.into_iter().collect());
        self
    }

    /// Kills the child when this *process* ends, however it ends (`PR_SET_PDEATHSIG`). It reaches the child itself, and what the child
    /// started only in a container, see below. The system ties the signal to the thread that made the child, so the library makes such
    /// children on a thread that lives as long as the process.
    ///
    /// With [`Containment::Group`](crate::Containment::Group) or [`Cgroup`](crate::Containment::Cgroup), if every command of the run asks
    /// for this, processes that the children started are killed too. A watchdog, a `/bin/sh`, then runs beside the run until this process
    /// ends, and kills the group or the cgroup. In a group the watchdog is the leader. [`Job::detach`](crate::Job::detach) ends the
    /// watchdog; the child's own tie to this process stays.
    ///
    /// The child inherits namespaces, capabilities, seccomp filters, CPU affinity, nice value and the like from the library's thread. That
    /// thread has them from the thread that asked for the first such child. If the two threads visibly differ, the start fails with
    /// [`ErrorKind::Spawn`](crate::ErrorKind::Spawn) at [`Step::ParentDeath`](crate::Step::ParentDeath). The library cannot see different
    /// seccomp filters of equal number, I/O priority, timer slack, keyrings, or a table of descriptors that the thread has for itself.
    ///
    /// Linux only: on other systems the start fails with [`ErrorKind::Spawn`](crate::ErrorKind::Spawn) at
    /// [`Step::ParentDeath`](crate::Step::ParentDeath). A program that is set-user-ID, or that resets the signal itself, is not reached
    /// (`prctl(2)`).
    ///
    /// ```
    /// # #[cfg(target_os = "linux")] {
    /// let bound = pipewright::cmd!("echo", "bound").kill_on_parent_death(true);
    /// assert_eq!(bound.read()?, "bound");
    /// # }
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    #[doc(alias = "PR_SET_PDEATHSIG")]
    #[doc(alias = "pdeathsig")]
    #[doc(alias = "orphan")]
    pub fn kill_on_parent_death(mut self, on: bool) -> Cmd {
        self.command_mut().attributes.kill_on_parent_death = on;
        self
    }

    /// Whether the child gets every descriptor that is not close-on-exec, like with most libraries. By default it gets 0, 1 and 2, those
    /// you give it, and the jobserver's pipe if its MAKEFLAGS names one that is open. All others are closed, even those that other code
    /// left open.
    ///
    /// If it is on, a child may hold an end of an unrelated pipe, whose reader then sees no end before the child's.
    ///
    /// ```
    /// use pipewright::cmd;
    /// let all = cmd!("echo", "all of them").inherit_fds(true);
    /// assert_eq!(all.read()?, "all of them");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    #[doc(alias = "close_fds")]
    pub fn inherit_fds(mut self, on: bool) -> Cmd {
        self.command_mut().streams.inherit_fds = on;
        self
    }

    /// Whether the child keeps the calling thread's signal mask and the ignored signals of this process. By default the mask is empty and
    /// every disposition is the default one, except that an ignored HUP, INT or QUIT stays ignored, so that `nohup` works.
    ///
    /// If it is on, a child of a Rust program ignores SIGPIPE like the Rust runtime does, and writing to a broken pipe is an error that the
    /// child handles.
    ///
    /// ```
    /// use pipewright::cmd;
    /// let yes = cmd!("yes").inherit_signals(true).unchecked();
    /// let out = (yes | cmd!("head", "-n", "1")).output()?;
    /// assert_eq!(out.stages[0].status.code(), Some(1)); // Not SIGPIPE.
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    #[doc(alias = "sigmask")]
    #[doc(alias = "SIGPIPE")]
    #[doc(alias = "nohup")]
    pub fn inherit_signals(mut self, on: bool) -> Cmd {
        self.command_mut().attributes.inherit_signals = on;
        self
    }

    /// Whether a program name without a slash may be found through an empty or relative element of PATH. By default such a program is a
    /// [`RelativePath`](crate::ErrorKind::RelativePath) error, because the working directory would decide what runs.
    ///
    /// It does not concern [`which`](crate::which) and programs with a slash.
    ///
    /// ```
    /// use pipewright::{Cmd, ErrorKind};
    /// let sh = Cmd::new("sh").args(["-c", "echo found"]);
    /// let cmd = sh.current_dir("/").env("PATH", "bin");
    /// assert_eq!(cmd.read().unwrap_err().kind(), ErrorKind::RelativePath);
    /// assert_eq!(cmd.allow_relative_path(true).read()?, "found");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn allow_relative_path(mut self, on: bool) -> Cmd {
        self.command_mut().program.allow_relative_path = on;
        self
    }
}
