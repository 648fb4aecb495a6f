//! One stream of a run: a feed, a drain, or the work of a thread.

use std::os::fd::BorrowedFd;

use super::callback::BorrowedCallback;
use super::drain::Drain;
use super::failure::{Closed, FlowFailure, Time};
use super::feed::Feed;
use super::interrupt::Interrupt;
use super::io_thread::IoThreadHandle;
use super::stream_end::StreamEnd;
use crate::stream::Stream;
use crate::sys::poll::Interest;

pub(crate) enum Flow {
    Feed(Feed),
    Drain(Drain),
    IoThread(IoThreadHandle),
}

impl Flow {
    pub(crate) fn stream(&self) -> Stream {
        match self {
            Flow::Feed(feed) => feed.stream(),
            Flow::Drain(drain) => drain.stream(),
            Flow::IoThread(handle) => handle.stream(),
        }
    }

    /// The index of its pipe in the plan, if it has one.
    pub(crate) fn pipe(&self) -> Option<usize> {
        match self {
            Flow::Feed(feed) => Some(feed.pipe),
            Flow::Drain(drain) => drain.pipe(),
            Flow::IoThread(handle) => handle.pipe(),
        }
    }

    /// Whether the run is not over before this stream is.
    pub(crate) fn is_awaited(&self) -> bool {
        match self {
            Flow::Feed(feed) => feed.fd().is_some(),
            Flow::Drain(drain) => drain.is_awaited(),
            Flow::IoThread(handle) => handle.is_awaited(),
        }
    }

    pub(crate) fn interests(&self, mut each: impl FnMut(BorrowedFd<'_>, Interest, StreamEnd)) {
        let (fd, interest) = match self {
            Flow::Feed(feed) => (feed.fd(), Interest::Writable),
            Flow::Drain(drain) => return drain.interests(each),
            Flow::IoThread(handle) => (handle.fd(), Interest::Readable),
        };
        if let Some(fd) = fd {
            each(fd, interest, StreamEnd::Pipe);
        }
    }

    /// A process has ended, and the stream may have.
    pub(crate) fn end_backoff(&mut self) {
        if let Flow::Drain(drain) = self {
            drain.end_backoff();
        }
    }

    pub(crate) fn reads_blocking(&self) -> bool {
        matches!(self, Flow::Drain(drain) if drain.reads_blocking())
    }

    pub(crate) fn may_read_on(&self) -> bool {
        matches!(self, Flow::Drain(drain) if drain.may_read_on())
    }

    /// Does the work that one of its descriptors is ready for.
    pub(crate) fn ready(
        &mut self,
        end: StreamEnd,
        callback: &mut BorrowedCallback<'_>,
        interrupt: Interrupt<'_>,
    ) -> Result<(), FlowFailure> {
        match (self, end) {
            (Flow::Drain(drain), StreamEnd::Pipe) => drain.step(callback, interrupt),
            (Flow::Drain(drain), StreamEnd::Sink(sink)) => drain.write_on(sink),
            (Flow::Feed(feed), _) => feed.step(),
            (Flow::IoThread(handle), _) => handle.result(),
        }
    }

    /// A thread's result that was stored after the last poll.
    pub(crate) fn late_result(&mut self) -> Result<(), FlowFailure> {
        match self {
            Flow::IoThread(handle) => handle.late_result(),
            Flow::Feed(_) | Flow::Drain(_) => Ok(()),
        }
    }

    /// Whether only the stream's other end keeps the run waiting. When the run's processes have ended, another process holds it.
    pub(crate) fn waits_for_peer(&self) -> bool {
        match self {
            Flow::Feed(feed) => feed.fd().is_some(),
            Flow::Drain(drain) => drain.waits_for_peer(),
            Flow::IoThread(handle) => handle.waits_for_peer(),
        }
    }

    /// From now on takes only the bytes that are in the pipe; false if that is nothing to wait for.
    pub(crate) fn wrap_up(&mut self) -> bool {
        match self {
            Flow::IoThread(handle) => handle.wrap_up(),
            Flow::Drain(drain) => drain.wrap_up(),
            Flow::Feed(_) => false,
        }
    }

    /// Whether a thread finished before the stream's end.
    pub(crate) fn was_cut_short(&self) -> bool {
        matches!(self, Flow::IoThread(handle) if handle.was_cut_short())
    }

    /// The read end of a pipe that is read here.
    pub(crate) fn source(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Flow::Drain(drain) => drain.source(),
            Flow::Feed(_) | Flow::IoThread(_) => None,
        }
    }

    /// Whether whole lines wait because a callback was interrupted before them.
    pub(crate) fn is_behind(&self) -> bool {
        matches!(self, Flow::Drain(drain) if drain.is_behind())
    }

    /// Closes the sinks, or the writer, that have not taken all bytes; returns their descriptions.
    pub(crate) fn drop_slow_sinks(&mut self) -> Vec<String> {
        match self {
            Flow::Feed(_) => Vec::new(),
            Flow::Drain(drain) => drain.drop_slow_sinks(),
            Flow::IoThread(handle) => handle.give_up().into_iter().collect(),
        }
    }

    /// Takes what is in the pipe, and closes this process's end; `cut`: the run is being ended. A thread's pipe is not visible here: it
    /// counts as held while the thread runs.
    pub(crate) fn close(&mut self, cut: bool, time: Time, callback: &mut BorrowedCallback<'_>) -> Closed {
        match self {
            Flow::Feed(feed) => feed.close(),
            Flow::Drain(drain) => drain.close(if cut { time } else { Time::IsLeft }, callback),
            Flow::IoThread(handle) => {
                let held = !cut && handle.is_awaited();
                handle.close();
                Closed { held, pipe: None, result: Ok(()) }
            }
        }
    }
}
