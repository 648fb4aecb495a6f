//! A test's body in a process of its own.
use std::ffi::OsStr;

/// Whether the harness gives each test a process: then nobody else prints here.
pub(super) fn one_test_per_process() -> bool {
    let nextest = std::env::var_os("NEXTEST_EXECUTION_MODE").is_some_and(|mode| mode == "process-per-test");
    // A variable is inherited by what a test starts; the arguments are not.
    nextest && std::env::args_os().any(|arg| arg == OsStr::new("--exact"))
}
