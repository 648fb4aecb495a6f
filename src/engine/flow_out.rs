//! What a run's processes said last, on its way to everything that it leads to.
//!
//! A process that was asked to end may say something more, and end before that is read here, or before a descriptor that may block is
//! ready for it. So a run whose processes have all ended is not over yet: its streams have until the end of the grace to flow out. A stream is
//! through at its end; or, where a stranger holds it on, when all is handed on that was in the pipe when only the stranger was
//! left to wait for.

use std::os::fd::AsFd;
use std::time::Duration;

use super::control::Wake;
use super::stages::Runner;
use super::timing::Cut;
use super::{Phase, Pump};
use crate::clock::Deadline;
use crate::io::callback::BorrowedCallback;
use crate::io::failure::{FlowError, FlowFailure, Time};
use crate::io::flow::Flow;
use crate::io::interrupt::Halt;

/// How long streams flow out when there is no grace: no process was asked to end, or all were killed, or they waited for a leg that has had
/// its time. What is ready for them takes them at once; twice this is within the 100 ms that a deadline may be late by.
const LAST_CHANCE: Duration = Duration::from_millis(30);

/// How long they flow out after a kill by the run's handle, which nothing else bounds.
const KILLED_FROM_OUTSIDE: Duration = Duration::from_secs(1);

impl Pump {
    /// All of it has ended: from now on its streams have the rest of the grace, if a process was asked to end. They are looked at by
    /// [`flow_out`](Self::flow_out), which the driver calls.
    pub(super) fn let_flow_out(&mut self) {
        let is_process = |stage: &usize| matches!(self.stages[*stage].runner, Runner::Process(_));
        let was_asked = self.running_at_cut.iter().any(is_process);
        let until = match &self.termination {
            Some(all) if !all.has_killed() && was_asked => all.grace_end(),
            // Killed from outside, by one who has counted the grace.
            Some(all) if all.has_killed() && self.cut.is_none() && self.failure.is_none() => {
                self.timing.deadline.earlier(Deadline::after(KILLED_FROM_OUTSIDE))
            }
            _ => Deadline::after(LAST_CHANCE),
        };
        self.phase = Phase::FlowingOut { until, last: false };
    }

    /// Closes the streams that have flowed out; with the last one, the run is over. To be called before each wait.
    pub(crate) fn flow_out(&mut self, lent: &mut BorrowedCallback<'_>) {
        if !matches!(self.phase, Phase::FlowingOut { .. }) {
            return;
        }
        for index in 0..self.flows.len() {
            if self.flows[index].is_behind() {
                // Lines that a callback was halted before need no more bytes to go on.
                let (until, wake) = (self.deadline(), self.wake.as_ref());
                let has_request = || wake.is_some_and(Wake::has_news);
                let halt = Halt { until, has_request: wake.is_some().then_some(&has_request) };
                let result = self.flows[index].step(lent, halt);
                self.tell_lines(index);
                self.note(result);
            }
        }
        self.finish_with_strangers(lent);
        if !self.flows.iter().any(Flow::is_awaited) {
            self.close();
        }
    }

    /// Closes the streams that wait for strangers alone, when what is there has been taken and handed on.
    pub(super) fn finish_with_strangers(&mut self, lent: &mut BorrowedCallback<'_>) {
        for index in 0..self.flows.len() {
            let flow = &mut self.flows[index];
            if flow.waits_for_peer() && !flow.wrap_up() {
                self.close_one(index, Time::IsLeft, lent);
            }
        }
    }

    /// The time of the legs that have not taken all is up: they are named and left, and the others get what they kept back.
    pub(super) fn give_up_on_legs(&mut self, last: bool) {
        let mut untaken: Option<FlowFailure> = None;
        for flow in &mut self.flows {
            let (stream, pipe) = (flow.stream(), flow.pipe());
            for leg in flow.drop_slow_sinks() {
                match &mut untaken {
                    None => untaken = Some(FlowFailure { stream, pipe, what: FlowError::Untaken(leg) }),
                    Some(FlowFailure { what: FlowError::Untaken(legs), .. }) if !legs.contains(&leg) => {
                        legs.push_str(" and ");
                        legs.push_str(&leg);
                    }
                    Some(_) => {}
                }
            }
        }
        if let Some(untaken) = untaken {
            self.failure.get_or_insert(untaken);
        }
        if last {
            self.close();
        } else {
            self.phase = Phase::FlowingOut { until: Deadline::after(LAST_CHANCE), last: true };
        }
    }

    /// Takes what is there of a stream, and closes our end.
    pub(super) fn close_one(&mut self, index: usize, time: Time, lent: &mut BorrowedCallback<'_>) {
        let all_ended = self.all_ended();
        let flow = &mut self.flows[index];
        let (awaited, stream) = (flow.is_awaited(), flow.stream());
        let closed = flow.close(self.cut.is_some(), time, lent);
        self.tell_lines(index);
        if closed.held && awaited && all_ended {
            self.leaks.stream(stream);
            // A drop has no time for that.
            if self.cut != Some(Cut::Aborted) {
                closed.pipe.iter().for_each(|pipe| self.leaks.look(pipe.as_fd()));
            }
        }
        self.note(closed.result);
    }
}
