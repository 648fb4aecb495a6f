//! The budget for growing pipes.
//!
//! An unprivileged user has a soft limit over all pipes (`/proc/sys/fs/pipe-user-pages-soft`, pipe(7)); past it the kernel gives that
//! user's *new* pipes two pages each. So this library grows pipes by at most a sixteenth of the limit in all, and gives a share back when its
//! pipe is closed.

use std::os::fd::BorrowedFd;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crate::sys::fds;

/// The capacity in bytes that bulk pipes are grown to.
pub(crate) const BULK: usize = 256 * 1024;
/// The kernel's default capacity in bytes. It costs no budget.
pub(crate) const DEFAULT: usize = 64 * 1024;

/// The kernel's own default for the soft limit: 16,384 pages.
const SOFT_LIMIT: usize = 64 * 1024 * 1024;

static TAKEN: AtomicUsize = AtomicUsize::new(0);

/// A share of the budget in bytes. Dropping it gives it back.
#[derive(Debug)]
pub(crate) struct Grant(usize);

impl Drop for Grant {
    fn drop(&mut self) {
        TAKEN.fetch_sub(self.0, Relaxed);
    }
}

/// Grows a pipe to `BULK`, if the budget and the kernel allow it.
pub(crate) fn grow(pipe: BorrowedFd<'_>) -> Option<Grant> {
    if !cfg!(target_os = "linux") {
        return None;
    }
    let grant = take(BULK, limit())?;
    fds::set_capacity(pipe, BULK).ok().map(|_| grant)
}

/// Grows a pipe of the caller's if it has the default capacity: the caller asked for any other one. Does nothing to other descriptors.
pub(crate) fn grow_usual(pipe: BorrowedFd<'_>) -> Option<Grant> {
    let usual = fds::capacity(pipe).is_ok_and(|capacity| capacity == DEFAULT);
    usual.then(|| grow(pipe))?
}

/// Undoes `grow_usual`. A pipe that holds more than the default capacity stays grown until it is closed (EBUSY).
pub(crate) fn give_back(pipe: BorrowedFd<'_>) {
    let _ = fds::set_capacity(pipe, DEFAULT);
}

fn limit() -> usize {
    static LIMIT: OnceLock<usize> = OnceLock::new();
    *LIMIT.get_or_init(|| {
        let pages = std::fs::read_to_string("/proc/sys/fs/pipe-user-pages-soft");
        let pages = pages.ok().and_then(|text| text.trim().parse::<usize>().ok());
        match pages {
            // 0: no limit for the user. The library keeps to the default one.
            None | Some(0) => SOFT_LIMIT / 16,
            Some(pages) => pages.saturating_mul(4096) / 16,
        }
    })
}

fn take(bytes: usize, limit: usize) -> Option<Grant> {
    TAKEN
        .fetch_update(Relaxed, Relaxed, |taken| taken.checked_add(bytes).filter(|sum| *sum <= limit))
        .ok()
        .map(|_| Grant(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_comes_back() {
        let first = take(60, 100).unwrap();
        assert!(take(60, 100).is_none());
        drop(first);
        assert!(take(100, 100).is_some());
    }
}
