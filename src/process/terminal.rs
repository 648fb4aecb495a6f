//! This process's controlling terminal, lent to a run's group and taken back.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::suspension_clock;
use crate::procfs::is_shortage;
use crate::sys::self_signal::Action;
use crate::sys::{fds, terminal};

/// The controlling terminal, whose foreground was this process's group when the run began. A drop takes it back.
#[derive(Debug)]
pub(crate) struct Terminal {
    file: OwnedFd,
    own: i32,
    loan: Mutex<Loan>,
}

#[derive(Debug, Default)]
struct Loan {
    /// Whether this process lent it to the run and did not take it back.
    is_out: bool,
    /// The run's group.
    group: Option<i32>,
}

/// # Errors
/// EMFILE, ENFILE or ENOMEM. A process without a controlling terminal is no error.
fn open() -> io::Result<Option<OwnedFd>> {
    match File::options().read(true).write(true).custom_flags(libc::O_NOCTTY).open("/dev/tty") {
        Ok(file) => fds::clear_of_stdio(file.into()).map(Some),
        Err(error) if is_shortage(&error) => Err(error),
        Err(_) => Ok(None),
    }
}

/// Whether a background group of this session could be stopped for using the terminal. True also where the question fails.
pub(crate) fn is_there() -> bool {
    open().map_or(true, |terminal| terminal.is_some())
}

impl Terminal {
    /// `None` where there is no terminal, or another group has it: this process runs in the background.
    pub(crate) fn to_lend() -> io::Result<Option<Terminal>> {
        let own = terminal::own_group();
        let Some(file) = open()? else { return Ok(None) };
        let ours = terminal::foreground(file.as_fd()).is_ok_and(|group| group == own);
        Ok(ours.then(|| Terminal { file, own, loan: Mutex::default() }))
    }

    /// Notes that a child is about to take it, whether or not the child then runs its program.
    pub(crate) fn is_lent(&self) {
        self.loan().is_out = true;
    }

    /// Notes that this group has it now.
    pub(crate) fn was_taken_by(&self, group: u32) {
        self.loan().group = i32::try_from(group).ok();
    }

    /// Whether this process's group has it now.
    fn is_ours(&self) -> bool {
        terminal::foreground(self.file.as_fd()).is_ok_and(|group| group == self.own)
    }

    /// Lends it to the group that had it, if this process has it now; whether it did.
    pub(crate) fn lend_again(&self) -> bool {
        let mut loan = self.loan();
        let lend = |group| self.is_ours() && terminal::set_foreground(self.file.as_fd(), group).is_ok();
        let lent = loan.group.is_some_and(lend);
        loan.is_out |= lent;
        lent
    }

    /// Takes it back from the run, and not from the shell, which takes it when this process is stopped, nor from a group that the shell
    /// gave it to then.
    pub(crate) fn take_back(&self) {
        let was_out = std::mem::take(&mut self.loan().is_out);
        let shell = terminal::session();
        let there = |group| group != self.own && (group != shell || shell == self.own);
        if was_out && terminal::foreground(self.file.as_fd()).is_ok_and(there) {
            // A refusal means that the terminal is gone: then there is nothing to take.
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

/// Stops this process's group like the keyboard does; whether the stop is over. Where this process handles SIGTSTP, its handler decides,
/// and it may not have run yet.
pub(crate) fn stop_own_group() -> bool {
    let action = Action::of(libc::SIGTSTP);
    let here = action.is_default() || action.is_ignore();
    let _pause = here.then(suspension_clock::begin);
    terminal::stop_own_group(here);
    here
}
