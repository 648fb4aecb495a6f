//! The child's signals are clean, whatever this process ignores, blocks or catches.

use std::mem::MaybeUninit;

use crate::prelude::*;

/// The real-time signals, which glibc has 32 and 33 of for itself, included.
const LAST: i32 = 64;

const NOHUP: [i32; 3] = [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT];

fn bit(signal: i32) -> u64 {
    1 << (signal - 1)
}

/// Those that can be ignored, blocked and caught, and that nothing here needs.
fn free() -> impl Iterator<Item = i32> {
    (1..=LAST).filter(|&signal| !matches!(signal, libc::SIGKILL | libc::SIGSTOP | libc::SIGCHLD))
}

/// The kernel's own sigaction, since glibc's refuses 32 and 33. Handler, flags, restorer, mask.
fn set_action(signal: i32, new: [usize; 8]) -> [usize; 8] {
    let mut old = [0_usize; 8];
    // SAFETY: both arrays are larger than the kernel's structure, and no handler is called: no process sends these signals.
    let done = unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, new.as_ptr(), old.as_mut_ptr(), 8_usize) };
    assert_eq!(done, 0, "signal {signal}");
    old
}

fn ignored() -> [usize; 8] {
    [libc::SIG_IGN, 0, 0, 0, 0, 0, 0, 0]
}

fn set_mask(mask: u64) -> u64 {
    let mut old = 0_u64;
    let how = libc::SIG_SETMASK;
    // SAFETY: both masks live through the call and have the size said.
    unsafe { libc::syscall(libc::SYS_rt_sigprocmask, how, &raw const mask, &raw mut old, 8_usize) };
    old
}

/// Runs `f` with these signals ignored.
fn ignoring<T>(signals: impl IntoIterator<Item = i32>, f: impl FnOnce() -> T) -> T {
    let before: Vec<_> = signals.into_iter().map(|signal| (signal, set_action(signal, ignored()))).collect();
    let value = f();
    for (signal, action) in before {
        set_action(signal, action);
    }
    value
}

/// The child's blocked, ignored and caught signals.
fn told(cmd: &Cmd) -> [u64; 3] {
    let told = cmd.read().expect("it runs");
    let set = |name: &str| {
        let set = told.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        u64::from_str_radix(set.expect("it is told"), 16).expect("a set in hexadecimal")
    };
    [set("SigBlk"), set("SigIgn"), set("SigCgt")]
}

#[test]
fn a_child_ignores_nothing_that_this_process_ignores() {
    isolated(|| {
        let others: Vec<i32> = free().filter(|signal| !NOHUP.contains(signal)).collect();
        let seen = ignoring(NOHUP, || ignoring(others, || told(&role("signals"))));
        // These three are how nohup and a shell's `&` reach the program.
        assert_eq!(seen, [0, NOHUP.into_iter().map(bit).sum(), 0]);
        assert_eq!(told(&role("signals")), [0, 0, 0]);
    });
}

#[test]
fn each_of_the_signals_of_nohup_stays_ignored_by_itself() {
    isolated(|| {
        for signal in NOHUP {
            assert_eq!(ignoring([signal], || told(&role("signals"))), [0, bit(signal), 0]);
        }
        // A program under nohup survives its terminal.
        let job = ignoring([libc::SIGHUP], || {
            role("cat").stdin(pipewright::Redirect::piped()).stdout(pipewright::Redirect::capture()).spawn()
        });
        let job = job.expect("it starts");
        job.send_signal(libc::SIGHUP).expect("it is there");
        std::io::Write::write_all(&mut job.take_stdin().expect("piped"), b"alive").expect("it reads");
        assert_eq!(job.output().expect("it lives").stdout, b"alive");
    });
}

#[test]
fn a_child_blocks_nothing_that_this_thread_blocks() {
    isolated(|| {
        let before = set_mask(u64::MAX);
        let seen = told(&role("signals"));
        let kept = told(&role("signals").inherit_signals(true));
        let mask = set_mask(before);
        assert_eq!(seen, [0, 0, 0]);
        // What KILL and STOP are not part of.
        let all = !(bit(libc::SIGKILL) | bit(libc::SIGSTOP));
        assert_eq!((kept[0] & all, mask), (all, all), "the mask is as it was here, and in the child");
    });
}

extern "C" fn never(_: libc::c_int) {}

#[test]
fn what_this_process_catches_is_default_in_a_child() {
    isolated(|| {
        let mut caught = MaybeUninit::<libc::sigaction>::zeroed();
        let handler: extern "C" fn(libc::c_int) = never;
        // SAFETY: all zero is a valid sigaction; the handler does nothing.
        unsafe { caught.assume_init_mut() }.sa_sigaction = handler as libc::sighandler_t;
        let signals = [libc::SIGHUP, libc::SIGTERM, libc::SIGUSR1, libc::SIGTSTP, libc::SIGPIPE, 40];
        let mut before = Vec::new();
        for signal in signals {
            let mut old = MaybeUninit::<libc::sigaction>::zeroed();
            // SAFETY: both structures are valid, and live through the call.
            unsafe { libc::sigaction(signal, caught.as_ptr(), old.as_mut_ptr()) };
            before.push((signal, old));
        }
        let [seen, kept] = [false, true].map(|keep| told(&role("signals").inherit_signals(keep)));
        for (signal, old) in before {
            // SAFETY: the structure was filled by the call above.
            unsafe { libc::sigaction(signal, old.as_ptr(), std::ptr::null_mut()) };
        }
        assert_eq!(seen, [0, 0, 0]);
        assert_eq!(signals.map(|signal| kept[1] & bit(signal)), [0; 6]);
        assert_eq!((kept[0], kept[2]), (0, 0));
    });
}

#[test]
fn inherit_signals_keeps_what_is_ignored_and_blocked() {
    isolated(|| {
        let kept = [libc::SIGUSR2, libc::SIGPIPE, libc::SIGTSTP, 34];
        // The process that started the tests may have ignored some, too.
        let own = told(&role("signals").inherit_signals(true))[1];
        let before = set_mask(bit(libc::SIGUSR1));
        let seen = ignoring(kept, || told(&role("signals").inherit_signals(true)));
        let not = ignoring(kept, || told(&role("signals").inherit_signals(true).inherit_signals(false)));
        set_mask(before);
        // The Rust runtime ignores SIGPIPE.
        let expected = kept.into_iter().fold(own, |set, signal| set | bit(signal));
        assert_ne!(own & bit(libc::SIGPIPE), 0);
        assert_eq!(seen, [bit(libc::SIGUSR1), expected, 0]);
        assert_eq!(not, [0, 0, 0]);
    });
}
