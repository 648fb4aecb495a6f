//! Small things of the system that several contenders need.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus};

use crate::task::{Delays, LineCheck, Result};

pub const KIB: usize = 1024;

/// The exit code; a signal as a negative number.
pub fn code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().unwrap_or_else(|| -status.signal().unwrap_or(0))
}

/// The options of the row `options` that the standard library has no setter for, through its hook.
pub fn with_options(command: &mut Command) -> &mut Command {
    let hook = || {
        // SAFETY: takes no pointer.
        if unsafe { libc::setsid() } < 0 {
            return Err(std::io::Error::last_os_error());
        }
        // SAFETY: takes no pointer.
        unsafe { libc::umask(0o027) };
        let limit = libc::rlimit { rlim_cur: 64, rlim_max: 64 };
        // SAFETY: the pointer is valid for reads.
        if unsafe { libc::setrlimit(libc::RLIMIT_CORE, &limit) } < 0 {
            return Err(std::io::Error::last_os_error());
        }
        // SAFETY: takes no pointer.
        if unsafe { libc::dup2(2, 3) } < 0 {
            return Err(std::io::Error::last_os_error());
        }
        Ok(())
    };
    // SAFETY: the hook only makes system calls.
    unsafe { command.pre_exec(hook) }.current_dir("/")
}

/// The lines of any stream, with what the standard library has for it.
pub fn check_lines(stream: impl Read) -> Result<LineCheck> {
    let mut stream = BufReader::new(stream);
    let (mut check, mut line) = (LineCheck::default(), Vec::new());
    while stream.read_until(b'\n', &mut line)? > 0 {
        check.see(line.strip_suffix(b"\n").unwrap_or(&line));
        line.clear();
    }
    Ok(check)
}

pub fn delays(stream: impl Read) -> Result<Delays> {
    let mut stream = BufReader::new(stream);
    let (mut delays, mut line) = (Delays::default(), Vec::new());
    while stream.read_until(b'\n', &mut line)? > 0 {
        delays.see(&line)?;
        line.clear();
    }
    Ok(delays)
}

/// Resident memory of this process now, in bytes.
pub fn resident() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").trim().parse::<u64>()? * 1024)
}
