//! What tests of the library share: the helper program as a command, and bounds on liveness.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::wait::{Id, WaitPidFlag, waitid};
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

/// No child is there at this moment, not even a zombie.
#[track_caller]
pub(crate) fn assert_no_child() {
    let left = waitid(Id::All, WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT | WaitPidFlag::WEXITED);
    assert_eq!(left, Err(Errno::ECHILD), "a child is left");
}

/// An executable file with this text.
pub(crate) fn executable(path: &Path, text: impl AsRef<[u8]>) {
    std::fs::write(path, text).expect("the file can be written");
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).expect("its mode can be set");
}

/// A program of this name that says the path it was run by.
pub(crate) fn teller(directory: &Path, name: &str) -> PathBuf {
    let path = directory.join(name);
    executable(&path, format!("#!{} echo\n", fixture()));
    path
}
