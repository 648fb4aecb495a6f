//! Orders to a run from other threads: a flag, and a byte on a pipe that its driver polls.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU8, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};
use std::{fmt, io};

use super::Flow;
use crate::clock::Deadline;
use crate::pipe;
use crate::sys::{fds, stream};

/// What a run can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// Ask the processes to end, and kill them after the grace.
    Cancel = 1,
    /// The processes were killed: wait for nobody else.
    Killed = 2,
    /// Kill, close, finish.
    Abort = 3,
}

/// The run's side.
pub(crate) struct Wake {
    woken: OwnedFd,
    orders: Arc<Orders>,
}

/// The side of whoever gives orders.
#[derive(Clone)]
pub(crate) struct Waker(Arc<Orders>);

impl fmt::Debug for Waker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Waker")
    }
}

struct Orders {
    highest: AtomicU8,
    /// The highest that the run has seen.
    seen: AtomicU8,
    /// Streams that the run is to see to from now on.
    flows: Mutex<Vec<Flow>>,
    bell: OwnedFd,
}

impl Wake {
    pub(crate) fn new() -> io::Result<(Wake, Waker)> {
        let (woken, bell) = pipe::kernel()?;
        fds::set_nonblocking(woken.as_fd(), true)?;
        fds::set_nonblocking(bell.as_fd(), true)?;
        let orders = Arc::new(Orders {
            highest: AtomicU8::new(0),
            seen: AtomicU8::new(0),
            flows: Mutex::default(),
            bell: bell.into(),
        });
        Ok((Wake { woken: woken.into(), orders: Arc::clone(&orders) }, Waker(orders)))
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.woken.as_fd()
    }

    /// The streams handed over since the last call.
    pub(super) fn flows(&self) -> Vec<Flow> {
        std::mem::take(&mut self.orders.flows.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether there is an order that `order` has not told yet.
    fn has_news(&self) -> bool {
        self.orders.highest.load(SeqCst) > self.orders.seen.load(SeqCst)
    }

    /// The order that the bell was rung for. The bell first: an order given meanwhile rings again.
    pub(super) fn order(&self) -> Option<Order> {
        // Nothing there means that it was read before.
        let _ = stream::read(self.fd(), &mut [0; 16]);
        let highest = self.orders.highest.load(SeqCst);
        self.orders.seen.store(highest, SeqCst);
        match highest {
            0 => None,
            1 => Some(Order::Cancel),
            2 => Some(Order::Killed),
            _ => Some(Order::Abort),
        }
    }
}

/// When to leave off in the middle of a chunk of lines: a slow callback must not put off a deadline, or an order, by more than
/// one call.
#[derive(Clone, Copy)]
pub(crate) struct Halt<'a> {
    pub(super) until: Deadline,
    pub(super) wake: Option<&'a Wake>,
}

impl Halt<'_> {
    pub(super) const NEVER: Halt<'static> = Halt { until: Deadline::NEVER, wake: None };

    pub(super) fn is_never(&self) -> bool {
        self.until.is_never() && self.wake.is_none()
    }

    pub(super) fn now(&self) -> bool {
        self.until.passed() || self.wake.is_some_and(Wake::has_news)
    }
}

impl Waker {
    pub(crate) fn order(&self, order: Order) {
        self.0.highest.fetch_max(order as u8, SeqCst);
        self.ring();
    }

    /// Hands the run another stream.
    pub(crate) fn add(&self, flow: Flow) {
        self.0.flows.lock().unwrap_or_else(PoisonError::into_inner).push(flow);
        self.ring();
    }

    pub(crate) fn ring(&self) {
        // A full pipe rings already; a run that is over has nobody to hear it.
        let _ = crate::sys::signals::without_sigpipe(|| stream::write(self.0.bell.as_fd(), b"!"));
    }
}
