//! What tests of the library share: the helper program as a command, and bounds on liveness.

use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use pipewright::{Cmd, Error, Output, cmd};

use crate::harness::{children, fixture};

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

/// The error of a run that is cut by its timeout and had come `far_enough` by then. A machine that was too busy for the child to get there
/// is given more time, twice.
#[track_caller]
pub(crate) fn timed_out_after(cmd: impl Fn(Duration) -> Cmd, far_enough: impl Fn(&Output) -> bool) -> Error {
    for timeout in [150, 1_000, 6_000].map(Duration::from_millis) {
        let error = within(timeout + Duration::from_secs(6), || cmd(timeout).output().unwrap_err());
        if error.output().is_some_and(&far_enough) {
            return error;
        }
    }
    panic!("the timeout left too little of what was written");
}

/// No child is left, zombies included. One that a busy machine let outlive its KILL has a second to go.
#[track_caller]
pub(crate) fn assert_childless() {
    let start = Instant::now();
    while !children().is_empty() {
        assert!(start.elapsed() < Duration::from_secs(1), "left: {:?}", children());
        std::thread::sleep(Duration::from_millis(1));
    }
}
