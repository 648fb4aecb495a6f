//! Assertions on runs: those of `assert_cmd`.

use assert_cmd::assert::Assert;

use crate::cmd::Cmd;
use crate::outcome::{Error, ErrorKind, Output, StageReport};
use crate::pipeline::Pipeline;

macro_rules! assert_method {
    ($($builder:ident)*) => {$(
        impl $builder {
            /// Runs it like [`output`](Self::output), and begins assertions of the crate `assert_cmd` on what came of it. A bad status is for
            /// them to judge. Blocks.
            ///
            /// A stream that was not captured is empty. A failed assertion shows the command without its [secrets](Cmd::secret_arg), each
            /// stage's status, and the captured streams as they are. For the time that a run may take there is
            /// [`timeout`](Self::timeout), for the signal that killed it [`Status::signal`](crate::Status::signal), for a stage
            /// [`Output::stages`].
            ///
            /// Needs the feature `assert_cmd`.
            ///
            /// # Panics
            /// When the run is an error for another reason than a bad status: it could not be started, or was cut, by its timeout for example. A run
            /// that was cut may have exited with 0, and that is no success. [`output`](Self::output) gives such an error, to be compared.
            ///
            /// ```
            /// use pipewright::{ErrorKind, cmd};
            /// use std::time::Duration;
            /// cmd!("true").assert().success();
            /// (cmd!("echo", "x") | cmd!("false")).assert().code(1).stdout("");
            /// let cut = cmd!("sleep", "60").timeout(Duration::from_millis(20)).output().unwrap_err();
            /// assert_eq!(cut.kind(), ErrorKind::Timeout);
            /// ```
            #[doc(alias = "Assert")]
            #[doc(alias = "Expect")]
            #[doc(alias = "killed_by")]
            #[doc(alias = "cut_by")]
            #[doc(alias = "within")]
            #[doc(alias = "cargo_bin")]
            #[doc(alias = "NoCargoBin")]
            #[track_caller]
            #[must_use = "nothing is asserted yet"]
            pub fn assert(&self) -> Assert {
                assert_on(self.output(), self.to_string())
            }
        }
    )*};
}
assert_method!(Cmd Pipeline);

#[track_caller]
fn assert_on(result: Result<Output, Error>, command: String) -> Assert {
    let output = result.or_else(|error| match error.output() {
        Some(output) if error.kind() == ErrorKind::Status => Ok(output.clone()),
        _ => Err(error),
    });
    let output = output.unwrap_or_else(|error| panic!("{}", error.full()));
    let stage = |stage: &StageReport| format!("{}: {}", stage.label, stage.status);
    let stages = output.stages.iter().map(stage).collect::<Vec<_>>().join("; ");
    match std::process::Output::try_from(output) {
        Ok(output) => Assert::new(output).append_context("command", command).append_context("stages", stages),
        Err(unknown) => panic!("{command}: {unknown}"),
    }
}
