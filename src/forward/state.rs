//! What the guards and the thread share.

use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering::SeqCst};

use signal_hook::iterator::backend::SignalDelivery;
use signal_hook::iterator::exfiltrator::WithRawSiginfo;

/// The signals that the handlers have written to the socket pair, each with its siginfo.
pub(super) type Signals = SignalDelivery<UnixStream, WithRawSiginfo>;

/// The last signal that ends runs; 0: none came.
pub(super) static RECEIVED: AtomicI32 = AtomicI32::new(0);

/// The number of guards that say that this process keeps running.
static KEEPERS: AtomicUsize = AtomicUsize::new(0);

pub(super) fn keeps_running() -> bool {
    KEEPERS.load(SeqCst) > 0
}

/// One guard says, or no longer says, that this process keeps running.
pub(super) fn keep_running(on: bool) {
    if on {
        KEEPERS.fetch_add(1, SeqCst);
    } else {
        KEEPERS.fetch_sub(1, SeqCst);
    }
}

/// Whether the signal ends runs, and then this process.
pub(super) fn ends(signal: i32) -> bool {
    matches!(signal, libc::SIGINT | libc::SIGTERM | libc::SIGHUP | libc::SIGQUIT)
}
