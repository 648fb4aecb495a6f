//! The cookbook: every example does what the guide says of it, and leaves nothing behind.

mod builds;
mod memory;
mod signals;
mod stages;
mod streams;
mod table;
mod testing;
mod trees;
mod web;
mod wiring;

use nix::sys::prctl;
use nix::sys::wait::WaitStatus;

use crate::prelude::*;

/// Lets `taste` run an example, any number of times, and looks for what it left: files here, and processes at the end of the
/// body, because orphans become children of this process.
#[track_caller]
fn cook(name: &str, taste: impl FnOnce(Cmd)) {
    let Some(path) = built_example(name) else { return };
    prctl::set_child_subreaper(true).expect("can ask for orphans");
    let temp = tempfile::tempdir().expect("a directory");
    // It runs in its own temporary directory, so a file beside it would be seen, too.
    taste(Cmd::new(path).current_dir(temp.path()).env("TMPDIR", temp.path()).timeout(Duration::from_secs(60)));
    bury_the_killed();
    let left = temp.path().read_dir().expect("the directory is there");
    let left: Vec<_> = left.map(|entry| entry.expect("an entry").file_name()).collect();
    assert!(left.is_empty(), "{name} left {left:?}");
}

/// Reaps orphans that were killed: on a busy machine one may take longer to die than a drop waits, and than the example then lives.
/// Any other that is left stays for the end check.
fn bury_the_killed() {
    let start = Instant::now();
    loop {
        match waitid(Id::All, WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT) {
            Ok(WaitStatus::Signaled(pid, Signal::SIGKILL | Signal::SIGTERM, _)) => {
                waitid(Id::Pid(pid), WaitPidFlag::WEXITED).expect("it has ended");
            }
            Ok(WaitStatus::StillAlive) if start.elapsed() < Duration::from_secs(1) => std::thread::yield_now(),
            _ => return,
        }
    }
}

/// The process that said this number is no more.
#[track_caller]
fn assert_gone(pid: &str) {
    bury_the_killed();
    assert_eq!(process_state(pid.parse().expect("a pid")), None);
}

/// What a good run gives, with nothing on stderr.
#[track_caller]
fn output(example: &Cmd) -> Output {
    let output = example.output().unwrap_or_else(|error| panic!("{error:#}"));
    assert_eq!(output.stderr, "");
    output
}
