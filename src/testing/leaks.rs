//! What a piece of code leaves open or running.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::io;
use std::os::fd::RawFd;
use std::path::Path;
use std::time::Duration;

use crate::clock::Deadline;
use crate::procfs::{Procfs, numbers_in};
use crate::sys::poll::PollSet;
use crate::sys::sysinfo;

/// How long what was told to end may take: a process that was killed, a thread on its way out.
const SETTLE: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_millis(2);

/// The library's one thread that stays for the life of the process, as the system has its name.
const SPAWNER: &str = "pipewright-spaw";

/// An open descriptor, and where it points.
///
/// ```
/// use pipewright::testing::FdSnapshot;
/// let before = FdSnapshot::take()?;
/// let file = std::fs::File::open("/dev/null")?;
/// # if !cfg!(target_os = "linux") { return Ok(()); }
/// assert!(before.new_fds()?[0].to_string().ends_with(" -> /dev/null"));
/// # drop(file);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct OpenFd {
    /// Its number.
    pub number: RawFd,
    /// What proc(5) says of it: a path, `pipe:[INODE]`, `socket:[INODE]`; empty where there is no such file system.
    pub target: String,
}

impl fmt::Display for OpenFd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "fd {} -> {}", self.number, self.target)
    }
}

/// The descriptors that this process has open at one moment.
///
/// All of its threads open descriptors: in a test program, take it inside of [`isolate`](crate::testing::isolate).
///
/// ```
/// use pipewright::testing::FdSnapshot;
/// let before = FdSnapshot::take()?;
/// let (reader, _writer) = std::os::unix::net::UnixStream::pair()?;
/// assert!(before.new_fds()?.len() >= 2);
/// # drop(reader);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FdSnapshot(BTreeSet<OpenFd>);

impl FdSnapshot {
    /// Looks now.
    ///
    /// # Errors
    /// If the list cannot be read, because no descriptor is free or `/proc` and `/dev/fd` are missing.
    ///
    /// ```
    /// let before = pipewright::testing::FdSnapshot::take()?;
    /// # let _ = before;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn take() -> io::Result<FdSnapshot> {
        let directory = if cfg!(target_os = "linux") { "/proc/self/fd" } else { "/dev/fd" };
        // That directory is closed again before a link is read, which its own then is not to be.
        let numbers = numbers_in(Path::new(directory))?;
        let target = |number| match fs::read_link(format!("{directory}/{number}")) {
            Ok(target) => Some(OpenFd { number, target: target.to_string_lossy().into_owned() }),
            Err(_) if cfg!(target_os = "linux") => None,
            Err(_) => Some(OpenFd { number, target: String::new() }),
        };
        Ok(FdSnapshot(numbers.into_iter().filter_map(target).collect()))
    }

    /// What is open now and was not then, or pointed elsewhere, in order.
    ///
    /// # Errors
    /// As [`take`](FdSnapshot::take).
    ///
    /// ```no_run
    /// let before = pipewright::testing::FdSnapshot::take()?;
    /// pipewright::cmd!("true").run().unwrap();
    /// assert_eq!(before.new_fds()?, []);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn new_fds(&self) -> io::Result<Vec<OpenFd>> {
        Ok(FdSnapshot::take()?.0.difference(&self.0).cloned().collect())
    }
}

/// A child process of this one.
///
/// ```
/// use pipewright::{cmd, testing::ChildSnapshot};
/// # if !cfg!(target_os = "linux") { return Ok(()); }
/// let before = ChildSnapshot::take()?;
/// let job = cmd!("sleep", "60").spawn()?;
/// let children = before.new_children()?;
/// assert!(children.iter().any(|child| child.name == "sleep" && !child.ended));
/// # drop(job);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct ChildProcess {
    /// Its process id.
    pub pid: u32,
    /// Its program's name, of at most 15 bytes.
    pub name: String,
    /// Whether it is a zombie: it has ended and was not waited for.
    pub ended: bool,
}

impl fmt::Display for ChildProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "child {} (`{}`)", self.pid, self.name)?;
        if self.ended { f.write_str(", which has ended and was not waited for") } else { Ok(()) }
    }
}

/// The children that this process has at one moment, zombies included. Linux; elsewhere it cannot be taken.
///
/// All of its threads start children: in a test program, take it inside of [`isolate`](crate::testing::isolate).
///
/// ```
/// # if !cfg!(target_os = "linux") { return Ok(()); }
/// use pipewright::{cmd, testing::ChildSnapshot};
/// let before = ChildSnapshot::take()?;
/// let job = cmd!("sleep", "60").spawn()?;
/// let pids: Vec<_> = before.new_children()?.iter().map(|c| c.pid).collect();
/// assert!(pids.contains(&job.pids()[0]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChildSnapshot(BTreeSet<ChildProcess>);

impl ChildSnapshot {
    /// Looks now.
    ///
    /// # Errors
    /// When `/proc` cannot be read. `Unsupported` where it shows another process namespace, and on systems other than Linux.
    ///
    /// ```
    /// # if !cfg!(target_os = "linux") { return Ok(()); }
    /// let before = pipewright::testing::ChildSnapshot::take()?;
    /// # let _ = before;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn take() -> io::Result<ChildSnapshot> {
        let proc = Procfs::open()?;
        let own = sysinfo::pid();
        // One that has ended meanwhile is left out.
        let stats = proc.processes()?.into_iter().filter_map(|pid| proc.stat(pid).ok());
        let children = stats.filter(|stat| stat.parent == own).map(|stat| ChildProcess {
            pid: u32::try_from(stat.pid).unwrap_or(0),
            ended: stat.has_ended(),
            name: stat.name,
        });
        Ok(ChildSnapshot(children.collect()))
    }

    /// The children that are there now and were not then, in order.
    ///
    /// # Errors
    /// As [`take`](ChildSnapshot::take).
    ///
    /// ```no_run
    /// let before = pipewright::testing::ChildSnapshot::take()?;
    /// pipewright::cmd!("true").run().unwrap();
    /// assert_eq!(before.new_children()?, []);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn new_children(&self) -> io::Result<Vec<ChildProcess>> {
        let known = |child: &ChildProcess| self.0.iter().any(|other| other.pid == child.pid);
        Ok(ChildSnapshot::take()?.0.into_iter().filter(|child| !known(child)).collect())
    }
}

/// Runs `f`, and panics when it has left something: a descriptor, a child process or a thread that was not there before. What is left
/// has two seconds to vanish, as a process that was killed does, and a thread that is on its way out. Gives what `f` returns.
///
/// It looks at the whole process, whatever thread did it: in a test program, call it inside of [`isolate`](crate::testing::isolate). Children and
/// threads are seen on Linux; elsewhere, descriptors alone.
///
/// # Panics
/// With a list of what is left and where it points; when `f` panics; when nothing can be seen: no descriptor is left to look with, or (Linux)
/// `/proc` shows another process namespace.
///
/// ```no_run
/// use pipewright::{cmd, testing};
/// #[test]
/// fn a_run_leaves_nothing() {
///     testing::isolate(|| {
///         testing::assert_no_leaks(|| cmd!("ls").output().unwrap());
///     });
/// }
/// ```
#[track_caller]
pub fn assert_no_leaks<T>(f: impl FnOnce() -> T) -> T {
    let look = || Look::take().unwrap_or_else(|error| panic!("cannot look for leaks: {error}"));
    let before = look();
    let value = f();
    let deadline = Deadline::after(SETTLE);
    let mut left = look().minus(&before);
    while !left.is_empty() && !deadline.passed() {
        // What is left is what is there at each look: what a neighbour opens and closes is not.
        let _ = PollSet::default().wait(Deadline::after(LOOK));
        left = left.and(&look());
    }
    assert!(left.is_empty(), "leaked: {left}");
    value
}

/// All that can leak.
struct Look {
    fds: BTreeSet<OpenFd>,
    children: BTreeSet<ChildProcess>,
    threads: BTreeMap<i32, String>,
}

impl Look {
    fn take() -> io::Result<Look> {
        let (children, threads) = match cfg!(target_os = "linux") {
            true => (ChildSnapshot::take()?.0, threads()?),
            false => Default::default(),
        };
        Ok(Look { fds: FdSnapshot::take()?.0, children, threads })
    }

    fn minus(self, before: &Look) -> Look {
        let was = |child: &ChildProcess| before.children.iter().any(|other| other.pid == child.pid);
        Look {
            fds: self.fds.into_iter().filter(|fd| !before.fds.contains(fd)).collect(),
            children: self.children.into_iter().filter(|child| !was(child)).collect(),
            threads: self.threads.into_iter().filter(|(id, _)| !before.threads.contains_key(id)).collect(),
        }
    }

    /// The newer look counts: a child may have ended since, or have become another program, and a thread gives itself its name.
    fn and(self, now: &Look) -> Look {
        let was = |child: &&ChildProcess| self.children.iter().any(|other| other.pid == child.pid);
        Look {
            fds: self.fds.into_iter().filter(|fd| now.fds.contains(fd)).collect(),
            children: now.children.iter().filter(was).cloned().collect(),
            threads: self.threads.into_keys().filter_map(|id| Some((id, now.threads.get(&id)?.clone()))).collect(),
        }
    }

    fn is_empty(&self) -> bool {
        self.fds.is_empty() && self.children.is_empty() && self.threads.is_empty()
    }
}

impl fmt::Display for Look {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fds = self.fds.iter().map(OpenFd::to_string);
        let children = self.children.iter().map(ChildProcess::to_string);
        let threads = self.threads.iter().map(|(id, name)| format!("thread {id} (`{name}`)"));
        let all: Vec<String> = fds.chain(children).chain(threads).collect();
        f.write_str(&all.join("; "))
    }
}

/// The threads of this process by their ids, except the one that stays.
fn threads() -> io::Result<BTreeMap<i32, String>> {
    let threads = Procfs::open()?.own_threads()?.into_iter();
    Ok(threads.filter(|(_, name)| name != SPAWNER).collect())
}
