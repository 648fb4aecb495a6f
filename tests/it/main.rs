//! The test-suite of pipewright: one binary, a module a subject.
//!
//! What is promised, and where it is held. Numbers in a plain run are small; `PIPEWRIGHT_FULL=1` raises them, and
//! `PIPEWRIGHT_ENGINE` (`clone`, `fork`, `portable`) picks how children are made.
//!
//! | promise | held by |
//! |---|---|
//! | no undeclared descriptor reaches a child, none stays here | `children::descriptors` |
//! | no zombie and no orphan, dropped at any moment | `time::drops` |
//! | descriptor maps, further streams, closed 0 to 2 | `wiring`, `children::{closed, low}`; the unit tests of `fd::table` |
//! | any descriptor under any number; pipelines as arguments | `wiring` |
//! | the child's signals are clean; stops hang nobody | `children::{signals, storm}` |
//! | no clone without shared memory; the child's code is system calls | `children::engine`, `child_code` |
//! | a failed start undoes the others, and names stage, step, errno | `children::failure`, `error_texts` |
//! | few descriptors left | `children::exhausted` |
//! | calls that are refused, one by one | `refused` |
//! | the `/proc` of another namespace | `namespaces` |
//! | a limit or name that does not fit is named | `names` |
//! | descriptors: their own functions, zero-copy, holders, jobservers | `fdapi` |
//! | statuses that are stolen | `stolen` |
//! | what happens in a run is told, to early and late ones | `events`, `tracing` |
//! | a busy executable | `children::busy` |
//! | no deadlock; broken pipes; order; bounded memory; failing sinks | `bytes` |
//! | deadlines, `eof_grace`, cancelling | `time` |
//! | what is said between the first signal and the end reaches every leg | `streams::last_words` |
//! | a panic of a callback for events, at each event | `events::panics` |
//! | what processes have started ends with the run | `trees`, `contain`; the unit tests of `process::tree` |
//! | a graceful end leaves clean-ups alone, and nothing behind | `graceful`; the unit tests of `process::tree` and `pump` |
//! | who is left behind is named, and ended where that was asked for | `leaks` |
//! | what shall die with this process does | `parent_death`; the unit tests of `spawn` |
//! | signals passed on, the terminal lent and taken back, stops and continues | `signals` |
//! | statuses and policies | `status` |
//! | secrets | `secrets` |
//! | Rust code as a stage: its places, ends, failures, bounds | `closures` |
//! | many runs on one thread | the unit tests of `job` |
//! | the pipe in memory | `memory`; the unit tests of `pipe::memory` |
//! | what other libraries' suites check, and where those libraries fail | `conformance` |
//! | captures are exact beside tests that print; isolation; leaks; assertions | `testing` |
//! | each example runs, and leaves nothing behind | `cookbook`, `examples` |
//! | layers, file lengths, examples in the documentation | `layers`, `docs` |
#![expect(unsafe_code, reason = "tests make the hostile surroundings that the library has to stand")]

mod bytes;
mod cgroups;
mod child_code;
mod children;
mod closures;
mod conformance;
mod contain;
mod cookbook;
mod docs;
mod error_texts;
mod events;
mod examples;
mod fdapi;
mod fixture;
mod graceful;
mod harness;
mod harness_self;
mod job;
mod layers;
mod leaks;
mod memory;
mod names;
mod namespaces;
mod parent_death;
mod plan;
mod random;
mod readme;
mod refused;
mod secrets;
mod signals;
mod status;
mod stolen;
mod streams;
mod support;
mod testing;
mod time;
#[cfg(feature = "tracing")]
mod tracing;
mod trees;
mod verbs;
mod wiring;
mod words;
