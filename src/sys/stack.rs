//! The stack a cloned child runs on: mapped once for each thread, with a guard page below it.

#![expect(unsafe_code, reason = "mmap and munmap of a private mapping")]

use std::cell::Cell;
use std::ffi::c_void;
use std::{io, ptr};

/// What the child's routine needs is a few KiB; a debug build and a signal frame fit many times over.
const ROOM: usize = 64 * 1024;

pub(crate) struct Stack {
    base: *mut c_void,
    length: usize,
}

thread_local! {
    static CACHED: Cell<Option<Stack>> = const { Cell::new(None) };
}

impl Stack {
    /// This thread's stack. With `CLONE_VFORK` the parent thread only goes on after the child has left the stack, so one a
    /// thread is enough; it goes back with [`Stack::put_back`] after the clone returned.
    pub(crate) fn take() -> io::Result<Stack> {
        match CACHED.try_with(Cell::take) {
            Ok(Some(stack)) => Ok(stack),
            // No cache any more: the thread is running its destructors.
            Ok(None) | Err(_) => Stack::map(),
        }
    }

    pub(crate) fn put_back(self) {
        // When the thread's locals are gone the closure is never run, and the stack is dropped with it.
        let _ = CACHED.try_with(move |cached| cached.set(Some(self)));
    }

    /// The highest address, where a stack begins; a mapping is page-aligned, hence aligned enough for any ABI.
    pub(crate) fn top(&self) -> *mut c_void {
        self.base.wrapping_byte_add(self.length)
    }

    fn map() -> io::Result<Stack> {
        // SAFETY: asks for a number.
        let page = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096);
        let length = ROOM + page;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: a new private mapping at an address of the kernel's choice.
        let base = unsafe { libc::mmap(ptr::null_mut(), length, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0) };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let stack = Stack { base, length };
        // SAFETY: the lowest page of our own mapping, which is not in use yet.
        super::check(unsafe { libc::mprotect(base, page, libc::PROT_NONE) })?;
        Ok(stack)
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: our own mapping; no child runs on it any more.
        unsafe { libc::munmap(self.base, self.length) };
    }
}
