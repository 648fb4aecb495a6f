//! What every test stands on: a process of its own for each body, a check at its end, a watchdog
//! over it, and a few looks at this process.

mod check;
mod fds;
mod isolate;
mod proc;
mod watchdog;

use std::io::{Read, Write};
use std::time::Duration;

use nix::poll::{PollTimeout, poll};

pub(crate) use fds::{hostile_fd, spare_fds, wide, with_closed};
pub(crate) use isolate::{Options, isolated, isolated_with, progress, try_isolated};
pub(crate) use proc::{children, open_fds, peak_rss_kib, process_fds, process_state, rss_kib, threads};

/// The path of the helper program.
pub(crate) fn fixture() -> &'static str {
    env!("CARGO_BIN_EXE_pipewright-fixture")
}

/// How often to repeat: `quick` under plain `cargo test`, `full` under `PIPEWRIGHT_FULL=1`.
pub(crate) fn count(quick: usize, full: usize) -> usize {
    if is_full() { full } else { quick }
}

fn is_full() -> bool {
    std::env::var_os("PIPEWRIGHT_FULL").is_some_and(|value| value == "1")
}

/// Says by name that this test cannot run here. Written past libtest's capture, so that a skipped
/// test is never mistaken for one that passed.
pub(crate) fn skip(why: &str) {
    let name = isolate::test_name();
    let _ = std::io::stderr().write_all(format!("skipped {name}: {why}\n").as_bytes());
}

/// The next line without its newline, read byte by byte so that nothing behind it is taken.
/// It has no limit of its own: the watchdog is the limit.
pub(crate) fn read_line(mut from: impl Read) -> String {
    let mut line = Vec::new();
    let mut byte = [0];
    while from.read_exact(&mut byte).is_ok() && byte != *b"\n" {
        line.push(byte[0]);
    }
    String::from_utf8(line).expect("the line is UTF-8")
}

/// The pause between two looks at state that sends no event when it changes. Tests order nothing by it.
pub(crate) fn pause(time: Duration) {
    let _ = poll(&mut [], PollTimeout::try_from(time).expect("a short time"));
}
