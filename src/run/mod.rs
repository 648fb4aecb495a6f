//! From a plan to an outcome: what is opened and started, which thread drives the run, and how its result is made.

mod check;
pub(crate) mod closure_thread;
pub(crate) mod closures;
pub(crate) mod conclude;
mod ends;
mod files;
mod flows;
pub(crate) mod launch;
#[cfg(test)]
mod many_tests;
pub(crate) mod options;
pub(crate) mod shared;
#[cfg(feature = "forward")]
pub(crate) mod signal_registry;
mod spawn_error;
pub(crate) mod started;
#[cfg(feature = "tracing")]
mod trace;
