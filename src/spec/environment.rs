//! A command's environment and working directory.

use std::ffi::OsStr;
use std::path::PathBuf;

use crate::spawn::EnvChange;

/// The environment and the working directory.
#[derive(Clone, Default)]
pub(crate) struct Environment {
    pub(crate) own: EnvPart,
    /// What the pipeline sets for its stages. Its variables come before the stage's own.
    pub(crate) pipeline: EnvPart,
}

#[derive(Clone, Default)]
pub(crate) struct EnvPart {
    pub(crate) changes: Vec<EnvChange>,
    pub(crate) cwd: Option<PathBuf>,
}

/// Whether the value of this variable may be shown.
pub(super) fn is_public(key: &OsStr) -> bool {
    key == "PATH" || key == "PWD"
}
