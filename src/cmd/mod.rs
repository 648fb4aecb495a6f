//! A command as a value.

pub(crate) mod quote;
