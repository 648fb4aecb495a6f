//! The contenders. A new one is a module with a `job` that gives a function for each row it can do, and an entry below.

mod async_process;
mod cmd_lib;
mod duct;
mod memory;
mod os;
mod pipewright;
mod pipewright_memory;
mod processkit;
mod raw;
mod raw_bytes;
mod raw_spawn;
mod std;
mod subprocess;
mod tokio;
mod xshell;

use crate::task::{Outcome, Result, Task};

pub type Job = fn(&Task) -> Result<Outcome>;

pub struct Peer {
    pub name: &'static str,
    /// The package whose version the table shows; `None` for what is not a package.
    pub package: Option<&'static str>,
    jobs: fn(&str) -> Option<Job>,
    /// Why there is a dash, for rows in which that is not plain.
    pub cannot: fn(&str) -> Option<&'static str>,
}

impl Peer {
    pub fn job(&self, row: &str) -> Option<Job> {
        (self.jobs)(row)
    }

    /// Whether it is one of those that a reader would use instead: not pipewright, not the limit, not a yardstick.
    pub fn is_peer(&self) -> bool {
        !self.name.starts_with("pipewright") && !self.name.starts_with("raw") && self.name != "std-plain"
    }
}

/// The contender that is a program of its own.
pub const GO: &str = "go";

const fn peer(name: &'static str, package: Option<&'static str>, jobs: fn(&str) -> Option<Job>) -> Peer {
    Peer { name, package, jobs, cannot: |_| None }
}

pub const PEERS: &[Peer] = &[
    peer("pipewright", Some("pipewright"), pipewright::job),
    peer("pipewright-2", Some("pipewright"), pipewright::second_job),
    peer("raw", None, raw::job),
    peer("std", None, std::job),
    peer("std-plain", None, std::plain_job),
    Peer { cannot: duct::cannot, ..peer("duct", Some("duct"), duct::job) },
    Peer { cannot: subprocess::cannot, ..peer("subprocess", Some("subprocess"), subprocess::job) },
    Peer { cannot: cmd_lib::cannot, ..peer("cmd_lib", Some("cmd_lib"), cmd_lib::job) },
    Peer { cannot: xshell::cannot, ..peer("xshell", Some("xshell"), xshell::job) },
    Peer { cannot: tokio::cannot, ..peer("tokio", Some("tokio"), tokio::job) },
    Peer { cannot: processkit::cannot, ..peer("processkit", Some("processkit"), processkit::job) },
    Peer { cannot: async_process::cannot, ..peer("async-process", Some("async-process"), async_process::job) },
    peer("os_pipe", Some("os_pipe"), memory::os_pipe_job),
    peer("pipe", Some("pipe"), memory::pipe_job),
    peer("io-pipe", Some("io-pipe"), memory::io_pipe_job),
    peer("sluice", Some("sluice"), memory::sluice_job),
    peer(GO, None, |_| None),
];

pub fn find(name: &str) -> Option<&'static Peer> {
    PEERS.iter().find(|peer| peer.name == name)
}
