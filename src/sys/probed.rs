//! Something the system can or cannot do, found out by trying once.

use std::io;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

/// The remembered answer. A call may be refused later: whatever asks for one falls back where it is used, too, and refutes it.
pub(super) struct Probed(AtomicU8);

const UNKNOWN: u8 = 0;
const YES: u8 = 1;
const NO: u8 = 2;

impl Probed {
    pub(super) const fn new() -> Self {
        Probed(AtomicU8::new(UNKNOWN))
    }

    /// The answer; by `probe`, the first time. A probe that fails for want of descriptors, processes or memory has answered
    /// nothing: that is not remembered, and "yes" for now. Two threads may probe at once, to the same end.
    pub(super) fn ask(&self, probe: impl FnOnce() -> io::Result<bool>) -> bool {
        self.answer(probe).unwrap_or(true)
    }

    /// The same, with "no" for now after a shortage: for what must not be done before it was shown to work.
    #[cfg(target_os = "linux")]
    pub(super) fn has_shown(&self, probe: impl FnOnce() -> io::Result<bool>) -> bool {
        self.answer(probe).unwrap_or(false)
    }

    /// It failed after all: "no" from here on, unless it was for want of something.
    #[cfg(target_os = "linux")]
    pub(super) fn refute(&self, error: &io::Error) {
        if !is_shortage(error) {
            self.0.store(NO, Relaxed);
        }
    }

    fn answer(&self, probe: impl FnOnce() -> io::Result<bool>) -> Option<bool> {
        match self.0.load(Relaxed) {
            YES => Some(true),
            NO => Some(false),
            _ => {
                let answer = match probe() {
                    Ok(answer) => answer,
                    Err(error) if is_shortage(&error) => return None,
                    Err(_) => false,
                };
                self.0.store(if answer { YES } else { NO }, Relaxed);
                Some(answer)
            }
        }
    }
}

pub(super) fn is_shortage(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::EAGAIN | libc::ENOMEM))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_remembered_and_a_shortage_is_none() {
        let probed = Probed::new();
        assert!(probed.ask(|| Err(io::Error::from_raw_os_error(libc::EMFILE))));
        assert!(!probed.ask(|| Err(io::Error::from_raw_os_error(libc::EPERM))));
        assert!(!probed.ask(|| Ok(true)));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn what_has_to_be_shown_is_no_until_then_and_may_be_refuted() {
        let error = io::Error::from_raw_os_error;
        let probed = Probed::new();
        assert!(!probed.has_shown(|| Err(error(libc::ENOMEM))));
        assert!(probed.has_shown(|| Ok(true)));
        probed.refute(&error(libc::EMFILE));
        assert!(probed.has_shown(|| Ok(false)));
        probed.refute(&error(libc::EPERM));
        assert!(!probed.has_shown(|| Ok(true)));
    }
}
