//! Signals to this process, passed on to the runs that ask for it by [`forward_signals`](crate::Cmd::forward_signals).
//!
//! A terminal's Ctrl-C goes to every process of its foreground group. `kill`, `timeout`, a service manager and a supervisor signal one
//! process, and its children live on. Ctrl-C does not reach a [contained](crate::Cmd::contain) run either. From [`signals`] on, this
//! process passes the signals on to its runs, and ends when they have ended.
//!
//! | signal | the runs | this process |
//! |---|---|---|
//! | INT, TERM, HUP, QUIT | are ended by their [`shutdown_plan`](crate::Cmd::shutdown_plan), with this signal in place of its first | dies of the signal when they have ended; at once without runs |
//! | a second INT or QUIT | are killed (SIGKILL); the same signal within a second counts once | dies of the first signal, sooner |
//! | TSTP | are stopped by it | stops; while it is stopped, `timeout`, `grace` and `eof_grace` stand still |
//! | CONT | are continued | continues |
//!
//! The terminal has signalled the processes of a run that are in this process's own group: they do not get the signal twice.
//!
//! ```no_run
//! use pipewright::{cmd, forward};
//! let _forwarding = forward::signals()?;
//! // Ctrl-C, or `kill` with this process's number: both programs end, then this one, and nothing is left.
//! (cmd!("make", "-j8") | cmd!("tee", "make.log")).forward_signals(true).run()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod handlers;
mod serve;
mod state;

use std::io;
use std::sync::Mutex;
use std::sync::atomic::Ordering::SeqCst;

use crate::lock::lock;
use handlers::Handlers;
use state::RECEIVED;

/// The handlers, and the number of guards that share them.
static HANDLERS: Mutex<(usize, Handlers)> = Mutex::new((0, Handlers::NONE));

/// Passes signals on until the returned guard is dropped.
///
/// Installs handlers for INT, TERM, HUP, QUIT, TSTP and CONT (sigaction(2)), and starts one thread that acts on them. A signal that this
/// process ignores stays ignored, like under nohup(1). Handlers that were installed before are still called. A second call shares the
/// handlers of the first. Does not block.
///
/// The error of a run that a signal ends is [`ErrorKind::Interrupted`](crate::ErrorKind::Interrupted). Where this process is going to die
/// of the signal, no other run that sets `forward_signals` starts, and the verb of the last such run does not return. A handler interrupts
/// system calls of other threads, which are restarted as signal(7) says.
///
/// # Errors
/// When the system has no descriptor, memory or thread left.
///
/// ```
/// use pipewright::{cmd, forward};
/// let forwarding = forward::signals()?;
/// let polite = cmd!("sleep", "60").forward_signals(true); // Ended by a Ctrl-C.
/// # drop(polite);
/// assert_eq!(forwarding.received(), None);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn signals() -> io::Result<Forwarding> {
    let mut shared = lock(&HANDLERS);
    let (guards, handlers) = &mut *shared;
    if *guards == 0 {
        handlers.install()?;
    }
    *guards += 1;
    Ok(Forwarding { keeps_running: false })
}

/// The guard of [`signals`]: signals are passed on as long as it lives.
///
/// Dropping the last one restores the signals' actions, and blocks until the thread has ended. If a signal is ending this process, the
/// process dies in the drop. A handler that this program later registers with `signal-hook` for one of these signals is not called after
/// the drop: register it before, or keep the guard until the program ends.
///
/// ```
/// let forwarding = pipewright::forward::signals()?;
/// drop(forwarding); // Ctrl-C is what it was.
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "signals are passed on as long as this lives"]
pub struct Forwarding {
    keeps_running: bool,
}

impl Forwarding {
    /// Whether this process keeps running after a signal has ended its runs. By default it dies of the same signal.
    ///
    /// While one guard has this set, INT, TERM, HUP and QUIT end runs and nothing else, also when there are no runs;
    /// [`received`](Self::received) then returns the signal.
    ///
    /// ```
    /// use pipewright::{ErrorKind, cmd, forward};
    /// let _forwarding = forward::signals()?.keep_running(true);
    /// // As `kill -INT` with this process's number.
    /// let suicidal = cmd!("sh", "-c", "kill -s INT $PPID; sleep 60").forward_signals(true);
    /// assert_eq!(suicidal.run().unwrap_err().kind(), ErrorKind::Interrupted);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[doc(alias = "survive")]
    pub fn keep_running(mut self, on: bool) -> Forwarding {
        if self.keeps_running != on {
            self.keeps_running = on;
            state::keep_running(on);
        }
        self
    }

    /// The number (signal(7)) of the last INT, TERM, HUP or QUIT that came while signals were passed on. Does not block.
    ///
    /// ```
    /// let forwarding = pipewright::forward::signals()?;
    /// assert_eq!(forwarding.received(), None);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn received(&self) -> Option<i32> {
        match RECEIVED.load(SeqCst) {
            0 => None,
            signal => Some(signal),
        }
    }
}

impl Drop for Forwarding {
    fn drop(&mut self) {
        let mut shared = lock(&HANDLERS);
        let (guards, handlers) = &mut *shared;
        *guards -= 1;
        if *guards == 0 {
            // Before the guard stops counting: `keep_running` holds for a signal that came before this drop.
            handlers.remove();
            RECEIVED.store(0, SeqCst);
        }
        if self.keeps_running {
            state::keep_running(false);
        }
    }
}
