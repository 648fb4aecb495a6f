//! What the library has for tests.

mod asserts;
mod captures;
mod isolated;
mod leaks;
mod matrix;
mod nextest;
mod suite;

use pipewright::testing::{Printed, capture_stdout};

use crate::prelude::*;

/// Runs the body in a process of its own that does not know it: as of `cargo test`, where captures keep other tests out.
fn among_others(body: impl FnOnce()) {
    const MARK: &str = "PIPEWRIGHT_TEST_AMONG_OTHERS";
    if std::env::var_os(MARK).is_some() {
        return body();
    }
    isolated(|| {
        let name = std::thread::current().name().expect("the test's own thread").to_owned();
        let mut test = Command::new(std::env::current_exe().expect("the path of the test binary"));
        test.args([&*name, "--exact", "--include-ignored", "--nocapture"]).env(MARK, "1");
        let test = test.env_remove("PIPEWRIGHT_ISOLATED_PROGRAM").env_remove("NEXTEST_EXECUTION_MODE");
        let output = test.stdin(Stdio::null()).stderr(Stdio::inherit()).output().expect("it starts");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains("1 passed"), "{}\n{text}", output.status);
    });
}

/// What C's own `printf` does, which keeps it back when stdout is no terminal.
fn c_printf(text: &std::ffi::CStr) {
    // SAFETY: the text has no conversions, and a NUL at its end.
    unsafe { libc::printf(c"%s".as_ptr(), text.as_ptr()) };
}

/// A system call, past all buffers.
fn raw_write(text: &str) {
    nix::unistd::write(std::io::stdout(), text.as_bytes()).expect("stdout can be written");
}

#[track_caller]
fn assert_printed<T>(printed: &Printed<T>, expected: &str) {
    assert_eq!(printed.text(), expected);
    assert_eq!(printed.stdout.omitted(), 0);
}
