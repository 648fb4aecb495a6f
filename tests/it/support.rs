//! What tests of the library share: the helper program as a command, and bounds on liveness.

use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use pipewright::{Cmd, Error, cmd};

use crate::harness::fixture;

/// The helper program in a role.
pub(crate) fn role(name: &str) -> Cmd {
    cmd!(fixture(), name)
}

/// Ends a process that is not a child of this one; one that has ended already is no error.
pub(crate) fn kill_stranger(pid: &str) {
    let pid: i32 = pid.trim().parse().expect("a pid");
    assert!(pid > 1, "{pid} means many");
    let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
}

/// Runs with longer and longer times until there was time enough for what `wanted` sees: the error, and its time.
#[track_caller]
pub(crate) fn timed_out(run: impl Fn(Duration) -> Error, wanted: impl Fn(&Error) -> bool) -> (Error, Duration) {
    for millis in [150, 600, 2400, 8000] {
        let time = Duration::from_millis(millis);
        let error = run(time);
        if wanted(&error) {
            return (error, time);
        }
    }
    panic!("it never came so far");
}
