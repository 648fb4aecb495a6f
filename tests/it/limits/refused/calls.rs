//! The calls that the library can do without.

use crate::prelude::*;

/// A system call, or what it does with one value of one argument.
pub(super) struct Call {
    pub(super) name: &'static str,
    number: libc::c_long,
    /// Which argument, which of its bits, and what they are where the call is refused. The lower 32 bits alone are looked at.
    argument: Option<(u32, u32, u32)>,
}

const fn all(name: &'static str, number: libc::c_long) -> Call {
    Call { name, number, argument: None }
}

const fn some(name: &'static str, number: libc::c_long, argument: u32, bits: u32, value: u32) -> Call {
    Call { name, number, argument: Some((argument, bits, value)) }
}

const VFORK: u32 = libc::CLONE_VFORK as u32;
const FILES: u32 = libc::CLONE_FILES as u32;
const PIDFD: u32 = libc::CLONE_PIDFD as u32;
/// `PIDFD_GET_INFO`, as `src/sys/pidfd.rs` has it.
const GET_INFO: u32 = 0xc040_ff0b;
const WHOLE: u32 = u32::MAX;
/// `PIDFD_SIGNAL_PROCESS_GROUP`.
const TO_GROUP: u32 = 4;

pub(super) const OPTIONAL: &[Call] = &[
    some("clone", libc::SYS_clone, 0, VFORK, VFORK),
    some("CLONE_PIDFD", libc::SYS_clone, 0, PIDFD, PIDFD),
    some("CLONE_FILES", libc::SYS_clone, 0, VFORK | FILES, VFORK | FILES),
    all("pidfd_open", libc::SYS_pidfd_open),
    all("pidfd_send_signal", libc::SYS_pidfd_send_signal),
    some("PIDFD_SIGNAL_PROCESS_GROUP", libc::SYS_pidfd_send_signal, 3, TO_GROUP, TO_GROUP),
    some("PIDFD_GET_INFO", libc::SYS_ioctl, 1, WHOLE, GET_INFO),
    all("waitid", libc::SYS_waitid),
    some("P_PIDFD", libc::SYS_waitid, 0, WHOLE, libc::P_PIDFD),
    some("WNOWAIT", libc::SYS_waitid, 3, libc::WNOWAIT as u32, libc::WNOWAIT as u32),
    all("wait4", libc::SYS_wait4),
    all("kill", libc::SYS_kill),
    all("close_range", libc::SYS_close_range),
    all("memfd_create", libc::SYS_memfd_create),
    all("splice", libc::SYS_splice),
    all("tee", libc::SYS_tee),
    all("sendfile", libc::SYS_sendfile),
    all("copy_file_range", libc::SYS_copy_file_range),
    all("ppoll", libc::SYS_ppoll),
    all("recv", libc::SYS_recvfrom),
    all("send", libc::SYS_sendto),
    some("MADV_POPULATE_WRITE", libc::SYS_madvise, 2, WHOLE, libc::MADV_POPULATE_WRITE as u32),
    some("F_SETPIPE_SZ", libc::SYS_fcntl, 1, WHOLE, libc::F_SETPIPE_SZ as u32),
    some("F_GETPIPE_SZ", libc::SYS_fcntl, 1, WHOLE, libc::F_GETPIPE_SZ as u32),
    some("FIONREAD", libc::SYS_ioctl, 1, WHOLE, libc::FIONREAD as u32),
    some("PR_SET_PDEATHSIG", libc::SYS_prctl, 0, WHOLE, libc::PR_SET_PDEATHSIG as u32),
    some("PR_GET_CHILD_SUBREAPER", libc::SYS_prctl, 0, WHOLE, libc::PR_GET_CHILD_SUBREAPER as u32),
];

/// What the child of a fork says just before its exec.
pub(super) const WORD_BEFORE_EXEC: Call = some("a write of one byte", libc::SYS_write, 2, WHOLE, 1);

fn instruction(code: u32, k: u32, jt: u8, jf: u8) -> libc::sock_filter {
    libc::sock_filter { code: code as u16, jt, jf, k }
}

impl Call {
    pub(super) fn named(name: &str) -> &'static Call {
        OPTIONAL.iter().find(|call| call.name == name).expect("it is in the table")
    }

    /// From here on this process, all its threads and its children are refused the call.
    pub(super) fn refuse(&self, errno: i32) -> io::Result<()> {
        let load = |offset| instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset, 0, 0);
        let jump = |value, skipped| instruction(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, value, 0, skipped);
        let answer = |value| instruction(libc::BPF_RET | libc::BPF_K, value, 0, 0);
        let refuse = answer(libc::SECCOMP_RET_ERRNO | errno as u32);
        let allow = answer(libc::SECCOMP_RET_ALLOW);
        // The call's number; then the lower half of an argument (struct seccomp_data).
        let mut program = match self.argument {
            None => vec![load(0), jump(self.number as u32, 1), refuse, allow],
            Some((argument, bits, value)) => {
                let mask = instruction(libc::BPF_ALU | libc::BPF_AND | libc::BPF_K, bits, 0, 0);
                let low = 16 + 8 * argument + if cfg!(target_endian = "big") { 4 } else { 0 };
                vec![load(0), jump(self.number as u32, 4), load(low), mask, jump(value, 1), refuse, allow]
            }
        };
        let program = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
        // SAFETY: takes numbers.
        if unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) } != 0 {
            return Err(io::Error::last_os_error());
        }
        let (mode, flags) = (libc::SECCOMP_SET_MODE_FILTER, libc::SECCOMP_FILTER_FLAG_TSYNC);
        // SAFETY: the program lives on this stack, and the kernel copies it.
        let set = unsafe { libc::syscall(libc::SYS_seccomp, mode, flags, &raw const program) };
        if set == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}
