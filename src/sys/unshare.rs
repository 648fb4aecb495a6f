//! Whether a child should begin on this process's own table of descriptors (`CLONE_FILES`) and cut a short copy off it. Linux only.
//!
//! Without that, clone copies the whole table and the child closes its copy again: with thousands of descriptors open that is most
//! of a start. With it the child's first call, `close_range(n, ~0, CLOSE_RANGE_UNSHARE)`, copies what lies below `n` and no more
//! (close_range(2)). Nothing the child does before may touch a descriptor, and where the call is refused it does nothing at all.

#![expect(unsafe_code, reason = "the probe's child calls close_range and fcntl by number")]

use std::ffi::{c_int, c_void};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering::Relaxed};

use super::child::{self, ChildPlan};
use super::clone::run_probe;
use super::fds;
use super::probed::Probed;

/// The highest number that one of our own descriptors was seen to have: the table is at least so long, or was. A hint, from what
/// passes by anyway; asking the kernel would cost more than it saves.
static HIGHEST: AtomicU32 = AtomicU32::new(0);

static WORKS: Probed = Probed::new();

/// Takes note of a number that the kernel gave.
pub(super) fn saw(fd: RawFd) {
    let number = u32::try_from(fd).unwrap_or(0);
    if number > HIGHEST.load(Relaxed) {
        HIGHEST.fetch_max(number, Relaxed);
    }
}

/// So many children are started without: a process that starts few would pay more for the probe than it gets back.
const FIRST: u32 = 4;

static STARTS: AtomicU32 = AtomicU32::new(0);

/// Where to cut the table of a child, if that pays here and works here.
pub(super) fn cut_at(plan: &ChildPlan<'_>) -> Option<u32> {
    let is_early = STARTS.load(Relaxed) < FIRST;
    if is_early {
        STARTS.fetch_add(1, Relaxed);
    }
    let needed = plan.needed_below?;
    // Where nothing that is needed lies above the child's own numbers, the cut stands for the close that ends every start.
    let is_free = plan.close?.last().is_some_and(|&(first, _)| needed <= first);
    let pays = (is_free && !is_early) || pays(needed, HIGHEST.load(Relaxed));
    (pays && works()).then_some(needed)
}

/// The kernel copies 64 descriptors at a time. A child that needs more than its own numbers pays for the cut with a call of its own
/// (what it was sent is closed under the old numbers later), so half of the table must be spared.
fn pays(needed: u32, highest: u32) -> bool {
    needed.div_ceil(64).saturating_mul(128) <= highest
}

/// A real child was refused: after this none is tried, unless it was for want of something.
pub(super) fn refused(error: &io::Error) {
    WORKS.refute(error);
}

/// Whether a child that shares the table can leave it, and whether what it closes afterwards stays open here. An emulation that
/// takes the flags and does not know them would close this process's descriptors. Asked once, with one pipe at stake; a shortage is no answer.
fn works() -> bool {
    WORKS.has_shown(|| {
        let (reader, writer) = os_pipe::pipe()?;
        let (reader, writer) = (OwnedFd::from(reader), OwnedFd::from(writer));
        let probe = Probe { fd: writer.as_raw_fd(), left: AtomicU8::new(0) };
        let before = fds::pipe_identity(probe.fd);
        let ended = run_probe(probe_entry, libc::CLONE_FILES, (&raw const probe).cast_mut().cast());
        let unharmed = fds::pipe_identity(probe.fd) == before;
        if !unharmed {
            // Closed here, or somebody else's by now: not ours to close again.
            std::mem::forget(writer);
        }
        drop(reader);
        ended.map(|()| unharmed && probe.left.load(Relaxed) == 1)
    })
}

struct Probe {
    fd: RawFd,
    left: AtomicU8,
}

/// Closes the one descriptor in a table of its own, and says whether it is closed there. Under the rules of `child.rs`.
extern "C" fn probe_entry(probe: *mut c_void) -> c_int {
    // SAFETY: `works` passes its own, and waits.
    let probe = unsafe { &*probe.cast::<Probe>() };
    // SAFETY: one number of ours, in the copy of the table that the flag asks for.
    let cut = unsafe { libc::syscall(libc::SYS_close_range, probe.fd, probe.fd, libc::CLOSE_RANGE_UNSHARE) };
    // SAFETY: asks for flags; a number that is not open is the answer.
    if cut == 0 && unsafe { libc::fcntl(probe.fd, libc::F_GETFD) } == -1 {
        probe.left.store(1, Relaxed);
    }
    child::exit_now(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_cut_only_where_half_of_it_is_spared() {
        let least = |needed| (0..).find(|&highest| pays(needed, highest));
        assert_eq!([3, 64, 65, 128].map(least), [Some(128), Some(128), Some(256), Some(256)]);
        assert!(!pays(u32::MAX, 1 << 20));
    }
}
