//! The one reader of `/proc` (proc(5)): what it shows of processes, for uses of their numbers.
//!
//! A number from `/proc` is one of the process namespace that the mount belongs to, which need not be this process's: after
//! `unshare --pid --fork` without a new mount it is the namespace around it, where the same number means another process. So a reader of
//! another process takes a [`Procfs`], which only [`Procfs::open`] gives, and that asks `/proc` first whether it shows this process's own
//! namespace. What a process reads of itself, below `/proc/self` and `/proc/thread-self`, is its own in any of them.

pub(crate) mod stat;
mod unseen;

use std::fs::{self, File};
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::os::fd::RawFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI32, Ordering::Relaxed};

use crate::sys::sysinfo;
use stat::{Stat, numbers};
pub use unseen::Unseen;

/// The proof that the numbers in `/proc` are those of this process's namespace.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Procfs(());

impl Procfs {
    /// # Errors
    /// `Unsupported` where `/proc` is missing or shows another namespace. A shortage (EMFILE, ENFILE, ENOMEM) says nothing about `/proc`, and
    /// is not remembered.
    pub(crate) fn open() -> io::Result<Procfs> {
        /// The process that has read its own numbers. A fork without exec may be in a namespace of its own, and has to look again.
        static SHOWN_TO: AtomicI32 = AtomicI32::new(0);
        let own = sysinfo::pid();
        if !cfg!(target_os = "linux") {
            return Err(io::ErrorKind::Unsupported.into());
        }
        // Each time: this is the cheap half, and a host may change its root or its mounts.
        let link = passing(fs::read_link("/proc/self"))?;
        if link.as_deref() != Some(Path::new(&own.to_string())) {
            return Err(not_ours());
        }
        if SHOWN_TO.load(Relaxed) != own {
            // The two namespaces may have given this process the same number.
            let status = passing(read("/proc/self/status"))?;
            if !status.is_some_and(|status| stat::is_in_one_namespace(&status)) {
                return Err(not_ours());
            }
            SHOWN_TO.store(own, Relaxed);
        }
        Ok(Procfs(()))
    }

    /// The numbers of all processes, the highest first: as a rule those are the youngest.
    pub(crate) fn processes(self) -> io::Result<Vec<i32>> {
        let mut pids = numbers_in(Path::new("/proc"))?;
        pids.sort_unstable_by_key(|pid| std::cmp::Reverse(*pid));
        Ok(pids)
    }

    pub(crate) fn stat(self, pid: i32) -> io::Result<Stat> {
        stat_of(&read(&format!("/proc/{pid}/stat"))?)
    }

    /// The last process number that the kernel gave away, where it tells (CONFIG_CHECKPOINT_RESTORE).
    pub(crate) fn last_pid(self) -> Option<i32> {
        numbers(&read("/proc/sys/kernel/ns_last_pid").ok()?).first().copied()
    }

    /// The name, of at most 15 bytes; empty where it cannot be read, such as after the process's end.
    pub(crate) fn name(self, pid: i32) -> io::Result<String> {
        let name = passing(read(&format!("/proc/{pid}/comm")))?.unwrap_or_default();
        Ok(String::from_utf8_lossy(name.trim_ascii_end()).into_owned())
    }

    /// Whether the kernel has `children` files (CONFIG_PROC_CHILDREN).
    pub(crate) fn lists_children(self) -> io::Result<bool> {
        Ok(passing(File::open("/proc/thread-self/children"))?.is_some())
    }

    /// The children of all of a process's threads, from those files.
    pub(crate) fn children(self, pid: i32) -> io::Result<Vec<i32>> {
        let mut pids = Vec::new();
        each_task(pid, "children", |text| pids.extend(numbers(text)))?;
        Ok(pids)
    }

    /// Whether no thread of a process runs.
    pub(crate) fn is_still(self, pid: i32) -> io::Result<bool> {
        let first = self.stat(pid)?;
        if first.is_single() || !first.is_still() {
            return Ok(first.is_still());
        }
        let mut still = Ok(true);
        each_task(pid, "stat", |line| match (stat_of(line), &mut still) {
            (Ok(task), Ok(still)) => *still &= task.is_still(),
            (Err(error), _) => still = Err(error),
            (Ok(_), Err(_)) => {}
        })?;
        still
    }

    /// The threads of this process, by their numbers and names.
    #[cfg(feature = "testing")]
    pub(crate) fn own_threads(self) -> io::Result<Vec<(i32, String)>> {
        let ids = numbers_in(Path::new("/proc/self/task"))?.into_iter();
        let stat = |id| stat_of(&read(&format!("/proc/self/task/{id}/stat")).ok()?).ok();
        Ok(ids.filter_map(|id| Some((id, stat(id)?.name))).collect())
    }

    /// Calls `each` with the descriptors of a process, their numbers and links, until it breaks off.
    pub(crate) fn each_fd(
        self,
        pid: i32,
        mut each: impl FnMut(RawFd, &Path) -> io::Result<ControlFlow<()>>,
    ) -> io::Result<()> {
        let process = PathBuf::from(format!("/proc/{pid}"));
        if each_link(&process.join("fd"), &mut each)? {
            return Ok(());
        }
        // That is the table of its first thread, which may have ended before the others: theirs is the process's then.
        let tasks = process.join("task");
        if is_single(&tasks)? {
            return Ok(());
        }
        for task in numbers_in(&tasks)? {
            match each_link(&tasks.join(task.to_string()).join("fd"), &mut each) {
                Ok(false) => {}
                Err(error) if has_ended(&error) => {}
                done => return done.map(drop),
            }
        }
        Ok(())
    }

    /// The link of one descriptor.
    pub(crate) fn fd(self, pid: u32, number: RawFd) -> PathBuf {
        PathBuf::from(format!("/proc/{pid}/fd/{number}"))
    }
}

/// Whether there was any.
fn each_link(directory: &Path, each: &mut impl FnMut(RawFd, &Path) -> io::Result<ControlFlow<()>>) -> io::Result<bool> {
    let mut any = false;
    for entry in fs::read_dir(directory)? {
        let link = entry?.path();
        let Some(number) = link.file_name().and_then(|name| name.to_str()?.parse().ok()) else { continue };
        any = true;
        if each(number, &link)?.is_break() {
            break;
        }
    }
    Ok(any)
}

fn not_ours() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "/proc shows another process namespace, or nothing")
}

/// The file `name` of each thread of a process.
fn each_task(pid: i32, name: &str, mut each: impl FnMut(&[u8])) -> io::Result<()> {
    let directory = format!("/proc/{pid}/task");
    if is_single(Path::new(&directory))? {
        each(&read(&format!("{directory}/{pid}/{name}"))?);
        return Ok(());
    }
    for task in numbers_in(Path::new(&directory))? {
        match read(&format!("{directory}/{task}/{name}")) {
            Ok(text) => each(&text),
            Err(error) if has_ended(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Whether a `task` directory has one thread, which is the usual case: a directory has a link for itself, one for its name, and one for
/// each directory in it.
fn is_single(tasks: &Path) -> io::Result<bool> {
    Ok(fs::metadata(tasks)?.nlink() == 3)
}

/// The entries that are numbers. The directory is closed again before one of them is opened.
pub(crate) fn numbers_in(directory: &Path) -> io::Result<Vec<i32>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        found.extend(entry?.file_name().to_str().and_then(|name| name.parse::<i32>().ok()));
    }
    Ok(found)
}

/// A file of `/proc`, without asking for its size, which is always 0.
fn read(path: &str) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let mut text = vec![0; 1024];
    let mut filled = 0;
    loop {
        match file.read(&mut text[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        if filled == text.len() {
            text.resize(filled * 2, 0);
        }
    }
    text.truncate(filled);
    Ok(text)
}

fn stat_of(line: &[u8]) -> io::Result<Stat> {
    Stat::parse(line).ok_or_else(|| io::Error::other("a process's stat file has another form"))
}

/// `None` where the system does not tell: there is no such file, or it may not be read. A shortage stays an error.
pub(crate) fn passing<T>(read: io::Result<T>) -> io::Result<Option<T>> {
    match read {
        Ok(value) => Ok(Some(value)),
        Err(error) if is_shortage(&error) => Err(error),
        Err(_) => Ok(None),
    }
}

/// The process, the thread or the descriptor is gone.
pub(crate) fn has_ended(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ESRCH))
}

/// There is no descriptor or no memory left to look with.
pub(crate) fn is_shortage(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::ENOMEM))
}
