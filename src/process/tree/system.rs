//! What a tree asks of the system, and what it gets from `/proc` and process descriptors.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use super::stat::{Stat, Table, numbers};
use crate::clock::Deadline;
use crate::process::Process;
use crate::sys::{fds, pidfd, sysinfo, wait};

/// The system as a tree sees it; a model of it in the tests.
pub(crate) trait System {
    /// Names one process for good, whatever becomes of its number.
    type Handle;

    /// This process.
    fn own(&self) -> i32;
    /// To be called before a round of [`children`](Self::children).
    fn begin(&mut self) -> io::Result<()>;
    /// The children of whoever has this number, as they were at a moment after `at`.
    fn children(&mut self, pid: i32) -> io::Result<Listing>;
    fn stat(&self, pid: i32) -> io::Result<Stat>;
    /// Whether no thread of whoever has this number runs.
    fn is_still(&self, pid: i32) -> io::Result<bool>;
    /// A handle for whoever has this number; to keep, if `keep`. `None` where there is none to be had.
    fn open(&self, pid: i32, keep: bool) -> io::Result<Option<Self::Handle>>;
    /// ESRCH: it has been reaped.
    fn signal(&self, handle: &Self::Handle, signal: i32) -> io::Result<()>;
    /// To whoever has this number.
    fn signal_number(&self, pid: i32, signal: i32) -> io::Result<()>;
    /// Whether letting go of it gives a descriptor back.
    fn is_ours(&self, handle: &Self::Handle) -> bool;
    /// How long one level of a tree may take to stop.
    fn patience(&self) -> Duration;
    /// Between two looks at something that tells nobody when it changes; longer from time to time.
    fn pause(&self, times: u32);
}

pub(crate) struct Listing {
    /// In ticks since boot.
    pub(super) at: u64,
    pub(super) pids: Vec<i32>,
}

/// The real one.
#[derive(Default)]
pub(crate) struct Proc {
    /// Where children are read; found out when it is first needed.
    source: Option<Source>,
    /// Who has which children, and since when that is known; where there are no `children` files.
    table: Option<(u64, Table)>,
}

pub(crate) enum Name {
    /// A child of ours: it knows by itself whether it was reaped.
    Root(Process),
    Pidfd(Held),
}

/// A process descriptor that counts against [`share`].
pub(crate) struct Held(OwnedFd);

static HELD: AtomicUsize = AtomicUsize::new(0);

/// How many descriptors all trees together keep: an eighth of what the process may have. What is found beyond that is known by its
/// number and start time, and opened for each signal anew.
fn share() -> usize {
    let limit = usize::try_from(fds::limit().unwrap_or(1024)).unwrap_or(usize::MAX);
    (limit / 8).min(4096)
}

impl Held {
    fn new(fd: OwnedFd) -> Held {
        HELD.fetch_add(1, Relaxed);
        Held(fd)
    }

    pub(super) fn fd(&self) -> &OwnedFd {
        &self.0
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        HELD.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
impl Proc {
    pub(super) fn scanning() -> Proc {
        Proc { source: Some(Source::Scan), table: None }
    }
}

#[cfg(test)]
pub(super) fn held() -> usize {
    HELD.load(Relaxed)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// `/proc/PID/task/TID/children` (CONFIG_PROC_CHILDREN).
    Files,
    Scan,
    /// No `/proc`, or that of other processes.
    Nothing,
}

/// Found out once. A shortage answers nothing and is not remembered.
fn source() -> io::Result<Source> {
    static SOURCE: OnceLock<Source> = OnceLock::new();
    if let Some(source) = SOURCE.get() {
        return Ok(*source);
    }
    let source = if !cfg!(target_os = "linux") || !shows_us()? {
        Source::Nothing
    } else {
        match File::open("/proc/thread-self/children") {
            Ok(_) => Source::Files,
            Err(error) if is_shortage(&error) => return Err(error),
            Err(_) => Source::Scan,
        }
    };
    Ok(*SOURCE.get_or_init(|| source))
}

/// Whether `/proc` has the numbers of this process's namespace.
fn shows_us() -> io::Result<bool> {
    match fs::read_link("/proc/self") {
        Ok(own) => Ok(own == Path::new(&sysinfo::pid().to_string())),
        Err(error) if is_shortage(&error) => Err(error),
        Err(_) => Ok(false),
    }
}

impl System for Proc {
    type Handle = Name;

    fn own(&self) -> i32 {
        sysinfo::pid()
    }

    fn begin(&mut self) -> io::Result<()> {
        let source = match self.source {
            Some(source) => source,
            None => *self.source.insert(source()?),
        };
        match source {
            Source::Files => self.table = None,
            Source::Scan => {
                let at = sysinfo::boot_ticks();
                self.table = Some((at, Table::new(scan(Deadline::NEVER)?)));
            }
            Source::Nothing => return Err(io::ErrorKind::Unsupported.into()),
        }
        Ok(())
    }

    fn children(&mut self, pid: i32) -> io::Result<Listing> {
        if let Some((at, table)) = &self.table {
            return Ok(Listing { at: *at, pids: table.children(pid) });
        }
        let at = sysinfo::boot_ticks();
        let mut pids = Vec::new();
        each_task(pid, "children", |text| pids.extend(numbers(text)))?;
        Ok(Listing { at, pids })
    }

    fn stat(&self, pid: i32) -> io::Result<Stat> {
        stat_of(&read(&format!("/proc/{pid}/stat"))?)
    }

    fn is_still(&self, pid: i32) -> io::Result<bool> {
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

    fn open(&self, pid: i32, keep: bool) -> io::Result<Option<Name>> {
        if keep && HELD.load(Relaxed) >= share() {
            return Ok(None);
        }
        match pidfd::open(pid) {
            Ok(fd) => Ok(Some(Name::Pidfd(Held::new(fds::clear_of_stdio(fd)?)))),
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Err(error),
            // None to spare, an old kernel, or a filter that refuses the call.
            Err(_) => Ok(None),
        }
    }

    fn signal(&self, name: &Name, signal: i32) -> io::Result<()> {
        match name {
            Name::Root(process) => process.signal_unreaped(signal),
            Name::Pidfd(held) => pidfd::send_signal(held.fd().as_fd(), signal),
        }
    }

    fn signal_number(&self, pid: i32, signal: i32) -> io::Result<()> {
        wait::kill(pid, signal)
    }

    fn is_ours(&self, name: &Name) -> bool {
        matches!(name, Name::Pidfd(_))
    }

    fn patience(&self) -> Duration {
        Duration::from_millis(100)
    }

    fn pause(&self, times: u32) {
        if times < 8 {
            std::thread::yield_now();
        } else {
            std::thread::sleep(Duration::from_micros(50 * u64::from(times.min(20))));
        }
    }
}

/// So many processes are looked at whatever the clock says.
const AT_LEAST: usize = 512;

/// Every process there is, as far as there is time, the highest numbers first: as a rule those are the youngest. One that ends meanwhile,
/// or does not let itself be looked at, is left out.
pub(super) fn scan(budget: Deadline) -> io::Result<Vec<Stat>> {
    let mut stats = Vec::new();
    let mut pids = numbers_in(Path::new("/proc"))?;
    pids.sort_unstable();
    for (index, pid) in pids.into_iter().rev().enumerate() {
        if index >= AT_LEAST && budget.passed() {
            break;
        }
        match read(&format!("/proc/{pid}/stat")).and_then(|line| stat_of(&line)) {
            Ok(stat) => stats.push(stat),
            Err(error) if is_shortage(&error) => return Err(error),
            Err(_) => {}
        }
    }
    Ok(stats)
}

/// The file `name` of each thread of a process.
fn each_task(pid: i32, name: &str, mut each: impl FnMut(&[u8])) -> io::Result<()> {
    let directory = format!("/proc/{pid}/task");
    // A directory has a link for itself, one for its name, and one for each directory in it. A single thread is the usual case.
    if fs::metadata(&directory)?.nlink() == 3 {
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

/// The entries that are numbers. The directory is closed again before one of them is opened.
fn numbers_in(directory: &Path) -> io::Result<Vec<i32>> {
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

/// The process, or the thread, is gone.
pub(super) fn has_ended(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ESRCH))
}

/// There is nothing left to look with.
pub(crate) fn is_shortage(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::ENOMEM))
}
