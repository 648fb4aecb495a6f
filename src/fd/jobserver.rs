//! Tokens of a jobserver: taken, and given back.

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::error::FdKind;
use crate::clock::Deadline;
use crate::pipe;
use crate::pipe::makeflags::{auth, host, numbers};
use crate::sys::fds::{self, Identity};
use crate::sys::poll::{self, Interest};
use crate::sys::{signals, stream};

/// A jobserver: a pipe with a byte, a token, for each job that may run besides the first. A process that takes a token may run one more job,
/// and puts the token back after that.
///
/// The recipes of `make -j8` and what they start share one; a program that runs many things at once can take part. It speaks make's
/// protocol, and so works with other programs that speak it.
///
/// **One job needs no token**: a process that make started may run one job, and takes a token for each further one. A token that a
/// process holds when it is killed is lost to the others.
///
/// Clones are the same jobserver. Dropping the last, and the last [`JobToken`], closes its descriptors.
///
/// ```
/// use pipewright::fd::Jobserver;
/// let server = Jobserver::new(2)?;
/// let (first, second) = (server.acquire()?, server.acquire()?);
/// # if !cfg!(target_os = "linux") { return Ok(()); }
/// assert!(server.try_acquire()?.is_none());
/// drop(first);
/// assert!(server.try_acquire()?.is_some());
/// # drop(second);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
#[doc(alias = "MAKEFLAGS")]
#[doc(alias = "make")]
pub struct Jobserver(Arc<Shared>);

struct Shared {
    reader: OwnedFd,
    writer: OwnedFd,
    /// Whether both are open descriptions of this process alone, which do not block. Else they are make's, and a read after a poll may block:
    /// another process may have been first.
    own: bool,
    /// The ends for children, of a jobserver that was made here. Their flags are the children's to change.
    passed: Option<(OwnedFd, OwnedFd)>,
}

/// Why the jobserver that MAKEFLAGS names cannot be used.
///
/// ```no_run
/// use pipewright::fd::{Jobserver, JobserverError};
/// match Jobserver::from_env() {
///     Ok(Some(_server)) => println!("with make's other jobs"),
///     Ok(None) => println!("no make above, or one without -j"),
///     Err(JobserverError::NotOpen { auth, .. }) => println!("make keeps {auth} to itself: the recipe's line needs a +"),
///     Err(error) => println!("{error}"),
/// }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JobserverError {
    /// Its numbers are not open here as a pipe, or are another pipe by now. Make passes them to a recipe's line that begins with `+` or
    /// names `$(MAKE)`, and to no other.
    #[error(
        "MAKEFLAGS names the jobserver {auth}, which is not open here: make passes it to lines that begin with `+` or use $(MAKE)"
    )]
    #[non_exhaustive]
    NotOpen {
        /// What MAKEFLAGS says, mostly `R,W`.
        auth: String,
    },
    /// It is neither two numbers nor a fifo.
    #[error("MAKEFLAGS names the jobserver {auth}, which is neither two descriptors nor a fifo")]
    #[non_exhaustive]
    Malformed {
        /// What MAKEFLAGS says.
        auth: String,
    },
    /// It cannot be opened or copied.
    #[error("MAKEFLAGS names the jobserver {auth}, which cannot be opened")]
    #[non_exhaustive]
    Open {
        /// What MAKEFLAGS says.
        auth: String,
        /// The system's error.
        source: io::Error,
    },
}

impl Jobserver {
    /// The jobserver of the make that started this process, as MAKEFLAGS names it: a pipe, or a fifo since make 4.4. `None` if it names
    /// none. Does not block.
    ///
    /// The environment and the descriptors count as they were at the first call, or when this library made its first pipe, if that was
    /// sooner: a make that keeps its jobserver to itself names it all the same, and other files may get the numbers later. The ends
    /// are opened anew for this process, so that no change of their flags reaches make.
    ///
    /// # Errors
    /// [`JobserverError::NotOpen`] if make kept it to itself; the other variants.
    ///
    /// ```no_run
    /// use pipewright::fd::Jobserver;
    /// if let Some(server) = Jobserver::from_env()? {
    ///     let token = server.acquire()?;
    ///     pipewright::cmd!("cc", "-c", "more.c").run()?;
    ///     drop(token);
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn from_env() -> Result<Option<Jobserver>, JobserverError> {
        let host = host();
        let Some(auth) = host.flags.as_ref().and_then(|flags| auth(flags.as_bytes())) else { return Ok(None) };
        let shown = || String::from_utf8_lossy(auth).into_owned();
        let opened = |source: io::Error| JobserverError::Open { auth: shown(), source };
        let shared = if let Some(path) = auth.strip_prefix(b"fifo:") {
            let path = Path::new(OsStr::from_bytes(path));
            let reader = fds::open_nonblocking(path, false).map_err(opened)?;
            if FdKind::of(&reader).map_err(opened)? != FdKind::Pipe {
                return Err(JobserverError::Malformed { auth: shown() });
            }
            let writer = fds::open_nonblocking(path, true).map_err(opened)?;
            Shared { reader, writer, own: true, passed: None }
        } else {
            if numbers(auth).is_none() {
                return Err(JobserverError::Malformed { auth: shown() });
            }
            let not_open = || JobserverError::NotOpen { auth: shown() };
            let [(reader, read), (writer, write)] = host.ends.ok_or_else(not_open)?;
            let own = (fds::reopen_nonblocking(reader, false), fds::reopen_nonblocking(writer, true));
            let (shared, is_own) = match own {
                (Some(reader), Some(writer)) => ((reader, writer), true),
                _ => {
                    let copies = fds::dup_number(reader).and_then(|reader| Ok((reader, fds::dup_number(writer)?)));
                    (copies.map_err(opened)?, false)
                }
            };
            let is =
                |fd: &OwnedFd, identity: Identity| fds::describe(fd.as_fd()).is_ok_and(|it| it.identity == identity);
            if !(is(&shared.0, read) && is(&shared.1, write)) {
                return Err(not_open());
            }
            Shared { reader: shared.0, writer: shared.1, own: is_own, passed: None }
        };
        Ok(Some(Jobserver(Arc::new(shared))))
    }

    /// A new jobserver with this number of tokens, for jobs here and in the children that it is passed to. Does not block.
    ///
    /// # Errors
    /// `InvalidInput` for more tokens than a pipe has room for (65,536); EMFILE or ENFILE: no descriptor left.
    ///
    /// ```
    /// let server = pipewright::fd::Jobserver::new(3)?;
    /// assert_eq!(server.available()?, 3);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn new(tokens: usize) -> io::Result<Jobserver> {
        let (reader, writer) = pipe::kernel()?;
        let (reader, writer) = (OwnedFd::from(reader), OwnedFd::from(writer));
        fds::set_nonblocking(writer.as_fd(), true)?;
        let mut left = vec![b'+'; tokens];
        while !left.is_empty() {
            match stream::write(writer.as_fd(), &left) {
                Ok(written) => left.truncate(left.len() - written),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let what = format!("a jobserver's pipe has no room for {tokens} tokens");
                    return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
                }
                Err(error) => return Err(error),
            }
        }
        fds::set_nonblocking(writer.as_fd(), false)?;
        let own =
            (fds::reopen_nonblocking(reader.as_raw_fd(), false), fds::reopen_nonblocking(writer.as_raw_fd(), true));
        let shared = match own {
            (Some(own_reader), Some(own_writer)) => {
                Shared { reader: own_reader, writer: own_writer, own: true, passed: Some((reader, writer)) }
            }
            _ => {
                let copies = (fds::dup_above(reader.as_fd(), 3)?, fds::dup_above(writer.as_fd(), 3)?);
                Shared { reader: copies.0, writer: copies.1, own: false, passed: Some((reader, writer)) }
            }
        };
        Ok(Jobserver(Arc::new(shared)))
    }

    /// The MAKEFLAGS for a child that is to take part in a jobserver of [`new`](Jobserver::new), if
    /// [`Cmd::jobserver`](crate::Cmd::jobserver) does not fit. A command with this in its environment gets the two descriptors that
    /// it names, if this value lives until it has started.
    /// `None` for a jobserver [from the environment](Jobserver::from_env): children inherit this process's MAKEFLAGS.
    ///
    /// ```
    /// use pipewright::{cmd, fd::Jobserver};
    /// let server = Jobserver::new(2)?;
    /// let flags = server.make_flags().unwrap();
    /// let told = cmd!("sh", "-c", "echo \"$MAKEFLAGS\"").env("MAKEFLAGS", &flags).read()?;
    /// assert_eq!(told, flags);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn make_flags(&self) -> Option<String> {
        let (reader, writer) = self.0.passed.as_ref()?;
        let auth = format!("{},{}", reader.as_raw_fd(), writer.as_raw_fd());
        // The first name is for make before 4.2.
        Some(format!("-j --jobserver-fds={auth} --jobserver-auth={auth}"))
    }

    /// Takes a token; dropping it gives it back. Blocks until there is one.
    ///
    /// # Errors
    /// It fails like read(2) on the pipe.
    ///
    /// ```
    /// let server = pipewright::fd::Jobserver::new(1)?;
    /// let token = server.acquire()?;
    /// assert_eq!(server.available()?, 0);
    /// drop(token);
    /// assert_eq!(server.available()?, 1);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn acquire(&self) -> io::Result<JobToken> {
        loop {
            if let Some(token) = self.take(Deadline::NEVER)? {
                return Ok(token);
            }
        }
    }

    /// Takes a token if there is one. Does not block.
    ///
    /// # Errors
    /// It fails like read(2) on the pipe; `Unsupported` where the pipe cannot be opened anew, like on systems other than Linux: make decides
    /// there whether a read blocks.
    ///
    /// ```
    /// # if !cfg!(target_os = "linux") { return Ok(()); }
    /// let server = pipewright::fd::Jobserver::new(0)?;
    /// assert!(server.try_acquire()?.is_none());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn try_acquire(&self) -> io::Result<Option<JobToken>> {
        self.acquire_timeout(Duration::ZERO)
    }

    /// Takes a token, or gives up: `None` when there was none for `timeout`. Blocks for no longer.
    ///
    /// # Errors
    /// It fails like [`try_acquire`](Jobserver::try_acquire).
    ///
    /// ```
    /// # if !cfg!(target_os = "linux") { return Ok(()); }
    /// use std::time::Duration;
    /// let server = pipewright::fd::Jobserver::new(1)?;
    /// let token = server.acquire_timeout(Duration::from_millis(5))?;
    /// assert!(token.is_some());
    /// assert!(server.acquire_timeout(Duration::from_millis(5))?.is_none());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn acquire_timeout(&self, timeout: Duration) -> io::Result<Option<JobToken>> {
        if !self.0.own {
            return Err(io::ErrorKind::Unsupported.into());
        }
        self.take(Deadline::after(timeout))
    }

    fn take(&self, deadline: Deadline) -> io::Result<Option<JobToken>> {
        let reader = self.0.reader.as_fd();
        loop {
            let mut byte = [0];
            match stream::read(reader, &mut byte) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) => return Ok(Some(JobToken { byte: byte[0], server: Some(Arc::clone(&self.0)) })),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
            // Another process may read before this one. A deadline that has passed allows one look, which was the read above.
            if deadline.passed() || !poll::wait_for(reader, Interest::Readable, deadline)? {
                return Ok(None);
            }
        }
    }

    /// The number of tokens that no job holds at this moment.
    ///
    /// # Errors
    /// It fails like ioctl(2), `FIONREAD`.
    ///
    /// ```
    /// assert_eq!(pipewright::fd::Jobserver::new(4)?.available()?, 4);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn available(&self) -> io::Result<usize> {
        fds::bytes_queued(self.0.reader.as_fd())
    }
}

impl fmt::Debug for Jobserver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jobserver").field("reader", &self.0.reader).field("writer", &self.0.writer).finish()
    }
}

/// The right to run one more job. Dropping it gives it back; see [`release`](JobToken::release).
///
/// ```
/// let server = pipewright::fd::Jobserver::new(1)?;
/// let token = server.acquire()?;
/// std::thread::spawn(move || drop(token)).join().unwrap();
/// assert_eq!(server.available()?, 1);
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use = "a token that is dropped is given back at once"]
pub struct JobToken {
    /// The byte that was read: make may tell tokens apart, so the same one goes back.
    byte: u8,
    /// Until it is given back.
    server: Option<Arc<Shared>>,
}

impl JobToken {
    /// Gives the token back. A drop does the same, and cannot report an error. Does not block.
    ///
    /// # Errors
    /// It fails like write(2) on the pipe; EAGAIN when the pipe is full, because more tokens went back than were taken.
    ///
    /// ```
    /// let server = pipewright::fd::Jobserver::new(1)?;
    /// server.acquire()?.release()?;
    /// assert_eq!(server.available()?, 1);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn release(mut self) -> io::Result<()> {
        self.give_back()
    }

    fn give_back(&mut self) -> io::Result<()> {
        let Some(server) = self.server.take() else { return Ok(()) };
        // One write, without a wait: a pipe that is full holds more tokens than there were.
        signals::without_sigpipe(|| stream::write(server.writer.as_fd(), &[self.byte])).map(|_one| ())
    }
}

impl Drop for JobToken {
    fn drop(&mut self) {
        // A drop cannot report an error.
        let _ = self.give_back();
    }
}

impl fmt::Debug for JobToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JobToken")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_that_are_makes_give_tokens_and_no_promise_of_time() {
        let (reader, writer) = pipe::kernel().unwrap();
        stream::write(writer.as_fd(), b"+").unwrap();
        let shared = Shared { reader: reader.into(), writer: writer.into(), own: false, passed: None };
        let server = Jobserver(Arc::new(shared));
        let token = server.acquire().unwrap();
        assert_eq!(server.available().unwrap(), 0);
        assert_eq!(server.try_acquire().unwrap_err().kind(), io::ErrorKind::Unsupported);
        token.release().unwrap();
        assert_eq!(server.available().unwrap(), 1);
    }
}
