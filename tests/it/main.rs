//! The test-suite of pipewright: one binary, in nine rooms, in the order of `src`: `launch`, `bytes`, `time`, `trees`, `closures`, `surface`,
//! `tools`, `limits`, `cost`.
//!
//! What is promised, and where it is held. Numbers in a plain run are small; `PIPEWRIGHT_FULL=1` raises them, and
//! `PIPEWRIGHT_ENGINE` (`clone`, `fork`, `portable`) picks how children are made.
//!
//! | promise | held by |
//! |---|---|
//! | no undeclared descriptor reaches a child, none stays here | `launch::descriptors` |
//! | no zombie and no orphan, dropped at any moment | `time::drops` |
//! | descriptor maps, further streams, closed 0 to 2 | `launch::{wiring, closed, low}`; the unit tests of `fd::table` |
//! | any descriptor under any number; pipelines as arguments | `launch::wiring` |
//! | the child's signals are clean; a stopped child hangs no caller | `launch::{signals, storm}` |
//! | no clone without shared memory; the child's code is system calls | `cost::{engine, child_code}` |
//! | a failed start undoes the others, and names stage, step, errno | `launch::failure`, `surface::error_texts` |
//! | few descriptors left | `limits::exhausted` |
//! | calls that are refused, one by one | `limits::refused` |
//! | the `/proc` of another namespace | `trees::namespaces` |
//! | a limit or name that does not fit is named | `limits::names`, `surface::error_texts` |
//! | descriptors: their own functions, zero-copy, holders, jobservers | `bytes::fdapi` |
//! | statuses that are stolen | `trees::stolen` |
//! | the events of a run reach callbacks and iterators, begun early or late | `surface::{events, tracing}` |
//! | a busy executable | `limits::busy` |
//! | no deadlock; broken pipes; order; bounded memory; failing sinks | `bytes`, `limits::memory` |
//! | deadlines, `eof_grace`, cancelling | `time` |
//! | what is written between the first signal and the end reaches every target | `bytes::streams::last_output` |
//! | a panic of a callback for events, at each event | `surface::events::panics` |
//! | what processes have started ends with the run | `trees`, `trees::contain`; the unit tests of `process::tree` |
//! | a graceful end leaves clean-ups alone, and nothing behind | `trees::graceful`; the unit tests of `process::tree` and `pump` |
//! | processes that are left behind are named, and ended where that was asked for | `trees::leaks` |
//! | what is to end with this process does | `trees::parent_death`; the unit tests of `spawn` |
//! | signals passed on, the terminal lent and taken back, stops and continues | `trees::signals` |
//! | statuses and policies | `surface::status` |
//! | secrets | `surface::secrets` |
//! | Rust code as a stage: its places, ends, failures, bounds | `closures` |
//! | many runs on one thread | the unit tests of `job` |
//! | the pipe in memory | `bytes::memory`; the unit tests of `pipe::memory` |
//! | what other libraries' suites check, and where those libraries fail | `surface::conformance`: a table, and what no other test holds |
//! | what the README claims | `tools::readme`: a table, and what no other test holds |
//! | the helper program is reliable | `fixture`; every test that uses a role |
//! | captures are exact beside tests that print; isolation; leaks; assertions | `tools::testing` |
//! | each example runs, and leaves nothing behind | `tools::{cookbook, examples}` |
//! | layers, file lengths, examples in the documentation | `house`, `docs` |
#![expect(unsafe_code, reason = "tests make the hostile surroundings that the library has to stand")]

mod bytes;
mod closures;
mod cost;
mod docs;
mod fixture;
mod harness;
mod harness_self;
mod house;
mod launch;
mod limits;
mod prelude;
mod random;
mod support;
mod surface;
mod time;
mod tools;
mod trees;
