//! How a run is ended before its own end: by a deadline, a cancel, a drop.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use super::descendants::Descendants;
use super::events::EventKind;
use super::runner::{Runner, StageRun};
use super::wake::Interrupt;
use super::{Cut, Flow, OnLeak, Phase, Pump, Steps};
use crate::clock::Deadline;
use crate::process::Process;
use crate::stream::Stream;
use crate::sys::poll::Interest;
use crate::sys::terminal;

/// How long after SIGKILL a process may take to be gone before it is left to the reaper: at the end of a deadline's grace, and in
/// a drop, which has spent 20 of its 50 ms on the walk.
const KILL_PATIENCE: Duration = Duration::from_millis(90);
const DROP_PATIENCE: Duration = Duration::from_millis(28);

/// How long who is not of the run may take to be gone after a kill by its handle.
const KILLED_FROM_OUTSIDE: Duration = Duration::from_secs(1);

impl Pump {
    /// The deadline has passed: ends what is to be ended, a step further than before.
    pub(crate) fn time_is_up(&mut self) {
        if self.done() {
            // Over in time after all: the last event and the deadline came in one look.
            return;
        }
        self.give_back_pauses();
        if self.phase == Phase::Running {
            self.look_for_stops();
            // It may have stopped this process, too.
            self.give_back_pauses();
        }
        if !self.deadline().passed() {
            return;
        }
        match self.phase {
            Phase::Running if self.timing.deadline.passed() => self.begin_end(Cut::TimedOut),
            Phase::Running if self.leak_deadline().passed() => self.give_up_on_strangers(),
            // A look for stops that took so long that the next one is due.
            Phase::Running => {}
            Phase::Closing(_) if self.timing.deadline.passed() => self.begin_end(Cut::TimedOut),
            Phase::Closing(_) => self.terminate(),
            Phase::Terminating(step, _) => self.go_on(step + 1),
            Phase::Killing(_) if self.cut.is_none() && self.timing.deadline.passed() => {
                self.cut = Some(Cut::TimedOut);
                self.close();
            }
            Phase::Killing(_) if self.cut.is_none() && self.failure.is_none() => self.wait_for_stages_alone(),
            Phase::Killing(_) => self.close(),
            Phase::Over => {}
        }
    }

    /// All of it was killed from outside: who holds its streams now is ended, too, and nobody is waited for but its own processes.
    pub(crate) fn was_killed(&mut self) {
        if matches!(self.phase, Phase::Killing(_) | Phase::Over) || self.done() {
            return;
        }
        let mut all = self.all_of_it();
        let (streams, pipes) = sources(self.flows.iter().filter(|flow| flow.is_awaited()));
        let strangers = all.kill(&pipes);
        self.leaks.ended(&streams, strangers);
        self.descendants = Some(all);
        self.phase = Phase::Killing(self.timing.deadline.earlier(Deadline::after(KILLED_FROM_OUTSIDE)));
        self.close_if_all_are_gone();
    }

    fn wait_for_stages_alone(&mut self) {
        self.descendants = None;
        self.phase = Phase::Killing(self.timing.deadline);
        self.close_if_all_are_gone();
    }

    /// Kills, reaps and closes, in bounded time, without waiting for anybody's streams. For Drop: allocates no descriptor.
    pub(crate) fn abort(&mut self) {
        if self.done() {
            return;
        }
        self.cut.get_or_insert(Cut::Aborted);
        self.stop();
        match &mut self.descendants {
            Some(descendants) => descendants.kill_briefly(),
            None => self.all_of_it().kill_briefly(),
        }
        // Twice: a signal or a wait that failed for a passing reason gets another chance before the reaper gets the process.
        for _ in 0..2 {
            self.signal(libc::SIGKILL);
            let until = Deadline::after(DROP_PATIENCE / 2);
            for index in 0..self.stages.len() {
                match &self.stages[index].runner {
                    Runner::Process(process) => {
                        let _ = crate::sys::poll::wait_for(process.end_fd(), Interest::Readable, until);
                    }
                    Runner::Function(function) => function.wait_until(until),
                }
                let _ = self.look_at(index);
            }
            if self.all_ended() {
                break;
            }
        }
        self.close();
    }

    pub(super) fn begin_end(&mut self, cut: Cut) {
        if matches!(self.phase, Phase::Running | Phase::Closing(_)) {
            self.cut.get_or_insert(cut);
            self.terminate();
            let running = |stage: &(usize, &StageRun)| stage.1.ended.is_none();
            self.running_at_cut = self.stages.iter().enumerate().filter(running).map(|(index, _)| index).collect();
        }
    }

    /// This process was sent a signal that is passed on: it takes the place of the plan's first.
    pub(super) fn interrupt(&mut self, interrupt: Interrupt) {
        let Interrupt { signal, by_terminal } = interrupt;
        if matches!(self.phase, Phase::Running | Phase::Closing(_)) {
            let replaced =
                |(step, &(planned, wait)): (usize, &(i32, _))| (if step == 0 { signal } else { planned }, wait);
            self.timing.steps = self.timing.steps.iter().enumerate().map(replaced).collect();
            self.spared = by_terminal.then(terminal::own_group);
            self.begin_end(Cut::Interrupted(signal));
        }
    }

    /// The rest of the plan is left out.
    pub(super) fn kill(&mut self, interrupt: Interrupt) {
        match self.phase {
            Phase::Running | Phase::Closing(_) => {
                self.timing.steps = Steps::default();
                self.begin_end(Cut::Interrupted(interrupt.signal));
            }
            Phase::Terminating(..) => self.go_on(self.timing.steps.len()),
            Phase::Killing(_) | Phase::Over => {}
        }
    }

    /// Asks the processes and what they have started to end. Closures beside them have the same time: the processes' ends bring theirs,
    /// and what a process says last still gets through. Where there are only closures, they are stopped at once.
    fn terminate(&mut self) {
        for index in 0..self.stages.len() {
            // What cannot be asked is taken to run: a signal does no harm.
            let _ = self.look_at(index);
        }
        let live = self.live();
        // Streams that fail are no reason to look for others who hold them: the processes' ends are what is waited for.
        let is_over = self.all_ended() && (self.cut.is_none() || !self.flows.iter().any(Flow::waits_for_stranger));
        if is_over {
            self.close();
            return;
        }
        if self.cut.is_some() {
            self.look_behind(&live);
        }
        match &self.stop {
            Some(_) if live.is_empty() => self.stop(),
            Some(stop) => stop.announce(self.cut.unwrap_or(Cut::Aborted)),
            None => {}
        }
        self.descendants = Some(self.all_of_it());
        self.go_on(0);
    }

    /// The n-th step of the plan, or the kill that comes behind the last one.
    fn go_on(&mut self, step: usize) {
        // The searches are within the time.
        let next = self.timing.steps.get(step).map(|&(signal, wait)| (signal, Deadline::after(wait)));
        let killed = Deadline::after(KILL_PATIENCE);
        if let Some(descendants) = &mut self.descendants {
            let awaited = |flow: &&Flow| self.cut.is_some() && flow.is_awaited();
            let (streams, pipes) = sources(self.flows.iter().filter(awaited));
            let strangers = match next {
                Some((signal, _)) => descendants.ask(signal, self.spared.take(), &pipes),
                None => descendants.kill(&pipes),
            };
            self.leaks.ended(&streams, strangers);
        }
        self.tell(EventKind::Killed { signal: next.map_or(libc::SIGKILL, |(signal, _)| signal) });
        match next {
            Some((_, until)) => self.phase = Phase::Terminating(step, until),
            None => {
                self.signal(libc::SIGKILL);
                self.stop();
                self.phase = Phase::Killing(killed);
            }
        }
        self.close_if_all_are_gone();
    }

    /// Whoever still holds the streams then is not ours to wait for: what is there is taken, and no more.
    pub(super) fn close_if_all_are_gone(&mut self) {
        if self.all_ended() && matches!(self.phase, Phase::Terminating(..) | Phase::Killing(_)) {
            self.descendants.iter_mut().for_each(Descendants::look);
            if self.descendants.as_ref().is_none_or(Descendants::are_gone) {
                self.close();
            }
        }
    }

    fn all_of_it(&self) -> Descendants {
        Descendants::of(&self.live(), self.container.as_ref())
    }

    /// Looks for strangers between stages: a process that still reads what ended processes wrote waits for somebody else.
    fn look_behind(&mut self, live: &[Process]) {
        let Some(first) = self.stages.iter().position(|stage| stage.ended.is_none()) else { return };
        if let (1.., Some(process)) = (first, self.stages[first].live_process()) {
            let own: Vec<u32> = live.iter().map(Process::pid).collect();
            self.leaks.look_behind(process, &own);
        }
    }

    /// To every process that has not ended. One that refuses (another user's by now) must not keep the signal from the others; it is
    /// seen in the end as not having ended.
    fn signal(&self, signal: i32) {
        for process in self.stages.iter().filter_map(StageRun::live_process) {
            let _ = process.send_signal(signal);
        }
    }

    /// From here on, what closures read and write fails.
    fn stop(&self) {
        if let Some(stop) = &self.stop {
            stop.pull(self.cut.unwrap_or(Cut::Aborted));
        }
    }

    /// The grace for streams that strangers hold is over: what is there is taken. Streams that wait for a sink of ours go on.
    pub(super) fn give_up_on_strangers(&mut self) {
        let waiting = |flow: &&Flow| flow.waits_for_stranger();
        if self.timing.on_leak == OnLeak::Kill {
            // Before the last look at the pipes: what they wrote is there, and no more will be.
            let (streams, pipes) = sources(self.flows.iter().filter(waiting));
            let mut rest = Descendants::of(&[], self.container.as_ref());
            let strangers = rest.kill(&pipes);
            self.leaks.ended(&streams, strangers);
            rest.named().iter().for_each(|(pid, name)| self.leaks.process(*pid, name, true));
            rest.wait(Deadline::after(KILL_PATIENCE));
        }
        for index in 0..self.flows.len() {
            let flow = &mut self.flows[index];
            if !flow.waits_for_stranger() || flow.wrap_up() {
                continue;
            }
            let closed = flow.close(false);
            self.tell_lines(index);
            if closed.held {
                self.leaks.stream(self.flows[index].stream());
                closed.pipe.iter().for_each(|pipe| self.leaks.look(pipe.as_fd()));
            }
            self.note(closed.result);
        }
    }

    /// The run is over: who is left in its container.
    pub(super) fn see_to_the_rest(&mut self) {
        let Some(container) = self.container.clone() else { return };
        // A cgroup tells at once; for the others every process there is has to be looked at.
        let worth_it = container.tells_at_once() || self.timing.on_leak != OnLeak::Allow;
        if self.cut.is_none() && worth_it {
            let kill = self.timing.on_leak == OnLeak::Kill;
            for (pid, name) in container.members(Deadline::after(KILL_PATIENCE)) {
                self.leaks.process(pid, &name, kill);
            }
            if kill && !self.leaks.processes.is_empty() {
                let mut rest = Descendants::of(&[], Some(&container));
                rest.kill(&[]);
                rest.wait(Deadline::after(KILL_PATIENCE));
            }
        }
        container.close();
    }

    /// Takes what waits in the pipes, without waiting for more, and closes our ends. Whoever is at the other end of one when all
    /// processes of the run have ended is a stranger: that stream leaked.
    pub(super) fn close(&mut self) {
        let all_ended = self.all_ended();
        for index in 0..self.flows.len() {
            let flow = &mut self.flows[index];
            let (awaited, stream) = (flow.is_awaited(), flow.stream());
            let closed = flow.close(self.cut.is_some());
            self.tell_lines(index);
            if closed.held && awaited && all_ended {
                self.leaks.stream(stream);
                // A drop has no time for that.
                if self.cut != Some(Cut::Aborted) {
                    closed.pipe.iter().for_each(|pipe| self.leaks.look(pipe.as_fd()));
                }
            }
            if let Err(failure) = closed.result {
                self.failure.get_or_insert(failure);
            }
        }
        self.phase = Phase::Over;
    }
}

/// The streams that others write to, with our ends of their pipes.
fn sources<'a>(flows: impl Iterator<Item = &'a Flow>) -> (Vec<Stream>, Vec<BorrowedFd<'a>>) {
    flows.filter_map(|flow| Some((flow.stream(), flow.source()?))).unzip()
}
