//! The thread that does what the signals say.

use std::os::fd::AsFd;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use super::handlers::Delivery;
use super::{RECEIVED, survives};
use crate::clock::Deadline;
use crate::engine::control::ForwardedSignal;
use crate::process::suspension_clock;
use crate::run::signal_registry;
use crate::run::signal_registry::{Passed, Told};
use crate::sys::poll::{Interest, wait_for};
use crate::sys::self_signal;

/// How long the drivers of runs may take beyond the runs' plans; they may be in the caller's code.
const PATIENCE: Duration = Duration::from_secs(1);

/// Between two tries where the system refuses to wait.
const AGAIN: Duration = Duration::from_millis(10);

/// Runs are being ended.
struct Ending {
    signal: i32,
    until: Deadline,
}

/// Until the delivery is closed, which is given back.
pub(super) fn serve(mut delivery: Delivery) -> Delivery {
    let mut ending: Option<Ending> = None;
    let mut news: Vec<libc::siginfo_t> = Vec::new();
    loop {
        if news.is_empty() {
            let until = ending.as_ref().map_or(Deadline::NEVER, |ending| ending.until);
            if wait_for(delivery.get_read().as_fd(), Interest::Readable, until).is_err() {
                std::thread::sleep(AGAIN);
            }
            news.extend(delivery.pending());
        }
        let batch = std::mem::take(&mut news);
        for info in &batch {
            if ends(info.si_signo) {
                end(&mut ending, said_by(info));
            }
        }
        let goes_on = batch.iter().any(|info| info.si_signo == libc::SIGCONT);
        match batch.iter().find(|info| info.si_signo == libc::SIGTSTP) {
            // Of a stop and its end nothing is left but the end.
            Some(info) if !goes_on => {
                let before = suspension_clock::spent();
                stop(said_by(info), &mut delivery, &mut news);
                if let Some(ending) = &mut ending {
                    ending.until = ending.until.later_by(suspension_clock::spent().saturating_sub(before));
                }
            }
            Some(_) => go_on(),
            None if goes_on => go_on(),
            None => {}
        }
        ending = ending.and_then(see_to);
        if ending.is_none() && news.is_empty() && delivery.handle().is_closed() {
            // Before the other end of it is closed.
            signal_registry::set_bell(None);
            return delivery;
        }
    }
}

pub(super) fn ends(signal: i32) -> bool {
    matches!(signal, libc::SIGINT | libc::SIGTERM | libc::SIGHUP | libc::SIGQUIT)
}

/// The keyboard's signals go to the whole foreground group; a hangup goes to the leader of the session alone.
fn said_by(info: &libc::siginfo_t) -> ForwardedSignal {
    let is_keyboards = matches!(info.si_signo, libc::SIGINT | libc::SIGQUIT | libc::SIGTSTP);
    #[cfg(target_os = "linux")]
    let by_kernel = info.si_code == libc::SI_KERNEL;
    #[cfg(not(target_os = "linux"))]
    let by_kernel = false;
    ForwardedSignal { signal: info.si_signo, by_terminal: is_keyboards && by_kernel }
}

fn end(ending: &mut Option<Ending>, interrupt: ForwardedSignal) {
    let signal = interrupt.signal;
    RECEIVED.store(signal, SeqCst);
    // A service manager may well send TERM, CONT and HUP in a row; who presses Ctrl-C again has waited long enough.
    let kills = matches!(signal, libc::SIGINT | libc::SIGQUIT);
    match signal_registry::interrupt(interrupt, !survives(), kills) {
        // Those that were there have ended just now.
        Passed::ToNobody if ending.is_some() => {}
        Passed::ToNobody if survives() => {}
        Passed::ToNobody => self_signal::die_of(signal),
        Passed::ToEnd(grace) => {
            let until = Deadline::after(grace.saturating_add(PATIENCE));
            // The first signal is what this process dies of.
            let signal = ending.as_ref().map_or(signal, |ending| ending.signal);
            *ending = Some(Ending { signal, until });
        }
        Passed::Again => {}
    }
    if kills {
        signal_registry::kill_from_here(Told::ToEndAtOnce);
    }
}

/// What comes after the ending, once it is over.
fn see_to(ending: Ending) -> Option<Ending> {
    if !signal_registry::have_ended() {
        if !ending.until.passed() {
            return Some(ending);
        }
        signal_registry::kill_from_here(Told::ToEnd);
    }
    if !survives() {
        self_signal::die_of(ending.signal);
    }
    signal_registry::live_on();
    None
}

/// Stops the runs, then this process; it returns when that is over. What came meanwhile is added to the news.
fn stop(interrupt: ForwardedSignal, delivery: &mut Delivery, news: &mut Vec<libc::siginfo_t>) {
    let pause = suspension_clock::begin();
    signal_registry::tell(interrupt);
    self_signal::suspend(|| {
        news.extend(delivery.pending());
        news.iter().any(|info| info.si_signo == libc::SIGCONT)
    });
    drop(pause);
    go_on();
}

fn go_on() {
    signal_registry::tell(ForwardedSignal { signal: libc::SIGCONT, by_terminal: false });
}
