//! An ability of the system, found out by trying once.

use std::io;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

/// The remembered answer. A call may be refused later, so each use has a fallback, too, and refutes the answer.
pub(super) struct Probed(AtomicU8);

const UNKNOWN: u8 = 0;
const YES: u8 = 1;
const NO: u8 = 2;

impl Probed {
    pub(super) const fn new() -> Self {
        Probed(AtomicU8::new(UNKNOWN))
    }

    /// The answer, which `probe` gives the first time. A probe that fails by a lack of descriptors, processes or memory gives none: the
    /// answer is "yes" for now, and not remembered. Two threads may probe at once, with the same result.
    pub(super) fn ask(&self, probe: impl FnOnce() -> io::Result<bool>) -> bool {
        self.answer(probe).unwrap_or(true)
    }

    /// The same, with "no" for now after a shortage. It is for calls that must not be made before they were shown to work.
    #[cfg(target_os = "linux")]
    pub(super) fn has_shown(&self, probe: impl FnOnce() -> io::Result<bool>) -> bool {
        self.answer(probe).unwrap_or(false)
    }

    /// Records a refusal: the answer is "no" from here on, unless the error is a shortage (EMFILE, ENFILE, EAGAIN, ENOMEM).
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
