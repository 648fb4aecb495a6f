//! One process of a tree, as data.

use crate::procfs::stat::Stat;

pub(super) struct Member<H> {
    pub(super) pid: i32,
    /// `None`: reached by its number and start time.
    pub(super) handle: Option<H>,
    /// In ticks since boot. A root has none: its handle suffices.
    pub(super) start: Option<u64>,
    /// The name that it had when it was found.
    pub(super) name: String,
    /// The number of parents up to a root.
    pub(super) depth: usize,
    pub(super) suspension: Suspension,
    pub(super) delivery: Delivery,
    pub(super) origin: Origin,
}

/// How far the freeze came with a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Suspension {
    NotYet,
    /// SIGSTOP was sent, and SIGCONT has to follow if SIGKILL does not.
    Sent,
    /// SIGSTOP was refused, or came after the end.
    InVain,
}

/// How far a step's signal came with a process.
#[derive(Debug, Clone, Copy)]
pub(super) struct Delivery {
    pub(super) is_done: bool,
    /// Whether the process ran its parent's program at the last look, whose handlers may have swallowed the signal.
    pub(super) to_copy: bool,
}

/// What made a process, as far as it decides which process may reap it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// A root, or possibly another child that this process started.
    Own,
    /// Another process started it. If it is a child of this process later, then as an orphan.
    Descendant,
}

impl<H> Member<H> {
    pub(super) fn root(pid: i32, handle: H) -> Member<H> {
        Member::new(pid, Some(handle), None, 0, Origin::Own)
    }

    pub(super) fn new(pid: i32, handle: Option<H>, stat: Option<Stat>, depth: usize, origin: Origin) -> Member<H> {
        let delivery = Delivery { is_done: false, to_copy: stat.as_ref().is_some_and(|stat| !stat.is_program) };
        let (start, name) = stat.map(|stat| (stat.start, stat.name)).unzip();
        let (name, suspension) = (name.unwrap_or_default(), Suspension::NotYet);
        Member { pid, handle, start, name, depth, suspension, delivery, origin }
    }
}
