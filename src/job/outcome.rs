//! From a finished run to a result: which status is the run's, and what is an error.

use std::time::Instant;

use crate::error::{Error, ErrorKind};
use crate::output::{FdOutput, Leak, Output, StageReport};
use crate::plan::{Place, Plan, Verb, Wire};
use crate::process::tree::Survivor;
use crate::pump::function::FunctionError;
use crate::pump::{Captured, Cut, Finished, Flow, FlowError, FlowFailure, OnLeak, Sink};
use crate::spec::Stage;
use crate::spec::settings::StatusPolicy;
use crate::status::{Status, signal_name};
use crate::stream::Stream;

/// A run that is over: its output, whatever the statuses; an error that no status explains carries it inside.
pub(crate) type Ended = Result<Box<Over>, Error>;

/// What a run left, before anybody judged its statuses.
#[derive(Debug, Clone)]
pub(crate) struct Over {
    pub(crate) output: Output,
    /// The stage whose status is an error, for the verbs that check.
    culprit: Option<usize>,
}

/// Puts the pieces together.
///
/// An error of the caller's own part comes first, for it is the cause of what follows; then the cut, whose signals the statuses
/// only echo; then a stolen status.
pub(crate) fn conclude(plan: &Plan, finished: Finished, began: &[Instant]) -> Ended {
    let Finished { stages: ended, errors, flows, cut, running_at_cut, failure, leaks, survivors } = finished;
    let mut output = Output {
        status: Status::exited(0),
        stdout: Captured::not_captured(),
        stderr: Captured::not_captured(),
        stages: Vec::with_capacity(ended.len()),
        leaked: (!leaks.is_empty()).then_some(Leak {
            streams: leaks.streams,
            holders: leaks.holders,
            processes: leaks.processes,
        }),
        fds: Vec::new(),
        stdin_taken: None,
    };
    for ((stage, ended), began) in plan.stages.iter().zip(&ended).zip(began) {
        output.stages.push(StageReport {
            label: stage.stage.name(),
            status: ended.map_or(Status::UNKNOWN, |ended| ended.status),
            usage: ended.and_then(|ended| ended.usage),
            wall: ended.map_or_else(|| began.elapsed(), |ended| ended.wall),
            error: None,
        });
    }
    let mut echoes = Vec::new();
    for (index, error) in errors {
        if matches!(error, FunctionError::Failed { echo: true, .. }) {
            echoes.push(index);
        }
        output.stages[index].error = Some(closure_failed(plan, index, error));
    }
    if let Some(cut) = cut {
        for (index, stage) in output.stages.iter_mut().enumerate() {
            if stage.status.is_unknown() && plan.stages[index].stage.command().is_none() {
                let error = Error::new(kind_of(cut), "did not return, and was left behind");
                stage.error = Some(plan.tell(error.at(plan.stage_name(index))));
            }
        }
    }
    let unread = collect(plan, flows, &mut output);
    if plan.stages.is_empty() && matches!(plan.verb, Verb::Output | Verb::Read) {
        // Nobody to write anything, all of it captured.
        output.stdout = Captured::from_bytes(Vec::new());
        output.stderr = Captured::from_bytes(Vec::new());
    }
    let last = plan.main.saturating_sub(1);
    let stopped_reading = written_to_an_argument(plan, last)
        || unread.iter().any(|pipe| plan.users(*pipe, false).any(|(stage, _)| stage == last));

    let policy = plan.settings.policy.unwrap_or_default();
    let check = |(index, stage): (usize, &StageReport)| {
        Check::new(stage.status, &plan.stages[index].stage, echoes.contains(&index))
    };
    let checks: Vec<Check<'_>> = output.stages.iter().enumerate().map(check).collect();
    let verdict = judge(&checks, last, policy, stopped_reading);
    output.status = verdict.status;

    if let Some(failure) = failure {
        return Err(failed(plan, failure).with_output(output));
    }
    match cut {
        Some(cut) => return Err(cut_short(plan, cut, &running_at_cut, &survivors, &output).with_output(output)),
        None => {
            if let Some(stage) = output.stages.iter().position(|stage| stage.status.is_unknown()) {
                let what = "ended, but its status was stolen: something else in this program reaped it \
                            (a waitpid(-1) loop, or SIGCHLD set to be ignored)";
                return Err(Error::new(ErrorKind::StatusStolen, what).at(plan.stage_name(stage)).with_output(output));
            }
        }
    }
    // No status says why a closure failed.
    if let Some(error) = verdict.culprit.and_then(|stage| output.stages[stage].error.clone()) {
        return Err(error.with_output(output));
    }
    if let (None, Some(OnLeak::Fail), Some(leak)) = (verdict.culprit, plan.settings.on_leak, &output.leaked) {
        let error = Error::new(ErrorKind::Leaked, left_behind(leak));
        let error = if plan.stages.len() == 1 { error.at(plan.stage_name(0)) } else { error };
        return Err(error.with_output(output));
    }
    Ok(Box::new(Over { output, culprit: verdict.culprit }))
}

/// What is said of those who are left.
fn left_behind(leak: &Leak) -> String {
    let streams: Vec<String> = leak.streams.iter().map(ToString::to_string).collect();
    let held = if streams.is_empty() { String::new() } else { format!(", with {} open", streams.join(" and ")) };
    match leak.names().as_slice() {
        [] => format!("left somebody behind{held}; who that is could not be seen"),
        names => format!("left {} behind{held}", names.join(", ")),
    }
}

/// Whether a stage writes to stages in its arguments: when those have enough, it is the run itself that stopped reading.
fn written_to_an_argument(plan: &Plan, stage: usize) -> bool {
    let pipes = plan.stages.get(stage).into_iter().flat_map(|stage| &stage.wires).filter_map(|wire| match wire {
        Wire { stream: Stream::Output(_), place: Place::Pipe(pipe) } => Some(*pipe),
        _ => None,
    });
    pipes.into_iter().any(|pipe| plan.users(pipe, true).any(|(reader, _)| reader >= plan.main))
}

/// What a closure's end is to whoever looks at its stage.
fn closure_failed(plan: &Plan, index: usize, error: FunctionError) -> Error {
    let error = match error {
        FunctionError::Failed { error, echo } => {
            let what = if echo { "passed on the error of the stage before" } else { "failed" };
            Error::new(ErrorKind::Callback, what).because_of(error)
        }
        FunctionError::Panicked(text) => Error::new(ErrorKind::Panic, format!("panicked: {text}")),
    };
    plan.tell(error.at(plan.stage_name(index)))
}

impl Over {
    /// The output, or the bad status as an error.
    pub(crate) fn checked(self, plan: &Plan) -> Result<Output, Error> {
        match self.culprit {
            None => Ok(self.output),
            Some(stage) => {
                let status = self.output.stages[stage].status;
                let was = if status.signal().is_some() { "was " } else { "" };
                let error = Error::new(ErrorKind::Status, format!("{was}{status}")).at(plan.stage_name(stage));
                Err(plan.tell(error.with_status(status).with_output(self.output)))
            }
        }
    }
}

/// Gathers what the flows hold; gives the pipes that we stopped reading before their end.
fn collect(plan: &Plan, flows: Vec<Flow>, output: &mut Output) -> Vec<usize> {
    let mut unread = Vec::new();
    for flow in flows {
        match flow {
            Flow::Feed(feed) if feed.stream() == Stream::Stdin => output.stdin_taken = Some(feed.taken()),
            Flow::Helper(tether) if tether.stream() == Stream::Stdin => output.stdin_taken = Some(tether.fed()),
            Flow::Feed(_) | Flow::Helper(_) => {}
            Flow::Drain(drain) => {
                let stream = drain.stream();
                let pipe = drain.number();
                unread.extend(drain.stopped_reading());
                for sink in drain.into_sinks() {
                    let (Sink::Capture(capture) | Sink::Full(capture)) = sink else { continue };
                    let place = match stream {
                        Stream::Stderr => &mut output.stderr,
                        Stream::Output(number) => {
                            let stage = pipe.and_then(|pipe| only_user(plan, pipe, false)).unwrap_or_default();
                            let same = |fd: &FdOutput| (fd.stage, fd.number) == (stage, number);
                            let at = output.fds.iter().position(same).unwrap_or(output.fds.len());
                            if at == output.fds.len() {
                                output.fds.push(FdOutput { stage, number, bytes: Captured::not_captured() });
                            }
                            &mut output.fds[at].bytes
                        }
                        Stream::Stdout | Stream::Stdin | Stream::Input(_) => &mut output.stdout,
                    };
                    place.append(capture.finish());
                }
            }
        }
    }
    // Flows come in the order in which they were made.
    output.fds.sort_by_key(|fd| (fd.stage, fd.number));
    unread
}

fn failed(plan: &Plan, failure: FlowFailure) -> Error {
    let FlowFailure { stream, pipe, .. } = failure;
    let error = match failure.what {
        FlowError::Io(error) => {
            let doing = if stream.is_input() { "fed" } else { "passed on" };
            Error::new(ErrorKind::Io, format!("was cut off: its {stream} could not be {doing}")).because(error)
        }
        FlowError::Callback(source) => {
            Error::new(ErrorKind::Callback, format!("was cut off: the callback for its {stream} failed"))
                .because(source)
        }
        FlowError::Panic(text) => {
            Error::new(ErrorKind::Panic, format!("was cut off: the code for its {stream} panicked: {text}"))
        }
        FlowError::Limit(limit) => {
            Error::new(ErrorKind::LimitExceeded, format!("wrote more than {limit} bytes to its {stream}"))
        }
    };
    // The stage whose stream it is; one that several write is everybody's.
    match pipe.and_then(|pipe| only_user(plan, pipe, stream.is_input())) {
        Some(stage) => error.at(plan.stage_name(stage)),
        None => error,
    }
}

/// The stage that alone reads or writes a pipe.
pub(super) fn only_user(plan: &Plan, pipe: usize, reading: bool) -> Option<usize> {
    let mut stages: Vec<usize> = plan.users(pipe, reading).map(|(stage, _)| stage).collect();
    stages.dedup();
    match stages.as_slice() {
        [only] => Some(*only),
        _ => None,
    }
}

fn kind_of(cut: Cut) -> ErrorKind {
    match cut {
        Cut::TimedOut => ErrorKind::Timeout,
        Cut::Interrupted(_) => ErrorKind::Interrupted,
        Cut::Stopped { .. } => ErrorKind::Stopped,
        Cut::Cancelled | Cut::Aborted => ErrorKind::Cancelled,
    }
}

fn cut_short(plan: &Plan, cut: Cut, running: &[usize], survivors: &[Survivor], output: &Output) -> Error {
    let what = match cut {
        Cut::TimedOut => format!("timed out after {:?}", plan.settings.timeout.unwrap_or_default()),
        Cut::Cancelled => "was cancelled".to_owned(),
        Cut::Interrupted(signal) => format!("was interrupted by {}", signal_name(signal)),
        Cut::Stopped { stage, signal } => return stopped(plan, stage, signal),
        Cut::Aborted => "was dropped while it ran".to_owned(),
    };
    let kind = kind_of(cut);
    let names = |indexes: &[usize]| {
        let name = |index: &usize| format!("`{}` (stage {index})", output.stages[*index].label);
        indexes.iter().map(name).collect::<Vec<_>>().join(", ")
    };
    let count = plan.stages.len();
    let undead: Vec<usize> = (0..count).filter(|&index| output.stages[index].status.is_unknown()).collect();
    let mut rest = String::new();
    if count > 1 && !running.is_empty() {
        rest = format!("; still running: {}", names(running));
    } else if let (true, Some(leak)) = (running.is_empty(), &output.leaked) {
        let streams: Vec<String> = leak.streams.iter().map(ToString::to_string).collect();
        rest = format!("; every process had ended, but another one held {}", streams.join(" and "));
    }
    if let Some(leak) = output.leaked.as_ref().filter(|leak| !leak.processes.is_empty()) {
        rest.push_str(&format!("; {}", leak.held_by("")));
    }
    let (undead, unreturned): (Vec<usize>, Vec<usize>) =
        undead.into_iter().partition(|&index| plan.stages[index].stage.command().is_some());
    if !undead.is_empty() {
        rest.push_str(&format!("; killed, but not dead yet: {}", names(&undead)));
    }
    if !unreturned.is_empty() {
        rest.push_str(&format!("; did not return, and was left behind: {}", names(&unreturned)));
    }
    let survivors: Vec<String> =
        survivors.iter().map(|it| format!("`{}` (pid {}): {}", it.name, it.pid, it.why)).collect();
    if !survivors.is_empty() {
        rest.push_str(&format!("; could not be killed: {}", survivors.join(", ")));
    }
    match count {
        1 => Error::new(kind, what + &rest).at(plan.stage_name(0)),
        count => Error::new(kind, format!("the pipeline of {count} stages {what}{rest}")),
    }
}

/// Of the one stage: the others had no part in it.
fn stopped(plan: &Plan, stage: usize, signal: i32) -> Error {
    let does = if signal == libc::SIGTTIN { "reads" } else { "changes" };
    let help = match plan.settings.foreground {
        true => "and this process is in the background itself",
        false => "`foreground(true)` hands it over",
    };
    let what = format!("was stopped by {}: it {does} the terminal from the background; {help}", signal_name(signal));
    Error::new(ErrorKind::Stopped, what).at(plan.stage_name(stage))
}

/// One stage, as the policy looks at it.
struct Check<'a> {
    status: Status,
    allowed: &'a [i32],
    unchecked: bool,
    sigpipe_codes: bool,
    /// It failed with the error that the stage before gave it.
    echo: bool,
}

/// What a run's statuses come to.
#[derive(Debug, PartialEq, Eq)]
struct Verdict {
    status: Status,
    culprit: Option<usize>,
}

impl<'a> Check<'a> {
    fn new(status: Status, stage: &'a Stage, echo: bool) -> Self {
        match stage {
            Stage::Command(command) => Check {
                status,
                allowed: &command.tolerance.codes,
                unchecked: command.tolerance.unchecked,
                sigpipe_codes: command.tolerance.sigpipe_codes,
                echo,
            },
            Stage::Closure(closure) => {
                Check { status, allowed: &[], unchecked: closure.unchecked, sigpipe_codes: false, echo }
            }
        }
    }

    fn failed(&self, policy: StatusPolicy, forgive_sigpipe: bool) -> bool {
        if self.status.success() || self.status.code().is_some_and(|code| self.allowed.contains(&code)) {
            return false;
        }
        let sigpipe = self.status.signal() == Some(libc::SIGPIPE)
            || (self.sigpipe_codes && self.status.code() == Some(128 + libc::SIGPIPE));
        !(sigpipe && forgive_sigpipe && policy != StatusPolicy::Strict)
    }
}

/// The rightmost checked stage that failed decides, one that only passed on another's error last; then the rightmost unchecked one
/// that failed; then the last.
///
/// `last` is the pipeline's own last stage; those of pipelines in arguments come behind it.
///
/// A death of SIGPIPE is a success where somebody stopped reading on purpose: the next stage, or, for the last one, this
/// library.
fn judge(stages: &[Check<'_>], last: usize, policy: StatusPolicy, stopped_reading: bool) -> Verdict {
    if stages.is_empty() {
        return Verdict { status: Status::exited(0), culprit: None };
    }
    let counted = if policy == StatusPolicy::Last { last..last + 1 } else { 0..stages.len() };
    let failed: Vec<usize> =
        counted.filter(|&index| stages[index].failed(policy, index != last || stopped_reading)).collect();
    let mut checked = failed.iter().rev().copied().filter(|&index| !stages[index].unchecked);
    let culprit = checked.clone().find(|&index| !stages[index].echo).or_else(|| checked.next());
    let decisive = culprit.or(failed.last().copied()).unwrap_or(last);
    Verdict { status: stages[decisive].status, culprit }
}

#[cfg(test)]
#[path = "outcome_tests.rs"]
mod tests;
