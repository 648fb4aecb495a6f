//! What a row needs of the process before its operations.

use std::fs::File;
use std::os::fd::IntoRawFd;

use crate::task::{Result, Task};

pub type Prepare = fn(&Task) -> Result<()>;

pub fn nothing(_: &Task) -> Result<()> {
    Ok(())
}

/// As many bytes as the size says, resident for as long as the process lives; a quarter on a machine without the memory.
pub fn resident(task: &Task) -> Result<()> {
    let info = std::fs::read_to_string("/proc/meminfo")?;
    let available = info.lines().find_map(|line| line.strip_prefix("MemAvailable:")).ok_or("no MemAvailable")?;
    let available: u64 = available.trim().trim_end_matches(" kB").trim().parse()?;
    let size = if available * 1024 / 2 > task.size { task.size } else { task.size / 4 };
    std::mem::forget(vec![1_u8; size as usize]);
    Ok(())
}

/// As many descriptors open as the size says, or nearly as many as may be; they lie above the standard streams, and none is inherited.
pub fn descriptors(task: &Task) -> Result<()> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointer is valid for writes.
    unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) };
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: the pointer is valid for reads.
    unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) };
    let null = File::open("/dev/null")?;
    for _ in 0..task.size.min(limit.rlim_cur.saturating_sub(100)) {
        let _ = null.try_clone()?.into_raw_fd();
    }
    Ok(())
}

/// As many files open as the machine allows.
pub fn many_files(_: &Task) -> Result<()> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointer is valid for writes.
    unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) };
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: the pointer is valid for reads.
    unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) };
    Ok(())
}

/// All of this process, its threads and children, on the first CPU.
pub fn one_cpu(_: &Task) -> Result<()> {
    // SAFETY: all zeroes is the empty set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: the number is within the set.
    unsafe { libc::CPU_SET(0, &mut set) };
    // SAFETY: the pointer is valid for reads for the size given.
    let result = unsafe { libc::sched_setaffinity(0, size_of_val(&set), &set) };
    if result == 0 { Ok(()) } else { Err(std::io::Error::last_os_error().into()) }
}
