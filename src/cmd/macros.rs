//! `cmd!` and what it expands to.

use std::ffi::OsStr;
use std::ops::RangeFrom;

use super::Cmd;

/// A [`Cmd`] from its words: `cmd!("git", "log", path, flags..)`.
///
/// Every word is an expression of anything that is `AsRef<OsStr>`: a literal, a `String`, a `Path`, an `OsStr`, borrowed or owned. A
/// string with spaces is one argument; nothing is ever split. `x..` spreads: an array, a `Vec`, an iterator, an `Option`.
///
/// The words are evaluated once, in their order. Nothing is run or looked up; the first word is what [`Cmd::new`]
/// takes, the others are what [`Cmd::arg`] and, spread, [`Cmd::args`] take. Errors count arguments from 1, after
/// spreading.
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
        #[allow(unused_imports, reason = "unused without words, or when all are spread")]
        use $crate::__private::ArgSingle as _;
        let cmd = $crate::Cmd::new($program);
        $(let cmd = $crate::__private::Arg($arg).add_to(cmd);)*
        cmd
    }};
}

/// One word of `cmd!`. `x..` is a `RangeFrom`, whose inherent method comes before the trait's: that is how a spread is told from a
/// single word without a macro that walks its tokens.
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
