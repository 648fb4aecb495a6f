//! How a child reports to its parent how far it came. The writing side follows the rules of `child.rs`.

use std::sync::atomic::{AtomicI32, AtomicU32, Ordering::Relaxed};

use crate::setup_step::{Failure, Step};

/// How far the child came. Written by the child, read by the parent: through shared memory, or as bytes in a pipe.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    stage: AtomicU32,
    step: AtomicU32,
    errno: AtomicI32,
    detail: AtomicI32,
}

/// The byte that the fork engine's child writes before it calls execve.
pub(crate) const ABOUT_TO_EXEC: u8 = b'x';

impl Slot {
    const ABOUT_TO_EXEC: u32 = 1;
    const FAILED: u32 = 2;
    #[cfg(target_os = "linux")]
    const STILL_SHARED: u32 = 3;

    /// The size of a failure as the status pipe carries it.
    pub(crate) const BYTES: usize = 12;

    pub(super) fn mark_about_to_exec(&self) {
        self.stage.store(Slot::ABOUT_TO_EXEC, Relaxed);
    }

    /// Read after the clone returned, that is, after the child left this memory.
    #[cfg(target_os = "linux")]
    pub(crate) fn outcome(&self) -> Result<(), Failure> {
        match self.stage.load(Relaxed) {
            Slot::ABOUT_TO_EXEC => Ok(()),
            Slot::FAILED => Err(Failure {
                step: Step::from_number(self.step.load(Relaxed)),
                errno: self.errno.load(Relaxed),
                detail: self.detail.load(Relaxed),
            }),
            _ => Err(Failure { step: Step::Vanished, errno: 0, detail: 0 }),
        }
    }

    /// The child could not get a table of descriptors of its own, and has left without doing anything.
    #[cfg(target_os = "linux")]
    pub(super) fn table_is_still_shared(&self, errno: i32) {
        self.errno.store(errno, Relaxed);
        self.stage.store(Slot::STILL_SHARED, Relaxed);
    }

    /// Takes back what a child has written.
    #[cfg(target_os = "linux")]
    pub(super) fn reset(&self) {
        self.stage.store(0, Relaxed);
    }

    /// The errno of a child that could not get a table of its own.
    #[cfg(target_os = "linux")]
    pub(super) fn unshare_errno(&self) -> Option<i32> {
        (self.stage.load(Relaxed) == Slot::STILL_SHARED).then(|| self.errno.load(Relaxed))
    }

    pub(super) fn fail(&self, failure: &Failure) {
        self.step.store(failure.step as u32, Relaxed);
        self.errno.store(failure.errno, Relaxed);
        self.detail.store(failure.detail, Relaxed);
        self.stage.store(Slot::FAILED, Relaxed);
    }

    /// A failure as it came through the status pipe.
    pub(crate) fn decode(bytes: [u8; Slot::BYTES]) -> Failure {
        let [a, b, c, d, e, f, g, h, i, j, k, l] = bytes;
        Failure {
            step: Step::from_number(u32::from_ne_bytes([a, b, c, d])),
            errno: i32::from_ne_bytes([e, f, g, h]),
            detail: i32::from_ne_bytes([i, j, k, l]),
        }
    }
}

pub(super) fn encode(failure: &Failure) -> [u8; Slot::BYTES] {
    let [a, b, c, d] = (failure.step as u32).to_ne_bytes();
    let [e, f, g, h] = failure.errno.to_ne_bytes();
    let [i, j, k, l] = failure.detail.to_ne_bytes();
    [a, b, c, d, e, f, g, h, i, j, k, l]
}
