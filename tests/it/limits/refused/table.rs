//! Whether the table of optional calls has all of them, by the text of `src/sys`.

use super::calls::OPTIONAL;
use crate::prelude::*;

/// What `src/sys` calls and cannot do without, or what is no system call: a refusal is the error of the step that needs it.
const NEEDED: &[&str] = &[
    // Processes: without them nothing can be started, or what was asked for cannot be done.
    "fork _exit execve chdir umask setsid setpgid setpriority prlimit64 setrlimit getrlimit PR_SET_PDEATHSIG set_pdeathsig",
    "setuid setgid setgroups setuid32 setgid32 setgroups32 geteuid getpid getppid getpgrp getsid raise",
    // Descriptors and bytes.
    "open close read write dup2 fstat stat poll fcntl ioctl getdents64 F_DUPFD_CLOEXEC F_GETFD F_SETFD F_GETFL F_SETFL",
    // Terminals.
    "tcgetpgrp tcsetpgrp TIOCSCTTY TIOCSPGRP",
    // Signals.
    "sigaction rt_sigaction rt_sigprocmask pthread_sigmask sigpending sigwait sigemptyset sigaddset sigismember",
    // Memory and threads.
    "mmap mprotect munmap pthread_create pthread_join",
    // No system call, or one that has no way to fail that matters: the kernel's page of clocks, libc's own memory.
    "sysconf dlsym clock_gettime sched_getcpu fflush makedev syscall prctl __errno_location __error __errno waitpid madvise",
    // The engine's own flags: refused, so is the clone.
    "CLONE_VM CLONE_VFORK CLOSE_RANGE_UNSHARE CLOSE_RANGE_CLOEXEC",
];

const CONSTANTS: &[&str] = &["CLONE_", "CLOSE_RANGE_", "F_", "MADV_", "PR_", "TIOC", "FION"];

fn ident(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

/// The names of the calls in a source text, and of those values that name a call of their own (fcntl, madvise).
fn calls(text: &str) -> BTreeSet<String> {
    let code: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let code = code.join("\n");
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices("libc::").chain(code.match_indices("FcntlArg::")) {
        let (_, rest) = code[at..].split_once("::").expect("it is there");
        let name = ident(rest);
        let is_call =
            rest[name.len()..].starts_with('(') && name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
        if let Some(call) = name.strip_prefix("SYS_") {
            found.insert(call.to_string());
        } else if is_call || CONSTANTS.iter().any(|prefix| name.starts_with(prefix)) {
            found.insert(name.to_string());
        }
    }
    for (at, _) in code.match_indices("nix::") {
        let path = code[at..].split(|c: char| !c.is_ascii_alphanumeric() && !"_:".contains(c)).next().unwrap_or("");
        let is_lower = |word: &str| word.starts_with(|c: char| c.is_ascii_lowercase());
        if code[at + path.len()..].starts_with('(') && path.split("::").all(is_lower) {
            found.extend(path.rsplit("::").next().map(String::from));
        }
    }
    found
}

#[test]
fn a_call_is_found_however_it_is_written() {
    let text = "unsafe { libc::syscall(libc::SYS_close_range, 1) }; nix::sys::memfd::memfd_create(x)?;\n// libc::no()\n \
        fcntl(fd, FcntlArg::F_SETPIPE_SZ(1))?; libc::madvise(p, 1, libc::MADV_POPULATE_WRITE); libc::EINVAL";
    let expected = ["F_SETPIPE_SZ", "MADV_POPULATE_WRITE", "close_range", "madvise", "memfd_create", "syscall"];
    assert!(calls(text).iter().eq(expected.iter()), "{:?}", calls(text));
}

#[test]
fn each_call_of_sys_is_in_the_table_or_known_to_be_needed() {
    let mut known: BTreeSet<&str> = OPTIONAL.iter().map(|call| call.name).collect();
    known.extend(NEEDED.iter().flat_map(|names| names.split(' ')));
    let mut unknown = BTreeSet::new();
    for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/sys")).expect("the sources") {
        let path = entry.expect("an entry").path();
        if path.is_file() {
            unknown.extend(calls(&std::fs::read_to_string(path).expect("text")));
        }
    }
    assert!(unknown.len() > 50, "the sources were not found: {unknown:?}");
    unknown.retain(|name| !known.contains(name.as_str()));
    assert!(unknown.is_empty(), "neither in `OPTIONAL`, with a way to do without, nor in `NEEDED`: {unknown:?}");
}
