//! What tests of the library share: the helper program as a command, and bounds on liveness.

use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use pipewright::{Cmd, cmd};

use crate::harness::fixture;

/// The helper program in a role.
pub(crate) fn role(name: &str) -> Cmd {
    cmd!(fixture(), name)
}

/// What `f` gives, which must come within the time: a bound with slack, for what would otherwise take many times as long.
#[track_caller]
pub(crate) fn within<T>(limit: Duration, f: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let value = f();
    let took = start.elapsed();
    assert!(took < limit, "took {took:?}, more than {limit:?}");
    value
}

/// Ends a process that is not a child of this one; one that has ended already is no error.
pub(crate) fn kill_stranger(pid: &str) {
    let pid = pid.trim().parse().expect("a pid");
    let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
}
