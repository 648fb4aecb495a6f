//! The check at the end of each body: this process is what it was.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::wait::{Id, WaitPidFlag, waitid};

use super::isolate::Options;
use super::{pause, proc};

/// What must be the same after a body as before it.
pub(super) struct Snapshot {
    fds: BTreeMap<i32, String>,
    threads: BTreeMap<i32, String>,
    signals: [(&'static str, u64); 3],
}

impl Snapshot {
    pub(super) fn take() -> Snapshot {
        Snapshot {
            fds: proc::open_fds(),
            threads: proc::threads(),
            signals: ["SigBlk", "SigIgn", "SigCgt"].map(|name| (name, signal_set(name))),
        }
    }

    /// Panics with every difference that does not settle: a helper thread that has been told to
    /// end, or an orphan that has been killed, takes a moment to vanish.
    pub(super) fn check(&self, options: &Options) {
        let start = Instant::now();
        loop {
            let differences = self.differences(options);
            if differences.is_empty() {
                return;
            }
            if start.elapsed() > options.settle {
                panic!("end check: {}", differences.join("; "));
            }
            pause(Duration::from_millis(1));
        }
    }

    fn differences(&self, options: &Options) -> Vec<String> {
        let mut found = self.fd_differences(options.extra_fds);
        found.extend(children_left());
        found.extend(self.threads_left(options.extra_threads));
        for (name, before) in self.signals {
            let after = signal_set(name);
            if after != before {
                found.push(format!("{name} was {before:016x} and is {after:016x}"));
            }
        }
        found
    }

    fn fd_differences(&self, allowed: usize) -> Vec<String> {
        let after = proc::open_fds();
        let gone = self.fds.iter().filter(|(fd, _)| !after.contains_key(fd));
        let mut found: Vec<String> = gone.map(|(fd, target)| format!("fd {fd} -> {target} is closed")).collect();
        let mut new = Vec::new();
        for (fd, target) in &after {
            match self.fds.get(fd) {
                None => new.push(format!("fd {fd} -> {target} is new")),
                Some(before) if before != target => {
                    found.push(format!("fd {fd} was {before} and is {target}"));
                }
                Some(_) => {}
            }
        }
        if new.len() > allowed {
            found.append(&mut new);
        }
        found
    }

    fn threads_left(&self, allowed: usize) -> Vec<String> {
        let after = proc::threads();
        if after.len() <= self.threads.len() + allowed {
            return Vec::new();
        }
        let new = after.iter().filter(|(tid, _)| !self.threads.contains_key(tid));
        new.map(|(tid, name)| format!("thread {tid} ({name}) is left")).collect()
    }
}

/// The kernel's word counts: a child that is left may be one that `/proc` hides.
fn children_left() -> Vec<String> {
    let flags = WaitPidFlag::WNOHANG
        | WaitPidFlag::WNOWAIT
        | WaitPidFlag::WEXITED
        | WaitPidFlag::WSTOPPED
        | WaitPidFlag::__WALL;
    match waitid(Id::All, flags) {
        Err(Errno::ECHILD) => Vec::new(),
        answer => {
            let describe = |pid| {
                let stat = proc::stat(&format!("/proc/{pid}"));
                stat.map(|child| format!("child {pid} ({}) in state {}", child.comm, child.state))
            };
            let named: Vec<String> = proc::children().into_iter().filter_map(describe).collect();
            vec![format!("a child is left: {answer:?} {}", named.join(", "))]
        }
    }
}

/// The first 31 signals and the real-time ones: 32 and 33 belong to glibc, which catches them from
/// the first change of credentials on.
fn signal_set(name: &str) -> u64 {
    let set = u64::from_str_radix(&proc::status_field(name), 16).expect("a set in hexadecimal");
    set & !(0b11 << 31)
}
