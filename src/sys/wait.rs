//! Waiting for one child, and its resource usage.

#![expect(unsafe_code, reason = "waitid with rusage, which only the raw system call has")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

use crate::status::Status;

/// What a process used, as `getrusage(2)` counts it: its own and that of the children it waited for.
///
/// ```
/// let out = pipewright::cmd!("true").run()?;
/// let usage = out.stages[0].usage.expect("the status was ours to read");
/// assert!(usage.max_rss > 0);
/// # Ok::<(), pipewright::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Usage {
    /// CPU time in user mode.
    pub user_time: Duration,
    /// CPU time in the kernel.
    pub system_time: Duration,
    /// The largest resident set, in bytes. Linux counts from before `execve`, when the child still has this process's memory: it is
    /// never less than what this process had resident at the start (getrusage(2) does not say so; std's children show the same).
    pub max_rss: u64,
    /// Page faults served without reading from disk.
    pub minor_faults: u64,
    /// Page faults that had to read from disk.
    pub major_faults: u64,
    /// Times the process gave up the CPU by itself.
    pub voluntary_switches: u64,
    /// Times the CPU was taken from the process.
    pub involuntary_switches: u64,
}

impl Usage {
    /// User and system time together.
    ///
    /// ```
    /// let out = pipewright::cmd!("true").run()?;
    /// let usage = out.stages[0].usage.expect("the status was ours to read");
    /// assert_eq!(usage.cpu_time(), usage.user_time + usage.system_time);
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn cpu_time(&self) -> Duration {
        self.user_time + self.system_time
    }

    fn from_raw(raw: &libc::rusage) -> Usage {
        let time = |value: libc::timeval| {
            Duration::new(u64::try_from(value.tv_sec).unwrap_or(0), u32::try_from(value.tv_usec).unwrap_or(0) * 1000)
        };
        let count = |value: libc::c_long| u64::try_from(value).unwrap_or(0);
        // Linux and the BSDs count in KiB, macOS in bytes.
        let unit = if cfg!(target_os = "macos") { 1 } else { 1024 };
        Usage {
            user_time: time(raw.ru_utime),
            system_time: time(raw.ru_stime),
            max_rss: count(raw.ru_maxrss) * unit,
            minor_faults: count(raw.ru_minflt),
            major_faults: count(raw.ru_majflt),
            voluntary_switches: count(raw.ru_nvcsw),
            involuntary_switches: count(raw.ru_nivcsw),
        }
    }
}

/// Which child to wait for.
#[derive(Clone, Copy)]
pub(crate) enum Child<'fd> {
    /// The number is for systems that refuse to wait by a descriptor.
    Pidfd(BorrowedFd<'fd>, i32),
    /// Only while nothing else can have reaped it: the kernel may give its number to another process.
    Pid(i32),
}

impl<'fd> Child<'fd> {
    pub(crate) fn new(pid: i32, pidfd: Option<BorrowedFd<'fd>>) -> Child<'fd> {
        pidfd.map_or(Child::Pid(pid), |fd| Child::Pidfd(fd, pid))
    }
}

/// Reaps the child: `None` while it runs and `block` is false. ECHILD: something else in this process reaped it.
///
/// Any other error of waitid is a refusal, by a filter or an older kernel (P_PIDFD: Linux 5.4). Then it waits by the number, then by wait4.
pub(crate) fn reap(child: Child<'_>, block: bool) -> io::Result<Option<(Status, Usage)>> {
    let options = if block { 0 } else { libc::WNOHANG };
    let (Child::Pidfd(_, pid) | Child::Pid(pid)) = child;
    match ended(child, options) {
        Err(error) if error.raw_os_error() != Some(libc::ECHILD) => by_wait4(pid, options),
        ended => ended,
    }
}

/// How the child ended, if it has; it stays a zombie, so that its number stays its own.
#[cfg(target_os = "linux")]
pub(crate) fn peek(child: Child<'_>) -> io::Result<Option<(Status, Option<Usage>)>> {
    Ok(ended(child, libc::WNOHANG | libc::WNOWAIT)?.map(|(status, usage)| (status, Some(usage))))
}

#[cfg(target_os = "linux")]
fn ended(child: Child<'_>, options: i32) -> io::Result<Option<(Status, Usage)>> {
    match child {
        Child::Pidfd(fd, pid) => match by_waitid(libc::P_PIDFD, fd.as_raw_fd(), options) {
            Err(error) if error.raw_os_error() != Some(libc::ECHILD) => by_waitid(libc::P_PID, pid, options),
            ended => ended,
        },
        Child::Pid(pid) => by_waitid(libc::P_PID, pid, options),
    }
}

/// Reaps the process that a descriptor names, if it has ended and is a child of this process. Never by its number, which may be a
/// stranger's.
#[cfg(target_os = "linux")]
pub(crate) fn reap_orphan(pidfd: BorrowedFd<'_>) {
    // ECHILD: another process is its parent, or has reaped it. Where the call is refused, the zombie stays.
    let _ = by_waitid(libc::P_PIDFD, pidfd.as_raw_fd(), libc::WNOHANG);
}
#[cfg(not(target_os = "linux"))]
pub(crate) fn reap_orphan(_pidfd: BorrowedFd<'_>) {}

/// WEXITED alone: a stopped child is not an ended one.
#[cfg(target_os = "linux")]
fn by_waitid(kind: libc::idtype_t, id: i32, options: i32) -> io::Result<Option<(Status, Usage)>> {
    let options = libc::WEXITED | options;
    let mut info = std::mem::MaybeUninit::<libc::siginfo_t>::zeroed();
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    super::retry(|| {
        // SAFETY: both structures live on this stack and have the kernel's types.
        let done = unsafe { libc::syscall(libc::SYS_waitid, kind, id, info.as_mut_ptr(), options, usage.as_mut_ptr()) };
        super::check(i32::try_from(done).unwrap_or(-1))
    })?;
    // SAFETY: zeroed, or filled by the call: valid either way.
    let info = unsafe { info.assume_init() };
    // SAFETY: the call fills the fields of a child's siginfo; zero means that no child was ready.
    if unsafe { info.si_pid() } == 0 {
        return Ok(None);
    }
    // SAFETY: as above.
    let value = unsafe { info.si_status() };
    let status = match info.si_code {
        libc::CLD_EXITED => Status::exited(value),
        code => Status::signaled(value, code == libc::CLD_DUMPED),
    };
    // SAFETY: zeroed, or filled by the call: valid either way.
    Ok(Some((status, Usage::from_raw(&unsafe { usage.assume_init() }))))
}

/// Elsewhere only reaping returns the usage.
#[cfg(not(target_os = "linux"))]
pub(crate) fn peek(child: Child<'_>) -> io::Result<Option<(Status, Option<Usage>)>> {
    let id = libc::id_t::try_from(number(child)?).unwrap_or(0);
    let mut info = std::mem::MaybeUninit::<libc::siginfo_t>::zeroed();
    let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    super::retry(|| {
        // SAFETY: the structure lives on this stack.
        super::check(unsafe { libc::waitid(libc::P_PID, id, info.as_mut_ptr(), options) })
    })?;
    // SAFETY: zeroed, or filled by the call: valid either way.
    let info = unsafe { info.assume_init() };
    // SAFETY: the call fills the fields of a child's siginfo; zero means that no child was ready.
    let (pid, value) = unsafe { (info.si_pid(), info.si_status()) };
    let status = match info.si_code {
        _ if pid == 0 => return Ok(None),
        libc::CLD_EXITED => Status::exited(value),
        code => Status::signaled(value, code == libc::CLD_DUMPED),
    };
    Ok(Some((status, None)))
}

#[cfg(not(target_os = "linux"))]
fn number(child: Child<'_>) -> io::Result<i32> {
    match child {
        Child::Pid(pid) => Ok(pid),
        Child::Pidfd(fd, _) => Err(io::Error::other(format!("no process descriptors here: {}", fd.as_raw_fd()))),
    }
}

#[cfg(not(target_os = "linux"))]
fn ended(child: Child<'_>, options: i32) -> io::Result<Option<(Status, Usage)>> {
    by_wait4(number(child)?, options)
}

fn by_wait4(pid: i32, options: i32) -> io::Result<Option<(Status, Usage)>> {
    let mut raw = 0;
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    let reaped = super::retry(|| {
        // SAFETY: both results live on this stack.
        super::check(unsafe { libc::wait4(pid, &raw mut raw, options, usage.as_mut_ptr()) })
    })?;
    if reaped == 0 {
        return Ok(None);
    }
    // SAFETY: zeroed, or filled by the call: valid either way.
    Ok(Some((Status::from_wait(raw), Usage::from_raw(&unsafe { usage.assume_init() }))))
}

/// Blocks until the child has ended, and leaves it to be reaped (WNOWAIT).
pub(crate) fn wait_without_reaping(pid: i32) -> io::Result<()> {
    let mut info = std::mem::MaybeUninit::<libc::siginfo_t>::zeroed();
    let id = libc::id_t::try_from(pid).unwrap_or(0);
    super::retry(|| {
        // SAFETY: the structure lives on this stack.
        super::check(unsafe { libc::waitid(libc::P_PID, id, info.as_mut_ptr(), libc::WEXITED | libc::WNOWAIT) })
    })
    .map(drop)
}

/// The signal that has stopped the child, if it is stopped. WNOWAIT leaves the state as it is: the next look sees the same, until the
/// child continues.
pub(crate) fn stopped_by(child: Child<'_>) -> io::Result<Option<i32>> {
    let (kind, id) = match child {
        #[cfg(target_os = "linux")]
        Child::Pidfd(fd, _) => (libc::P_PIDFD, libc::id_t::try_from(fd.as_raw_fd()).unwrap_or(0)),
        #[cfg(not(target_os = "linux"))]
        Child::Pidfd(fd, _) => {
            return Err(io::Error::other(format!("no process descriptors here: {}", fd.as_raw_fd())));
        }
        Child::Pid(pid) => (libc::P_PID, libc::id_t::try_from(pid).unwrap_or(0)),
    };
    let mut info = std::mem::MaybeUninit::<libc::siginfo_t>::zeroed();
    let options = libc::WSTOPPED | libc::WNOHANG | libc::WNOWAIT;
    super::retry(|| {
        // SAFETY: the structure lives on this stack; nothing is reaped.
        super::check(unsafe { libc::waitid(kind, id, info.as_mut_ptr(), options) })
    })?;
    // SAFETY: zeroed, or filled by the call: valid either way.
    let info = unsafe { info.assume_init() };
    // SAFETY: the call fills the fields of a child's siginfo; zero means that it is not stopped.
    if unsafe { info.si_pid() } == 0 {
        return Ok(None);
    }
    // SAFETY: as above.
    Ok(Some(unsafe { info.si_status() }))
}

/// Whether the process is a child of this one that has not been reaped. True also where the question is refused.
#[cfg(target_os = "linux")]
pub(crate) fn is_child(pidfd: BorrowedFd<'_>) -> bool {
    let mut info = std::mem::MaybeUninit::<libc::siginfo_t>::zeroed();
    let id = libc::id_t::try_from(pidfd.as_raw_fd()).unwrap_or(0);
    let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: the structure lives on this stack; nothing is reaped.
    let asked = super::check(unsafe { libc::waitid(libc::P_PIDFD, id, info.as_mut_ptr(), options) });
    !matches!(asked, Err(error) if error.raw_os_error() == Some(libc::ECHILD))
}
#[cfg(not(target_os = "linux"))]
pub(crate) fn is_child(_pidfd: BorrowedFd<'_>) -> bool {
    false
}

/// `kill(2)`, for use only while the child is known to be unreaped. A negative number is a process group.
pub(crate) fn kill(pid: i32, signal: i32) -> io::Result<()> {
    // SAFETY: takes numbers.
    super::check(unsafe { libc::kill(pid, signal) }).map(drop)
}
