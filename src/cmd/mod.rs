//! A command as a value.

mod args;
mod macros;
mod to_std;
pub(crate) mod which;

use std::fmt;
use std::sync::Arc;

use crate::spec::{Command, Settings, command_line};

#[doc(hidden)]
pub use macros::{Arg, ArgSingle};

/// A command to run: program, arguments, environment, redirections, attributes.
///
/// It is usually written with [`cmd!`](crate::cmd!), which is short for [`new`](Cmd::new), [`arg`](Cmd::arg) and [`args`](Cmd::args):
///
/// ```
/// use pipewright::{cmd, Cmd};
/// let built = Cmd::new("printf").arg("%s-%s").args(["a", "b"]);
/// let brief = cmd!("printf", "%s-%s", ["a", "b"]..);
/// assert_eq!(built.read()?, "a-b");
/// assert_eq!(brief.read()?, "a-b");
/// # Ok::<(), pipewright::Error>(())
/// ```
///
/// A command is a value: it can be cloned, sent to another thread and run any number of times. Builder methods consume and return it; if
/// you set something twice, the last call wins. Nothing happens before a verb, like [`run`](Cmd::run), [`output`](Cmd::output),
/// [`read`](Cmd::read), [`lines`](Cmd::lines) or [`spawn`](Cmd::spawn). Only verbs block. The other methods touch nothing outside the value
/// and cannot fail; they panic only if an iterator that you pass panics. A verb reports what is wrong with the value. Dropping a command
/// drops what its redirects hold, and ends no process.
///
/// The child gets the descriptors 0, 1 and 2 and nothing else, default signal dispositions and an empty signal mask.
///
/// The methods are below in the order in which you will need them: [arguments](Cmd::new), [verbs](Cmd::run), [pipelines](Cmd::pipe),
/// [Rust code as a stage](Cmd::pipe_fn), [streams](Cmd::stdin), [environment](Cmd::env), [exit statuses](Cmd::allow_codes),
/// [time](Cmd::timeout), [what is left behind](Cmd::on_leak), [sizes](Cmd::stdout_limit), [signals and the terminal](Cmd::foreground),
/// [watching](Cmd::on_event), [more descriptors](Cmd::fd_out) and [attributes of the process](Cmd::umask).
#[doc(alias = "Command")]
#[doc(alias = "Exec")]
#[doc(alias = "Popen")]
#[doc(alias = "Expression")]
#[derive(Clone)]
#[must_use = "a command does nothing until it is run"]
pub struct Cmd {
    command: Arc<Command>,
    settings: Settings,
}

impl Cmd {
    pub(crate) fn command_mut(&mut self) -> &mut Command {
        Arc::make_mut(&mut self.command)
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(crate) fn settings_mut(&mut self) -> &mut Settings {
        &mut self.settings
    }

    pub(crate) fn into_spec(self) -> (Arc<Command>, Settings) {
        (self.command, self.settings)
    }
}

/// The command line, as [`Display`](fmt::Display) shows it.
impl fmt::Debug for Cmd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cmd({self})")
    }
}

/// The command as a line for a shell, quoted and with its redirections as far as a shell has them. Secrets and the values of variables
/// show as `"${KEY:?}"`, so a line that is pasted into a shell fails loudly instead of running something else.
///
/// ```
/// use pipewright::cmd;
/// let cmd = cmd!("curl", "--header", "a b").env("TOKEN", "s3cret");
/// let line = "TOKEN=\"${TOKEN:?}\" curl --header 'a b'";
/// assert_eq!(cmd.to_string(), line);
/// ```
impl fmt::Display for Cmd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&command_line(&self.command))
    }
}
