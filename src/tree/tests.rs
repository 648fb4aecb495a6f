//! Real trees, whose members say who they are.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{Signal, kill as kill_number};
use nix::unistd::Pid;

use super::system;
use super::system::{Handle, Proc, System};
use super::{Survivor, Tree};
use crate::clock::Deadline;
use crate::cmd::Cmd;
use crate::job::Job;
use crate::pipe::PipeReader;
use crate::process::Process;
use crate::procfs::Unseen;
use crate::redirect::Redirect;

/// Half the life of the helper program: a process that is there until then was not ended by a test.
const SOON: Duration = Duration::from_secs(30);

impl Tree {
    /// Waits until all that is known has ended, or until then; what is still there.
    fn wait(&mut self, until: Deadline) -> Vec<Survivor> {
        let mut left: Vec<usize> = (0..self.len()).collect();
        loop {
            left.retain(|&index| !self.has_ended(index));
            if left.is_empty() || until.passed() {
                return left.into_iter().map(|index| self.still_there(index)).collect();
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

fn seen(roots: &[Process]) -> Tree {
    let mut tree = Tree::of(roots);
    tree.look(budget());
    tree
}

fn asked(roots: &[Process]) -> Tree {
    let mut tree = Tree::of(roots);
    tree.begin_request(libc::SIGTERM);
    tree.look(budget());
    tree.request_known(Vec::new(), |_| ());
    tree
}

fn budget() -> Deadline {
    Deadline::after(SOON)
}

fn count(quick: usize, full: usize) -> usize {
    if std::env::var_os("PIPEWRIGHT_FULL").is_some_and(|value| value == "1") { full } else { quick }
}

/// A run of the helper program; its stdout is held by all that it starts.
struct Grown {
    job: Job,
    stdout: BufReader<PipeReader>,
}

impl Grown {
    fn new(role: &str, args: &[usize]) -> Grown {
        let exe = std::env::current_exe().unwrap();
        let helper = exe.ancestors().nth(2).unwrap().join("pipewright-fixture");
        assert!(helper.exists(), "the helper program is not built; plain `cargo test` builds it");
        let cmd = Cmd::new(helper).arg(role).args(args.iter().map(ToString::to_string));
        let job = cmd.stdin(Redirect::piped()).stdout(Redirect::piped()).spawn().unwrap();
        let stdout = BufReader::new(job.take_stdout().unwrap());
        Grown { job, stdout }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line.trim().to_string()
    }

    /// Waits until `count` members are in their places: first the root and those below it, then those that left.
    fn members(&mut self, count: usize) -> (BTreeSet<u32>, Vec<u32>) {
        let lines: Vec<String> = (0..count).map(|_| self.line()).collect();
        let (left, stayed): (Vec<_>, Vec<_>) = lines.iter().partition(|line| line.starts_with("orphan"));
        let pid = |line: &&String| line.split_once(' ').unwrap().1.parse().unwrap();
        (stayed.iter().map(pid).collect(), left.iter().map(pid).collect())
    }

    /// Waits until no process holds the output any more, which must be soon, and returns what was written meanwhile.
    #[track_caller]
    fn assert_all_end(&mut self) -> String {
        let start = Instant::now();
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).unwrap();
        assert!(start.elapsed() < SOON, "a process lived until its time was over");
        rest
    }
}

fn set(pids: &[u32]) -> BTreeSet<u32> {
    pids.iter().copied().collect()
}

fn signal_number(pid: u32, signal: Signal) {
    kill_number(Pid::from_raw(pid.try_into().unwrap()), signal).unwrap();
}

/// Runs the rest of a test in a process of its own; false in the first one, when that has ended well.
fn alone(name: &str) -> bool {
    const BODY: &str = "PIPEWRIGHT_UNIT_TEST_BODY";
    if std::env::var(BODY).is_ok_and(|wanted| wanted == name) {
        return true;
    }
    let name = format!("{}::{name}", module_path!().split_once("::").unwrap().1);
    let body = std::process::Command::new(std::env::current_exe().unwrap())
        .args([&name, "--exact", "--nocapture", "--test-threads=1"])
        .env(BODY, name.rsplit("::").next().unwrap())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&body.stdout) + String::from_utf8_lossy(&body.stderr);
    assert!(body.status.success() && text.contains("1 passed"), "{name} ended with {}:\n{text}", body.status);
    false
}

#[test]
fn a_lone_child_is_its_whole_tree() {
    let mut cat = Grown::new("cat", &[]);
    let tree = seen(cat.job.processes());
    assert_eq!((tree.pids(), tree.unseen()), (cat.job.pids(), None));
    let killed = Tree::of(cat.job.processes()).kill(budget());
    assert_eq!((killed.killed, killed.survivors), (cat.job.pids(), vec![]));
    assert_eq!(cat.assert_all_end(), "");
    assert_eq!(cat.job.wait().unwrap().signal(), Some(9));
}

#[test]
fn a_tree_is_killed_but_for_those_who_left_by_a_double_fork() {
    for _ in 0..count(3, 500) {
        let mut grown = Grown::new("tree", &[50, 5, 5, 0]);
        let (stayed, left) = grown.members(50);
        assert_eq!((stayed.len(), left.len()), (45, 5));
        let killed = Tree::of(grown.job.processes()).kill(budget());
        assert_eq!(killed.survivors, []);
        assert_eq!(set(&killed.killed), stayed);
        assert_eq!(killed.killed[0], grown.job.pids()[0]);
        left.into_iter().for_each(|pid| signal_number(pid, Signal::SIGKILL));
        assert_eq!(grown.assert_all_end(), "");
    }
}

#[test]
fn a_tree_is_killed_also_where_parents_have_to_be_looked_for() {
    let mut grown = Grown::new("tree", &[20, 3, 0, 0]);
    let (stayed, _) = grown.members(20);
    let roots = grown.job.processes().iter().map(|root| (root.number(), Handle::Root(root.clone())));
    let killed = Tree::new(Proc::scanning(), roots).kill(budget());
    assert_eq!((set(&killed.killed), killed.survivors), (stayed, vec![]));
    assert_eq!(grown.assert_all_end(), "");
}

#[test]
fn stopped_ones_are_asked_to_end_and_do() {
    let mut grown = Grown::new("tree", &[12, 2, 0, 0]);
    let (stayed, _) = grown.members(12);
    for &pid in stayed.iter().step_by(2) {
        signal_number(pid, Signal::SIGSTOP);
        while !Proc::default().is_still(pid.try_into().unwrap()).unwrap() {
            std::thread::yield_now();
        }
    }
    let mut tree = asked(grown.job.processes());
    assert_eq!(set(&tree.pids()), stayed);
    assert_eq!(tree.wait(budget()), []);
    assert_eq!(grown.assert_all_end(), "");
}

#[test]
fn who_ignores_it_and_loses_its_parent_is_still_known_to_the_kill() {
    let mut grown = Grown::new("tree", &[15, 2, 0, 1]);
    let (stayed, _) = grown.members(15);
    let mut tree = asked(grown.job.processes());
    // Those in between do end: then the leaves have no parent here.
    while tree.wait(Deadline::after(Duration::from_millis(20))).len() > 8 {}
    let left = tree.wait(Deadline::after(Duration::ZERO));
    assert_eq!(left.len(), 8);
    assert!(left.iter().all(|left| left.name.starts_with("pipewright-fixt") && left.why == "it has not ended"));
    let killed = tree.kill(budget());
    assert_eq!((set(&killed.killed), killed.survivors), (stayed, vec![]));
    assert_eq!(grown.assert_all_end(), "");
    assert_eq!(tree.wait(budget()), []);
}

#[test]
fn a_fork_storm_is_ended_while_it_goes_on() {
    for round in 0..count(8, 200) {
        let mut storm = Grown::new("fork-storm", &[40]);
        for _ in 0..=round * 11 % 80 {
            storm.line();
        }
        let killed = Tree::of(storm.job.processes()).kill(budget());
        assert_eq!(killed.survivors, []);
        storm.assert_all_end();
    }
}

#[test]
fn without_a_descriptor_the_roots_are_killed_and_the_rest_is_owned_up_to() {
    if !alone("without_a_descriptor_the_roots_are_killed_and_the_rest_is_owned_up_to") {
        return;
    }
    for spare in 0..4 {
        let mut grown = Grown::new("tree", &[7, 0, 0, 0]);
        let (stayed, _) = grown.members(7);
        let old = nix::sys::resource::getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        let files: Vec<_> = std::iter::repeat_with(|| std::fs::File::open("/dev/null").unwrap()).take(64).collect();
        setrlimit(Resource::RLIMIT_NOFILE, 64, old.1).unwrap();
        // Every number below the limit is taken, except those that are given back.
        let low: Vec<_> = std::iter::from_fn(|| std::fs::File::open("/dev/null").ok()).collect();
        let mut files: Vec<_> = files.into_iter().chain(low).collect();
        files.sort_by_key(AsRawFd::as_raw_fd);
        files.drain(..spare);
        let killed = Tree::of(grown.job.processes()).kill(budget());
        setrlimit(Resource::RLIMIT_NOFILE, old.0, old.1).unwrap();
        drop(files);
        assert_eq!(killed.survivors, [], "{spare}");
        if spare == 0 {
            assert_eq!((killed.killed, killed.unseen), (grown.job.pids(), Some(Unseen::Descriptors)));
            stayed
                .into_iter()
                .filter(|pid| *pid != grown.job.pids()[0])
                .for_each(|pid| signal_number(pid, Signal::SIGKILL));
        } else {
            assert_eq!((set(&killed.killed), killed.unseen), (stayed, None), "{spare}");
        }
        grown.assert_all_end();
    }
}

#[test]
fn a_tree_may_be_larger_than_the_share_of_descriptors() {
    if !alone("a_tree_may_be_larger_than_the_share_of_descriptors") {
        return;
    }
    let old = nix::sys::resource::getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    let mut grown = Grown::new("tree", &[40, 0, 0, 0]);
    let (stayed, _) = grown.members(40);
    setrlimit(Resource::RLIMIT_NOFILE, 64, old.1).unwrap();
    let mut tree = asked(grown.job.processes());
    assert_eq!((set(&tree.pids()), system::held()), (stayed, 8));
    assert_eq!(tree.wait(budget()), []);
    grown.assert_all_end();
    drop(tree);
    assert_eq!(system::held(), 0);
}

#[test]
fn who_may_not_be_killed_is_a_survivor_with_a_name() {
    if !nix::unistd::geteuid().is_root() {
        let _ = std::io::stderr().write_all(b"skipped: needs root, to have another user's process\n");
        return;
    }
    if !alone("who_may_not_be_killed_is_a_survivor_with_a_name") {
        return;
    }
    // Ends when its input does.
    let mut cat = Grown::new("cat", &[]);
    let stdin = cat.job.take_stdin();
    nix::unistd::setuid(nix::unistd::Uid::from_raw(65534)).unwrap();
    let killed = Tree::of(cat.job.processes()).kill(budget());
    assert_eq!(killed.killed, [0; 0]);
    assert_eq!(killed.survivors.len(), 1);
    let survivor = &killed.survivors[0];
    assert_eq!((survivor.pid, survivor.name.as_str()), (cat.job.pids()[0], "pipewright-fixt"));
    assert!(survivor.why.starts_with("Operation not permitted"), "{}", survivor.why);
    drop(stdin);
    assert_eq!(cat.assert_all_end(), "");
    assert!(cat.job.wait().unwrap().success());
}

#[test]
fn a_stranger_with_the_number_of_one_who_ended_is_left_alone() {
    let last = "/proc/sys/kernel/ns_last_pid";
    if std::fs::OpenOptions::new().write(true).open(last).is_err() {
        let _ = std::io::stderr().write_all(b"skipped: numbers cannot be chosen here\n");
        return;
    }
    for held in [true, false] {
        let mut grown = Grown::new("tree", &[3, 0, 0, 0]);
        let (stayed, _) = grown.members(3);
        let mut tree = seen(grown.job.processes());
        assert_eq!(set(&tree.pids()), stayed);
        // With the root first: its children are `init`'s, and reaped by it.
        let (victim, start) = (tree.members[1].pid, tree.members[1].start.unwrap());
        grown.job.kill().unwrap();
        grown.job.wait().unwrap();
        signal_number(victim.unsigned_abs(), Signal::SIGKILL);
        while std::path::Path::new(&format!("/proc/{victim}")).exists() || crate::sys::sysinfo::boot_ticks() <= start {
            std::thread::yield_now();
        }
        if !held {
            tree.members[1].handle = None;
        }
        // Others take numbers, too.
        let taken = (0..200).find_map(|_| {
            std::fs::write(last, (victim - 1).to_string()).unwrap();
            let stranger = Grown::new("cat", &[]);
            (stranger.job.pids()[0] == victim.unsigned_abs()).then_some(stranger)
        });
        let stranger = taken.expect("the number can be had");
        let stdin = stranger.job.take_stdin();
        assert_eq!(tree.signal(libc::SIGTERM), []);
        tree.kill(budget());
        drop(stdin);
        assert_eq!(stranger.job.wait().unwrap().code(), Some(0), "held: {held}");
        grown.assert_all_end();
    }
}

#[test]
fn the_children_of_every_thread_are_listed() {
    // Tests run on threads other than the first.
    let cat = Grown::new("cat", &[]);
    let (own, child) = (Proc::default().own(), i32::try_from(cat.job.pids()[0]).unwrap());
    for mut system in [Proc::default(), Proc::scanning()] {
        system.begin().unwrap();
        assert!(system.children(own).unwrap().pids.contains(&child));
    }
    assert!(!Proc::default().is_still(own).unwrap());
}
