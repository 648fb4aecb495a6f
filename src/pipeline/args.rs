//! Arguments of a command by which it reads from or writes to a pipeline.

use super::Pipeline;
use crate::cmd::Cmd;
use crate::spec::ArgSource;

/// # Pipelines as arguments
impl Cmd {
    /// Adds an argument: a path by which the program reads what the pipeline writes, like `<(…)` of some shells. It is `/dev/fd/63`, or a
    /// lower number for the next one.
    ///
    /// The pipeline's stages are part of the run: of its status, its timeout and its kill. In errors and results they follow the run's own
    /// stages. Their stdin is `/dev/null` by default. What a pipeline around the command sets for its stages (`env`, `stderr` and the like)
    /// does not reach them.
    ///
    /// ```
    /// use pipewright::cmd;
    /// let sorted = |words: &str| cmd!("printf", words) | cmd!("sort");
    /// let (left, right) = (sorted(r"b\na\n"), sorted(r"c\nb\n"));
    /// let common = cmd!("comm", "-12").arg_reader(left).arg_reader(right);
    /// assert_eq!(common.read()?, "b");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    #[doc(alias = "process substitution")]
    pub fn arg_reader(self, pipeline: impl Into<Pipeline>) -> Cmd {
        self.arg_that_opens(ArgSource::Reader(pipeline.into().spec))
    }

    /// Adds an argument: a path by which the program writes what the pipeline reads, like `>(…)` of some shells; see
    /// [`arg_reader`](Cmd::arg_reader). The run is over when these stages have ended, too. Their output goes where the verb sends an unset
    /// stdout, even if the run's own stdout is set.
    ///
    /// ```
    /// use pipewright::{cmd, Redirect};
    /// let counted = cmd!("tee").arg_writer(cmd!("wc", "-c")).stdin("abc");
    /// assert_eq!(counted.stdout(Redirect::null()).read()?.trim(), "3");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    #[doc(alias = "process substitution")]
    pub fn arg_writer(self, pipeline: impl Into<Pipeline>) -> Cmd {
        self.arg_that_opens(ArgSource::Writer(pipeline.into().spec))
    }
}
