//! A small world in which anything happens between any two questions: processes fork, end, are reaped, and numbers, of which there are
//! few, go to others at once.

use std::cell::RefCell;
use std::io;
use std::time::Duration;

use proptest::prelude::*;

use super::known::{Survivor, Tree};
use super::system::{Listing, System};
use crate::clock::Deadline;
use crate::procfs::stat::Stat;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Running,
    Stopped,
    Zombie,
    Reaped,
}

#[derive(Debug, Clone)]
struct Proc {
    pid: i32,
    /// An index.
    parent: usize,
    start: u64,
    state: State,
    /// SIGSTOP is not immediate.
    stops_in: Option<u8>,
    /// Whether it descends from the root, wherever it went.
    of_tree: bool,
    subreaper: bool,
    /// Whether it was forked when the first SIGTERM was out.
    is_answer: bool,
    /// How often it was sent SIGTERM.
    asked: usize,
}

const INIT: usize = 0;
const OWN: usize = 1;
const ROOT: usize = 2;
const STRANGER: usize = 3;
const LAST_PID: i32 = 11;

#[derive(Debug)]
struct World {
    procs: Vec<Proc>,
    now: u64,
    script: std::vec::IntoIter<u8>,
    last: i32,
    /// The last number as it was told last.
    told: i32,
    /// The highest number.
    highest: i32,
    /// Whether a SIGTERM is out.
    is_asked: bool,
    handles: Handles,
}

/// Which descriptors the system gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Handles {
    All,
    /// For the time of one signal.
    Passing,
    None,
}

impl World {
    fn new(script: Vec<u8>, handles: Handles) -> World {
        let proc = |pid, parent, of_tree| Proc {
            pid,
            parent,
            start: 0,
            state: State::Running,
            stops_in: None,
            of_tree,
            subreaper: false,
            is_answer: false,
            asked: 0,
        };
        let mut procs = vec![proc(1, INIT, false), proc(2, INIT, false), proc(3, OWN, true), proc(4, OWN, false)];
        procs[ROOT].subreaper = script.first().is_some_and(|first| first & 0x80 != 0);
        World {
            procs,
            now: 1,
            script: script.into_iter(),
            last: 4,
            told: 4,
            highest: LAST_PID,
            is_asked: false,
            handles,
        }
    }

    /// What happens before the next question is answered.
    fn step(&mut self) {
        for proc in &mut self.procs {
            match proc.stops_in {
                Some(0) => {
                    proc.stops_in = None;
                    if proc.state == State::Running {
                        proc.state = State::Stopped;
                    }
                }
                Some(left) => proc.stops_in = Some(left - 1),
                None => {}
            }
        }
        let Some(event) = self.script.next() else { return };
        let among: Vec<usize> =
            (ROOT..self.procs.len()).filter(|&index| self.procs[index].state != State::Reaped).collect();
        if among.is_empty() {
            return;
        }
        let index = among[usize::from(event >> 3) % among.len()];
        match event & 7 {
            0..=2 => self.fork(index, event & 0x40 != 0),
            3 if self.procs[index].state == State::Running => self.end(index),
            4 | 5 => self.reap(index),
            6 => self.now += 1,
            _ => {}
        }
    }

    fn fork(&mut self, parent: usize, subreaper: bool) {
        if self.procs[parent].state != State::Running || self.procs.len() > 60 {
            return;
        }
        let is_free = |pid: &i32| {
            let mut holders = self.procs.iter().filter(|proc| proc.pid == *pid);
            // A number that comes back within a tick is what start times cannot tell: descriptors can.
            holders.all(|proc| proc.state == State::Reaped && (self.handles == Handles::All || proc.start < self.now))
        };
        let Some(pid) = (self.last + 1..=self.highest).chain(3..=self.last).find(is_free) else { return };
        self.last = pid;
        let of_tree = self.procs[parent].of_tree;
        let start = self.now;
        let (state, is_answer) = (State::Running, self.is_asked);
        self.procs.push(Proc { pid, parent, start, state, stops_in: None, of_tree, subreaper, is_answer, asked: 0 });
    }

    fn end(&mut self, index: usize) {
        self.procs[index].state = State::Zombie;
        let mut heir = self.procs[index].parent;
        while heir > ROOT && !(self.procs[heir].subreaper && self.is_live(heir)) {
            heir = self.procs[heir].parent;
        }
        let heir = if heir >= ROOT && self.procs[heir].subreaper && self.is_live(heir) { heir } else { INIT };
        for proc in &mut self.procs {
            if proc.parent == index {
                proc.parent = heir;
            }
        }
        self.reap_by_init();
    }

    fn reap_by_init(&mut self) {
        for proc in self.procs.iter_mut().skip(ROOT) {
            if proc.parent == INIT && proc.state == State::Zombie {
                proc.state = State::Reaped;
            }
        }
    }

    fn reap(&mut self, index: usize) {
        let parent = &self.procs[self.procs[index].parent];
        if self.procs[index].state == State::Zombie && parent.state == State::Running {
            self.procs[index].state = State::Reaped;
        }
    }

    fn is_live(&self, index: usize) -> bool {
        matches!(self.procs[index].state, State::Running | State::Stopped)
    }

    fn find(&self, pid: i32) -> io::Result<usize> {
        let found = self.procs.iter().position(|proc| proc.pid == pid && proc.state != State::Reaped);
        found.ok_or_else(gone)
    }

    fn hit(&mut self, index: usize, signal: i32) -> io::Result<()> {
        if self.procs[index].state == State::Reaped {
            return Err(gone());
        }
        if signal == 0 {
            return Ok(());
        }
        assert!(self.procs[index].of_tree, "{:?} was sent {signal}", self.procs[index]);
        match signal {
            libc::SIGTERM => {
                self.is_asked = true;
                self.procs[index].asked += 1;
            }
            libc::SIGSTOP => self.procs[index].stops_in = Some((index % 4) as u8),
            libc::SIGKILL if self.is_live(index) => self.end(index),
            libc::SIGCONT => {
                self.procs[index].stops_in = None;
                if self.procs[index].state == State::Stopped {
                    self.procs[index].state = State::Running;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether it is below the root by parentage.
    fn is_below_root(&self, mut index: usize) -> bool {
        while index > ROOT {
            index = self.procs[index].parent;
        }
        index == ROOT
    }
}

fn gone() -> io::Error {
    io::Error::from_raw_os_error(libc::ESRCH)
}

impl System for RefCell<World> {
    type Handle = usize;

    fn own(&self) -> i32 {
        2
    }

    fn now(&self) -> u64 {
        self.borrow().now
    }

    fn last_pid(&self) -> Option<i32> {
        let mut world = self.borrow_mut();
        world.step();
        world.told = world.last;
        Some(world.told)
    }

    fn begin(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn children(&mut self, pid: i32) -> io::Result<Listing> {
        let world = self.get_mut();
        world.step();
        let at = world.now;
        world.step();
        let of = world.find(pid)?;
        let children = world.procs.iter().filter(|proc| proc.parent == of && proc.state != State::Reaped);
        // A list is not to be trusted to hold no nonsense.
        Ok(Listing { at, pids: children.map(|proc| proc.pid).chain([0, 1, 2]).collect() })
    }

    fn stat(&self, pid: i32) -> io::Result<Stat> {
        let mut world = self.borrow_mut();
        world.step();
        let proc = &world.procs[world.find(pid)?];
        let state = match proc.state {
            State::Running => b'S',
            State::Stopped => b'T',
            State::Zombie | State::Reaped => b'Z',
        };
        Ok(Stat::made_up(pid, state, world.procs[proc.parent].pid, proc.start))
    }

    fn is_still(&self, pid: i32) -> io::Result<bool> {
        self.stat(pid).map(|stat| stat.is_still())
    }

    fn open(&self, pid: i32, keep: bool) -> io::Result<Option<usize>> {
        let mut world = self.borrow_mut();
        world.step();
        let found = world.find(pid)?;
        let is_given = match world.handles {
            Handles::All => true,
            Handles::Passing => !keep,
            Handles::None => false,
        };
        Ok(is_given.then_some(found))
    }

    fn signal(&self, &index: &usize, signal: i32) -> io::Result<()> {
        let mut world = self.borrow_mut();
        world.step();
        world.hit(index, signal)
    }

    /// Right after the look at the start time, with nothing in between: the module's page says what may happen there.
    fn signal_number(&self, pid: i32, signal: i32) -> io::Result<()> {
        let mut world = self.borrow_mut();
        let index = world.find(pid)?;
        world.hit(index, signal)
    }

    fn is_closable(&self, &index: &usize) -> bool {
        index != ROOT
    }

    /// Long: a busy machine may take some of it.
    fn patience(&self) -> Duration {
        Duration::from_secs(9)
    }

    fn pause(&self, _times: u32) {}

    fn reap(&mut self, _handles: Vec<usize>) {}
}

fn tree(script: Vec<u8>, handles: Handles) -> Tree<RefCell<World>> {
    Tree::new(RefCell::new(World::new(script, handles)), [(3, ROOT)].into_iter())
}

fn ask(tree: &mut Tree<RefCell<World>>) {
    tree.begin_request(libc::SIGTERM);
    tree.look(Deadline::NEVER);
    tree.request_known(Vec::new(), |_| ());
}

fn handles() -> impl Strategy<Value = Handles> {
    prop_oneof![Just(Handles::All), Just(Handles::Passing), Just(Handles::None)]
}

fn script() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..600)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_stranger_is_signalled(script in script(), handles in handles()) {
        // `hit` says so when one is.
        let mut tree = tree(script, handles);
        for _ in 0..20 {
            ask(&mut tree);
            tree.look(Deadline::NEVER);
            tree.request_older();
            tree.request_rest();
        }
        tree.kill(Deadline::NEVER);
    }

    /// With numbers enough: that they are used up within a tick is what a number and a tick cannot tell.
    #[test]
    fn each_is_asked_once_and_no_answer_before_the_rest_is(script in script(), handles in handles()) {
        let mut tree = tree(script, handles);
        tree.system.get_mut().highest = 999;
        let before = tree.system.get_mut().last;
        ask(&mut tree);
        let known = tree.pids();
        for _ in 0..5 {
            tree.look(Deadline::NEVER);
            tree.request_older();
        }
        let found = tree.pids();
        let world = tree.system.get_mut();
        for proc in &world.procs {
            prop_assert!(!proc.is_answer || proc.asked == 0, "an answer: {:?}", proc);
            prop_assert!(proc.asked <= 1, "{:?}", proc);
            let met = |pids: &[u32]| pids.contains(&proc.pid.unsigned_abs());
            let is_live = matches!(proc.state, State::Running | State::Stopped);
            prop_assert!(proc.asked == 1 || !met(&known) || !is_live, "it was known: {:?}", proc);
            let raced = met(&found) && (before + 1..=world.told).contains(&proc.pid);
            prop_assert!(proc.asked == 1 || !raced || !is_live, "it was begun before: {:?}", proc);
        }
        tree.request_rest();
        let world = tree.system.get_mut();
        for proc in world.procs.iter().filter(|proc| found.contains(&proc.pid.unsigned_abs())) {
            prop_assert!(proc.asked == 1 || proc.state == State::Reaped, "{:?}", proc);
        }
    }

    #[test]
    fn frozen_means_that_nothing_below_the_root_runs_or_is_unknown(script in script(), handles in handles()) {
        let mut tree = tree(script, handles);
        tree.freeze(Deadline::NEVER);
        prop_assert_eq!(tree.unseen(), None);
        let known = tree.pids();
        let world = tree.system.get_mut();
        for index in (ROOT..world.procs.len()).filter(|&index| world.is_live(index) && world.is_below_root(index)) {
            let proc = &world.procs[index];
            prop_assert_eq!(proc.state, State::Stopped, "{:?}", proc);
            prop_assert!(known.contains(&proc.pid.unsigned_abs()), "{:?} is unknown", proc);
        }
    }

    #[test]
    fn a_kill_leaves_only_those_who_left_and_no_stranger_out_of_it(script in script(), handles in handles()) {
        let mut tree = tree(script, handles);
        let killed = tree.kill(Deadline::NEVER);
        prop_assert!(killed.survivors.is_empty());
        prop_assert_eq!(killed.killed.first(), Some(&3));
        let world = tree.system.get_mut();
        prop_assert!(world.procs[STRANGER].state != State::Stopped);
        let left = world.procs.iter().skip(ROOT).filter(|proc| proc.of_tree && proc.state == State::Stopped);
        prop_assert_eq!(left.count(), 0, "no process stays frozen");
        // A process of the tree that lives had lost its parents before it was found.
        for index in (ROOT..world.procs.len()).filter(|&index| world.is_live(index)) {
            prop_assert!(!world.is_below_root(index), "{:?}", world.procs[index]);
        }
    }

    #[test]
    fn a_quiet_tree_is_found_whole_and_parents_first(parents in proptest::collection::vec(any::<prop::sample::Index>(), 0..8)) {
        let mut world = World::new(Vec::new(), Handles::All);
        for parent in parents {
            let below: Vec<usize> = (ROOT..world.procs.len()).filter(|&index| index != STRANGER).collect();
            world.fork(below[parent.index(below.len())], false);
        }
        let all: Vec<i32> = world.procs.iter().filter(|proc| proc.of_tree).map(|proc| proc.pid).collect();
        let mut tree = Tree::new(RefCell::new(world), [(3, ROOT)].into_iter());
        tree.look(Deadline::NEVER);
        let found: Vec<i32> = tree.members.iter().map(|member| member.pid).collect();
        let world = tree.system.get_mut();
        for (place, pid) in found.iter().enumerate().skip(1) {
            let parent = world.procs[world.procs[world.find(*pid).unwrap()].parent].pid;
            prop_assert!(found[..place].contains(&parent));
        }
        let sorted = |mut pids: Vec<i32>| { pids.sort_unstable(); pids };
        prop_assert_eq!(sorted(found), sorted(all));
    }
}

#[test]
fn a_number_that_comes_back_is_no_way_to_a_stranger() {
    // The same script as a human would write it: the child of the root is found; then it ends, is reaped, and the stranger's new
    // child gets its number in the next tick.
    for handles in [Handles::All, Handles::Passing, Handles::None] {
        let mut tree = tree(Vec::new(), handles);
        tree.system.get_mut().fork(ROOT, false);
        tree.look(Deadline::NEVER);
        assert_eq!(tree.pids(), [3, 5]);
        let world = tree.system.get_mut();
        world.end(4);
        world.reap(4);
        world.now += 1;
        world.last = 4;
        world.fork(STRANGER, false);
        assert_eq!(world.procs[5].pid, 5);
        tree.signal(libc::SIGTERM);
        let killed = tree.kill(Deadline::NEVER);
        assert_eq!(killed.killed, [3, 5], "one that has ended is no survivor");
        assert_eq!(tree.system.get_mut().procs[5].state, State::Running);
    }
}

#[test]
fn without_time_what_is_there_is_killed_all_the_same() {
    let mut tree = tree(Vec::new(), Handles::All);
    tree.system.get_mut().fork(ROOT, false);
    let killed = tree.kill(Deadline::after(Duration::ZERO));
    assert_eq!((killed.killed, killed.unseen), (vec![3, 5], Some(crate::procfs::Unseen::Time)));
    assert!(!tree.system.get_mut().is_live(ROOT));
}

impl<S: System> Tree<S> {
    /// Sends a signal to all known processes, parents first, and returns those that refuse; one that has ended does not.
    pub(super) fn signal(&mut self, signal: i32) -> Vec<Survivor> {
        let refused = (0..self.members.len()).filter_map(|index| Some((index, self.send(index, signal).err()?)));
        let refused: Vec<(usize, io::Error)> = refused.collect();
        refused.into_iter().map(|(index, error)| self.survivor(index, error.to_string())).collect()
    }
}
