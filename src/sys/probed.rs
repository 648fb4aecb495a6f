//! Something the system can or cannot do, found out by trying once.

use std::io;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

/// The remembered answer.
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
        match self.0.load(Relaxed) {
            YES => true,
            NO => false,
            _ => {
                let answer = match probe() {
                    Ok(answer) => answer,
                    Err(error) => match error.raw_os_error() {
                        Some(libc::EMFILE | libc::ENFILE | libc::EAGAIN | libc::ENOMEM) => return true,
                        _ => false,
                    },
                };
                self.0.store(if answer { YES } else { NO }, Relaxed);
                answer
            }
        }
    }
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
}
