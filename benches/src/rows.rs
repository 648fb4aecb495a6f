//! The rows: one entry each, in the order of the table. A new row is an entry here, a check in `check.rs` if none fits, and an arm
//! in `job` of each peer that can do it.

use crate::check::{self, Check};
use crate::prepare::{self, Prepare};
use crate::sample::Load;

/// What a row's figure is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Time per operation.
    Micros,
    Millis,
    /// Bytes per second: the size over the time.
    Throughput,
    /// Millions of lines per second.
    Lines,
    /// Time per message, child or stage: the time over the size.
    MicrosEach,
    /// Half of the lines took no longer than this from the child's write to the reader.
    Delay,
    /// Resident memory per job, in bytes.
    Memory,
}

/// A ratio to reach, of which more is better.
pub struct Goal {
    pub against: &'static str,
    pub reach: f64,
    pub aim: Option<f64>,
}

pub struct Row {
    pub name: &'static str,
    pub title: &'static str,
    pub unit: Unit,
    pub size: u64,
    pub piece: usize,
    pub ops: u64,
    pub warmups: u64,
    /// At most this many rounds, for rows that take long.
    pub rounds: u64,
    pub feeds: bool,
    pub prepare: Prepare,
    pub check: Check,
    pub goals: &'static [Goal],
    /// What 1.00 is.
    pub base: &'static str,
    /// Why the row falls short of its goals, where it does.
    pub why: &'static str,
}

const MIB: u64 = 1 << 20;
/// Pieces, messages or live lines in a run under a tracer.
const PIECES: u64 = 200;

/// Children at once in such a run.
const CHILDREN_TRACED: u64 = 100;
/// Of the rows on one CPU.
const SWITCHES: &str = "two threads on one CPU need at least one switch per write, and one by `sched_yield` takes some three times as long as a whole write between goroutines";

const START: &str = "exec is most of it; the rest of std's lead is a copy of the environment, which std lends, signals that are set one by one, and what the child was not given";
const LIMIT: &str =
    "the row `raw` shows what the kernel allows on this machine; the goals come from one where that is more";

const fn goal(against: &'static str, reach: f64, aim: f64) -> Goal {
    Goal { against, reach, aim: Some(aim) }
}

const fn at_least(against: &'static str, reach: f64) -> Goal {
    Goal { against, reach, aim: None }
}

const ROW: Row = Row {
    name: "",
    title: "",
    unit: Unit::Micros,
    size: 0,
    piece: 0,
    ops: 1,
    warmups: 0,
    rounds: u64::MAX,
    feeds: false,
    prepare: prepare::nothing,
    check: check::ended,
    goals: &[],
    base: "std",
    why: "",
};
const QUICK_CALL: Row = Row { ops: 300, warmups: 20, why: START, ..ROW };
const OPTION: Row = Row {
    size: 4096 * MIB,
    ops: 60,
    warmups: 5,
    rounds: 2,
    prepare: prepare::resident,
    goals: &[at_least("std-plain", 1.0)],
    base: "std-plain",
    why: START,
    ..ROW
};
const BULK: Row = Row { unit: Unit::Throughput, size: 512 * MIB, why: LIMIT, ..ROW };
const MEMORY: Row = Row { unit: Unit::Throughput, check: check::passed, base: "go", ..ROW };

/// `best peer` stands for the best of all but pipewright, raw and its own variants.
pub const ROWS: &[Row] = &[
    Row { name: "spawn", title: "start and wait", goals: &[at_least("std", 1.0), at_least("raw", 0.98)], ..QUICK_CALL },
    Row {
        name: "capture",
        title: "capture `hello`",
        check: check::greeting,
        goals: &[at_least("std", 1.0)],
        ..QUICK_CALL
    },
    Row {
        name: "capture-test",
        title: "capture this process's own `println!`",
        check: check::greeting,
        base: "raw",
        ..QUICK_CALL
    },
    Row {
        name: "three",
        title: "three tiny stages",
        ops: 150,
        check: check::three,
        goals: &[at_least("std", 1.0)],
        ..QUICK_CALL
    },
    Row {
        name: "options",
        title: "start and wait with options set, 4 GiB resident",
        size: 4096 * MIB,
        ops: 40,
        warmups: 3,
        rounds: 1,
        prepare: prepare::resident,
        goals: &[at_least("std-plain", 1.0), at_least("std", 100.0)],
        base: "std-plain",
        ..ROW
    },
    Row { name: "option-fd", title: "one option, 4 GiB resident: a descriptor mapped", ..OPTION },
    Row { name: "option-group", title: "one option, 4 GiB resident: a process group", ..OPTION },
    Row { name: "option-session", title: "one option, 4 GiB resident: a session", ..OPTION },
    Row { name: "option-rlimit", title: "one option, 4 GiB resident: a resource limit", ..OPTION },
    Row { name: "option-cwd", title: "one option, 4 GiB resident: a working directory", ..OPTION },
    Row { name: "option-umask", title: "one option, 4 GiB resident: a umask", ..OPTION },
    Row {
        name: "many-fds",
        title: "start and wait with 19,900 descriptors open",
        size: 19_900,
        ops: 100,
        warmups: 5,
        rounds: 3,
        prepare: prepare::descriptors,
        goals: &[at_least("std", 2.0)],
        ..ROW
    },
    Row {
        name: "pipeline",
        title: "pipeline of three stages, 1 GiB",
        size: 1024 * MIB,
        check: check::three,
        goals: &[goal("best peer", 3.5, 4.1)],
        ..BULK
    },
    Row { name: "bulk", title: "capture 512 MiB", check: check::blocks, goals: &[goal("std", 1.15, 1.25)], ..BULK },
    Row {
        name: "reuse",
        title: "capture 512 MiB into a Vec that was used before",
        warmups: 1,
        rounds: 3,
        check: check::blocks,
        goals: &[goal("std", 1.9, 2.0)],
        ..BULK
    },
    Row {
        name: "both",
        title: "stdout and stderr at once, 256 MiB each",
        size: 256 * MIB,
        check: check::both_blocks,
        goals: &[goal("std", 1.2, 1.5)],
        ..BULK
    },
    Row {
        name: "feed",
        title: "feed and capture 512 MiB",
        feeds: true,
        check: check::blocks,
        goals: &[goal("std", 1.7, 2.0), at_least("best peer", 1.3)],
        ..BULK
    },
    Row {
        name: "merged",
        title: "stdout and stderr merged, 20 bytes a write",
        unit: Unit::Lines,
        size: 500_000,
        check: check::merged,
        goals: &[goal("std", 4.0, 5.0)],
        why: LIMIT,
        ..ROW
    },
    Row {
        name: "lines",
        title: "lines of 60 bytes, one by one",
        unit: Unit::Lines,
        size: 8_000_000,
        check: check::lines,
        goals: &[goal("best peer", 2.4, 2.7)],
        why: LIMIT,
        ..ROW
    },
    Row {
        name: "relay",
        title: "relay of 1 GiB through the parent",
        size: 1024 * MIB,
        goals: &[at_least("std", 4.0)],
        ..BULK
    },
    Row {
        name: "tee",
        title: "tee of 1 GiB to two children",
        size: 1024 * MIB,
        goals: &[at_least("std", 4.0)],
        ..BULK
    },
    Row {
        name: "delay",
        title: "from a live child's write to the reader, idle in between",
        unit: Unit::Delay,
        size: 500,
        check: check::ticks,
        goals: &[at_least("raw", 0.8)],
        why: "a poll before each read, for the deadline, the other streams and the ends; the wake-up of an idle CPU is most of it",
        ..ROW
    },
    Row {
        name: "thousand",
        title: "1,000 children at once, each sleeps 0.5 s, captured",
        unit: Unit::Millis,
        size: 1000,
        rounds: 3,
        prepare: prepare::many_files,
        check: check::as_many_greetings,
        goals: &[at_least("std", 1.0)],
        ..ROW
    },
    Row {
        name: "mem-64",
        title: "pipe in memory, pieces of 64 B",
        size: 8 * MIB,
        piece: 64,
        goals: &[goal("go", 0.8, 1.2), at_least("pipe", 20.0)],
        ..MEMORY
    },
    Row { name: "mem-4k", title: "pipe in memory, pieces of 4 KiB", size: 512 * MIB, piece: 4096, ..MEMORY },
    Row {
        name: "mem-64k",
        title: "pipe in memory, pieces of 64 KiB",
        size: 4096 * MIB,
        piece: 65_536,
        goals: &[goal("go", 1.0, 1.2)],
        ..MEMORY
    },
    Row {
        name: "mem-ping",
        title: "pipe in memory, a byte there and one back",
        unit: Unit::MicrosEach,
        size: 50_000,
        check: check::counted,
        goals: &[goal("go", 1.0, 1.2)],
        ..MEMORY
    },
    Row {
        name: "one-64",
        title: "the same on one CPU, 64 B",
        size: 8 * MIB,
        piece: 64,
        prepare: prepare::one_cpu,
        goals: &[goal("go", 0.3, 0.6)],
        why: SWITCHES,
        ..MEMORY
    },
    Row {
        name: "one-4k",
        title: "the same on one CPU, 4 KiB",
        size: 512 * MIB,
        piece: 4096,
        prepare: prepare::one_cpu,
        goals: &[goal("go", 0.3, 0.6)],
        why: SWITCHES,
        ..MEMORY
    },
    Row {
        name: "one-64k",
        title: "the same on one CPU, 64 KiB",
        size: 4096 * MIB,
        piece: 65_536,
        prepare: prepare::one_cpu,
        goals: &[goal("go", 0.3, 0.6)],
        ..MEMORY
    },
    Row {
        name: "one-ping",
        title: "the same on one CPU, a byte there and one back",
        unit: Unit::MicrosEach,
        size: 50_000,
        prepare: prepare::one_cpu,
        check: check::counted,
        goals: &[goal("go", 0.3, 0.6)],
        why: "a round trip is two switches of threads, which take some three times as long as those of goroutines",
        ..MEMORY
    },
    Row {
        name: "buf-64",
        title: "pipe in memory with room for 1 MiB, pieces of 64 B",
        size: 128 * MIB,
        piece: 64,
        goals: &[goal("go", 17.0, 20.0)],
        ..MEMORY
    },
    Row {
        name: "buf-4k",
        title: "pipe in memory with room for 1 MiB, 4 KiB",
        size: 1024 * MIB,
        piece: 4096,
        goals: &[goal("go", 1.7, 2.4)],
        why: "the copy through the ring is most of it",
        ..MEMORY
    },
    Row {
        name: "buf-64k",
        title: "pipe in memory with room for 1 MiB, 64 KiB",
        size: 4096 * MIB,
        piece: 65_536,
        goals: &[goal("go", 1.0, 1.2)],
        ..MEMORY
    },
    Row { name: "children-1", title: "cost of a child, 1 alive", ops: 300, size: 1, ..CHILDREN },
    Row { name: "children-10", title: "cost of a child, 10 alive", ops: 30, size: 10, ..CHILDREN },
    Row { name: "children-100", title: "cost of a child, 100 alive", ops: 3, size: 100, ..CHILDREN },
    Row { name: "children-1000", title: "cost of a child, 1,000 alive", size: 1000, ..CHILDREN },
    Row { name: "children-2000", title: "cost of a child, 2,000 alive", size: 2000, ..CHILDREN },
    Row { name: "stages-1", title: "cost of a stage, of 1", ops: 200, size: 1, ..STAGES },
    Row { name: "stages-10", title: "cost of a stage, of 10", ops: 20, size: 10, ..STAGES },
    Row { name: "stages-100", title: "cost of a stage, of 100", ops: 2, size: 100, ..STAGES },
    Row { name: "stages-200", title: "cost of a stage, of 200", ops: 1, size: 200, ..STAGES },
    Row { name: "memory", title: "memory per running job, stdout and stderr captured, of 1,000", ..RUNNING },
    Row { name: "memory-bare", title: "memory per running job, nothing captured, of 1,000", ..RUNNING },
    Row {
        name: "plan",
        title: "a command of ten arguments built, cloned, planned",
        ops: 20_000,
        warmups: 100,
        check: check::counted,
        size: 1,
        ..ROW
    },
];

const CHILDREN: Row =
    Row { unit: Unit::MicrosEach, rounds: 3, prepare: prepare::many_files, check: check::as_many, ..ROW };
const STAGES: Row =
    Row { unit: Unit::MicrosEach, rounds: 3, prepare: prepare::many_files, check: check::as_many, ..ROW };

const RUNNING: Row =
    Row { unit: Unit::Memory, size: 1000, rounds: 2, prepare: prepare::many_files, check: check::as_many, ..ROW };

pub fn find(name: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.name == name)
}

impl Row {
    pub fn load(&self, quick: bool) -> Load {
        let cut = |value: u64| if quick { (value / 8).max(1) } else { value };
        let size = match self.unit {
            Unit::Throughput | Unit::Lines => cut(self.size),
            _ => self.size,
        };
        let ops = if self.ops > 1 { cut(self.ops) } else { 1 };
        Load { size, ops, warmups: self.warmups }
    }

    /// Less work still, for runs under a tracer.
    pub fn small_load(&self) -> Load {
        let size = match self.unit {
            Unit::Throughput if self.piece > 0 => self.piece as u64 * PIECES,
            Unit::Throughput => self.size / 32,
            Unit::Lines => self.size / 64,
            Unit::Delay => PIECES,
            _ if self.is_ping() => PIECES,
            _ if self.is_per_child() => self.size.min(CHILDREN_TRACED),
            // What is resident or open is the same in every run that counts.
            Unit::Micros if self.name != "plan" => self.size / 256,
            _ => self.size,
        };
        Load { size, ops: 1, warmups: self.warmups.min(1) }
    }

    /// The work of a run whose threads are counted: less of it, except as many children, as those may be what the threads are for.
    pub fn watched_load(&self) -> Load {
        let small = self.small_load();
        if self.is_per_child() { Load { size: self.size, ..small } } else { small }
    }

    /// What system calls are counted by, and how many of it that smaller work is.
    pub fn counted_by(&self) -> (&'static str, f64) {
        match self.unit {
            Unit::Throughput if self.piece > 0 => ("piece", PIECES as f64),
            Unit::Throughput => ("MiB", (self.small_load().size / MIB) as f64),
            Unit::Lines => ("1,000 lines", self.small_load().size as f64 / 1e3),
            Unit::Delay => ("line", PIECES as f64),
            _ if self.is_ping() => ("round trip", PIECES as f64),
            Unit::Micros => ("operation", 1.0),
            _ => ("child", self.small_load().size as f64),
        }
    }

    fn is_per_child(&self) -> bool {
        !self.is_ping() && matches!(self.unit, Unit::MicrosEach | Unit::Millis | Unit::Memory)
    }

    fn is_ping(&self) -> bool {
        self.unit == Unit::MicrosEach && self.base == "go"
    }

    pub fn more_is_better(&self) -> bool {
        matches!(self.unit, Unit::Throughput | Unit::Lines)
    }
}
