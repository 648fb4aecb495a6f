//! The system calls the helper needs, and the memory routines the compiler expects of a C library.

use core::arch::{asm, global_asm};

#[cfg(target_arch = "x86_64")]
mod number {
    pub const READ: usize = 0;
    pub const WRITE: usize = 1;
    pub const NANOSLEEP: usize = 35;
    pub const CLOCK_GETTIME: usize = 228;
    pub const EXIT_GROUP: usize = 231;
}

#[cfg(target_arch = "aarch64")]
mod number {
    pub const READ: usize = 63;
    pub const WRITE: usize = 64;
    pub const EXIT_GROUP: usize = 94;
    pub const NANOSLEEP: usize = 101;
    pub const CLOCK_GETTIME: usize = 113;
}

#[cfg(target_arch = "x86_64")]
global_asm!(".globl _start", "_start:", "xor ebp, ebp", "mov rdi, rsp", "and rsp, -16", "call {entry}", entry = sym crate::entry);

#[cfg(target_arch = "aarch64")]
global_asm!(".globl _start", "_start:", "mov x29, #0", "mov x0, sp", "bl {entry}", entry = sym crate::entry);

/// A system call of up to three arguments; a negative result is an error number.
unsafe fn call(number: usize, a: usize, b: usize, c: usize) -> isize {
    let result: isize;
    // SAFETY: the caller vouches for the arguments; what the kernel clobbers is named.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        asm!("syscall", inlateout("rax") number as isize => result, in("rdi") a, in("rsi") b, in("rdx") c, lateout("rcx") _, lateout("r11") _);
        #[cfg(target_arch = "aarch64")]
        asm!("svc 0", in("x8") number, inlateout("x0") a as isize => result, in("x1") b, in("x2") c);
    }
    result
}

/// How many bytes were read; none at the end of the stream or on an error.
pub fn read(fd: usize, into: &mut [u8]) -> usize {
    // SAFETY: the buffer is valid for writes for its length.
    let got = unsafe { call(number::READ, fd, into.as_mut_ptr() as usize, into.len()) };
    usize::try_from(got).unwrap_or(0)
}

/// Writes all of it in as few calls as the kernel takes; an error ends this process with code 3.
pub fn write(fd: usize, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        // SAFETY: the slice is valid for reads for its length.
        let put = unsafe { call(number::WRITE, fd, bytes.as_ptr() as usize, bytes.len()) };
        match usize::try_from(put).ok().and_then(|put| bytes.get(put..)) {
            Some(rest) => bytes = rest,
            None => exit(3),
        }
    }
}

pub fn sleep(nanos: u64) {
    let time = [nanos / 1_000_000_000, nanos % 1_000_000_000];
    // SAFETY: a timespec is two 64-bit words on the architectures above; the second pointer may be null.
    unsafe { call(number::NANOSLEEP, time.as_ptr() as usize, 0, 0) };
}

/// CLOCK_MONOTONIC, in nanoseconds.
pub fn now() -> u64 {
    let mut time = [0_u64; 2];
    // SAFETY: as in `sleep`, for writing.
    unsafe { call(number::CLOCK_GETTIME, 1, time.as_mut_ptr() as usize, 0) };
    time[0] * 1_000_000_000 + time[1]
}

pub fn exit(code: usize) -> ! {
    loop {
        // SAFETY: takes a number, and does not come back.
        unsafe { call(number::EXIT_GROUP, code, 0, 0) };
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    exit(101)
}

// With the names and contracts of C's; volatile, so that they are not compiled into calls of themselves.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
    for at in 0..len {
        // SAFETY: C's contract: both are valid for `len`.
        unsafe { to.add(at).write_volatile(from.add(at).read_volatile()) };
    }
    to
}

#[unsafe(no_mangle)]
unsafe extern "C" fn memset(to: *mut u8, byte: i32, len: usize) -> *mut u8 {
    for at in 0..len {
        // SAFETY: C's contract: valid for `len`.
        unsafe { to.add(at).write_volatile(byte as u8) };
    }
    to
}

#[unsafe(no_mangle)]
unsafe extern "C" fn memcmp(a: *const u8, b: *const u8, len: usize) -> i32 {
    for at in 0..len {
        // SAFETY: C's contract: both are valid for `len`.
        let (x, y) = unsafe { (a.add(at).read_volatile(), b.add(at).read_volatile()) };
        if x != y {
            return i32::from(x) - i32::from(y);
        }
    }
    0
}
