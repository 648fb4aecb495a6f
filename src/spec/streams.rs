//! A command's descriptors.

use std::fmt;
use std::sync::Arc;

use super::redirect::{Common, Input, Target};
use crate::fd::Jobserver;

/// The child's descriptors.
#[derive(Clone, Default)]
pub(crate) struct Streams {
    pub(crate) stdin: Option<Input>,
    pub(crate) stdout: Option<Target>,
    pub(crate) stderr: Option<Target>,
    /// The pipeline's stderr, for a stage without one of its own. Shared, so that the plan sees which stages mean the same place.
    pub(crate) pipeline_stderr: Option<Arc<Target>>,
    pub(crate) merge: Merge,
    pub(crate) extra: Vec<ExtraFd>,
    /// Kept open: its numbers are in the environment.
    pub(crate) jobserver: Option<Jobserver>,
    /// Whether the child also gets every descriptor without `FD_CLOEXEC`.
    pub(crate) inherit_fds: bool,
}

/// A descriptor beyond the standard ones.
#[derive(Clone)]
pub(crate) struct ExtraFd {
    pub(crate) number: i32,
    pub(crate) source: FdSource,
}

#[derive(Clone)]
pub(crate) enum FdSource {
    Given(Common),
    In(Input),
    Out(Target),
}

impl fmt::Debug for FdSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FdSource::Given(common) => common.fmt(f),
            FdSource::In(input) => input.fmt(f),
            FdSource::Out(target) => target.fmt(f),
        }
    }
}

/// Which of the two outputs follows the other, once both are redirected. Both at once: they change places.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Merge {
    pub(crate) stderr_to_stdout: bool,
    pub(crate) stdout_to_stderr: bool,
}
