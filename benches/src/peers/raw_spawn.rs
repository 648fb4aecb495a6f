//! Processes by plain system calls, each for the one job.

use std::ffi::{CString, c_char, c_int, c_void};
use std::io::{Error, Result};
use std::ptr;
use std::sync::LazyLock;

const STACK: usize = 64 * 1024;

/// Made once: only one child runs on it at a time, as its parent stands still until the exec.
static CHILD_STACK: LazyLock<usize> =
    LazyLock::new(|| Box::leak(vec![0_u128; STACK / 16].into_boxed_slice()).as_ptr() as usize);

unsafe extern "C" {
    static environ: *const *const c_char;
}

/// What a child does before its exec.
#[derive(Clone, Copy, Default)]
pub struct Child<'a> {
    /// Descriptors for 0, 1 and 2.
    pub stdio: [Option<c_int>; 3],
    /// The options of the row `options`.
    pub options: bool,
    /// Copies the table of descriptors only as far as it is needed.
    pub share_files: bool,
    pub args: &'a [&'a str],
}

struct Exec<'a> {
    child: Child<'a>,
    path: *const c_char,
    argv: *const *const c_char,
    envp: *const *const c_char,
}

/// Starts the program and gives its pid.
pub fn spawn(program: &str, child: Child<'_>) -> Result<c_int> {
    let words: Vec<CString> = std::iter::once(&program)
        .chain(child.args)
        .map(|word| CString::new(*word))
        .collect::<std::result::Result<_, _>>()?;
    let argv: Vec<*const c_char> = words.iter().map(|word| word.as_ptr()).chain([ptr::null()]).collect();
    // SAFETY: no thread of these programs changes the environment.
    let envp = unsafe { environ };
    let exec = Exec { child, path: argv[0], argv: argv.as_ptr(), envp };
    let mut flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    if child.share_files {
        flags |= libc::CLONE_FILES;
    }
    let stack = (*CHILD_STACK + STACK) as *mut c_void;
    // SAFETY: the stack is used by one child at a time, and what the argument points to lives until the exec.
    let pid = unsafe { libc::clone(run, stack, flags, (&raw const exec).cast_mut().cast()) };
    if pid < 0 { Err(Error::last_os_error()) } else { Ok(pid) }
}

extern "C" fn run(exec: *mut c_void) -> c_int {
    // SAFETY: the parent stands still, so what it points to is alive; system calls only; no return on success.
    unsafe {
        let exec = &*exec.cast_const().cast::<Exec<'_>>();
        if exec.child.share_files {
            libc::syscall(libc::SYS_close_range, 3, u32::MAX, libc::CLOSE_RANGE_UNSHARE);
        }
        for (number, fd) in (0..).zip(exec.child.stdio) {
            if let Some(fd) = fd {
                libc::dup2(fd, number);
            }
        }
        if exec.child.options {
            libc::setsid();
            libc::umask(0o027);
            libc::chdir(c"/".as_ptr());
            let limit = libc::rlimit { rlim_cur: 64, rlim_max: 64 };
            libc::setrlimit(libc::RLIMIT_CORE, &limit);
            libc::dup2(2, 3);
        }
        libc::execve(exec.path, exec.argv, exec.envp);
        libc::_exit(127)
    }
}

/// Waits for it, and gives its code; a signal as a negative number.
pub fn wait(pid: c_int) -> Result<i32> {
    let mut status = 0;
    // SAFETY: the pointer is valid for writes.
    if unsafe { libc::waitpid(pid, &mut status, 0) } < 0 {
        return Err(Error::last_os_error());
    }
    Ok(if libc::WIFEXITED(status) { libc::WEXITSTATUS(status) } else { -libc::WTERMSIG(status) })
}
