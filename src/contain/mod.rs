//! Containers, which hold the processes of a run together beyond their parentage: a process group, a session, a cgroup.
//!
//! # Why a group's number is never another one's
//! A group or a session has the number of its first process, its leader. The kernel does not give the number away while a process is in
//! the group, or while the leader is not reaped. So leaders are [kept](Process::new) as zombies until the run is over. A number means a
//! group or a session only while its leader is known not to have been reaped, or (from Linux 6.9 on) while a signal 0 by the leader's
//! descriptor finds a process in the group.

mod cgroup;
mod watchdog;

use std::io;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::clock::Deadline;
use crate::process::Process;
use crate::procfs::{Unseen, is_shortage};
use crate::setup_step::{Failure, Step};
use crate::spawn::Attributes;
use crate::tree::{Killed, Tree};
use cgroup::Cgroup;
use watchdog::Watchdog;

/// A container for a run's processes, by which more of what they start can be found and ended.
///
/// Set by [`Cmd::contain`](crate::Cmd::contain). Without one, the processes stay in this process's group, so that a terminal's Ctrl-C reaches them,
/// and their descendants are found by a walk; see [`Means`](crate::Means). In a container, that walk is made too.
///
/// ```
/// use pipewright::{Cmd, Containment, Means, Redirect};
/// // A double fork: it has lost its parent, and is in the group.
/// let job = Cmd::sh("(sleep 60 & echo started) & wait").contain(Containment::Group).stdout(Redirect::piped()).spawn()?;
/// std::io::Read::read_exact(&mut job.take_stdout().unwrap(), &mut [0; 8])?;
/// let report = job.kill()?;
/// # if !cfg!(target_os = "linux") { return Ok(()); }
/// assert_eq!(report.means, Means::Group);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Containment {
    /// One process group for the run (`setpgid(2)`), which its first process leads, or the watchdog that waits for the end of this process (see
    /// [`kill_on_parent_death`](crate::Cmd::kill_on_parent_death)). A kill then also reaches processes that lost their parent, and not those
    /// that made a group of their own. A terminal's Ctrl-C reaches the group only by [`forward`](crate::forward). A process that reads
    /// the terminal is stopped, which is [`ErrorKind::Stopped`](crate::ErrorKind::Stopped), except in the [`foreground`](crate::Cmd::foreground).
    Group,
    /// A session for each process of the run (`setsid(2)`), without a terminal. A kill then also reaches processes that made a group of their own.
    /// Linux; elsewhere the session's first group.
    Session,
    /// A fresh cgroup in this directory of a cgroup v2 file system (cgroups(7)); the directory is made if it is missing. Processes enter it
    /// before the program runs, and a kill ends it as one. It is removed when the run is over and it is empty, or else with a later one
    /// of this process. A process gets out of it only with the right to write to another one. Linux 5.14; where it cannot be made or
    /// entered, the run starts without it, and [`KillReport`](crate::KillReport) says so.
    Cgroup(PathBuf),
}

/// A run's container.
#[derive(Debug)]
pub(crate) struct Container {
    how: How,
    /// The leaders of the groups, or of the sessions: kept until the container is closed.
    leaders: Mutex<Vec<Process>>,
    /// The process that ends it when this process is gone, if that was asked for.
    watchdog: Mutex<Option<Watchdog>>,
    /// Why it is not what was asked for, or not for all of the run.
    fell_back: OnceLock<String>,
    holds: Mutex<Holds>,
}

#[derive(Debug, Default)]
struct Holds {
    count: usize,
    /// The run is over: the last hold closes it.
    is_over: bool,
}

/// Keeps a container open: the run may be over before all processes in it have been ended.
pub(crate) struct Hold(Arc<Container>);

impl Hold {
    pub(crate) fn new(container: &Arc<Container>) -> Hold {
        container.holds().count += 1;
        Hold(Arc::clone(container))
    }
}

impl Deref for Hold {
    type Target = Container;

    fn deref(&self) -> &Container {
        &self.0
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut holds = self.0.holds();
        holds.count -= 1;
        let is_over = holds.count == 0 && holds.is_over;
        drop(holds);
        if is_over {
            self.0.close();
        }
    }
}

#[derive(Debug)]
enum How {
    Group,
    Session,
    Cgroup(Cgroup),
    /// The walk alone.
    Nothing,
}

/// The ways to find a run's processes, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    Cgroup,
    Session,
    Group,
    Parentage,
}

impl Container {
    /// # Errors
    /// EMFILE, ENFILE or ENOMEM. After any other error for a cgroup the run goes on without one.
    pub(crate) fn new(asked: &Containment) -> io::Result<Container> {
        let mut fell_back = OnceLock::new();
        let how = match asked {
            Containment::Group => How::Group,
            Containment::Session => How::Session,
            Containment::Cgroup(directory) => match Cgroup::new(directory) {
                Ok(cgroup) => How::Cgroup(cgroup),
                Err(error) if is_shortage(&error) => return Err(error),
                Err(error) => {
                    fell_back = format!("no cgroup could be made in {}: {error}", directory.display()).into();
                    How::Nothing
                }
            },
        };
        Ok(Container { how, leaders: Mutex::default(), watchdog: Mutex::default(), fell_back, holds: Mutex::default() })
    }

    /// Makes it end with this process, however that ends; to be called before the first child enters. Sessions are left as they are: each
    /// would need a leader that waits.
    pub(crate) fn end_with_this_process(&self, deadline: Deadline) -> Result<(), Failure> {
        let watchdog = match &self.how {
            How::Group => Watchdog::of_group(deadline)?,
            How::Cgroup(cgroup) => Watchdog::of_cgroup(cgroup.path(), deadline)?,
            How::Session | How::Nothing => return Ok(()),
        };
        if matches!(self.how, How::Group) {
            self.is_led_by(watchdog.process());
        }
        *self.watchdog() = Some(watchdog);
        Ok(())
    }

    pub(crate) fn reach(&self) -> Reach {
        match self.how {
            How::Cgroup(_) if self.fell_back.get().is_none() => Reach::Cgroup,
            How::Session if cfg!(target_os = "linux") => Reach::Session,
            How::Session | How::Group => Reach::Group,
            How::Cgroup(_) | How::Nothing => Reach::Parentage,
        }
    }

    /// Whether a look at its members is cheap.
    pub(crate) fn tells_at_once(&self) -> bool {
        matches!(self.how, How::Cgroup(_))
    }

    pub(crate) fn fell_back(&self) -> Option<&str> {
        self.fell_back.get().map(String::as_str)
    }

    /// Sets what a child has to do to enter; whether it then leads a group or a session.
    pub(crate) fn place(&self, attributes: &mut Attributes) -> bool {
        match &self.how {
            How::Group => {
                // A group whose leader was reaped elsewhere in this process may be gone: a new one is begun.
                let there = |leader: &&Process| leader.keeps_number();
                let leader = self.leaders().last().filter(there).map_or(0, |leader| leader.number());
                attributes.process_group = Some(leader);
                leader == 0
            }
            How::Session => {
                attributes.new_session = true;
                true
            }
            How::Cgroup(cgroup) => {
                attributes.cgroup = Some(cgroup.entrance());
                false
            }
            How::Nothing => false,
        }
    }

    /// Sets what a child that could not enter has to do instead; whether it then leads.
    pub(crate) fn place_otherwise(&self, failure: &Failure, attributes: &mut Attributes) -> Option<bool> {
        match &self.how {
            // Its leader was reaped elsewhere between the look and the child's call, and the group was empty.
            How::Group if failure.step == Step::ProcessGroup && attributes.process_group != Some(0) => {
                attributes.process_group = Some(0);
                Some(true)
            }
            How::Cgroup(cgroup) if failure.step == Step::Cgroup => {
                let path = cgroup.path().display();
                // The first refusal is reported; processes that are in stay in.
                let _ = self.fell_back.set(format!("the cgroup {path} could not be entered: {}", failure.io_error()));
                attributes.cgroup = None;
                Some(false)
            }
            _ => None,
        }
    }

    /// Adds a child that leads; it is [kept](Process::new).
    pub(crate) fn is_led_by(&self, process: &Process) {
        self.leaders().push(process.clone());
    }

    /// Adds its processes to a tree, and returns how many were new.
    fn collect(&self, tree: &mut Tree, budget: Deadline) -> usize {
        match &self.how {
            How::Group | How::Session => {
                // Copies, because `keeps_number` takes the lock of each.
                let leaders = self.leaders().clone();
                if leaders.is_empty() {
                    return 0;
                }
                let is_group = matches!(self.how, How::Group);
                let watchdog = self.watchdog().as_ref().map(|watchdog| watchdog.process().number());
                tree.take_in_marked(budget, |stat| {
                    if Some(stat.pid) == watchdog {
                        return false;
                    }
                    let mark = if is_group { stat.group } else { stat.session };
                    // Asked after the mark was read: up to then, at least, the number meant this group or session.
                    leaders.iter().any(|leader| leader.number() == mark && leader.keeps_number())
                })
            }
            How::Cgroup(cgroup) => tree.take_in_listed(budget, || cgroup.members()),
            How::Nothing => 0,
        }
    }

    /// Kills all its processes in one call, which none of them can fork past.
    fn kill_all(&self) {
        match &self.how {
            How::Group | How::Session => {
                for leader in self.leaders().iter() {
                    // ESRCH: it is empty. A process that refuses is found to be alive later.
                    let _ = leader.signal_group(libc::SIGKILL);
                }
            }
            How::Cgroup(cgroup) => {
                // A kernel before 5.14 refuses: then the sweep is all there is.
                let _ = cgroup.kill();
            }
            How::Nothing => {}
        }
    }

    /// The leaders of its groups that can be signalled as one. The watchdog of a group is in it, and ignores only some signals.
    fn groups_that_bear(&self, signal: i32) -> Vec<Process> {
        let is_watched = self.watchdog().is_some();
        match self.how {
            How::Group if is_watched && !watchdog::IGNORES.contains(&signal) => Vec::new(),
            // A number means the group as long as this holds.
            How::Group | How::Session => {
                self.leaders().iter().filter(|leader| leader.keeps_number()).cloned().collect()
            }
            How::Cgroup(_) | How::Nothing => Vec::new(),
        }
    }

    /// Sends SIGCONT to its groups.
    pub(crate) fn go_on(&self) {
        if let How::Group | How::Session = self.how {
            for leader in self.leaders().iter() {
                // ESRCH: it is empty.
                let _ = leader.signal_group(libc::SIGCONT);
            }
        }
    }

    /// Waits until it is proven to be empty, or until the deadline; whether it is.
    pub(crate) fn is_empty(&self, until: Deadline) -> bool {
        match &self.how {
            How::Cgroup(cgroup) => self.fell_back.get().is_none() && cgroup.wait_until_empty(until),
            How::Group | How::Session | How::Nothing => false,
        }
    }

    /// The numbers and names of its processes, and why there may be more.
    pub(crate) fn members(&self, budget: Deadline) -> (Vec<(u32, String)>, Option<Unseen>) {
        let mut tree = Tree::of(&[]);
        self.collect(&mut tree, budget);
        (tree.named(), tree.unseen())
    }

    /// Ends it with the run: leaders may be reaped, and a cgroup is removed if it is empty.
    pub(crate) fn close(&self) {
        let mut holds = self.holds();
        holds.is_over = true;
        if holds.count > 0 {
            return;
        }
        drop(holds);
        // While the watchdog still watches.
        if let How::Cgroup(cgroup) = &self.how {
            cgroup.remove();
        }
        self.let_live();
        self.leaders().drain(..).for_each(|leader| leader.detach());
    }

    /// Ends the watchdog: the container does not end with this process any more.
    pub(crate) fn let_live(&self) {
        if let Some(watchdog) = self.watchdog().take() {
            watchdog.end();
        }
    }

    /// The number of the group that a child was put into last.
    pub(crate) fn group(&self) -> Option<u32> {
        self.leaders().last().map(Process::pid)
    }

    fn watchdog(&self) -> MutexGuard<'_, Option<Watchdog>> {
        self.watchdog.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn holds(&self) -> MutexGuard<'_, Holds> {
        self.holds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn leaders(&self) -> MutexGuard<'_, Vec<Process>> {
        self.leaders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        self.close();
    }
}

/// Sends a signal to a tree and the processes of its container: to each once, parents first, and SIGCONT after it for those that are
/// stopped. What is started in answer is left alone, see [`request`](crate::tree). Does not wait. The tree has to be kept for a later
/// kill: a process that loses its parent by this is not found again.
pub(crate) fn request_exit(tree: &mut Tree, container: Option<&Container>, signal: i32, budget: Deadline) {
    tree.begin_request(signal);
    look(tree, container, budget);
    let groups = container.map_or_else(Vec::new, |container| container.groups_that_bear(signal));
    let numbers = groups.iter().map(|leader| leader.number()).collect();
    tree.request_known(numbers, |signal| {
        for (leader, signal) in groups.iter().flat_map(|leader| [(leader, signal), (leader, libc::SIGCONT)]) {
            // ESRCH: it is empty. A process that refuses is found to be alive when the grace is over.
            let _ = leader.signal_group(signal);
        }
    });
    look_on(tree, container, budget);
}

/// Looks for processes that were started or entered since. Those that were begun before the last step's signal get it.
pub(crate) fn look_on(tree: &mut Tree, container: Option<&Container>, budget: Deadline) {
    look(tree, container, budget);
    tree.request_older();
}

fn look(tree: &mut Tree, container: Option<&Container>, budget: Deadline) {
    tree.look(budget);
    if let Some(container) = container {
        container.collect(tree, budget);
    }
}

/// Sends one signal to the same processes, once, and nothing after it. The kernel discards SIGTSTP in a session without a terminal
/// (signal(7), setpgid(2): orphaned groups), so SIGSTOP takes its place there.
#[cfg(feature = "forward")]
pub(crate) fn signal(tree: &mut Tree, container: Option<&Container>, signal: i32, budget: Deadline) {
    let in_session = container.is_some_and(|container| matches!(container.how, How::Session));
    let signal = if in_session && signal == libc::SIGTSTP { libc::SIGSTOP } else { signal };
    if let Some(container) = container {
        container.collect(tree, budget);
    }
    tree.signal_all(signal, budget);
}

/// Kills a tree and the processes of its container. The walk comes first: a process that left the container is found by its parent, and
/// only as long as the parent is there.
pub(crate) fn kill(tree: &mut Tree, container: Option<&Container>, budget: Deadline) -> Killed {
    let Some(container) = container else { return tree.kill(budget) };
    tree.look(budget);
    container.collect(tree, budget);
    let mut killed = tree.kill_what_is_known(budget);
    container.kill_all();
    // Processes that entered meanwhile are named and, where one call does not reach them all, killed.
    let mut known = tree.len();
    while container.collect(tree, budget) > 0 {
        tree.sweep(known, &mut killed);
        known = tree.len();
        if budget.passed() {
            break;
        }
    }
    killed.unseen = tree.unseen();
    killed
}
