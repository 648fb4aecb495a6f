//! Hostile and scarce fd tables.

use std::fs::File;
use std::os::fd::{AsFd, FromRawFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};

use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd;

use super::proc::open_fds;

/// A close-on-exec copy, numbered `least` or more.
pub(super) fn dup_above(fd: impl AsFd, least: i32) -> OwnedFd {
    let raw = fcntl(fd, FcntlArg::F_DUPFD_CLOEXEC(least)).expect("the fd can be duplicated");
    // SAFETY: the kernel just made it for us.
    unsafe { OwnedFd::from_raw_fd(raw) }
}

/// An inheritable fd 7, as a careless neighbour leaves one behind.
pub(crate) fn hostile_fd() -> OwnedFd {
    assert!(!open_fds().contains_key(&7), "fd 7 is in use");
    let null = File::open("/dev/null").expect("/dev/null opens");
    // SAFETY: no other value owns fd 7.
    unsafe { unistd::dup2_raw(&null, 7) }.expect("fd 7 can be made")
}

/// A limit of the system, which has 32 bits on some platforms.
pub(crate) fn wide(limit: impl Into<u64>) -> u64 {
    limit.into()
}

/// Runs `f` while exactly `spare` more fds can be opened.
///
/// The others are used up, as in a process that really runs out, and the limit stays where calls
/// that take a limit's worth of fds (poll) or a least number (`F_DUPFD`) still have room.
pub(crate) fn spare_fds<T>(spare: usize, f: impl FnOnce() -> T) -> T {
    const LIMIT: usize = 256;
    struct Restore(libc::rlim_t, libc::rlim_t);
    impl Drop for Restore {
        fn drop(&mut self) {
            setrlimit(Resource::RLIMIT_NOFILE, self.0, self.1).expect("the old limit fits");
        }
    }
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("the limit can be read");
    let used = open_fds().into_keys().filter(|&fd| (fd as usize) < LIMIT).count();
    let fillers = LIMIT.checked_sub(used + spare).expect("as many fds fit");
    let null = || File::open("/dev/null").expect("the limit is not reached yet");
    let _fillers: Vec<File> = std::iter::repeat_with(null).take(fillers).collect();
    let _restore = Restore(soft, hard);
    setrlimit(Resource::RLIMIT_NOFILE, LIMIT as libc::rlim_t, hard).expect("the limit can be lowered");
    f()
}

/// Runs `f` while those of the fds 0, 1 and 2 are closed, then puts them back.
///
/// Panics when `f` leaves something open in their places: it would be hidden by their return. What
/// `f` itself panics with is repeated afterwards, since fd 2 may have been closed to it.
pub(crate) fn with_closed<T>(fds: &[i32], f: impl FnOnce() -> T) -> T {
    let save = |&fd: &i32| match fd {
        0 => dup_above(std::io::stdin(), 100),
        1 => dup_above(std::io::stdout(), 100),
        2 => dup_above(std::io::stderr(), 100),
        _ => panic!("fd {fd} is none of 0, 1 and 2"),
    };
    let saved: Vec<OwnedFd> = fds.iter().map(save).collect();
    for &fd in fds {
        unistd::close(fd).expect("it was open");
    }
    let result = catch_unwind(AssertUnwindSafe(f));
    let after = open_fds();
    for (&fd, copy) in fds.iter().zip(&saved) {
        match fd {
            0 => unistd::dup2_stdin(copy),
            1 => unistd::dup2_stdout(copy),
            _ => unistd::dup2_stderr(copy),
        }
        .expect("it can be put back");
    }
    let value = result.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        panic!("with {fds:?} closed: {}", text.unwrap_or("a panic without text"))
    });
    for fd in fds {
        assert!(!after.contains_key(fd), "fd {fd} was left open: {}", after[fd]);
    }
    value
}
