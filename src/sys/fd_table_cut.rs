//! Whether a child begins with this process's table of descriptors (`CLONE_FILES`) and cuts a short copy off it. Linux only.
//!
//! Without that, clone copies the whole table and the child closes its copy again: with thousands of open descriptors that is most of the time of
//! a start. With it the child's first call, `close_range(n, ~0, CLOSE_RANGE_UNSHARE)`, copies only the descriptors below `n`
//! (close_range(2)). Before that call the child may touch no descriptor, and if the call is refused it must do nothing at all.

#![expect(unsafe_code, reason = "the probe's child calls close_range and fcntl by number")]

use std::ffi::{c_int, c_void};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering::Relaxed};

use super::child::{self, Fds};
use super::fds;
use super::probed::Probed;

static WORKS: Probed = Probed::new();

/// How many children are started without a cut: a process that starts few would pay more for the probe than it gets back.
const FIRST: u32 = 4;

static STARTS: AtomicU32 = AtomicU32::new(0);

/// Runs a child in this memory that calls the function with the argument and exits: with further clone flags, and reaped.
type RunProbe = fn(extern "C" fn(*mut c_void) -> c_int, c_int, *mut c_void) -> io::Result<()>;

/// The number at which to cut the table of a child, if that pays here and works here.
pub(super) fn cut_at(plan: &Fds<'_>, run_probe: RunProbe) -> Option<u32> {
    let is_early = STARTS.load(Relaxed) < FIRST;
    if is_early {
        STARTS.fetch_add(1, Relaxed);
    }
    let needed = plan.needed_below?;
    // Where nothing that is needed lies above the child's own numbers, the cut stands for the close that ends every start.
    let is_free = plan.close?.last().is_some_and(|&(first, _)| needed <= first);
    let pays = (is_free && !is_early) || pays(needed, fds::highest_seen());
    (pays && works(run_probe)).then_some(needed)
}

/// The kernel copies 64 descriptors at a time. A child that needs more than its own numbers pays for the cut with a call of its own
/// (what it was sent is closed under the old numbers later), so half of the table must be spared.
fn pays(needed: u32, highest: u32) -> bool {
    needed.div_ceil(64).saturating_mul(128) <= highest
}

/// A real child was refused: no other one is tried after this, except after a shortage (EMFILE, ENOMEM, EAGAIN).
pub(super) fn refused(error: &io::Error) {
    WORKS.refute(error);
}

/// Whether a child that shares the table can leave it, and whether what it closes afterwards stays open here. An emulation that
/// takes the flags and does not know them would close this process's descriptors. Probed once, on a pipe made for it; a shortage is no answer.
fn works(run_probe: RunProbe) -> bool {
    WORKS.has_shown(|| {
        let (reader, writer) = os_pipe::pipe()?;
        let (reader, writer) = (OwnedFd::from(reader), OwnedFd::from(writer));
        let probe = Probe { fd: writer.as_raw_fd(), left: AtomicU8::new(0) };
        let before = fds::pipe_identity(probe.fd);
        let ended = run_probe(probe_entry, libc::CLONE_FILES, (&raw const probe).cast_mut().cast());
        let unharmed = fds::pipe_identity(probe.fd) == before;
        if !unharmed {
            // The number is closed here, or belongs to another part of the host by now: closing it again could hit that.
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

/// Closes the one descriptor in a table of its own, and reports whether it is closed there. Under the rules of `child.rs`.
extern "C" fn probe_entry(probe: *mut c_void) -> c_int {
    // SAFETY: `works` passes its own, and waits.
    let probe = unsafe { &*probe.cast::<Probe>() };
    // SAFETY: one number of this library's, in the copy of the table that the flag asks for.
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
