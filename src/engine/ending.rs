//! How a run is ended before its own end: by a deadline, a cancel, a drop. The [termination](super::termination) ends the processes;
//! the rest of the run follows here.

use std::sync::Arc;

use super::control::Interrupt;
use super::events::EventKind;
use super::leak::OnLeak;
use super::stages::{Runner, StageRun};
use super::termination::{Around, DROP_PATIENCE, Nothing, Outside, Pipes, Termination, WALK};
use super::timing::{Cut, Steps};
use super::{Phase, Pump};
use crate::clock::Deadline;
use crate::fd::HeldPipe;
use crate::io::failure::Time;
use crate::io::flow::Flow;
use crate::process::Process;
use crate::sys::poll::Interest;
use crate::sys::terminal;

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
            // What the handle has asked; or a look for stops that took so long that the next one is due.
            Phase::Running => self.go_on(),
            Phase::Closing(_) if self.timing.deadline.passed() => self.begin_end(Cut::TimedOut),
            Phase::Closing(_) => self.terminate(None),
            Phase::Ending if self.waits_for_the_dead() && self.timing.deadline.passed() => {
                self.cut = Some(Cut::TimedOut);
                self.close();
            }
            Phase::Ending => self.go_on(),
            Phase::FlowingOut { last, .. } => self.give_up_on_legs(last),
            Phase::Over => {}
        }
    }

    /// All of it was killed from outside: what holds its streams now is ended, too, and nothing is waited for but its own processes.
    pub(crate) fn was_killed(&mut self) {
        let is_killed = self.termination.as_ref().is_some_and(Termination::has_killed);
        if is_killed || matches!(self.phase, Phase::FlowingOut { .. } | Phase::Over) || self.done() {
            return;
        }
        let mut all = self.termination.take().unwrap_or_else(|| self.all_of_it());
        all.kill(&self.pipes());
        self.termination = Some(all);
        self.phase = Phase::Ending;
        self.go_on();
    }

    /// A kill was made that is no cut: the deadline still holds.
    fn waits_for_the_dead(&self) -> bool {
        self.cut.is_none() && self.termination.as_ref().is_none_or(Termination::has_killed)
    }

    pub(super) fn ending_deadline(&self) -> Deadline {
        let own = self.termination.as_ref().map_or(Deadline::NEVER, Termination::deadline);
        if self.waits_for_the_dead() { own.earlier(self.timing.deadline) } else { own }
    }

    /// Kills, reaps and closes, in bounded time, without waiting for anybody's streams. For Drop: allocates no descriptor.
    pub(crate) fn abort(&mut self) {
        if self.done() {
            return;
        }
        self.cut.get_or_insert(Cut::Aborted);
        self.stop();
        let mut all = self.termination.take().unwrap_or_else(|| self.all_of_it());
        all.kill_briefly();
        self.termination = Some(all);
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
        self.begin_end_except(cut, None);
    }

    /// What is in this group has the first signal already.
    fn begin_end_except(&mut self, cut: Cut, spared: Option<i32>) {
        if matches!(self.phase, Phase::Running | Phase::Closing(_)) {
            self.cut.get_or_insert(cut);
            self.terminate(spared);
        }
    }

    /// This process was sent a signal that is passed on: it takes the place of the plan's first.
    pub(super) fn interrupt(&mut self, interrupt: Interrupt) {
        let Interrupt { signal, by_terminal } = interrupt;
        if matches!(self.phase, Phase::Running | Phase::Closing(_)) {
            let replaced =
                |(step, &(planned, wait)): (usize, &(i32, _))| (if step == 0 { signal } else { planned }, wait);
            self.timing.steps = self.timing.steps.iter().enumerate().map(replaced).collect();
            self.begin_end_except(Cut::Interrupted(signal), by_terminal.then(terminal::own_group));
        }
    }

    /// The rest of the plan is left out.
    pub(super) fn kill(&mut self, interrupt: Interrupt) {
        match self.phase {
            Phase::Running | Phase::Closing(_) => {
                self.timing.steps = Steps::default();
                self.begin_end(Cut::Interrupted(interrupt.signal));
            }
            Phase::Ending => {
                self.termination.iter_mut().for_each(Termination::skip_to_kill);
                self.go_on();
            }
            Phase::FlowingOut { .. } => self.close(),
            Phase::Over => {}
        }
    }

    /// Asks the processes and what they have started to end. Closures beside them have the same time: the processes' ends bring theirs,
    /// and what a process says last still gets through. Where there are only closures, they are stopped at once.
    fn terminate(&mut self, spared: Option<i32>) {
        for index in 0..self.stages.len() {
            // What cannot be asked is taken to run: a signal does no harm.
            let _ = self.look_at(index);
        }
        if self.cut.is_some() {
            let running = |stage: &(usize, &StageRun)| stage.1.ended.is_none();
            self.running_at_cut = self.stages.iter().enumerate().filter(running).map(|(index, _)| index).collect();
        }
        let live = self.live();
        // Streams that fail are no reason to look for others who hold them: the processes' ends are what is waited for.
        let is_over = self.all_ended() && (self.cut.is_none() || !self.flows.iter().any(Flow::waits_for_peer));
        if is_over {
            self.let_flow_out();
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
        let mut termination = self.all_of_it();
        termination.spare(spared);
        termination.begin(Arc::clone(&self.timing.steps), true);
        self.termination = Some(termination);
        self.phase = Phase::Ending;
        self.go_on();
    }

    /// Does what is to be done by now. What still holds the streams when all are gone is not of the run: what is there is taken, and no
    /// more.
    pub(super) fn go_on(&mut self) {
        if self.phase == Phase::Running {
            let mut around = Asked { pipes: &|| self.pipes() };
            self.outside.with_asked(|asked| {
                if let Some(asked) = asked {
                    // It comes to no end of its own while the run goes on.
                    asked.advance(&mut around);
                }
            });
        }
        if self.phase != Phase::Ending {
            return;
        }
        let Some(mut termination) = self.termination.take() else { return };
        let is_over = termination.advance(self);
        let has_killed = termination.has_killed();
        self.termination = Some(termination);
        if !is_over {
            return;
        }
        for index in 0..self.stages.len() {
            // What cannot be asked is told of again.
            let _ = self.look_at(index);
        }
        if self.all_ended() || (has_killed && (self.cut.is_some() || self.failure.is_some())) {
            self.let_flow_out();
        } else if has_killed {
            // Killed by the handle: its own processes are waited for, however long that takes.
            self.termination = None;
        }
    }

    /// What was asked before, with what is known by that, or the processes that have not ended.
    fn all_of_it(&self) -> Termination {
        let asked = self.outside.with_asked(Option::take);
        asked.unwrap_or_else(|| Termination::new(&self.live(), self.container.as_ref(), &self.outside))
    }

    /// The pipes that are read, and from which something is still to come.
    pub(crate) fn pipes(&self) -> Pipes {
        self.pipes_of(Flow::is_awaited)
    }

    fn pipes_of(&self, wanted: impl Fn(&Flow) -> bool) -> Pipes {
        let wanted = self.flows.iter().filter(|flow| wanted(flow));
        // One that cannot be named is not looked for.
        wanted.filter_map(|flow| Some((flow.stream(), HeldPipe::new(flow.source()?).ok()?))).collect()
    }

    pub(crate) fn outside(&self) -> &Arc<Outside> {
        &self.outside
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
        if self.timing.on_leak == OnLeak::Kill {
            // Before the last look at the pipes: what they wrote is there, and no more will be.
            let mut rest = Termination::new(&[], self.container.as_ref(), &self.outside);
            rest.kill(&self.pipes_of(Flow::waits_for_peer));
            rest.named().iter().for_each(|(pid, name)| self.leaks.process(*pid, name, true));
            rest.run(&mut Nothing);
        }
        self.finish_with_strangers(&mut None);
    }

    /// The run is over: who is left in its container.
    pub(super) fn see_to_the_rest(&mut self) {
        let Some(container) = self.container.clone() else { return };
        // A cgroup tells at once; for the others every process there is has to be looked at.
        let worth_it = container.tells_at_once() || self.timing.on_leak != OnLeak::Allow;
        if self.cut.is_none() && worth_it {
            let kill = self.timing.on_leak == OnLeak::Kill;
            let (members, unseen) = container.members(Deadline::after(WALK));
            self.leaks.note(unseen);
            for (pid, name) in members {
                self.leaks.process(pid, &name, kill);
            }
            // A container is struck as one, also where it cannot be told what is in it.
            if kill && (unseen.is_some() || !self.leaks.processes.is_empty()) {
                let mut rest = Termination::new(&[], Some(&container), &self.outside);
                rest.kill(&Pipes::new());
                rest.run(&mut Nothing);
            }
        }
        container.close();
    }

    /// Takes what waits in the pipes, without waiting for more, and closes our ends. Whoever is at the other end of one when all
    /// processes of the run have ended is a stranger: that stream leaked.
    pub(super) fn close(&mut self) {
        for index in 0..self.flows.len() {
            self.close_one(index, Time::IsUp, &mut None);
        }
        self.phase = Phase::Over;
    }
}

impl Around for Pump {
    fn closures_have_ended(&mut self) -> bool {
        let live = |stage: &StageRun| {
            stage.ended.is_none() && matches!(&stage.runner, Runner::Function(function) if function.ended().is_none())
        };
        !self.stages.iter().any(live)
    }

    /// Streams that fail are no reason to look for others that hold them: the processes' ends are what is waited for.
    fn pipes(&self) -> Pipes {
        if self.cut.is_some() { Pump::pipes(self) } else { Pipes::new() }
    }

    fn sent(&mut self, signal: i32) {
        self.tell(EventKind::Killed { signal });
        if signal == libc::SIGKILL {
            self.stop();
        }
    }
}

/// Of a run that its handle has asked to end: the streams show what is left of it.
struct Asked<'a> {
    pipes: &'a dyn Fn() -> Pipes,
}

impl Around for Asked<'_> {
    fn pipes(&self) -> Pipes {
        (self.pipes)()
    }
}
