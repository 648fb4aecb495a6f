//! A plan carried out: what is opened and started, who drives the run, and what it comes to.

mod check;
pub(crate) mod closure_thread;
pub(crate) mod closures;
pub(crate) mod conclude;
mod files;
mod flows;
pub(crate) mod launch;
#[cfg(test)]
mod many_tests;
pub(crate) mod shared;
#[cfg(feature = "forward")]
pub(crate) mod signal_registry;
mod spawn_error;
pub(crate) mod started;
#[cfg(feature = "tracing")]
mod trace;
