//! One stream of a run: fed by us, drained by us, or in the hands of a helper thread.

use std::os::fd::BorrowedFd;

use super::callback::Lent;
use super::drain::Drain;
use super::failure::{Closed, FlowFailure, Time};
use super::feed::Feed;
use super::interrupt::Halt;
use super::io_thread::Tether;
use crate::engine::Token;
use crate::stream::Stream;
use crate::sys::poll::Interest;

pub(crate) enum Flow {
    Feed(Feed),
    Drain(Drain),
    Helper(Tether),
}

impl Flow {
    pub(crate) fn stream(&self) -> Stream {
        match self {
            Flow::Feed(feed) => feed.stream(),
            Flow::Drain(drain) => drain.stream(),
            Flow::Helper(tether) => tether.stream(),
        }
    }

    /// Whether the run is not over before this stream is.
    pub(crate) fn is_awaited(&self) -> bool {
        match self {
            Flow::Feed(feed) => feed.pipe().is_some(),
            Flow::Drain(drain) => drain.is_awaited(),
            Flow::Helper(tether) => tether.is_awaited(),
        }
    }

    pub(crate) fn interests(&self, index: usize, each: &mut impl FnMut(BorrowedFd<'_>, Interest, Token)) {
        match self {
            Flow::Feed(feed) => {
                if let Some(pipe) = feed.pipe() {
                    each(pipe, Interest::Writable, Token::Flow(index));
                }
            }
            Flow::Drain(drain) => drain.interests(index, each),
            Flow::Helper(tether) => {
                if let Some(fd) = tether.fd() {
                    each(fd, Interest::Readable, Token::Flow(index));
                }
            }
        }
    }

    /// A process has ended, and the stream may have.
    pub(crate) fn end_nap(&mut self) {
        if let Flow::Drain(drain) = self {
            drain.end_nap();
        }
    }

    pub(crate) fn reads_blocking(&self) -> bool {
        matches!(self, Flow::Drain(drain) if drain.reads_blocking())
    }

    pub(crate) fn may_read_on(&self) -> bool {
        matches!(self, Flow::Drain(drain) if drain.may_read_on())
    }

    pub(crate) fn step(&mut self, lent: &mut Lent<'_>, halt: Halt<'_>) -> Result<(), FlowFailure> {
        match self {
            Flow::Feed(feed) => feed.step(),
            Flow::Drain(drain) => drain.step(lent, halt),
            Flow::Helper(tether) => tether.result(),
        }
    }

    /// The n-th sink can take more.
    pub(crate) fn push_on(&mut self, sink: usize) -> Result<(), FlowFailure> {
        match self {
            Flow::Drain(drain) => drain.push_on(sink),
            Flow::Feed(_) | Flow::Helper(_) => Ok(()),
        }
    }

    /// A helper's result that came in after the last look.
    pub(crate) fn late_result(&mut self) -> Result<(), FlowFailure> {
        match self {
            Flow::Helper(tether) => tether.late_result(),
            Flow::Feed(_) | Flow::Drain(_) => Ok(()),
        }
    }

    /// Whether the stream waits for the other end alone, not for a sink of ours: once the processes have ended, a stranger
    /// holds it.
    pub(crate) fn waits_for_stranger(&self) -> bool {
        match self {
            Flow::Feed(feed) => feed.pipe().is_some(),
            Flow::Drain(drain) => drain.waits_for_stranger(),
            Flow::Helper(tether) => tether.waits_for_stranger(),
        }
    }

    /// Has the stream finish with what is there; false where nothing is, or nobody to finish with it.
    pub(crate) fn wrap_up(&mut self) -> bool {
        match self {
            Flow::Helper(tether) => tether.wrap_up(),
            Flow::Drain(drain) => drain.wrap_up(),
            Flow::Feed(_) => false,
        }
    }

    /// Whether a helper finished before the stream's end.
    pub(crate) fn was_cut_short(&self) -> bool {
        matches!(self, Flow::Helper(tether) if tether.was_cut_short())
    }

    /// Our end of a pipe that others write to.
    pub(crate) fn source(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Flow::Drain(drain) => drain.source(),
            Flow::Feed(_) | Flow::Helper(_) => None,
        }
    }

    /// The number of its pipe in the plan, if it has one.
    pub(crate) fn number(&self) -> Option<usize> {
        match self {
            Flow::Feed(feed) => Some(feed.number()),
            Flow::Drain(drain) => drain.number(),
            Flow::Helper(tether) => tether.number(),
        }
    }

    /// Whether lines wait that a callback was halted before.
    pub(crate) fn is_behind(&self) -> bool {
        matches!(self, Flow::Drain(drain) if drain.is_behind())
    }

    /// Lets go of what has not taken all that it was to get; says what that is.
    pub(crate) fn give_up_on_legs(&mut self) -> Vec<String> {
        match self {
            Flow::Feed(_) => Vec::new(),
            Flow::Drain(drain) => drain.give_up_on_legs(),
            Flow::Helper(tether) => tether.give_up().into_iter().collect(),
        }
    }

    /// Takes what is there and closes our end; `cut`: the run is being ended. Of a helper's pipe, a helper that is not through is all there
    /// is to see.
    pub(crate) fn close(&mut self, cut: bool, time: Time, lent: &mut Lent<'_>) -> Closed {
        match self {
            Flow::Feed(feed) => feed.close(),
            Flow::Drain(drain) => drain.close(if cut { time } else { Time::IsLeft }, lent),
            Flow::Helper(tether) => {
                let held = !cut && tether.is_awaited();
                tether.cut();
                Closed { held, pipe: None, result: Ok(()) }
            }
        }
    }
}
