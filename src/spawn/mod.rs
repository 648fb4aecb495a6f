//! Starting a child.

pub(crate) mod path;
