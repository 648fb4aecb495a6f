//! From a finished run to a result: which status is the run's, and what is an error.

use std::time::Instant;

use crate::cmd::Spec;
use crate::cmd::settings::StatusPolicy;
use crate::error::{Error, ErrorKind};
use crate::output::{Leak, Output, Stage};
use crate::plan::{Plan, Verb};
use crate::pump::{Captured, Cut, Finished, Flow, FlowError, FlowFailure, Sink};
use crate::status::Status;
use crate::stdio::Stream;

/// A run that is over: its output, whatever the statuses; an error that no status explains carries it inside.
pub(crate) type Ended = Result<Over, Error>;

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
    let Finished { stages: ended, flows, cut, running_at_cut, failure, leaked } = finished;
    let mut output = Output {
        status: Status::exited(0),
        stdout: Captured::not_captured(),
        stderr: Captured::not_captured(),
        stages: Vec::with_capacity(ended.len()),
        leaked: (!leaked.is_empty()).then_some(Leak { streams: leaked }),
        stdin_taken: None,
    };
    for ((stage, ended), began) in plan.stages.iter().zip(&ended).zip(began) {
        output.stages.push(Stage {
            label: stage.spec.name(),
            status: ended.map_or(Status::UNKNOWN, |ended| ended.status),
            usage: ended.and_then(|ended| ended.usage),
            wall: ended.map_or_else(|| began.elapsed(), |ended| ended.wall),
        });
    }
    let unread = collect(flows, &mut output);
    if plan.stages.is_empty() && matches!(plan.verb, Verb::Output | Verb::Read) {
        // Nobody to write anything, all of it captured.
        output.stdout = Captured::from_bytes(Vec::new());
        output.stderr = Captured::from_bytes(Vec::new());
    }
    let last = plan.stages.len().saturating_sub(1);
    let stopped_reading = unread.iter().any(|pipe| plan.users(*pipe, false).any(|(stage, _)| stage == last));

    let policy = plan.settings.policy.unwrap_or_default();
    let checks: Vec<Check<'_>> =
        plan.stages.iter().zip(&output.stages).map(|(plan, stage)| Check::new(stage.status, &plan.spec)).collect();
    let verdict = judge(&checks, policy, stopped_reading);
    output.status = verdict.status;

    if let Some(failure) = failure {
        return Err(failed(plan, failure).with_output(output));
    }
    match cut {
        Some(cut) => return Err(cut_short(plan, cut, &running_at_cut, &output).with_output(output)),
        None => {
            if let Some(stage) = output.stages.iter().position(|stage| stage.status.is_unknown()) {
                let what = "ended, but its status was stolen: something else in this program reaped it \
                            (a waitpid(-1) loop, or SIGCHLD set to be ignored)";
                return Err(Error::new(ErrorKind::StatusStolen, what).at(plan.stage_name(stage)).with_output(output));
            }
        }
    }
    Ok(Over { output, culprit: verdict.culprit })
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
fn collect(flows: Vec<Flow>, output: &mut Output) -> Vec<usize> {
    let mut unread = Vec::new();
    for flow in flows {
        match flow {
            Flow::Feed(feed) => output.stdin_taken = Some(feed.taken()),
            Flow::Helper(tether) if tether.stream() == Stream::Stdin => output.stdin_taken = Some(tether.fed()),
            Flow::Helper(_) => {}
            Flow::Drain(drain) => {
                let stream = drain.stream();
                unread.extend(drain.stopped_reading());
                for sink in drain.into_sinks() {
                    let (Sink::Capture(capture) | Sink::Full(capture)) = sink else { continue };
                    let place = if stream == Stream::Stderr { &mut output.stderr } else { &mut output.stdout };
                    place.append(capture.finish());
                }
            }
        }
    }
    unread
}

fn failed(plan: &Plan, failure: FlowFailure) -> Error {
    let FlowFailure { stream, pipe, .. } = failure;
    let error = match failure.what {
        FlowError::Io(error) => {
            let doing = if stream == Stream::Stdin { "fed" } else { "passed on" };
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
    // The stage whose stream it is: the first for stdin, else the one that writes it; a shared one is everybody's.
    let stage = match (stream, pipe) {
        (Stream::Stdin, _) => Some(0),
        (_, Some(pipe)) => only_writer(plan, pipe),
        (_, None) => None,
    };
    match stage {
        Some(stage) => error.at(plan.stage_name(stage)),
        None => error,
    }
}

/// The stage that alone writes a pipe.
fn only_writer(plan: &Plan, pipe: usize) -> Option<usize> {
    let mut stages: Vec<usize> = plan.users(pipe, false).map(|(stage, _)| stage).collect();
    stages.dedup();
    match stages.as_slice() {
        [only] => Some(*only),
        _ => None,
    }
}

fn cut_short(plan: &Plan, cut: Cut, running: &[usize], output: &Output) -> Error {
    let (kind, what) = match cut {
        Cut::TimedOut => {
            let timeout = plan.settings.timeout.unwrap_or_default();
            (ErrorKind::Timeout, format!("timed out after {timeout:?}"))
        }
        Cut::Cancelled => (ErrorKind::Cancelled, "was cancelled".to_owned()),
        Cut::Aborted => (ErrorKind::Cancelled, "was dropped while it ran".to_owned()),
    };
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
    if !undead.is_empty() {
        rest.push_str(&format!("; killed, but not dead yet: {}", names(&undead)));
    }
    match count {
        1 => Error::new(kind, what + &rest).at(plan.stage_name(0)),
        count => Error::new(kind, format!("the pipeline of {count} stages {what}{rest}")),
    }
}

/// One stage, as the policy looks at it.
struct Check<'a> {
    status: Status,
    allowed: &'a [i32],
    unchecked: bool,
    sigpipe_codes: bool,
}

/// What a run's statuses come to.
#[derive(Debug, PartialEq, Eq)]
struct Verdict {
    status: Status,
    culprit: Option<usize>,
}

impl<'a> Check<'a> {
    fn new(status: Status, spec: &'a Spec) -> Self {
        Check { status, allowed: &spec.allowed_codes, unchecked: spec.unchecked, sigpipe_codes: spec.sigpipe_codes }
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

/// The rightmost checked stage that failed decides; then the rightmost unchecked one that did; then the last.
///
/// A death of SIGPIPE is a success where somebody stopped reading on purpose: the next stage, or, for the last one, this
/// library.
fn judge(stages: &[Check<'_>], policy: StatusPolicy, stopped_reading: bool) -> Verdict {
    let Some(last) = stages.len().checked_sub(1) else {
        return Verdict { status: Status::exited(0), culprit: None };
    };
    let counted = if policy == StatusPolicy::Last { last..=last } else { 0..=last };
    let failed: Vec<usize> =
        counted.filter(|&index| stages[index].failed(policy, index < last || stopped_reading)).collect();
    let culprit = failed.iter().rev().find(|&&index| !stages[index].unchecked).copied();
    let decisive = culprit.or(failed.last().copied()).unwrap_or(last);
    Verdict { status: stages[decisive].status, culprit }
}

#[cfg(test)]
#[path = "outcome_tests.rs"]
mod tests;
