//! What the builders hold, as data: commands, closures, pipelines, redirections and settings.
//!
//! The builders' methods are in `cmd`, `redirect`, `stage` and `pipeline`; `plan` turns a [`Pipeline`] into what is to happen.

pub(crate) mod cancel;
pub(crate) mod closure;
mod environment;
mod pipeline;
mod redirect;
pub(crate) mod settings;
mod show;
mod streams;

pub(crate) use closure::{Closure, ClosureBody};
pub(crate) use environment::EnvPart;
pub(crate) use pipeline::{Arg, ArgSource, Command, Link, Misplaced, Pipeline, Stage};
pub(crate) use redirect::{Common, Input, Target};
pub(crate) use settings::Settings;
pub(crate) use show::{command_line, shell_line};
pub(crate) use streams::{ExtraFd, FdSource, Merge};
