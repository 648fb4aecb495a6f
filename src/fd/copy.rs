//! Bytes from one descriptor to another by whatever way the kernel offers.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use super::error::{self, BadFd, FdKind, Role};
use crate::clock::Deadline;
use crate::pipe::budget::{self, Grant};
use crate::sys::fds::{self, Described};
use crate::sys::poll::{self, Interest};
use crate::sys::{signals, splice as kernel, stream};

/// How bytes were moved.
///
/// ```
/// use pipewright::fd::CopyMethod;
/// assert_eq!(CopyMethod::ReadWrite.to_string(), "read and write");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CopyMethod {
    /// copy_file_range(2): file to file; the file system may share the blocks instead of copying them.
    CopyFileRange,
    /// sendfile(2): from a file to a file, a socket or a device.
    Sendfile,
    /// splice(2): to or from a pipe.
    Splice,
    /// read(2) and write(2), by way of this process's memory.
    ReadWrite,
}

impl fmt::Display for CopyMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CopyMethod::CopyFileRange => "copy_file_range",
            CopyMethod::Sendfile => "sendfile",
            CopyMethod::Splice => "splice",
            CopyMethod::ReadWrite => "read and write",
        })
    }
}

/// What a [`copy`] moved, and how.
///
/// ```
/// # if !cfg!(target_os = "linux") { return Ok(()); }
/// use pipewright::fd::{self, CopyMethod};
/// let (reader, writer) = pipewright::pipe::kernel()?;
/// let copied = fd::copy(std::fs::File::open("Cargo.toml")?, &writer)?;
/// assert_eq!(copied.bytes, std::fs::metadata("Cargo.toml")?.len());
/// assert_eq!(copied.method, CopyMethod::Splice);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Copied {
    /// How many bytes have arrived.
    pub bytes: u64,
    /// How the last of them were moved: when the kernel refuses one way, the next is tried. `ReadWrite` if there were none.
    pub method: CopyMethod,
}

/// A copy that failed, with what it had done until then.
///
/// ```
/// use pipewright::fd;
/// use std::io::{ErrorKind, Write};
/// let (source, mut input) = pipewright::pipe::kernel()?;
/// let (reader, target) = pipewright::pipe::kernel()?;
/// input.write_all(b"bytes")?;
/// drop((input, reader));
/// let error = fd::copy(&source, &target).unwrap_err();
/// assert_eq!((error.kind(), error.copied().bytes), (ErrorKind::BrokenPipe, 0));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct CopyError {
    copied: Copied,
    ends: (RawFd, RawFd),
    role: Option<Role>,
    unwritten: Vec<u8>,
    source: io::Error,
}

impl CopyError {
    /// The bytes that have arrived, and how.
    ///
    /// ```
    /// let directory = std::fs::File::open("/")?;
    /// let error = pipewright::fd::copy(&directory, std::io::stdout()).unwrap_err();
    /// assert_eq!(error.copied().bytes, 0);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn copied(&self) -> Copied {
        self.copied
    }

    /// Which of the two failed, where the system tells.
    ///
    /// ```
    /// use pipewright::fd::{self, Role};
    /// let directory = std::fs::File::open("/")?;
    /// let error = fd::copy(&directory, std::io::stdout()).unwrap_err();
    /// assert_eq!(error.role(), Some(Role::Source));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn role(&self) -> Option<Role> {
        self.role
    }

    /// Bytes that were read from the source and could not be written; empty where the kernel moved them itself.
    ///
    /// ```
    /// let directory = std::fs::File::open("/")?;
    /// let error = pipewright::fd::copy(&directory, std::io::stdout()).unwrap_err();
    /// assert!(error.unwritten().is_empty());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn unwritten(&self) -> &[u8] {
        &self.unwritten
    }

    /// The kind of the system's error; `InvalidInput` for a [`BadFd`].
    ///
    /// ```
    /// let directory = std::fs::File::open("/")?;
    /// let error = pipewright::fd::copy(&directory, std::io::stdout()).unwrap_err();
    /// assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn kind(&self) -> io::ErrorKind {
        self.source.kind()
    }

    /// The errno; `None` for a [`BadFd`].
    ///
    /// ```
    /// # if !cfg!(target_os = "linux") { return Ok(()); }
    /// let (full, file) = (std::fs::File::create("/dev/full")?, std::fs::File::open("Cargo.toml")?);
    /// assert_eq!(pipewright::fd::copy(&file, &full).unwrap_err().raw_os_error(), Some(28));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn raw_os_error(&self) -> Option<i32> {
        self.source.raw_os_error()
    }
}

impl fmt::Display for CopyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (from, to) = self.ends;
        write!(f, "copying from descriptor {from} to descriptor {to} stopped after {} bytes", self.copied.bytes)?;
        match self.role {
            Some(Role::Source) => f.write_str(", reading")?,
            Some(Role::Target) => f.write_str(", writing")?,
            _ => {}
        }
        Ok(())
    }
}

impl std::error::Error for CopyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// Keeps the kind. The number of bytes and the cause are inside.
impl From<CopyError> for io::Error {
    fn from(error: CopyError) -> io::Error {
        io::Error::new(error.kind(), error)
    }
}

/// Copies until the source's end, by splice(2), sendfile(2), copy_file_range(2) or read(2) and write(2): the first that the kernel takes
/// for these two. The result says which.
///
/// Any pair of files, pipes, sockets, terminals and devices can be copied. A target open for appending, a file of `/proc` that says it is
/// empty, and a file system that refuses the fast ways are copied by reading and writing. Files are read and
/// written at their offsets. Pipes of the default capacity are grown after the first 512 KiB, within this library's
/// share of the user's pipe memory. A pipe without a reader is an error of the kind `BrokenPipe`, never a SIGPIPE.
///
/// It blocks until the source has ended, like [`std::io::copy`], also on descriptors with O_NONBLOCK: it waits for those by
/// poll(2). For a copy with a deadline: [`splice`](super::splice()) between ends that do not block, and [`PollSet`](super::PollSet).
///
/// # Errors
/// A [`CopyError`], which says how many bytes were copied. It has a [`BadFd`] inside for a directory, an end of the wrong direction, and a file
/// or pipe copied onto itself, which would never end.
///
/// ```
/// use std::io::{Seek, Write, read_to_string};
/// let (mut from, mut to) = (tempfile::tempfile()?, tempfile::tempfile()?);
/// from.write_all(b"the whole file")?;
/// from.rewind()?;
/// assert_eq!(pipewright::fd::copy(&from, &to)?.bytes, 14);
/// to.rewind()?;
/// assert_eq!(read_to_string(to)?, "the whole file");
/// # Ok::<(), std::io::Error>(())
/// ```
#[doc(alias = "sendfile")]
#[doc(alias = "copy_file_range")]
#[doc(alias = "splice")]
pub fn copy(from: impl AsFd, to: impl AsFd) -> Result<Copied, CopyError> {
    Copy::new(from.as_fd(), to.as_fd(), None).run()
}

/// [`copy`] of at most `limit` bytes: the bytes behind them stay in the source.
///
/// # Errors
/// It fails like [`copy`]; a file may be copied onto itself, since that ends.
///
/// ```
/// use std::io::{Write, read_to_string};
/// let (source, mut input) = pipewright::pipe::kernel()?;
/// let (output, target) = pipewright::pipe::kernel()?;
/// input.write_all(b"head and tail")?;
/// pipewright::fd::copy_at_most(&source, &target, 4)?;
/// drop((input, target));
/// assert_eq!((read_to_string(output)?, read_to_string(source)?), ("head".into(), " and tail".into()));
/// # Ok::<(), std::io::Error>(())
/// ```
#[doc(alias = "sendfile")]
#[doc(alias = "copy_file_range")]
#[doc(alias = "splice")]
pub fn copy_at_most(from: impl AsFd, to: impl AsFd, limit: u64) -> Result<Copied, CopyError> {
    Copy::new(from.as_fd(), to.as_fd(), Some(limit)).run()
}

/// The bytes that are read at once.
const CHUNK: usize = budget::DEFAULT;
/// The bytes after which the pipes are grown: 512 KiB, eight times the default capacity. A shorter copy would not earn the calls back.
const BUSY: u64 = 8 * budget::DEFAULT as u64;

/// A copy in progress.
struct Copy<'fd> {
    from: BorrowedFd<'fd>,
    to: BorrowedFd<'fd>,
    /// The bytes that may still be moved.
    left: Option<u64>,
    copied: Copied,
    /// Whether it has moved more than `BUSY` bytes, and the budget that its pipes were then given.
    busy: bool,
    grants: [Option<Grant>; 2],
}

/// Why one way of copying ended.
enum CopyEnd {
    /// The source has ended.
    End,
    /// The kernel refuses it for these two.
    Refused,
    Failed(Option<Role>, io::Error),
}

impl<'fd> Copy<'fd> {
    fn new(from: BorrowedFd<'fd>, to: BorrowedFd<'fd>, limit: Option<u64>) -> Copy<'fd> {
        let copied = Copied { bytes: 0, method: CopyMethod::ReadWrite };
        Copy { from, to, left: limit, copied, busy: false, grants: [None, None] }
    }

    fn run(self) -> Result<Copied, CopyError> {
        signals::without_sigpipe(|| self.run_without_sigpipe())
    }

    fn run_without_sigpipe(mut self) -> Result<Copied, CopyError> {
        let source = fds::describe(self.from).map_err(|error| self.failed(Some(Role::Source), error))?;
        let target = fds::describe(self.to).map_err(|error| self.failed(Some(Role::Target), error))?;
        if let Some(bad) = self.misfit(source, target) {
            let role = match bad {
                BadFd::Access { role, .. } | BadFd::Directory { role, .. } => Some(role),
                _ => None,
            };
            return Err(self.failed(role, bad.into()));
        }
        for &method in methods(source.into(), target.into()) {
            match self.by_kernel(method) {
                // A file that says it is empty, like those of /proc, may have something to read all the same.
                CopyEnd::End if FdKind::from(source) == FdKind::File => break,
                CopyEnd::End => return Ok(self.copied),
                CopyEnd::Refused => {}
                CopyEnd::Failed(role, error) => return Err(self.failed(role, error)),
            }
        }
        self.by_hand()
    }

    /// Why these two cannot be copied between, whatever the way.
    fn misfit(&self, source: Described, target: Described) -> Option<BadFd> {
        let call = "copy";
        if let Some(bad) = error::of_ends(call, self.from, self.to) {
            return Some(bad);
        }
        let what = match FdKind::from(source) {
            FdKind::Pipe => "pipe",
            FdKind::File if self.left.is_none() => "file",
            _ => return None,
        };
        (source == target).then(|| BadFd::Same { call, from: self.from.as_raw_fd(), to: self.to.as_raw_fd(), what })
    }

    /// The number of bytes to ask the next call for.
    fn want(&self, most: usize) -> usize {
        self.left.map_or(most, |left| usize::try_from(left).unwrap_or(most).min(most))
    }

    fn moved(&mut self, bytes: usize, method: CopyMethod) {
        self.copied.bytes += bytes as u64;
        self.copied.method = method;
        if let Some(left) = &mut self.left {
            *left = left.saturating_sub(bytes as u64);
        }
    }

    fn grow_if_busy(&mut self) {
        if self.copied.bytes >= BUSY && !self.busy {
            self.busy = true;
            self.grants = [self.from, self.to].map(budget::grow_usual);
        }
    }

    fn failed(&self, role: Option<Role>, source: io::Error) -> CopyError {
        let ends = (self.from.as_raw_fd(), self.to.as_raw_fd());
        CopyError { copied: self.copied, ends, role, unwritten: Vec::new(), source }
    }

    fn by_kernel(&mut self, method: CopyMethod) -> CopyEnd {
        let call = match method {
            CopyMethod::CopyFileRange => kernel::copy_file_range,
            CopyMethod::Sendfile => kernel::sendfile,
            CopyMethod::Splice => kernel::splice,
            CopyMethod::ReadWrite => return CopyEnd::Refused,
        };
        let mut waited = false;
        loop {
            let want = self.want(usize::MAX);
            if want == 0 {
                return CopyEnd::End;
            }
            match call(self.from, self.to, want) {
                Ok(0) => return CopyEnd::End,
                Ok(bytes) => {
                    self.moved(bytes, method);
                    self.grow_if_busy();
                    waited = false;
                }
                // Not ready although poll said so: reading and writing tell which side it is.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && waited => return CopyEnd::Refused,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    // The call does not tell which of the two it was.
                    for (role, fd, interest) in
                        [(Role::Source, self.from, Interest::Readable), (Role::Target, self.to, Interest::Writable)]
                    {
                        if let Err(error) = poll::wait_for(fd, interest, Deadline::NEVER) {
                            return CopyEnd::Failed(Some(role), error);
                        }
                    }
                    waited = true;
                }
                Err(error) if is_refusal(&error) => return CopyEnd::Refused,
                Err(error) => {
                    let is_targets =
                        matches!(error.raw_os_error(), Some(libc::EPIPE | libc::ENOSPC | libc::EDQUOT | libc::EFBIG));
                    return CopyEnd::Failed(is_targets.then_some(Role::Target), error);
                }
            }
        }
    }

    /// By reading and writing.
    fn by_hand(mut self) -> Result<Copied, CopyError> {
        let mut buffer = Vec::new();
        loop {
            let want = self.want(CHUNK);
            if want == 0 {
                return Ok(self.copied);
            }
            buffer.clear();
            match stream::read_into(self.from, &mut buffer, want) {
                Ok(0) => return Ok(self.copied),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let ready = poll::wait_for(self.from, Interest::Readable, Deadline::NEVER);
                    ready.map_err(|error| self.failed(Some(Role::Source), error))?;
                }
                Err(error) => return Err(self.failed(Some(Role::Source), error)),
            }
            let mut done = 0;
            while done < buffer.len() {
                match self.write(&buffer[done..]) {
                    Ok(written) => {
                        done += written;
                        self.moved(written, CopyMethod::ReadWrite);
                    }
                    Err(error) => {
                        let failed = self.failed(Some(Role::Target), error);
                        return Err(CopyError { unwritten: buffer.split_off(done), ..failed });
                    }
                }
            }
        }
    }

    /// Writes some of it, when there is room.
    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        match stream::write(self.to, bytes) {
            Ok(0) => Err(io::ErrorKind::WriteZero.into()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                poll::wait_for(self.to, Interest::Writable, Deadline::NEVER).map(|_ready| 0)
            }
            result => result,
        }
    }
}

impl Drop for Copy<'_> {
    fn drop(&mut self) {
        for (fd, grant) in [self.from, self.to].into_iter().zip(&self.grants) {
            if grant.is_some() {
                budget::give_back(fd);
            }
        }
    }
}

/// The kernel's ways between two such descriptors, best first.
fn methods(from: FdKind, to: FdKind) -> &'static [CopyMethod] {
    match (from, to) {
        _ if !cfg!(target_os = "linux") => &[],
        (FdKind::Pipe, _) | (_, FdKind::Pipe) => &[CopyMethod::Splice],
        (FdKind::File, FdKind::File) => &[CopyMethod::CopyFileRange, CopyMethod::Sendfile],
        (FdKind::File | FdKind::BlockDevice, _) => &[CopyMethod::Sendfile],
        _ => &[],
    }
}

/// Whether the kernel does not do this for these descriptors: nothing was moved, and reading and writing find out whether it is an
/// error.
fn is_refusal(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(
            libc::EINVAL
                | libc::ENOSYS
                | libc::EOPNOTSUPP
                | libc::EXDEV
                | libc::EBADF
                | libc::EPERM
                | libc::ETXTBSY
                | libc::EOVERFLOW
                | libc::ESPIPE
                | libc::ENOMEM
        )
    )
}
