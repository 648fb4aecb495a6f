//! `cmd!` and what it expands to.

use std::ffi::OsStr;
use std::ops::RangeFrom;

use super::Cmd;

/// Makes a [`Cmd`] of a program and its arguments: `cmd!("git", "log", path, flags..)`.
///
/// Each item is any expression that is `AsRef<OsStr>`: a literal, a `String`, a `Path` or an `OsStr`, borrowed or owned. It becomes exactly
/// one argument, whatever characters it contains; nothing is ever split. `items..` adds every element of an array, a `Vec`, an iterator or
/// an `Option`. Write `n.to_string()` for a number.
///
/// The items are evaluated once, in their order. Nothing is run or looked up. The first item goes to [`Cmd::new`], the others to
/// [`Cmd::arg`] or, with `..`, to [`Cmd::args`]. Errors count arguments from 1, after `..` is expanded.
///
/// ```
/// use pipewright::cmd;
/// use std::path::Path;
/// let verbose = true;
/// let files = vec![Path::new("a b.txt"), Path::new("c.txt")];
/// let cmd = cmd!("ls", "-l", verbose.then_some("--all").., files..);
/// assert_eq!(cmd.to_string(), "ls -l --all 'a b.txt' c.txt");
/// ```
#[macro_export]
macro_rules! cmd {
    ($program:expr $(, $arg:expr)* $(,)?) => {{
        #[allow(unused_imports, reason = "unused without arguments, or if all are lists")]
        use $crate::__private::ArgSingle as _;
        let cmd = $crate::Cmd::new($program);
        $(let cmd = $crate::__private::Arg($arg).add_to(cmd);)*
        cmd
    }};
}

/// One item of `cmd!`. `items..` is a `RangeFrom`, whose inherent method is preferred to the trait's. This tells a list from a single item
/// without a macro that walks the tokens.
#[doc(hidden)]
pub struct Arg<T>(pub T);

impl<I: IntoIterator<Item: AsRef<OsStr>>> Arg<RangeFrom<I>> {
    #[doc(hidden)]
    pub fn add_to(self, cmd: Cmd) -> Cmd {
        cmd.args(self.0.start)
    }
}

#[doc(hidden)]
pub trait ArgSingle {
    fn add_to(self, cmd: Cmd) -> Cmd;
}

impl<T: AsRef<OsStr>> ArgSingle for Arg<T> {
    fn add_to(self, cmd: Cmd) -> Cmd {
        cmd.arg(self.0)
    }
}
