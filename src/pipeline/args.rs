//! Arguments of a command that lead to a pipeline.

use super::Pipeline;
use crate::cmd::Cmd;
use crate::spec::ArgSource;

impl Cmd {
    /// One more argument: a path by which the program reads what the pipeline writes, as `<(…)` of some shells. The number is chosen
    /// for the child (`/dev/fd/63`, and down), and the pipeline's stages are part of the run: its status, its timeout, its kill.
    /// They come behind the run's own stages in errors and results. Their stdin is `/dev/null`, unless set. What a pipeline around the
    /// command sets for its stages (`env`, `stderr`, …) does not reach them: they are a pipeline of their own.
    ///
    /// ```
    /// use pipewright::{Cmd, cmd};
    /// let sorted = |text: &str| Cmd::sh("echo \"$1\"").args(["sh", text]) | cmd!("sort");
    /// let same = cmd!("comm", "-12").arg_reader(sorted("b\na")).arg_reader(sorted("c\nb"));
    /// assert_eq!(same.read()?, "b");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    #[doc(alias = "process substitution")]
    pub fn arg_reader(self, pipeline: impl Into<Pipeline>) -> Cmd {
        self.arg_that_opens(ArgSource::Reader(pipeline.into().spec))
    }

    /// One more argument: a path by which the program writes what the pipeline reads, as `>(…)` of some shells; see
    /// [`arg_reader`](Cmd::arg_reader). The run is over when these stages are, too. Their output goes where
    /// the verb has an unset stdout of the run go, whatever the run's is set to.
    ///
    /// ```
    /// use pipewright::{cmd, Redirect};
    /// let counted = cmd!("tee").arg_writer(cmd!("wc", "-c")).stdin(Redirect::bytes("abc")).stdout(Redirect::null());
    /// assert_eq!(counted.read()?.trim(), "3");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    #[doc(alias = "process substitution")]
    pub fn arg_writer(self, pipeline: impl Into<Pipeline>) -> Cmd {
        self.arg_that_opens(ArgSource::Writer(pipeline.into().spec))
    }
}
