//! `poll(2)` with a deadline.

use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use crate::clock::Deadline;
use crate::sys::poll::{Interest, PollSet as RawSet};

/// Waits until the descriptor can be read, for `timeout` at most; returns false when that has passed. `None`: without a limit.
///
/// A descriptor at its end, or with an error, is readable, too: the next read(2) tells. A regular file always is. A read from a pipe or
/// socket that others read from may block all the same: one of them may have been first. A signal does not end the wait; a
/// `timeout` of zero only looks. See poll(2).
///
/// # Errors
/// It fails like poll(2); EBADF for what poll cannot wait for.
///
/// ```
/// use pipewright::fd::wait_readable;
/// use std::time::Duration;
/// let (reader, writer) = pipewright::pipe::kernel()?;
/// assert!(!wait_readable(&reader, Some(Duration::from_millis(5)))?);
/// drop(writer);
/// assert!(wait_readable(&reader, None)?);
/// # Ok::<(), std::io::Error>(())
/// ```
#[doc(alias = "poll")]
#[doc(alias = "select")]
#[doc(alias = "POLLIN")]
pub fn wait_readable(fd: impl AsFd, timeout: Option<Duration>) -> io::Result<bool> {
    let mut set = PollSet::new();
    set.readable(&fd);
    set.wait(timeout)
}

/// Waits until the descriptor can be written to, for `timeout` at most; returns false when that has passed. `None`: without a limit.
///
/// A pipe without readers, or a descriptor with an error, is writable, too: the next write(2) tells. A pipe is writable when a whole page is
/// free: a write of more than `PIPE_BUF` (4,096) bytes may block all the same, if the descriptor does block. See poll(2), pipe(7).
///
/// # Errors
/// It fails like poll(2); EBADF for what poll cannot wait for.
///
/// ```
/// let (reader, writer) = pipewright::pipe::kernel()?;
/// assert!(pipewright::fd::wait_writable(&writer, None)?);
/// # Ok::<(), std::io::Error>(())
/// ```
#[doc(alias = "poll")]
#[doc(alias = "select")]
#[doc(alias = "POLLOUT")]
pub fn wait_writable(fd: impl AsFd, timeout: Option<Duration>) -> io::Result<bool> {
    let mut set = PollSet::new();
    set.writable(&fd);
    set.wait(timeout)
}

/// Several descriptors to wait for at once. The set borrows them, and dropping it changes nothing about them.
///
/// ```
/// use pipewright::fd::PollSet;
/// use std::io::Write;
/// let (first, _first_writer) = pipewright::pipe::kernel()?;
/// let (second, mut writer) = pipewright::pipe::kernel()?;
/// writer.write_all(b"x")?;
/// let mut set = PollSet::new();
/// let first = set.readable(&first);
/// let second = set.readable(&second);
/// assert!(set.wait(None)?);
/// assert!(!set.is_ready(first) && set.is_ready(second));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Default)]
#[doc(alias = "poll")]
#[doc(alias = "pollfd")]
#[doc(alias = "select")]
pub struct PollSet<'fd> {
    raw: RawSet,
    len: usize,
    fds: PhantomData<BorrowedFd<'fd>>,
}

impl<'fd> PollSet<'fd> {
    /// An empty set.
    ///
    /// ```
    /// let mut set = pipewright::fd::PollSet::new();
    /// assert!(!set.wait(Some(std::time::Duration::ZERO))?);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn new() -> PollSet<'fd> {
        PollSet::default()
    }

    /// Adds a descriptor to be waited for until it can be read (`POLLIN`); gives its place in the set, which counts from 0. The same
    /// descriptor may be in the set more than once.
    ///
    /// ```
    /// let (reader, writer) = pipewright::pipe::kernel()?;
    /// let mut set = pipewright::fd::PollSet::new();
    /// assert_eq!((set.readable(&reader), set.writable(&writer)), (0, 1));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn readable(&mut self, fd: &'fd impl AsFd) -> usize {
        self.add(fd.as_fd(), Interest::Readable)
    }

    /// Adds a descriptor to be waited for until it can be written to (`POLLOUT`); gives its place in the set.
    ///
    /// ```
    /// let (_reader, writer) = pipewright::pipe::kernel()?;
    /// let mut set = pipewright::fd::PollSet::new();
    /// let place = set.writable(&writer);
    /// assert!(set.wait(None)? && set.is_ready(place));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn writable(&mut self, fd: &'fd impl AsFd) -> usize {
        self.add(fd.as_fd(), Interest::Writable)
    }

    fn add(&mut self, fd: BorrowedFd<'fd>, interest: Interest) -> usize {
        self.raw.push(fd, interest);
        self.len += 1;
        self.len - 1
    }

    /// Waits until one is ready, for `timeout` at most; returns false when that has passed first. `None`: without a limit, which for an empty
    /// set is for ever.
    ///
    /// An end, an error and a hang-up are readiness (`POLLHUP`, `POLLERR`), on whatever side: the next read(2) or write(2) tells
    /// them apart. See poll(2).
    ///
    /// # Errors
    /// It fails like poll(2): EINVAL for more descriptors than RLIMIT_NOFILE; EBADF for one that poll cannot wait for.
    ///
    /// ```
    /// let (reader, writer) = pipewright::pipe::kernel()?;
    /// drop(reader);
    /// let mut set = pipewright::fd::PollSet::new();
    /// set.writable(&writer);
    /// assert!(set.wait(None)?, "a write would fail at once");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn wait(&mut self, timeout: Option<Duration>) -> io::Result<bool> {
        self.wait_for(Deadline::after_opt(timeout))
    }

    /// The same until a moment: for waits that share one deadline. A moment that has passed only looks.
    ///
    /// # Errors
    /// It fails like [`wait`](PollSet::wait).
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    /// let (reader, _writer) = pipewright::pipe::kernel()?;
    /// let mut set = pipewright::fd::PollSet::new();
    /// set.readable(&reader);
    /// assert!(!set.wait_until(Instant::now() + Duration::from_millis(5))?);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn wait_until(&mut self, deadline: Instant) -> io::Result<bool> {
        self.wait_for(Deadline::at(deadline))
    }

    fn wait_for(&mut self, deadline: Deadline) -> io::Result<bool> {
        let ready = self.raw.wait(deadline)? > 0;
        if ready && (0..self.len).any(|place| self.raw.is_refused(place)) {
            return Err(io::Error::from_raw_os_error(libc::EBADF));
        }
        Ok(ready)
    }

    /// Whether the last wait found the descriptor at this place ready. False for a place that the set does not have.
    ///
    /// ```
    /// assert!(!pipewright::fd::PollSet::new().is_ready(0));
    /// ```
    pub fn is_ready(&self, place: usize) -> bool {
        place < self.len && self.raw.ready(place)
    }

    /// The places that the last wait found ready, ascending.
    ///
    /// ```
    /// let (reader, writer) = pipewright::pipe::kernel()?;
    /// let mut set = pipewright::fd::PollSet::new();
    /// set.readable(&reader);
    /// set.writable(&writer);
    /// set.wait(None)?;
    /// assert_eq!(set.ready().collect::<Vec<_>>(), [1]);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn ready(&self) -> impl Iterator<Item = usize> {
        (0..self.len).filter(|&place| self.raw.ready(place))
    }
}

impl fmt::Debug for PollSet<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PollSet").field("len", &self.len).finish_non_exhaustive()
    }
}
