//! Bytes as text that is safe to show.

mod quote;
pub(crate) mod redact;

pub(crate) use quote::{escape_text, quote, quote_program};
