//! Questions to the kernel that are spared where there is one answer: a driver asks here before it polls.

use super::stages::Runner;
use super::{Phase, Pump, Token};
use crate::io::callback::BorrowedCallback;

impl Pump {
    /// A single stream that may be read without asking first: nothing else is worth waking up for.
    pub(crate) fn lone_reader(&self) -> Option<Token> {
        let lone = self.phase == Phase::Running && self.wake.is_none() && self.deadline().is_never();
        match self.flows.as_slice() {
            [flow] if lone && flow.reads_blocking() => Some(Token::Flow(0)),
            _ => None,
        }
    }

    /// Nobody writes to a stream any more: after the last bytes comes its end, without another wait.
    pub(crate) fn read_on(&mut self, token: Token, lent: &mut BorrowedCallback<'_>) {
        if let Token::Flow(flow) = token {
            if self.flows[flow].may_read_on() {
                self.ready(token, lent);
            }
        }
    }

    /// Waits for the one process that is left, by the call that reaps it; false where that cannot be done, or did not work.
    pub(crate) fn wait_alone(&mut self, index: usize) -> bool {
        let Runner::Process(process) = &mut self.stages[index].runner else { return false };
        let ended = matches!(process.wait_alone(), Some(Ok(_)));
        if ended {
            self.ready(Token::Stage(index), &mut None);
        }
        ended
    }
}
