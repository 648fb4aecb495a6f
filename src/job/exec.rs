//! Replacing this process.

use crate::cmd::Cmd;
use crate::outcome::{Error, ErrorKind, Fault};
use crate::pipeline::Pipeline;
use crate::plan::{Verb, lower};
use crate::run::launch;

impl Cmd {
    /// Becomes the program: this process's image is replaced (`execve(2)`), with the command's arguments, environment, directory,
    /// redirections and attributes. Returns only when that failed.
    ///
    /// No destructor runs, no buffer is flushed, and other threads are gone. Redirections must be ones that need nobody here: inherited,
    /// null, a file, a descriptor; anything else is a [`Conflict`](ErrorKind::Conflict), found before anything is
    /// changed. After a failure further on, this process's streams, directory and signals may have been changed already, as with
    /// std's `exec`.
    ///
    /// ```
    /// use pipewright::{cmd, ErrorKind, Redirect};
    /// let error = cmd!("cat").stdin(Redirect::bytes("who would feed it?")).exec();
    /// assert_eq!(error.kind(), ErrorKind::Conflict);
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    #[doc(alias = "execve")]
    #[must_use = "it returned, so it failed"]
    pub fn exec(&self) -> Error {
        let pipeline = Pipeline::from(self.clone());
        let plan = match lower(&pipeline.spec, Verb::Exec) {
            Ok(plan) => plan,
            Err(fault) => return fault.into_error_of(pipeline.to_string()),
        };
        let fault = if let Some(setting) = pipeline.spec.settings.names().first() {
            let what = format!("cannot replace this process: `{setting}` needs somebody to wait");
            Fault::new(ErrorKind::Conflict, what).at(plan.stage_name(0))
        } else if plan.pipes.is_empty() {
            launch::exec(&plan)
        } else {
            let what = "cannot replace this process: a redirection needs a pipe with somebody at its other end";
            Fault::new(ErrorKind::Conflict, what).at(plan.stage_name(0))
        };
        fault.into_error(&plan)
    }
}
