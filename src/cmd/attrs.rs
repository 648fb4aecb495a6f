//! The child's own attributes. All of them are set between clone and exec by system calls, on the fast spawn path; only a
//! change of credentials takes the slower `fork`.

use super::Cmd;
use crate::spawn::RlimitSpec;

/// A resource that a process may be limited in (`setrlimit(2)`).
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
    #[doc(alias = "setpgid")]
    pub fn process_group(mut self, group: i32) -> Cmd {
        self.spec_mut().attributes.process_group = Some(group);
        self
    }

    /// Makes the child leader of a new session, without a controlling terminal (`setsid(2)`).
    #[doc(alias = "setsid")]
    pub fn new_session(mut self, on: bool) -> Cmd {
        self.spec_mut().attributes.new_session = on;
        self
    }

    /// Makes the terminal on the child's stdin the controlling one of a new session, which this implies (`TIOCSCTTY`).
    #[doc(alias = "TIOCSCTTY")]
    pub fn controlling_tty(mut self, on: bool) -> Cmd {
        self.spec_mut().attributes.controlling_tty = on;
        self
    }

    /// The permission bits that files the child creates do *not* get (`umask(2)`).
    ///
    /// ```
    /// use pipewright::Cmd;
    /// assert_eq!(Cmd::sh("umask").umask(0o027).read()?, "0027");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn umask(mut self, mask: u32) -> Cmd {
        self.spec_mut().attributes.umask = Some(mask);
        self
    }

    /// Limits a resource of the child: the soft limit, which the child may raise up to the hard one (`setrlimit(2)`).
    ///
    /// ```
    /// use pipewright::{Cmd, Resource};
    /// assert_eq!(Cmd::sh("ulimit -n").rlimit(Resource::OpenFiles, 64, 64).read()?, "64");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    #[doc(alias = "setrlimit")]
    pub fn rlimit(mut self, resource: Resource, soft: u64, hard: u64) -> Cmd {
        let limits = &mut self.spec_mut().attributes.rlimits;
        let resource = resource.number();
        limits.retain(|limit| limit.resource != resource);
        limits.push(RlimitSpec { resource, soft, hard });
        self
    }

    /// The child's nice value, from -20 (first) to 19 (last) (`setpriority(2)`). Going below one's own takes privileges.
    #[doc(alias = "setpriority")]
    pub fn nice(mut self, value: i32) -> Cmd {
        self.spec_mut().attributes.nice = Some(value);
        self
    }

    /// The user the child runs as (`setuid(2)`). Set [`gid`](Cmd::gid) too, or the child keeps this process's group. Without
    /// [`groups`](Cmd::groups), a child that gives up root has no supplementary groups, as with std. Takes privileges. A child whose credentials change is made by `fork`.
    #[doc(alias = "setuid")]
    pub fn uid(mut self, uid: u32) -> Cmd {
        self.spec_mut().attributes.uid = Some(uid);
        self
    }

    /// The group the child runs as (`setgid(2)`), as [`uid`](Cmd::uid).
    #[doc(alias = "setgid")]
    pub fn gid(mut self, gid: u32) -> Cmd {
        self.spec_mut().attributes.gid = Some(gid);
        self
    }

    /// The child's supplementary groups, all of them (`setgroups(2)`), as [`uid`](Cmd::uid).
    #[doc(alias = "setgroups")]
    pub fn groups(mut self, groups: impl IntoIterator<Item = u32>) -> Cmd {
        self.spec_mut().attributes.groups = Some(groups.into_iter().collect());
        self
    }

    /// Kills the child when this *process* ends, however it ends (`PR_SET_PDEATHSIG`, Linux; elsewhere starting is an error). The
    /// child itself, not what it started. The system ties the signal to the thread that made the child; the library makes such
    /// children on a thread that lives as long as the process.
    #[doc(alias = "PR_SET_PDEATHSIG")]
    pub fn kill_on_parent_death(mut self, on: bool) -> Cmd {
        self.spec_mut().attributes.kill_on_parent_death = on;
        self
    }

    /// Whether the child gets every descriptor that is not close-on-exec, as most libraries have it. Off: it gets 0, 1
    /// and 2, and the jobserver's pipe where its MAKEFLAGS names one that is open; everything else is closed, whoever opened it.
    pub fn inherit_fds(mut self, on: bool) -> Cmd {
        self.spec_mut().inherit_fds = on;
        self
    }

    /// Whether the child keeps the calling thread's signal mask and the ignored signals of this process. Off: the mask is empty and
    /// every disposition the default, but that an ignored HUP, INT or QUIT stays ignored, so that `nohup` works.
    pub fn inherit_signals(mut self, on: bool) -> Cmd {
        self.spec_mut().attributes.inherit_signals = on;
        self
    }

    /// Whether a bare program name may be found through an empty or relative element of PATH. Off: a program that would be found there
    /// is a [`RelativePath`](crate::ErrorKind::RelativePath) error, since what runs would depend on where one stands.
    pub fn allow_relative_path(mut self, on: bool) -> Cmd {
        self.spec_mut().allow_relative_path = on;
        self
    }
}
