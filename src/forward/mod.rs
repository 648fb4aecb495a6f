//! Signals to this process, passed on to the runs that ask for it by [`forward_signals`](crate::Cmd::forward_signals).
//!
//! A terminal's Ctrl-C goes to every process of its foreground group; `kill`, `timeout`, a service manager and a supervisor signal one
//! process, and what it has started lives on. Where a run is [contained](crate::Cmd::contain), Ctrl-C does not reach it either. From
//! [`signals`] on this process tells them, and ends when they are gone.
//!
//! | signal | the runs | this process |
//! |---|---|---|
//! | INT, TERM, HUP, QUIT | are ended: their [`shutdown_plan`](crate::Cmd::shutdown_plan), with this signal in place of its first | dies of it when they are gone; at once where there is none |
//! | a second INT or QUIT | are killed (SIGKILL); the same one within a second is no second one | the same, sooner |
//! | TSTP | are stopped by it | stops; while it is, their times stand still: timeout, grace, eof_grace |
//! | CONT | are continued | goes on |
//!
//! A process of a run that is in this process's own group has a signal of the keyboard already, and does not get it twice.
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

use std::io;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard, PoisonError};

use handlers::Handlers;

/// How many say that this process is to live on.
static SURVIVORS: AtomicUsize = AtomicUsize::new(0);

/// The last signal that was to end this process; 0: none.
static RECEIVED: AtomicI32 = AtomicI32::new(0);

struct Hub {
    guards: usize,
    handlers: Handlers,
}

static HUB: Mutex<Hub> = Mutex::new(Hub { guards: 0, handlers: Handlers::NONE });

fn hub() -> MutexGuard<'static, Hub> {
    HUB.lock().unwrap_or_else(PoisonError::into_inner)
}

fn survives() -> bool {
    SURVIVORS.load(SeqCst) > 0
}

/// Begins to pass signals on, until what is returned is dropped: handlers for INT, TERM, HUP, QUIT, TSTP and CONT are installed, see
/// sigaction(2), and one thread waits for what they say. A signal that this process ignores stays ignored, as under nohup(1). Handlers that are
/// there already are called as before. A second call shares the handlers of the first. Does not block.
///
/// The error of a run that a signal ends is [`ErrorKind::Interrupted`](crate::ErrorKind::Interrupted). Where this process dies of the
/// signal, no other run that asks begins, and the verb of the last one does not come back. System calls of yours that a handler interrupts are restarted where signal(7)
/// says so.
///
/// # Errors
/// No descriptors, no memory, no thread.
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
    let mut hub = hub();
    if hub.guards == 0 {
        hub.handlers.install()?;
    }
    hub.guards += 1;
    Ok(Forwarding { survives: false })
}

/// Passes signals on as long as it lives: from [`signals`].
///
/// When the last one is dropped, the signals do what they did before; it waits for the thread. Where a signal is ending this process, that
/// happens in the drop. One thing is not put back: a program that has `signal-hook` handle one of these signals too should do so
/// before, or keep this until its end.
///
/// ```
/// let forwarding = pipewright::forward::signals()?;
/// drop(forwarding); // Ctrl-C is what it was.
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "signals are passed on as long as this lives"]
pub struct Forwarding {
    survives: bool,
}

impl Forwarding {
    /// Whether this process lives on when the runs were ended by a signal; unless set, it dies of the same signal. A signal then ends
    /// runs and nothing else, also where there is none: [`received`](Self::received) says that there was one.
    ///
    /// ```
    /// use pipewright::{ErrorKind, cmd, forward};
    /// let _forwarding = forward::signals()?.survive(true);
    /// // As `kill -INT` with this process's number.
    /// let suicidal = cmd!("sh", "-c", "kill -s INT $PPID; sleep 60").forward_signals(true);
    /// assert_eq!(suicidal.run().unwrap_err().kind(), ErrorKind::Interrupted);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn survive(mut self, survive: bool) -> Forwarding {
        if self.survives != survive {
            self.survives = survive;
            if survive {
                SURVIVORS.fetch_add(1, SeqCst)
            } else {
                SURVIVORS.fetch_sub(1, SeqCst)
            };
        }
        self
    }

    /// The last INT, TERM, HUP or QUIT that came while signals were passed on, by its number of signal(7). Does not block.
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
        let mut hub = hub();
        hub.guards -= 1;
        if hub.guards == 0 {
            // Before it stops counting: what was said when the signal came holds.
            hub.handlers.remove();
            RECEIVED.store(0, SeqCst);
        }
        if self.survives {
            SURVIVORS.fetch_sub(1, SeqCst);
        }
    }
}
