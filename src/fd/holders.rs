//! Who holds the write end of a pipe, by a look through `/proc`.

use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::{BadFd, FdKind, Role};
use crate::clock::Deadline;
use crate::procfs::{Procfs, Unseen, has_ended, is_shortage};
use crate::sys::fds::{self, Described};
use crate::sys::sysinfo;

/// How long a search looks unless told otherwise: time for a hundred thousand descriptors and more.
const BUDGET: Duration = Duration::from_millis(500);

/// How many descriptors are looked at between two looks at the clock, beyond the first few of each process.
const STRIDE: usize = 64;
const FEW: usize = 1024;

/// A process that holds the write end of a pipe, and under which number.
///
/// ```
/// use pipewright::fd::HolderSearch;
/// let (reader, _writer) = pipewright::pipe::kernel()?;
/// for holder in HolderSearch::new().own_process(true).run(&reader)?.found {
///     println!("{} ({}) has it as {}", holder.name, holder.pid, holder.fd);
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Holder {
    /// The process.
    pub pid: u32,
    /// Its name, of at most 15 bytes (`/proc/PID/comm`); empty when that cannot be read, as after its end.
    pub name: String,
    /// The number of its descriptor. A process with two has two entries.
    pub fd: RawFd,
}

/// What a search for holders found.
///
/// It is a look at what moves: a holder may have ended when this is read, and one that was passed the end meanwhile may be missed.
///
/// ```
/// let (reader, writer) = pipewright::pipe::kernel()?;
/// drop(writer);
/// assert_eq!(pipewright::fd::holders(&reader)?.found, []);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Holders {
    /// Those that were seen, by pid and number.
    pub found: Vec<Holder>,
    /// Whether every process that `/proc` shows was looked at, this one aside. False where the time ran out, and where the system has
    /// no `/proc`, or one of another process namespace (pid_namespaces(7)), whose numbers are not this process's.
    pub complete: bool,
    /// How many processes did not let themselves be looked at, as those of other users do not.
    pub hidden: usize,
    /// Why the search is not complete.
    pub unseen: Option<Unseen>,
}

/// Which processes other than this one hold the write end of the pipe that `pipe` is an end of. Linux; elsewhere nothing, and
/// incomplete. The write end keeps a reader from seeing the end: this tells who.
///
/// Blocks for as long as it takes to look at every descriptor of every process, half a second at most. It needs one descriptor
/// for itself. See proc(5); [`HolderSearch`] says otherwise about time and this process.
///
/// # Errors
/// [`BadFd::NotAPipe`]; EMFILE or ENFILE: no descriptor left to look with.
///
/// ```
/// use pipewright::{Redirect, cmd, fd, pipe};
/// let (reader, writer) = pipe::kernel()?;
/// let job = cmd!("sleep", "60").stdout(Redirect::fd(writer)).spawn()?;
/// let holders = fd::holders(&reader)?;
/// # if !cfg!(target_os = "linux") { return Ok(()); }
/// assert_eq!((holders.found[0].pid, holders.found[0].fd), (job.pids()[0], 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn holders(pipe: impl AsFd) -> io::Result<Holders> {
    HolderSearch::new().run(pipe)
}

/// A search for those who hold the write end of a pipe, with what [`holders`] leaves as it is.
///
/// ```
/// use pipewright::fd::HolderSearch;
/// use std::time::Duration;
/// let (reader, writer) = pipewright::pipe::kernel()?;
/// let search = HolderSearch::new().own_process(true).budget(Duration::from_secs(5));
/// let holders = search.run(&reader)?;
/// # if !cfg!(target_os = "linux") { return Ok(()); }
/// use std::os::fd::{AsFd, AsRawFd};
/// assert_eq!(holders.found[0].fd, writer.as_fd().as_raw_fd());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct HolderSearch {
    own_process: bool,
    budget: Duration,
    /// This number of processes is looked at even when the time is over.
    at_least: usize,
}

impl Default for HolderSearch {
    fn default() -> HolderSearch {
        HolderSearch { own_process: false, budget: BUDGET, at_least: 0 }
    }
}

impl HolderSearch {
    /// As [`holders`] searches.
    ///
    /// ```
    /// let (reader, _writer) = pipewright::pipe::kernel()?;
    /// let holders = pipewright::fd::HolderSearch::new().run(&reader)?;
    /// assert_eq!(holders.found, []);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn new() -> HolderSearch {
        HolderSearch::default()
    }

    /// Whether this process's own descriptors count too. Off unless set.
    ///
    /// ```
    /// # if !cfg!(target_os = "linux") { return Ok(()); }
    /// let (reader, _writer) = pipewright::pipe::kernel()?;
    /// let holders = pipewright::fd::HolderSearch::new().own_process(true).run(&reader)?;
    /// assert_eq!(holders.found[0].pid, std::process::id());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn own_process(mut self, counts: bool) -> HolderSearch {
        self.own_process = counts;
        self
    }

    /// How long to look: half a second unless set. What was not reached is missing, and `complete` false.
    ///
    /// ```
    /// use std::time::Duration;
    /// let (reader, _writer) = pipewright::pipe::kernel()?;
    /// let holders = pipewright::fd::HolderSearch::new().budget(Duration::ZERO).run(&reader)?;
    /// assert!(!holders.complete);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn budget(mut self, time: Duration) -> HolderSearch {
        self.budget = time;
        self
    }

    /// Looks at some processes, the youngest, also when the time is over: on a busy machine it passes without anything being done.
    pub(crate) fn in_any_case(mut self) -> HolderSearch {
        self.at_least = 256;
        self
    }

    /// Searches, with the pipe that `pipe` is an end of: see [`holders`].
    ///
    /// # Errors
    /// As [`holders`].
    ///
    /// ```
    /// let file = std::fs::File::open("Cargo.toml")?;
    /// let error = pipewright::fd::HolderSearch::new().run(&file).unwrap_err();
    /// assert!(error.to_string().ends_with("is a regular file and must be a pipe"));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn run(&self, pipe: impl AsFd) -> io::Result<Holders> {
        self.run_on(pipe.as_fd())
    }

    fn run_on(&self, pipe: BorrowedFd<'_>) -> io::Result<Holders> {
        let described = fds::describe(pipe)?;
        let kind = FdKind::from(described);
        if kind != FdKind::Pipe {
            return Err(BadFd::NotAPipe { call: "holders", role: Role::Subject, fd: pipe.as_raw_fd(), kind }.into());
        }
        match HeldPipe::new(pipe) {
            Ok(wanted) => self.run_for(&wanted),
            Err(error) if is_shortage(&error) => Err(error),
            // No `/proc`, or not one that shows this process's namespace.
            Err(_) => Ok(Holders { unseen: Some(Unseen::Proc), ..Holders::default() }),
        }
    }

    /// The same for a pipe of which no end need be at hand.
    pub(crate) fn run_for(&self, wanted: &HeldPipe) -> io::Result<Holders> {
        let mut holders = Holders::default();
        match self.search(wanted, &mut holders) {
            Ok(()) => {}
            Err(error) if is_shortage(&error) => return Err(error),
            // No `/proc`, or not one that shows this process's namespace.
            Err(_) => holders.unseen = Some(Unseen::Proc),
        }
        if holders.hidden > 0 {
            holders.unseen.get_or_insert(Unseen::Users);
        }
        holders.complete = holders.unseen.is_none();
        holders.found.sort_unstable_by_key(|holder| (holder.pid, holder.fd));
        Ok(holders)
    }

    /// Whether this one process holds the pipe's write end, as far as that is to be seen.
    pub(crate) fn finds(&self, wanted: &HeldPipe, pid: u32) -> bool {
        let mut holders = Holders::default();
        let looked = Procfs::open().and_then(|proc| {
            let pid = i32::try_from(pid).unwrap_or(0);
            wanted.in_process(proc, pid, Deadline::after(self.budget), &mut holders)
        });
        looked.is_ok() && !holders.found.is_empty()
    }

    fn search(&self, wanted: &HeldPipe, holders: &mut Holders) -> io::Result<()> {
        let proc = Procfs::open()?;
        let deadline = Deadline::after(self.budget);
        let own = sysinfo::pid();
        let pids = proc.processes()?.into_iter().filter(|pid| self.own_process || *pid != own);
        for (index, pid) in pids.enumerate() {
            if index >= self.at_least && deadline.passed() {
                holders.unseen = Some(Unseen::Time);
                return Ok(());
            }
            let known = holders.found.len();
            let looked = wanted.in_process(proc, pid, deadline, holders);
            if let [first, rest @ ..] = &mut holders.found[known..] {
                first.name = proc.name(pid)?;
                rest.iter_mut().for_each(|holder| holder.name.clone_from(&first.name));
            }
            match looked {
                Ok(()) => {}
                Err(error) if is_shortage(&error) => return Err(error),
                Err(error) if has_ended(&error) => {}
                Err(_) => holders.hidden += 1,
            }
        }
        Ok(())
    }
}

/// A pipe that is looked for.
#[derive(Debug, Clone)]
pub(crate) struct HeldPipe {
    /// What a link of `/proc/PID/fd` to it says: `pipe:[INODE]`, or a fifo's path.
    text: PathBuf,
    described: Described,
}

impl HeldPipe {
    /// The one that this is an end of.
    pub(crate) fn new(pipe: BorrowedFd<'_>) -> io::Result<HeldPipe> {
        let text = fs::read_link(format!("/proc/self/fd/{}", pipe.as_raw_fd()))?;
        Ok(HeldPipe { text, described: fds::describe(pipe)? })
    }

    fn in_process(&self, proc: Procfs, pid: i32, deadline: Deadline, holders: &mut Holders) -> io::Result<()> {
        let mut index = 0;
        proc.each_fd(pid, |fd, link| {
            if index % STRIDE == STRIDE - 1 && index > FEW && deadline.passed() {
                holders.unseen = Some(Unseen::Time);
                return Ok(ControlFlow::Break(()));
            }
            index += 1;
            match self.is_writer(link) {
                Ok(true) => holders.found.push(Holder { pid: pid.unsigned_abs(), name: String::new(), fd }),
                Ok(false) => {}
                // Closed meanwhile.
                Err(error) if has_ended(&error) => {}
                Err(error) => return Err(error),
            }
            Ok(ControlFlow::Continue(()))
        })
    }

    /// Whether the link leads to the pipe and its descriptor can write, which is what a link's own mode tells.
    fn is_writer(&self, link: &Path) -> io::Result<bool> {
        if fs::read_link(link)? != self.text || fs::symlink_metadata(link)?.permissions().mode() & 0o200 == 0 {
            return Ok(false);
        }
        // A path may be another fifo's in another namespace. An anonymous pipe's text is its own.
        let is_anonymous = self.text.is_relative();
        Ok(is_anonymous || fds::describe_path(link)? == self.described)
    }
}
