//! Looking a program up, as a start would.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::outcome::{Error, ErrorKind, Fault};
use crate::spawn::is_executable;
use crate::spawn::path::candidates;

/// The file that a [`Cmd`](crate::Cmd) with this program would run, by this process's PATH and working directory, as `command -v` finds
/// it. Does not follow links. Asks the file system, so the answer is as old as the call.
///
/// It is this process's PATH that counts, not one that a `Cmd` sets for its child by [`env`](crate::Cmd::env), nor its
/// [`current_dir`](crate::Cmd::current_dir).
///
/// Blocks as the file system does, and starts nothing.
///
/// # Errors
/// [`ProgramNotFound`](ErrorKind::ProgramNotFound); [`RelativePath`](ErrorKind::RelativePath) when it is only found through an empty or
/// relative element of PATH.
///
/// ```
/// let sh = pipewright::which("sh")?;
/// assert!(sh.is_absolute() && sh.ends_with("sh"));
/// assert!(pipewright::which("no-such-program-here").is_err());
/// # Ok::<(), pipewright::Error>(())
/// ```
#[doc(alias = "command -v")]
pub fn which(program: impl AsRef<OsStr>) -> Result<PathBuf, Error> {
    let program = program.as_ref();
    let path = std::env::var_os("PATH");
    for candidate in candidates(program, path.as_deref()) {
        if is_executable(&candidate.path) {
            return match candidate.relative {
                None => Ok(candidate.path),
                Some(element) => Err(Fault::new(
                    ErrorKind::RelativePath,
                    format!(
                        "`{}` is found only through the relative element {element:?} of PATH",
                        Path::new(program).display()
                    ),
                )
                .into_bare_error()),
            };
        }
    }
    let why = if program.as_bytes().contains(&b'/') { "no such executable file" } else { "no such program in PATH" };
    Err(Fault::new(ErrorKind::ProgramNotFound, format!("`{}`: {why}", Path::new(program).display())).into_bare_error())
}
