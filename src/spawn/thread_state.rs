//! What a child gets from the very *thread* that makes it: where another thread does so in its place, the two have to be alike.
//!
//! Linux has all of this by thread, though most programs change it for the process alone. What no file tells is not compared: which
//! seccomp filters, where their number is the same; I/O priority, timer slack, keyrings, personality; a table of descriptors
//! of the thread's own (`unshare(CLONE_FILES)`).

use std::fs;
use std::io;
use std::path::Path;

use crate::procfs::passing;

/// Where a trait is read, below `/proc/thread-self`.
enum Source {
    Link(&'static str),
    File(&'static str),
    /// Fields of `status`.
    Status(&'static [&'static str]),
    /// Fields of `stat`, counted from 1 as proc(5) does.
    Stat(&'static [usize]),
}
use Source::{File, Link, Stat, Status};

const TRAITS: [(&str, Source); 23] = [
    ("network namespace", Link("ns/net")),
    ("mount namespace", Link("ns/mnt")),
    ("process namespace", Link("ns/pid")),
    ("process namespace for children", Link("ns/pid_for_children")),
    ("user namespace", Link("ns/user")),
    ("host name namespace", Link("ns/uts")),
    ("IPC namespace", Link("ns/ipc")),
    ("cgroup namespace", Link("ns/cgroup")),
    ("time namespace", Link("ns/time")),
    ("time namespace for children", Link("ns/time_for_children")),
    ("root directory", Link("root")),
    ("working directory", Link("cwd")),
    ("user and groups", Status(&["Uid", "Gid", "Groups"])),
    ("capabilities", Status(&["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"])),
    ("no_new_privs", Status(&["NoNewPrivs"])),
    ("seccomp filters", Status(&["Seccomp", "Seccomp_filters"])),
    ("CPU affinity", Status(&["Cpus_allowed"])),
    ("memory nodes", Status(&["Mems_allowed"])),
    ("scheduling policy", Stat(&[40, 41])),
    ("cgroup", File("cgroup")),
    ("security label", File("attr/current")),
    (UMASK, Status(&["Umask"])),
    (NICE, Stat(&[19])),
];

const UMASK: &str = "umask";
const NICE: &str = "nice value";

/// A thread's traits; `None` for what the system does not tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ThreadState([Option<String>; TRAITS.len()]);

impl ThreadState {
    /// Of the calling thread.
    ///
    /// # Errors
    /// Nothing left to look with: what was not looked at is not known to be alike.
    pub(super) fn own() -> io::Result<ThreadState> {
        let base = Path::new("/proc/thread-self");
        let status = passing(fs::read_to_string(base.join("status")))?.unwrap_or_default();
        let stat = passing(fs::read_to_string(base.join("stat")))?.unwrap_or_default();
        let mut traits = [const { None }; TRAITS.len()];
        for (slot, (_, source)) in traits.iter_mut().zip(&TRAITS) {
            *slot = match source {
                Link(name) => passing(fs::read_link(base.join(name)))?.map(|path| format!("{path:?}")),
                File(name) => passing(fs::read(base.join(name)))?.map(|text| format!("{text:?}")),
                Status(names) => status_fields(&status, names),
                Stat(numbers) => stat_fields(&stat, numbers),
            };
        }
        Ok(ThreadState(traits))
    }

    /// Which traits are another one's, as bits; none that only one of the two is known to have.
    pub(super) fn differences(&self, other: &ThreadState) -> i32 {
        let pairs = self.0.iter().zip(&other.0).enumerate();
        let differ = pairs.filter(|(_, (own, other))| own.is_some() && other.is_some() && own != other);
        differ.fold(0, |bits, (index, _)| bits | 1 << index)
    }
}

/// The traits that the child has anyway from its own attributes.
pub(super) fn overridden(umask: bool, nice: bool) -> i32 {
    let is_set = |name| (umask && name == UMASK) || (nice && name == NICE);
    let set = TRAITS.iter().enumerate().filter(|(_, (name, _))| is_set(*name));
    set.fold(0, |bits, (index, _)| bits | 1 << index)
}

/// "network namespace, nice value".
pub(super) fn names(bits: i32) -> String {
    let named = TRAITS.iter().enumerate().filter(|(index, _)| bits & 1 << index != 0);
    named.map(|(_, (name, _))| *name).collect::<Vec<_>>().join(", ")
}

fn status_fields(status: &str, names: &[&str]) -> Option<String> {
    let field = |name: &&str| status.lines().find_map(|line| line.strip_prefix(*name)?.strip_prefix(':'));
    let found: Vec<&str> = names.iter().filter_map(field).collect();
    (!found.is_empty()).then(|| found.join(";"))
}

fn stat_fields(stat: &str, numbers: &[usize]) -> Option<String> {
    // The name, which is the second field, may hold anything.
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let found: Option<Vec<&str>> = numbers.iter().map(|number| fields.get(number - 3).copied()).collect();
    found.map(|found| found.join(";"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = "Name:\tx\nUmask:\t0022\nUid:\t0\t0\t0\t0\nCapEff:\t00\nSeccomp:\t0\nSeccomp_filters:\t0\n";
    const STAT: &str = "71 (a) b (c) S 70 71 70 0 -1 4194560 1 2 3 4 5 6 7 8 20 5 3 0 12345 99 1 18446744073709551615 \
        0 0 0 0 0 0 0 0 0 0 0 0 17 1 0 2 0 0 0";

    fn with(index: usize, text: Option<&str>) -> ThreadState {
        let mut traits = [const { None }; TRAITS.len()];
        traits[index] = text.map(String::from);
        ThreadState(traits)
    }

    #[test]
    fn what_differs_is_named() {
        let (a, b) = (with(0, Some("net:[1]")), with(0, Some("net:[2]")));
        assert_eq!(a.differences(&a), 0);
        assert_eq!(names(a.differences(&b)), "network namespace");
        // What only one of them tells is not known to differ.
        assert_eq!(a.differences(&with(0, None)), 0);
        assert_eq!(names(0b101), "network namespace, process namespace");
        let last = TRAITS.len() - 1;
        assert_eq!(names(with(last, Some("0")).differences(&with(last, Some("5")))), NICE);
    }

    #[test]
    fn what_the_child_sets_itself_does_not_matter() {
        assert_eq!(overridden(false, false), 0);
        assert_eq!(names(overridden(true, false)), UMASK);
        assert_eq!(names(overridden(true, true)), format!("{UMASK}, {NICE}"));
    }

    #[test]
    fn fields_are_read_by_name_and_by_number() {
        assert_eq!(status_fields(STATUS, &["Seccomp", "Seccomp_filters"]).as_deref(), Some("\t0;\t0"));
        assert_eq!(status_fields(STATUS, &["NoSuch"]), None);
        assert_eq!(stat_fields(STAT, &[19]).as_deref(), Some("5"));
        assert_eq!(stat_fields(STAT, &[40, 41]).as_deref(), Some("0;2"));
        assert_eq!(stat_fields("1 (x) S", &[19]), None);
    }

    #[test]
    fn a_thread_is_like_itself_and_tells_most_of_it() {
        if !cfg!(target_os = "linux") {
            return;
        }
        let (a, b) = (ThreadState::own().unwrap(), ThreadState::own().unwrap());
        assert_eq!(names(a.differences(&b)), "");
        assert!(a.0.iter().flatten().count() > TRAITS.len() / 2, "{a:?}");
    }
}
