//! Single descriptors: the fcntl(2) and ioctl(2) family.

#![expect(unsafe_code, reason = "taking ownership of descriptors that system calls return as numbers")]

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};

/// A copy at the lowest free number that is `above` or higher, close-on-exec (`F_DUPFD_CLOEXEC`).
pub(crate) fn dup_above(fd: BorrowedFd<'_>, above: RawFd) -> io::Result<OwnedFd> {
    let copy = fcntl(fd, FcntlArg::F_DUPFD_CLOEXEC(above))?;
    // SAFETY: the call made the descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}

/// The first number that no descriptor of this process can have (`RLIMIT_NOFILE`).
pub(crate) fn limit() -> Option<u64> {
    let (soft, _hard) = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE).ok()?;
    // Signed on some systems.
    u64::try_from(i128::from(soft)).ok()
}

/// Moves a descriptor off the numbers 0 to 2, which it gets when the host has closed one of them: there this library and every child would
/// take it for a standard stream.
pub(crate) fn clear_of_stdio(fd: OwnedFd) -> io::Result<OwnedFd> {
    move_above(fd, 3)
}

/// The same descriptor at the number `above` or higher; the original, if it has to move, is closed.
fn move_above(fd: OwnedFd, above: RawFd) -> io::Result<OwnedFd> {
    if fd.as_raw_fd() >= above { Ok(fd) } else { dup_above(fd.as_fd(), above) }
}

/// Moves a descriptor that stays open for long to a high number: with many running children, the descriptors for the next one still
/// get low numbers, and its table can be cut short (see `fd_table_cut.rs`). The first few stay where they are, and so does one that cannot
/// be moved.
pub(crate) fn move_high(fd: OwnedFd) -> OwnedFd {
    /// The lowest number that is moved, and the lowest to move to.
    const CROWDED: RawFd = 32;
    const FAR: RawFd = 512;
    if !(CROWDED..FAR).contains(&fd.as_raw_fd()) {
        return fd;
    }
    match dup_above(fd.as_fd(), FAR) {
        Ok(moved) => {
            #[cfg(target_os = "linux")]
            saw(moved.as_raw_fd());
            moved
        }
        Err(_) => fd,
    }
}

/// The highest number that a descriptor of this library was seen to have: the table is, or was, at least that long. A hint, gathered
/// where it costs nothing; asking the kernel would cost more than a short table saves.
#[cfg(target_os = "linux")]
static HIGHEST: AtomicU32 = AtomicU32::new(0);

/// Notes a number that the kernel gave.
#[cfg(target_os = "linux")]
pub(super) fn saw(fd: RawFd) {
    let number = u32::try_from(fd).unwrap_or(0);
    if number > HIGHEST.load(Relaxed) {
        HIGHEST.fetch_max(number, Relaxed);
    }
}

#[cfg(target_os = "linux")]
pub(super) fn highest_seen() -> u32 {
    HIGHEST.load(Relaxed)
}

/// What this process has as 0, 1 or 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stdio {
    Closed,
    Open,
    /// Open until an exec, as a host may have set it.
    CloseOnExec,
}

pub(crate) fn stdio_state(number: RawFd) -> Stdio {
    // SAFETY: asks for flags; a number that is not open is an answer.
    match unsafe { libc::fcntl(number, libc::F_GETFD) } {
        -1 => Stdio::Closed,
        flags if flags & libc::FD_CLOEXEC == 0 => Stdio::Open,
        _ => Stdio::CloseOnExec,
    }
}

/// Standard stream `number` of this process, borrowed for the life of the process.
pub(crate) fn stdio(number: RawFd) -> BorrowedFd<'static> {
    debug_assert!((0..=2).contains(&number));
    // SAFETY: the standard streams belong to the process as a whole; the number is not -1.
    unsafe { BorrowedFd::borrow_raw(number) }
}

/// Sets or clears O_NONBLOCK, which belongs to the open description: only for ends of pipes that this library made and keeps. Those have no
/// other flag that could be lost, so the flags are not read first.
pub(crate) fn set_nonblocking(pipe: BorrowedFd<'_>, on: bool) -> io::Result<()> {
    let flags = if on { OFlag::O_NONBLOCK } else { OFlag::empty() };
    fcntl(pipe, FcntlArg::F_SETFL(flags))?;
    Ok(())
}

/// Asks for a capacity, and returns what the kernel gave.
pub(crate) fn set_capacity(fd: BorrowedFd<'_>, bytes: usize) -> io::Result<usize> {
    #[cfg(target_os = "linux")]
    {
        let wanted = i32::try_from(bytes).unwrap_or(i32::MAX);
        let given = fcntl(fd, FcntlArg::F_SETPIPE_SZ(wanted))?;
        Ok(usize::try_from(given).unwrap_or(0))
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = (fd, bytes);
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// The capacity of a pipe.
pub(crate) fn capacity(fd: BorrowedFd<'_>) -> io::Result<usize> {
    #[cfg(target_os = "linux")]
    {
        let size = fcntl(fd, FcntlArg::F_GETPIPE_SZ)?;
        Ok(usize::try_from(size).unwrap_or(0))
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = fd;
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Whether exec closes it.
pub(crate) fn cloexec(fd: BorrowedFd<'_>) -> io::Result<bool> {
    Ok(FdFlag::from_bits_retain(fcntl(fd, FcntlArg::F_GETFD)?).contains(FdFlag::FD_CLOEXEC))
}

pub(crate) fn set_cloexec(fd: BorrowedFd<'_>, on: bool) -> io::Result<()> {
    let flags = FdFlag::from_bits_retain(fcntl(fd, FcntlArg::F_GETFD)?);
    let wanted = if on { flags | FdFlag::FD_CLOEXEC } else { flags - FdFlag::FD_CLOEXEC };
    if wanted != flags {
        fcntl(fd, FcntlArg::F_SETFD(wanted))?;
    }
    Ok(())
}

/// The flags of the open description: access mode, O_APPEND, O_NONBLOCK.
pub(crate) fn status_flags(fd: BorrowedFd<'_>) -> io::Result<OFlag> {
    Ok(OFlag::from_bits_retain(fcntl(fd, FcntlArg::F_GETFL)?))
}

/// The bytes that wait to be read (`FIONREAD`).
pub(crate) fn bytes_queued(fd: BorrowedFd<'_>) -> io::Result<usize> {
    let mut queued: libc::c_int = 0;
    // SAFETY: FIONREAD fills one int.
    super::check(unsafe { libc::ioctl(fd.as_raw_fd(), libc::FIONREAD as _, &raw mut queued) })?;
    Ok(usize::try_from(queued).unwrap_or(0))
}

/// Whether the descriptor refuses to be written, whatever it leads to. One to ask before it is opened anew, which would give either
/// end of a pipe, or polled, which would wait for ever.
pub(crate) fn refuses_writes(fd: BorrowedFd<'_>) -> bool {
    access(fd) == Some(OFlag::O_RDONLY)
}

/// Whether the descriptor refuses to be read.
pub(crate) fn refuses_reads(fd: BorrowedFd<'_>) -> bool {
    access(fd) == Some(OFlag::O_WRONLY)
}

fn access(fd: BorrowedFd<'_>) -> Option<OFlag> {
    status_flags(fd).ok().map(|flags| flags & OFlag::O_ACCMODE)
}

/// Opens the same file, terminal or pipe again, with a description of its own that does not block, to read or to write; `None` if that
/// is not possible (a socket, no `/proc`, a number that is not open).
pub(crate) fn reopen_nonblocking(number: RawFd, write: bool) -> Option<OwnedFd> {
    if !cfg!(target_os = "linux") {
        return None;
    }
    let path = format!("/proc/self/fd/{number}");
    let stat = nix::sys::stat::stat(path.as_str()).ok()?;
    // It would make another terminal of a terminal's master.
    if stat.st_mode & libc::S_IFMT == libc::S_IFCHR && stat.st_rdev == PTMX {
        return None;
    }
    open_nonblocking(Path::new(&path), write).ok()
}

/// The device of terminals' masters, on Linux.
const PTMX: libc::dev_t = libc::makedev(5, 2);

/// Opens a file or fifo to read or to write, without waiting for the other side.
pub(crate) fn open_nonblocking(path: &Path, write: bool) -> io::Result<OwnedFd> {
    let access = if write { OFlag::O_WRONLY } else { OFlag::O_RDONLY };
    let flags = access | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC | OFlag::O_NOCTTY;
    let own = super::retry(|| Ok(nix::fcntl::open(path, flags, nix::sys::stat::Mode::empty())?))?;
    clear_of_stdio(own)
}

/// A copy of what this process has open as `number`, for numbers that were handed to it.
pub(crate) fn dup_number(number: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: makes a descriptor out of one that is open, or fails.
    let copy = super::check(unsafe { libc::fcntl(number, libc::F_DUPFD_CLOEXEC, 3) })?;
    // SAFETY: the call made the descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}

/// What tells one file or pipe from another: its device and inode.
pub(crate) type Identity = (libc::dev_t, libc::ino_t);

/// What a descriptor leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Described {
    /// The type's bits of the mode, `S_IFIFO` and so on.
    pub(crate) kind: libc::mode_t,
    pub(crate) identity: Identity,
}

/// What the descriptor leads to (`fstat`).
pub(crate) fn describe(fd: BorrowedFd<'_>) -> io::Result<Described> {
    Ok(Described::from(nix::sys::stat::fstat(fd)?))
}

/// What the path leads to (`stat`).
pub(crate) fn describe_path(path: &Path) -> io::Result<Described> {
    Ok(Described::from(nix::sys::stat::stat(path)?))
}

impl From<libc::stat> for Described {
    fn from(stat: libc::stat) -> Described {
        Described { kind: stat.st_mode & libc::S_IFMT, identity: (stat.st_dev, stat.st_ino) }
    }
}

/// Which pipe or fifo this process has open as `number`, if any.
pub(crate) fn pipe_identity(number: RawFd) -> Option<Identity> {
    let mut stat = std::mem::MaybeUninit::<libc::stat>::zeroed();
    // SAFETY: the structure lives on this stack; a number that is not open is an answer.
    let answered = unsafe { libc::fstat(number, stat.as_mut_ptr()) } == 0;
    // SAFETY: zeroed, or filled by the call: valid either way.
    let stat = unsafe { stat.assume_init() };
    (answered && stat.st_mode & libc::S_IFMT == libc::S_IFIFO).then_some((stat.st_dev, stat.st_ino))
}

/// An empty file without a name, for this number of bytes.
///
/// # Errors
/// EFBIG, where the process may not write a file of that length (`RLIMIT_FSIZE`): the write would end it by SIGXFSZ.
pub(crate) fn memory_file(bytes: usize) -> io::Result<File> {
    let (soft, _hard) = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_FSIZE)?;
    // Signed on some systems, where no limit is the largest number all the same.
    if i128::from(soft) >= 0 && (bytes as i128) > i128::from(soft) {
        return Err(io::Error::from_raw_os_error(libc::EFBIG));
    }
    #[cfg(any(target_os = "linux", target_os = "freebsd"))]
    // Where it is refused (a filter, an older kernel), by the file system. A shortage is seen there again.
    if let Ok(file) = nix::sys::memfd::memfd_create("pipewright", nix::sys::memfd::MFdFlags::MFD_CLOEXEC) {
        return Ok(file.into());
    }
    unlinked_file()
}

/// A file among the temporary ones, for this user alone, that has lost its name.
fn unlinked_file() -> io::Result<File> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    loop {
        let name = format!("pipewright-{}-{}", std::process::id(), COUNT.fetch_add(1, Relaxed));
        let path = std::env::temp_dir().join(name);
        match File::options().read(true).write(true).create_new(true).mode(0o600).open(&path) {
            Ok(file) => return std::fs::remove_file(path).map(|()| file),
            // Left by a process of this number that was killed.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}

/// Whether this is a regular file: one that never blocks.
pub(crate) fn is_regular_file(fd: BorrowedFd<'_>) -> bool {
    describe(fd).is_ok_and(|file| file.kind == libc::S_IFREG)
}
