//! The terminal that this process is controlled from, lent to a run's group and taken back.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::pauses;
use crate::procfs::is_shortage;
use crate::sys::actions::Action;
use crate::sys::{fds, terminal};

/// The controlling terminal, which was this process's to lend when the run began. Dropped, it is taken back.
#[derive(Debug)]
pub(crate) struct Terminal {
    file: OwnedFd,
    own: i32,
    loan: Mutex<Loan>,
}

#[derive(Debug, Default)]
struct Loan {
    /// Whether the run has it, or may have it, as far as we gave it away.
    is_out: bool,
    /// The run's group.
    group: Option<i32>,
}

/// # Errors
/// No descriptor to spare. That there is none is none.
fn open() -> io::Result<Option<OwnedFd>> {
    match File::options().read(true).write(true).custom_flags(libc::O_NOCTTY).open("/dev/tty") {
        Ok(file) => fds::clear_of_stdio(file.into()).map(Some),
        Err(error) if is_shortage(&error) => Err(error),
        Err(_) => Ok(None),
    }
}

/// Whether a background group of this session could be stopped for using the terminal; where that cannot be told, it could.
pub(crate) fn is_there() -> bool {
    open().map_or(true, |terminal| terminal.is_some())
}

impl Terminal {
    /// `None` where there is no terminal, or somebody else has it: this process runs in the background.
    pub(crate) fn to_lend() -> io::Result<Option<Terminal>> {
        let own = terminal::own_group();
        let Some(file) = open()? else { return Ok(None) };
        let ours = terminal::foreground(file.as_fd()).is_ok_and(|group| group == own);
        Ok(ours.then(|| Terminal { file, own, loan: Mutex::default() }))
    }

    /// A child is about to take it, whether or not it then comes to run its program.
    pub(crate) fn is_lent(&self) {
        self.loan().is_out = true;
    }

    /// This group has it now.
    pub(crate) fn was_taken_by(&self, group: u32) {
        self.loan().group = i32::try_from(group).ok();
    }

    /// Whether it would be ours to lend now.
    fn is_ours(&self) -> bool {
        terminal::foreground(self.file.as_fd()).is_ok_and(|group| group == self.own)
    }

    /// To the group that had it, if it is ours.
    pub(crate) fn lend_again(&self) -> bool {
        let mut loan = self.loan();
        let lend = |group| self.is_ours() && terminal::set_foreground(self.file.as_fd(), group).is_ok();
        let lent = loan.group.is_some_and(lend);
        loan.is_out |= lent;
        lent
    }

    /// Not from the shell, which takes it when this process was stopped, and not from whom the shell gave it to then.
    pub(crate) fn take_back(&self) {
        let was_out = std::mem::take(&mut self.loan().is_out);
        let shell = terminal::session();
        let there = |group| group != self.own && (group != shell || shell == self.own);
        if was_out && terminal::foreground(self.file.as_fd()).is_ok_and(there) {
            // Refused when the terminal is gone: then there is nothing to take.
            let _ = terminal::set_foreground(self.file.as_fd(), self.own);
        }
    }

    fn loan(&self) -> MutexGuard<'_, Loan> {
        self.loan.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.take_back();
    }
}

/// Stops this process's group as the keyboard does: whether that is over, one way or another. Where SIGTSTP is handled here, the handler
/// has the say, and it has not been heard yet.
pub(crate) fn stop_own_group() -> bool {
    let action = Action::of(libc::SIGTSTP);
    let here = action.is_default() || action.is_ignore();
    let _pause = here.then(pauses::begin);
    terminal::stop_own_group(here);
    here
}
