//! Orders to a run from other threads: a flag, and a byte on a pipe that its driver polls.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU8, Ordering::SeqCst};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::{fmt, io};

use crate::io::flow::Flow;
use crate::pipe;
use crate::sys::{fds, stream};

/// What a run can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// Ask the processes to end, and kill them after the grace.
    Cancel,
    /// The same, beginning with a signal that this process was sent.
    Interrupt(Interrupt),
    /// The same without any more time.
    Kill(Interrupt),
    /// The processes were killed: wait for nobody else.
    Killed,
    /// Kill, close, finish.
    Abort,
}

/// A signal to this process that is passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Interrupt {
    pub(crate) signal: i32,
    /// The terminal sent it, to this process's whole group: who is in that has it already.
    pub(crate) by_terminal: bool,
}

impl Order {
    /// A higher one goes further.
    fn rank(self) -> u8 {
        match self {
            Order::Cancel | Order::Interrupt(_) => 1,
            Order::Kill(_) => 2,
            Order::Killed => 3,
            Order::Abort => 4,
        }
    }
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
    /// There before its rank is.
    interrupt: OnceLock<Interrupt>,
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
            interrupt: OnceLock::new(),
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
    pub(super) fn has_news(&self) -> bool {
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
            4.. => Some(Order::Abort),
            3 => Some(Order::Killed),
            rank => Some(match self.orders.interrupt.get() {
                Some(interrupt) if rank == 2 => Order::Kill(*interrupt),
                Some(interrupt) => Order::Interrupt(*interrupt),
                None => Order::Cancel,
            }),
        }
    }
}

impl Waker {
    pub(crate) fn order(&self, order: Order) {
        if let Order::Interrupt(interrupt) | Order::Kill(interrupt) = order {
            // The first one stays.
            let _ = self.0.interrupt.set(interrupt);
        }
        self.0.highest.fetch_max(order.rank(), SeqCst);
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
