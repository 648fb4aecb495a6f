//! Looks into `/proc`.

use std::collections::BTreeMap;
use std::fs;

/// One line of `/proc/PID/stat`.
pub(super) struct Stat {
    pub(super) pid: i32,
    pub(super) comm: String,
    pub(super) state: char,
    pub(super) parent: i32,
    pub(super) group: i32,
}

/// `None` when there is no such process any more.
pub(super) fn stat(dir: &str) -> Option<Stat> {
    let text = fs::read_to_string(format!("{dir}/stat")).ok()?;
    // The name may hold anything, parentheses and spaces too.
    let (head, tail) = text.rsplit_once(')')?;
    let (pid, comm) = head.split_once(" (")?;
    let mut fields = tail.split_whitespace();
    Some(Stat {
        pid: pid.parse().ok()?,
        comm: comm.to_string(),
        state: fields.next()?.chars().next()?,
        parent: fields.next()?.parse().ok()?,
        group: fields.next()?.parse().ok()?,
    })
}

/// The names in a directory that are numbers, in order.
pub(super) fn numbers_in(dir: &str) -> Vec<i32> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut numbers: Vec<i32> = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    numbers.sort_unstable();
    numbers
}

/// Every process there is.
pub(super) fn processes() -> Vec<Stat> {
    numbers_in("/proc").into_iter().filter_map(|pid| stat(&format!("/proc/{pid}"))).collect()
}

/// The open fds of a process and what they are.
pub(super) fn fds_of(dir: &str) -> BTreeMap<i32, String> {
    let dir = format!("{dir}/fd");
    // The fd of the directory itself is closed again before its link is read.
    let numbers = numbers_in(&dir);
    let link = |fd| Some((fd, fs::read_link(format!("{dir}/{fd}")).ok()?.display().to_string()));
    numbers.into_iter().filter_map(link).collect()
}

/// The open fds of this process and what they are. Needs one spare fd itself.
pub(crate) fn open_fds() -> BTreeMap<i32, String> {
    let fds = fds_of("/proc/self");
    assert!(!fds.is_empty(), "the fd table cannot be read");
    fds
}

/// The open fds of another process and what they are.
pub(crate) fn process_fds(pid: u32) -> BTreeMap<i32, String> {
    fds_of(&format!("/proc/{pid}"))
}

/// The children of this process, zombies included. Not every kernel has the `children` file, so
/// this looks at every process.
pub(crate) fn children() -> Vec<i32> {
    let own = std::process::id() as i32;
    processes().iter().filter(|process| process.parent == own).map(|child| child.pid).collect()
}

/// The state letter of a process; `None` when it is gone, `Z` when it has ended and is not yet reaped.
pub(crate) fn process_state(pid: i32) -> Option<char> {
    stat(&format!("/proc/{pid}")).map(|process| process.state)
}

/// The threads of this process and their names.
pub(crate) fn threads() -> BTreeMap<i32, String> {
    let tasks = numbers_in("/proc/self/task").into_iter();
    tasks.filter_map(|tid| Some((tid, stat(&format!("/proc/self/task/{tid}"))?.comm))).collect()
}

/// Memory in use now, in KiB.
pub(crate) fn rss_kib() -> usize {
    memory("VmRSS")
}

/// The most memory that was ever in use, in KiB.
pub(crate) fn peak_rss_kib() -> usize {
    memory("VmHWM")
}

fn memory(field: &str) -> usize {
    let value = status_field(field);
    value.trim_end_matches(" kB").parse().expect("a number of KiB")
}

/// A field of the calling thread's status.
pub(super) fn status_field(name: &str) -> String {
    let status = fs::read_to_string("/proc/thread-self/status").expect("the status can be read");
    let value = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    value.expect("the status has this field").trim().to_string()
}
