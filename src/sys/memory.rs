//! Preparing this process's memory.

#![cfg_attr(target_os = "linux", expect(unsafe_code, reason = "madvise on a slice of our own"))]

use std::io;
use std::mem::MaybeUninit;

/// Has the pages that lie whole in `place` be there before they are written to, in one call instead of a fault for each (`madvise`,
/// Linux 5.14). What they hold does not change.
#[cfg(target_os = "linux")]
pub(crate) fn populate(place: &mut [MaybeUninit<u8>]) -> io::Result<()> {
    let page = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE)?;
    let page = page.and_then(|size| usize::try_from(size).ok()).ok_or(io::ErrorKind::Unsupported)?;
    let skipped = place.as_ptr().align_offset(page);
    let Some(whole) = place.get_mut(skipped..) else { return Ok(()) };
    let length = whole.len() / page * page;
    // SAFETY: the pages are within a slice that is ours; the call changes nothing that is in them.
    let done = unsafe { libc::madvise(whole.as_mut_ptr().cast(), length, libc::MADV_POPULATE_WRITE) };
    super::check(done).map(drop)
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn populate(_place: &mut [MaybeUninit<u8>]) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
