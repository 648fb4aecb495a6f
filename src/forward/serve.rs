//! The thread that receives the signals and delivers them to the runs.

use std::os::fd::AsFd;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use super::state::{RECEIVED, Signals, ends, keeps_running};
use crate::clock::Deadline;
use crate::engine::control::ForwardedSignal;
use crate::process::suspension_clock;
use crate::run::signal_registry::{self, Delivered, Delivery};
use crate::sys::poll::{Interest, wait_for};
use crate::sys::self_signal;

/// How long a run may take beyond its shutdown plan before it is killed from here, because its driver may be in the caller's code. A driver
/// that is not acts within milliseconds.
const PATIENCE: Duration = Duration::from_secs(1);

/// The pause between two tries where poll(2) fails (ENOMEM), so that the thread does not spin.
const RETRY_PAUSE: Duration = Duration::from_millis(10);

/// The runs are being ended, and this process is then to die of the signal.
struct Ending {
    signal: i32,
    /// When the runs are killed from here.
    until: Deadline,
}

/// Serves until the guards close the delivery, and returns it.
pub(super) fn serve(mut delivery: Signals) -> Signals {
    let mut ending: Option<Ending> = None;
    let mut received: Vec<libc::siginfo_t> = Vec::new();
    loop {
        if received.is_empty() {
            let until = ending.as_ref().map_or(Deadline::NEVER, |ending| ending.until);
            if wait_for(delivery.get_read().as_fd(), Interest::Readable, until).is_err() {
                std::thread::sleep(RETRY_PAUSE);
            }
            received.extend(delivery.pending());
        }
        let batch = std::mem::take(&mut received);
        for info in &batch {
            if ends(info.si_signo) {
                end(&mut ending, interrupt_of(info));
            }
        }
        let goes_on = batch.iter().any(|info| info.si_signo == libc::SIGCONT);
        match batch.iter().find(|info| info.si_signo == libc::SIGTSTP) {
            // After SIGTSTP and SIGCONT in one batch, only SIGCONT counts.
            Some(info) if !goes_on => {
                let before = suspension_clock::spent();
                suspend(interrupt_of(info), &mut delivery, &mut received);
                if let Some(ending) = &mut ending {
                    ending.until = ending.until.later_by(suspension_clock::spent().saturating_sub(before));
                }
            }
            Some(_) => resume_runs(),
            None if goes_on => resume_runs(),
            None => {}
        }
        ending = ending.and_then(check_ending);
        if ending.is_none() && received.is_empty() && delivery.handle().is_closed() {
            // Before the other end of the socket is closed: a write would fail with EPIPE.
            signal_registry::set_bell(None);
            return delivery;
        }
    }
}

/// A signal, and whether the terminal sent it. It sends the keyboard's signals to the whole foreground group, but a hangup only to the leader
/// of the session.
fn interrupt_of(info: &libc::siginfo_t) -> ForwardedSignal {
    let is_of_keyboard = matches!(info.si_signo, libc::SIGINT | libc::SIGQUIT | libc::SIGTSTP);
    #[cfg(target_os = "linux")]
    let by_kernel = info.si_code == libc::SI_KERNEL;
    #[cfg(not(target_os = "linux"))]
    let by_kernel = false;
    ForwardedSignal { signal: info.si_signo, by_terminal: is_of_keyboard && by_kernel }
}

fn end(ending: &mut Option<Ending>, interrupt: ForwardedSignal) {
    let signal = interrupt.signal;
    RECEIVED.store(signal, SeqCst);
    // A second Ctrl-C means that the user will not wait longer. A second TERM does not: service managers send TERM, CONT and HUP in a row.
    let kills = matches!(signal, libc::SIGINT | libc::SIGQUIT);
    match signal_registry::interrupt(interrupt, !keeps_running(), kills) {
        // The runs that were being ended have ended just now.
        Delivery::NoRun if ending.is_some() => {}
        Delivery::NoRun if keeps_running() => {}
        Delivery::NoRun => self_signal::die_of(signal),
        Delivery::Begun(grace) => {
            let until = Deadline::after(grace.saturating_add(PATIENCE));
            // This process dies of the first signal.
            let signal = ending.as_ref().map_or(signal, |ending| ending.signal);
            *ending = Some(Ending { signal, until });
        }
        Delivery::Repeated => {}
    }
    if kills {
        signal_registry::kill_from_here(Delivered::Kill);
    }
}

/// Lets this process die, or go on, once the runs have ended or their time is over.
fn check_ending(ending: Ending) -> Option<Ending> {
    if !signal_registry::have_ended() {
        if !ending.until.passed() {
            return Some(ending);
        }
        signal_registry::kill_from_here(Delivered::Shutdown);
    }
    if !keeps_running() {
        self_signal::die_of(ending.signal);
    }
    signal_registry::live_on();
    None
}

/// Stops the runs, then this process. Returns when this process was continued; signals that came meanwhile are added to `received`.
fn suspend(interrupt: ForwardedSignal, delivery: &mut Signals, received: &mut Vec<libc::siginfo_t>) {
    let pause = suspension_clock::begin();
    signal_registry::signal(interrupt);
    self_signal::suspend(|| {
        received.extend(delivery.pending());
        received.iter().any(|info| info.si_signo == libc::SIGCONT)
    });
    drop(pause);
    resume_runs();
}

fn resume_runs() {
    signal_registry::signal(ForwardedSignal { signal: libc::SIGCONT, by_terminal: false });
}
