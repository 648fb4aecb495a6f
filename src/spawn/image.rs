//! What `execve` gets: the candidates for the program, argv, envp, and the directory to go to first.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::env_delta::{EnvChange, EnvDelta};
use super::path::{self, Candidate};
use crate::sys::carray::{CArray, CStrings};

/// Input that no program can be started with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadInput {
    #[error("the program's name is empty")]
    EmptyProgram,
    #[error("the program's name holds a NUL byte")]
    NulInProgram,
    /// Counted from 1, like the program's `$1`.
    #[error("argument {0} holds a NUL byte")]
    NulInArgument(usize),
    #[error("arg0 holds a NUL byte")]
    NulInArg0,
    #[error("an environment variable's name is empty")]
    EmptyKey,
    #[error("the environment variable's name {0:?} holds a `=`")]
    EqualsInKey(OsString),
    #[error("the environment variable's name {0:?} holds a NUL byte")]
    NulInKey(OsString),
    #[error("the value of the environment variable {0:?} holds a NUL byte")]
    NulInValue(OsString),
    #[error("the working directory's path holds a NUL byte: {0:?}")]
    NulInCurrentDir(OsString),
}

/// What the image is made from.
pub(crate) struct ImageSpec<'a> {
    pub(crate) program: &'a OsStr,
    pub(crate) arg0: Option<&'a OsStr>,
    pub(crate) args: &'a mut dyn Iterator<Item = &'a OsStr>,
    pub(crate) env: &'a [EnvChange],
    pub(crate) cwd: Option<&'a Path>,
    pub(crate) allow_relative_path: bool,
}

/// The finished image.
#[derive(Debug)]
pub(crate) struct Image {
    program: OsString,
    candidates: CArray,
    /// The element of PATH at which the search stopped, because it is relative.
    relative_element: Option<OsString>,
    argv: CArray,
    envp: CArray,
    cwd: Option<CString>,
}

impl Image {
    pub(crate) fn new(spec: ImageSpec<'_>) -> Result<Image, BadInput> {
        if spec.program.is_empty() {
            return Err(BadInput::EmptyProgram);
        }
        let mut argv = CStrings::with_capacity(spec.args.size_hint().0.saturating_add(1));
        let arg0 = spec.arg0.unwrap_or(spec.program);
        argv.push(&[arg0.as_bytes()]).map_err(|_| match spec.arg0 {
            Some(_) => BadInput::NulInArg0,
            None => BadInput::NulInProgram,
        })?;
        for arg in spec.args {
            argv.push(&[arg.as_bytes()]).map_err(|at| BadInput::NulInArgument(at.0))?;
        }
        let (envp, path) = environ(spec.env)?;
        let mut candidates = CStrings::new();
        let mut relative_element = None;
        for Candidate { path, relative } in path::candidates(spec.program, path.as_deref()) {
            if let (Some(element), false) = (relative, spec.allow_relative_path) {
                if !is_executable(&spec.cwd.unwrap_or(Path::new("")).join(&path)) {
                    continue;
                }
                // A shell would run this file. A later candidate would be another program: the search ends here.
                relative_element = Some(element);
                break;
            }
            candidates.push(&[path.as_os_str().as_bytes()]).map_err(|_| BadInput::NulInProgram)?;
        }
        let cwd = spec
            .cwd
            .map(|cwd| CString::new(cwd.as_os_str().as_bytes()).map_err(|_| BadInput::NulInCurrentDir(cwd.into())))
            .transpose()?;
        Ok(Image {
            program: spec.program.to_owned(),
            candidates: candidates.finish(),
            relative_element,
            argv: argv.finish(),
            envp: envp.finish(),
            cwd,
        })
    }

    pub(crate) fn program(&self) -> &OsStr {
        &self.program
    }

    /// Whether the program is a bare name, which PATH decides on.
    pub(crate) fn is_looked_for(&self) -> bool {
        !self.program.as_bytes().contains(&b'/')
    }

    pub(crate) fn candidates(&self) -> &CArray {
        &self.candidates
    }

    pub(crate) fn relative_element(&self) -> Option<&OsStr> {
        self.relative_element.as_deref()
    }

    pub(crate) fn argv(&self) -> &CArray {
        &self.argv
    }

    pub(crate) fn envp(&self) -> &CArray {
        &self.envp
    }

    pub(crate) fn cwd(&self) -> Option<&CStr> {
        self.cwd.as_deref()
    }
}

/// The child's environment, and its PATH. The host's environment is read now, at spawn, under std's lock.
fn environ(changes: &[EnvChange]) -> Result<(CStrings, Option<OsString>), BadInput> {
    let mut path = None;
    if changes.is_empty() {
        // std copies each variable under its lock; the copies go into one buffer here.
        let host = std::env::vars_os();
        let mut envp = CStrings::with_capacity(host.size_hint().0);
        for (key, value) in host {
            envp.push_unchecked(&[key.as_bytes(), b"=", value.as_bytes()]);
            if key == "PATH" {
                path = Some(value);
            }
        }
        return Ok((envp, path));
    }
    let variables = environment(changes)?;
    let mut envp = CStrings::with_capacity(variables.len());
    for (key, value) in variables {
        let pushed = envp.push(&[key.as_bytes(), b"=", value.as_bytes()]);
        if key == "PATH" {
            path = Some(value);
        }
        pushed.map_err(|_| BadInput::NulInValue(key))?;
    }
    Ok((envp, path))
}

/// The host's environment, changed.
fn environment(changes: &[EnvChange]) -> Result<BTreeMap<OsString, OsString>, BadInput> {
    for change in changes {
        if let EnvChange::Set(key, _) | EnvChange::SetSecret(key, _) = change {
            check_key(key)?;
        }
    }
    let delta = EnvDelta::of(changes);
    let inherits_none = delta.kept.as_ref().is_some_and(Vec::is_empty);
    Ok(delta.apply(if inherits_none { BTreeMap::new() } else { std::env::vars_os().collect() }))
}

/// Whether the path leads to a regular file with any execute permission.
pub(crate) fn is_executable(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

fn check_key(key: &OsStr) -> Result<(), BadInput> {
    match key.as_bytes() {
        [] => Err(BadInput::EmptyKey),
        bytes if bytes.contains(&b'=') => Err(BadInput::EqualsInKey(key.to_owned())),
        bytes if bytes.contains(&0) => Err(BadInput::NulInKey(key.to_owned())),
        _ => Ok(()),
    }
}
