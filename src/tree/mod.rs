//! Process trees: finding what the processes of a run have started in turn, and ending it. Linux; elsewhere a tree is its roots.
//!
//! # How they are found
//! `/proc/PID/task/*/children` lists the children of a process. Where the kernel has no such files, a scan of every `/proc/PID/stat` gives
//! each process's parent. The walk begins at the roots, which are children of this process. A process that was found once stays known: it
//! is signalled and killed even when its parent has ended since.
//!
//! # Why a reused number is never signalled
//! A process keeps its number until it is reaped. A process descriptor names one process for good, and signal 0 over it tells whether that
//! process still has its number. For a process P that is known to be of the tree:
//! 1. the time is read, then the numbers of P's children;
//! 2. P is seen not to be reaped after that. P had its number all the while, so the list is P's and not a stranger's;
//! 3. for each number a descriptor is opened, then its `stat` is read. If the `stat` has a start before the time of 1, one process had the
//!    number when the list was read, when the descriptor was opened, and when the `stat` was read: it *is* P's child, and the
//!    descriptor is its own;
//! 4. a process that started later, or in the same tick of the clock (10 ms), is taken if the `stat` says that P is its parent, and P is
//!    still not reaped. If the descriptor is that of an earlier owner of the number, then that owner has been reaped, and a signal over
//!    the descriptor reaches no process.
//!
//! From then on signals go over the descriptor. Without one (see [`system`]: too many, none left, refused by the kernel or a filter)
//! 3 and 4 hold all the same. A later signal goes to the process that has the number *and* the start time, over a descriptor that is
//! opened for that one signal before the `stat` is read. A stranger would have to get the number within the tick in which the process
//! started, which takes one round through all numbers in 10 ms. Where no descriptor can be opened at all, the signal is a `kill` right after
//! the look at the start time. It reaches a stranger if the process is reaped in between and the numbers go round once.
//!
//! The numbers 0, 1 and this process's own are never taken, whatever a list says.
//!
//! # What a kill guarantees
//! It looks first, so that the tree is known even when there is no time for more. Then it freezes: [`freeze`] says how. When the freeze
//! reaches its fixed point, no process below the roots runs, and all of them are known by parentage. The kill misses only
//! - a process whose parent had ended before it was found (a double fork; `setsid` alone does not matter), which the system gave to another
//!   parent: `init`, or a subreaper, which may be this process. Below a subreaper *in* the tree it is found;
//! - a process that another process outside of the tree made for it (a service manager, `at`, a container's daemon).
//!
//! For these two, and for what another user's process does, nothing here says "complete". [`Killed::unseen`] says when not even that
//! much is true. If this process is killed while the tree is frozen, the tree stays frozen.
//!
//! # Orphans of a subreaper
//! A descendant whose parent ends is given to the nearest subreaper, or to pid 1. Where that is this process, [`orphans`] reaps what this
//! library ended.
//!
//! # Cost
//! A child without children costs 4 system calls a look: `statx`, then open, read and close of one file. A request between 2 looks costs
//! 16: 2 signals and 6 calls for the last number. A kill costs 10: a stop, a look at its state (4, again until it has stopped), a look, and
//! the signal. Each process found costs 6, and 5 at each further look. Where there are no `children` files, a look costs 5 for each
//! process of the system. What the system offers is found out once, by 4 calls, and one more call a tree checks that `/proc` shows this process.

mod collect;
mod freeze;
mod known;
mod member;
#[cfg(test)]
mod model;
mod orphans;
mod request;
mod search;
mod step;
mod system;
#[cfg(test)]
mod tests;
mod walk;

pub(crate) use freeze::Killed;
pub(crate) use known::{Survivor, Tree};
