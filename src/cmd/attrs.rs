//! The child's own attributes. All of them are set between clone and exec by system calls, on the fast spawn path; only a
//! change of credentials takes the slower `fork`.

use super::Cmd;
use crate::spawn::RlimitSpec;

/// A resource that a process may be limited in (`setrlimit(2)`).
///
/// Which of them a system enforces, and what for, is its own matter: Linux does not enforce every one for every user.
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

impl Cmd {
    /// Puts the child into a process group: 0 for one of its own, whose number is its pid (`setpgid(2)`). A terminal's
    /// Ctrl-C then no longer reaches it by itself.
    ///
    /// A group that does not exist in this session, a negative one, or the leader of a
    /// [`new_session`](Cmd::new_session) fails the start with [`ErrorKind::Spawn`](crate::ErrorKind::Spawn) at
    /// [`Step::ProcessGroup`](crate::Step::ProcessGroup).
    ///
    /// ```
    /// use pipewright::Cmd;
    /// let leads = Cmd::sh("kill -s 0 -- -$$ && echo leads").process_group(0);
    /// assert_eq!(leads.read()?, "leads");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    #[doc(alias = "setpgid")]
    pub fn process_group(mut self, group: i32) -> Cmd {
        self.command_mut().attributes.process_group = Some(group);
        self
    }

    /// Makes the child leader of a new session, without a controlling terminal (`setsid(2)`).
    ///
    /// The child then leads a process group of its own too. A failure is [`ErrorKind::Spawn`](crate::ErrorKind::Spawn)
    /// at [`Step::Session`](crate::Step::Session).
    ///
    /// ```
    /// use pipewright::Cmd;
    /// let leads = Cmd::sh("kill -s 0 -- -$$ && echo leads").new_session(true);
    /// assert_eq!(leads.read()?, "leads");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    #[doc(alias = "setsid")]
    pub fn new_session(mut self, on: bool) -> Cmd {
        self.command_mut().attributes.new_session = on;
        self
    }

    /// Makes the terminal on the child's stdin the controlling one of a new session, which this implies (`TIOCSCTTY`).
    ///
    /// `false` leaves [`new_session`](Cmd::new_session) as it is. A stdin that is no terminal, or the controlling one
    /// of another session, fails the start with [`ErrorKind::Spawn`](crate::ErrorKind::Spawn) at
    /// [`Step::ControllingTty`](crate::Step::ControllingTty).
    ///
    /// ```
    /// use pipewright::{cmd, Redirect, Step};
    /// let error = cmd!("true").stdin(Redirect::null()).controlling_tty(true).run().unwrap_err();
    /// assert_eq!(error.step(), Some(Step::ControllingTty));
    /// ```
    #[doc(alias = "TIOCSCTTY")]
    pub fn controlling_tty(mut self, on: bool) -> Cmd {
        self.command_mut().attributes.controlling_tty = on;
        self
    }

    /// The permission bits that files the child creates do *not* get (`umask(2)`).
    ///
    /// Only the permission bits (`0o777`) count; the system ignores the others. It cannot fail. Unset, the child has
    /// this process's mask. Files that a [`Redirect`](crate::Redirect) creates are opened by this process, with its own
    /// mask.
    ///
    /// ```
    /// use pipewright::Cmd;
    /// assert_eq!(Cmd::sh("umask").umask(0o027).read()?, "0027");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn umask(mut self, mask: u32) -> Cmd {
        self.command_mut().attributes.umask = Some(mask);
        self
    }

    /// Limits a resource of the child: the soft limit, which the child may raise up to the hard one (`setrlimit(2)`).
    ///
    /// The unit is the [`Resource`]'s: bytes, seconds or a count. `u64::MAX` is no limit (`RLIM_INFINITY`). A soft
    /// limit above the hard one, or a hard one above this process's without privileges, fails the start with
    /// [`ErrorKind::Spawn`](crate::ErrorKind::Spawn) at [`Step::Rlimit`](crate::Step::Rlimit). Of two calls for one
    /// resource the last counts.
    ///
    /// ```
    /// use pipewright::{Cmd, Resource};
    /// assert_eq!(Cmd::sh("ulimit -n").rlimit(Resource::OpenFiles, 64, 64).read()?, "64");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    #[doc(alias = "setrlimit")]
    pub fn rlimit(mut self, resource: Resource, soft: u64, hard: u64) -> Cmd {
        let limits = &mut self.command_mut().attributes.rlimits;
        let resource = resource.number();
        limits.retain(|limit| limit.resource != resource);
        limits.push(RlimitSpec { resource, soft, hard });
        self
    }

    /// The child's nice value, from -20 (first) to 19 (last) (`setpriority(2)`). Going below one's own takes privileges.
    ///
    /// Values outside -20..=19 are clamped by the system. A failure is [`ErrorKind::Spawn`](crate::ErrorKind::Spawn) at
    /// [`Step::Nice`](crate::Step::Nice). Absolute, not added to this process's value.
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

    /// The user the child runs as (`setuid(2)`). Set [`gid`](Cmd::gid) too, or the child keeps this process's group. Without
    /// [`groups`](Cmd::groups), a child that gives up root has no supplementary groups, as with std. Takes privileges. A child whose credentials change is made by `fork`.
    ///
    /// Without the privileges the start fails with [`ErrorKind::Spawn`](crate::ErrorKind::Spawn) at
    /// [`Step::Uid`](crate::Step::Uid). The identity is changed before the working directory is entered and the program
    /// looked for, which the new user must therefore be allowed to.
    ///
    /// ```
    /// use pipewright::cmd;
    /// let own = cmd!("id", "-u").read()?.parse()?; // One's own takes no privileges.
    /// cmd!("true").uid(own).run()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "setuid")]
    pub fn uid(mut self, uid: u32) -> Cmd {
        self.command_mut().attributes.uid = Some(uid);
        self
    }

    /// The group the child runs as (`setgid(2)`), as [`uid`](Cmd::uid).
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
    pub fn gid(mut self, gid: u32) -> Cmd {
        self.command_mut().attributes.gid = Some(gid);
        self
    }

    /// The child's supplementary groups, all of them (`setgroups(2)`), as [`uid`](Cmd::uid).
    ///
    /// A failure, as without privileges, is [`ErrorKind::Spawn`](crate::ErrorKind::Spawn) at
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

    /// Kills the child when this *process* ends, however it ends (`PR_SET_PDEATHSIG`, Linux; elsewhere starting is an error). The
    /// child itself; what it started only in a container, see below. The system ties the signal to the thread that made the child; the library makes such
    /// children on a thread that lives as long as the process.
    ///
    /// With [`Containment::Group`](crate::Containment::Group) or [`Cgroup`](crate::Containment::Cgroup), where each command of the run asks
    /// for this, what it started goes too: a shell (`/bin/sh`) waits beside the run for the end of this process, and then kills the group or the
    /// cgroup. In the group it is the leader. [`Job::detach`](crate::Job::detach) ends it, the child's own tie to this process stays.
    ///
    /// What a child has from the thread that made it (namespaces, capabilities, seccomp filters, CPU affinity, nice value, …) is then
    /// that of the library's thread, which is as the thread was that asked for the first such child. Where the two can be
    /// seen to differ, the start fails with [`ErrorKind::Spawn`](crate::ErrorKind::Spawn) at [`Step::ParentDeath`](crate::Step::ParentDeath). Not
    /// seen: which seccomp filters, where there are as many; I/O priority, timer slack, keyrings; a table of descriptors of the
    /// thread's own.
    ///
    /// Elsewhere than on Linux the start fails with [`ErrorKind::Spawn`](crate::ErrorKind::Spawn) at
    /// [`Step::ParentDeath`](crate::Step::ParentDeath). A program that is set-user-ID, or that resets the signal
    /// itself, is not reached (`prctl(2)`).
    ///
    /// ```
    /// # #[cfg(target_os = "linux")] {
    /// let bound = pipewright::cmd!("echo", "bound").kill_on_parent_death(true);
    /// assert_eq!(bound.read()?, "bound");
    /// # }
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    #[doc(alias = "PR_SET_PDEATHSIG")]
    pub fn kill_on_parent_death(mut self, on: bool) -> Cmd {
        self.command_mut().attributes.kill_on_parent_death = on;
        self
    }

    /// Whether the child gets every descriptor that is not close-on-exec, as most libraries have it. Off: it gets 0, 1
    /// and 2, and the jobserver's pipe where its MAKEFLAGS names one that is open; everything else is closed, whoever opened it.
    ///
    /// On, a child may hold an end of somebody's pipe, and that pipe then has no end before the child's.
    ///
    /// ```
    /// use pipewright::cmd;
    /// assert_eq!(cmd!("echo", "all of them").inherit_fds(true).read()?, "all of them");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn inherit_fds(mut self, on: bool) -> Cmd {
        self.command_mut().streams.inherit_fds = on;
        self
    }

    /// Whether the child keeps the calling thread's signal mask and the ignored signals of this process. Off: the mask is empty and
    /// every disposition the default, but that an ignored HUP, INT or QUIT stays ignored, so that `nohup` works.
    ///
    /// On, a child of a Rust program ignores SIGPIPE, as the Rust runtime does: writing to nobody is then an error of
    /// its own.
    ///
    /// ```
    /// use pipewright::cmd;
    /// let cut = cmd!("yes").inherit_signals(true).unchecked() | cmd!("head", "-n", "1");
    /// assert_eq!(cut.output()?.stages[0].status.code(), Some(1)); // Not killed by SIGPIPE.
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn inherit_signals(mut self, on: bool) -> Cmd {
        self.command_mut().attributes.inherit_signals = on;
        self
    }

    /// Whether a bare program name may be found through an empty or relative element of PATH. Off: a program that would be found there
    /// is a [`RelativePath`](crate::ErrorKind::RelativePath) error, since what runs would depend on where one stands.
    ///
    /// [`which`](crate::which) and programs with a slash in their path are not concerned.
    ///
    /// ```
    /// use pipewright::{cmd, ErrorKind};
    /// let cmd = cmd!("sh", "-c", "echo found").current_dir("/").env("PATH", "bin");
    /// assert_eq!(cmd.read().unwrap_err().kind(), ErrorKind::RelativePath);
    /// assert_eq!(cmd.allow_relative_path(true).read()?, "found");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn allow_relative_path(mut self, on: bool) -> Cmd {
        self.command_mut().program.allow_relative_path = on;
        self
    }
}
