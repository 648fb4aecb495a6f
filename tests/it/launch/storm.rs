//! Stop signals that hit a child on its way to its program: a stop there would stop the parent's thread with it.

use crate::prelude::*;

extern "C" fn as_a_shell_does(_: libc::c_int) {}

/// Runs `f` with SIGTSTP caught, so that this process does not stop.
fn catching_stops<T>(f: impl FnOnce() -> T) -> T {
    let action = SigAction::new(SigHandler::Handler(as_a_shell_does), SaFlags::SA_RESTART, SigSet::empty());
    // SAFETY: the handler does nothing.
    let before = unsafe { sigaction(Signal::SIGTSTP, &action) }.expect("it can be caught");
    let value = f();
    // SAFETY: puts back what was there.
    unsafe { sigaction(Signal::SIGTSTP, &before) }.expect("it can be put back");
    value
}

fn to_the_group(signal: Signal) {
    kill(Pid::from_raw(0), signal).expect("the group of this body is there");
}

/// Many times the length of a spawn. It spins: a sleep would be as coarse as a whole spawn.
fn pause() {
    let start = Instant::now();
    while start.elapsed() < Duration::from_micros(30) {
        std::hint::spin_loop();
    }
}

#[test]
fn stops_and_continues_during_spawns_hang_no_caller() {
    isolated(|| {
        catching_stops(|| {
            let over = AtomicBool::new(false);
            thread::scope(|scope| {
                scope.spawn(|| {
                    while !over.load(SeqCst) {
                        to_the_group(Signal::SIGTSTP);
                        to_the_group(Signal::SIGCONT);
                    }
                });
                let run = || {
                    for _ in 0..count(15, 1000) {
                        assert_eq!(role("echo").arg("through").read().expect("it runs"), "through");
                        progress();
                    }
                };
                let result = std::panic::catch_unwind(run);
                over.store(true, SeqCst);
                result.expect("no spawn fails");
            });
        });
    });
}

/// Only stops, no continue until the spawn is over: what is still on its way must not be hit, except in the instant in which
/// nothing is left to be done but `execve`. A spawn that was caught in it is freed after a while, and counted.
#[test]
fn a_stop_on_the_way_to_the_program_is_thrown_away() {
    const WHILE: Duration = Duration::from_millis(300);
    isolated(|| {
        catching_stops(|| {
            let over = AtomicBool::new(false);
            let spawning = AtomicBool::new(false);
            let (stops, stalls) = (AtomicUsize::new(0), AtomicUsize::new(0));
            let storm = || {
                while !over.load(SeqCst) {
                    let start = Instant::now();
                    while spawning.load(SeqCst) && start.elapsed() < WHILE {
                        to_the_group(Signal::SIGTSTP);
                        stops.fetch_add(1, SeqCst);
                        pause();
                    }
                    stalls.fetch_add(usize::from(spawning.load(SeqCst)), SeqCst);
                    // Another stop could meet it again before it moves.
                    while spawning.load(SeqCst) {
                        to_the_group(Signal::SIGCONT);
                        thread::yield_now();
                    }
                    thread::yield_now();
                }
            };
            // On a busy machine many a spawn meets no storm; those do not count.
            let wanted = count(30, 1000);
            let mut met = 0;
            let run = || {
                while met < wanted && stalls.load(SeqCst) * 3 <= wanted {
                    let before = stops.load(SeqCst);
                    spawning.store(true, SeqCst);
                    let job = role("echo").stdout(Redirect::null()).spawn().expect("it starts");
                    spawning.store(false, SeqCst);
                    met += usize::from(stops.load(SeqCst) - before > 5);
                    // From here on a stop is the program's own business.
                    while job.try_wait().expect("no error").is_none() {
                        to_the_group(Signal::SIGCONT);
                        thread::yield_now();
                    }
                    progress();
                }
            };
            thread::scope(|scope| {
                scope.spawn(storm);
                let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run));
                spawning.store(false, SeqCst);
                over.store(true, SeqCst);
                result.expect("no spawn fails");
            });
            let stalls = stalls.into_inner();
            // Without protection it is nearly every one. The instant that is left grows with the load of the machine.
            assert!(stalls * 3 <= met, "{stalls} of {met} spawns were stopped on the way");
        });
    });
}
