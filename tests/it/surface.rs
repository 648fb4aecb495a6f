//! What a caller writes and gets: words, plans, verbs, jobs, events, statuses, errors, secrets.

mod conformance;
mod error_texts;
mod events;
mod job;
mod plan;
mod secrets;
mod status;
#[cfg(feature = "tracing")]
mod tracing;
pub(crate) mod verbs;
mod words;
