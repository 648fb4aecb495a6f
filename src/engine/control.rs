//! Requests to a run from other threads: a number, and a byte on a pipe that the run's driver polls.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU8, Ordering::SeqCst};
use std::sync::{Arc, Mutex, OnceLock};
use std::{fmt, io};

use crate::io::flow::Flow;
use crate::lock::lock;
use crate::pipe;
use crate::sys::{fds, signals, stream};

/// What a run can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Request {
    /// Signal the processes, and kill them after the grace.
    Cancel,
    /// The same, with a signal that this process was sent in place of the first one.
    Forward(ForwardedSignal),
    /// Kill the processes now.
    Kill(ForwardedSignal),
    /// The processes were killed: wait for nothing else.
    WasKilled,
    /// Kill, close, finish.
    Abort,
}

/// A signal to this process that is passed on to its runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ForwardedSignal {
    pub(crate) signal: i32,
    /// The terminal sent it to this process's whole group, so the members of that group have had it.
    pub(crate) by_terminal: bool,
}

impl Request {
    /// A request with a higher rank replaces one with a lower rank.
    fn rank(self) -> u8 {
        match self {
            Request::Cancel | Request::Forward(_) => 1,
            Request::Kill(_) => 2,
            Request::WasKilled => 3,
            Request::Abort => 4,
        }
    }
}

/// The run's side.
pub(crate) struct Control {
    wake_reader: OwnedFd,
    requests: Arc<Requests>,
}

/// The side that makes requests. It keeps a descriptor open.
#[derive(Clone)]
pub(crate) struct Waker(Arc<Requests>);

impl fmt::Debug for Waker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Waker")
    }
}

struct Requests {
    /// The highest rank so far.
    highest: AtomicU8,
    /// The highest rank that the run has taken.
    taken: AtomicU8,
    /// Set before the rank that refers to it.
    signal: OnceLock<ForwardedSignal>,
    /// Streams that the run is to take over.
    streams: Mutex<Vec<Flow>>,
    wake_writer: OwnedFd,
}

impl Control {
    pub(crate) fn new() -> io::Result<(Control, Waker)> {
        let (wake_reader, wake_writer) = pipe::kernel()?;
        fds::set_nonblocking(wake_reader.as_fd(), true)?;
        fds::set_nonblocking(wake_writer.as_fd(), true)?;
        let requests = Arc::new(Requests {
            highest: AtomicU8::new(0),
            taken: AtomicU8::new(0),
            signal: OnceLock::new(),
            streams: Mutex::default(),
            wake_writer: wake_writer.into(),
        });
        Ok((Control { wake_reader: wake_reader.into(), requests: Arc::clone(&requests) }, Waker(requests)))
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.wake_reader.as_fd()
    }

    /// The streams added since the last call.
    pub(super) fn take_streams(&self) -> Vec<Flow> {
        std::mem::take(&mut *lock(&self.requests.streams))
    }

    /// Whether there is a request that [`take_request`](Self::take_request) has not returned.
    pub(super) fn has_request(&self) -> bool {
        self.requests.highest.load(SeqCst) > self.requests.taken.load(SeqCst)
    }

    /// The request of the highest rank so far, also where it was returned before. The pipe is emptied before the rank is read: a request
    /// that comes in between writes another byte, and so wakes the driver again.
    pub(super) fn take_request(&self) -> Option<Request> {
        // An empty pipe (EAGAIN) was emptied by an earlier call.
        let _ = stream::read(self.fd(), &mut [0; 16]);
        let highest = self.requests.highest.load(SeqCst);
        self.requests.taken.store(highest, SeqCst);
        match (highest, self.requests.signal.get()) {
            (0, _) => None,
            (4.., _) => Some(Request::Abort),
            (3, _) => Some(Request::WasKilled),
            (2, Some(signal)) => Some(Request::Kill(*signal)),
            (_, Some(signal)) => Some(Request::Forward(*signal)),
            (_, None) => Some(Request::Cancel),
        }
    }
}

impl Waker {
    pub(crate) fn request(&self, request: Request) {
        if let Request::Forward(signal) | Request::Kill(signal) = request {
            // The first one stays.
            let _ = self.0.signal.set(signal);
        }
        self.0.highest.fetch_max(request.rank(), SeqCst);
        self.wake();
    }

    /// Gives the run another stream.
    pub(crate) fn add(&self, stream: Flow) {
        lock(&self.0.streams).push(stream);
        self.wake();
    }

    pub(crate) fn wake(&self) {
        // A full pipe (EAGAIN) wakes the driver already, and a run that is over (EPIPE) needs no waking.
        let _ = signals::without_sigpipe(|| stream::write(self.0.wake_writer.as_fd(), b"!"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_that_goes_furthest_wins_and_the_first_signal_stays() {
        let (control, waker) = Control::new().unwrap();
        let forwarded = |signal| ForwardedSignal { signal, by_terminal: false };
        assert_eq!((control.take_request(), control.has_request()), (None, false));
        waker.request(Request::Forward(forwarded(2)));
        assert!(control.has_request());
        assert_eq!(control.take_request(), Some(Request::Forward(forwarded(2))));
        assert!(!control.has_request());
        waker.request(Request::Kill(forwarded(15)));
        waker.request(Request::Cancel);
        assert_eq!(control.take_request(), Some(Request::Kill(forwarded(2))));
        waker.request(Request::Abort);
        waker.request(Request::WasKilled);
        assert_eq!(control.take_request(), Some(Request::Abort));
    }
}
