//! A group, a session or a cgroup holds a run's processes together, and a process that left it is not signalled by mistake.

mod cgroup;
mod reach;
mod reused;

use crate::prelude::*;
use crate::trees::cgroups::{Cgroup, containments};

/// What each process said of itself: "member", "session", "orphan" or "parent", with its number.
type Said = Vec<(String, i32)>;

/// A live run that has printed this many lines about its processes, and those lines.
#[track_caller]
fn live(cmd: &Cmd, lines: usize) -> (Job, Said) {
    let job = cmd.clone().stdin(Redirect::null()).stdout(Redirect::piped()).spawn().expect("it starts");
    let mut stdout = job.take_stdout().expect("piped");
    let said = (0..lines).map(|_| {
        let line = read_line(&mut stdout);
        let (what, pid) = line.split_once(' ').unwrap_or_else(|| panic!("{line:?}"));
        (what.to_owned(), pid.parse().expect("a number"))
    });
    (job, said.collect())
}

fn sorted(pids: impl IntoIterator<Item = u32>) -> Vec<i32> {
    let mut pids: Vec<i32> = pids.into_iter().map(|pid| i32::try_from(pid).expect("a number")).collect();
    pids.sort_unstable();
    pids
}

fn of(said: &Said, wanted: impl Fn(&str) -> bool) -> Vec<i32> {
    let mut pids: Vec<i32> = said.iter().filter(|(what, _)| wanted(what)).map(|(_, pid)| *pid).collect();
    pids.sort_unstable();
    pids
}

/// Those that a test must end by itself.
fn end_strangers(pids: &[i32]) {
    pids.iter().for_each(|pid| kill_stranger(&pid.to_string()));
}
