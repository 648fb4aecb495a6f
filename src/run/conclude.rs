//! From a finished run to a result: which status is the run's, and what is an error.

use std::time::Instant;

use crate::engine::Finished;
use crate::engine::closure::FunctionError;
use crate::engine::leak::OnLeak;
use crate::engine::timing::Cut;
use crate::io::captured::Captured;
use crate::io::flow::{Flow, FlowError, FlowFailure};
use crate::io::sink::Sink;
use crate::outcome::{ErrorKind, Fault, FdOutput, Leak, Output, StageReport, StageResult, Words, judge};
use crate::plan::{Endpoint, FdBinding, Plan, Verb};
use crate::procfs::Unseen;
use crate::spec::Stage;
use crate::status::{Status, signal_name};
use crate::stream::Stream;
use crate::tree::Survivor;

/// A run that is over: its output, whatever the statuses; an error that no status explains carries it inside.
pub(crate) type Ended = Result<Box<Over>, Fault>;

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
    let unseen = leaks.unseen;
    let mut output = Output {
        status: Status::exited(0),
        stdout: Captured::not_captured(),
        stderr: Captured::not_captured(),
        stages: Vec::with_capacity(ended.len()),
        leaked: (!leaks.is_empty()).then_some(Leak {
            streams: leaks.streams,
            holders: leaks.holders,
            processes: leaks.processes,
            unseen,
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
    // What was written is then all that was to be: nothing was cut in the middle of a secret. A process that a signal ends may have
    // been in the middle of a write.
    let by_itself = |stage: &StageReport| stage.status.code().is_some();
    let whole = cut.is_none() && failure.is_none() && output.leaked.is_none() && output.stages.iter().all(by_itself);
    let mut echoes = Vec::new();
    let mut faults: Vec<Option<Fault>> = vec![None; plan.stages.len()];
    for (index, error) in errors {
        if matches!(error, FunctionError::Failed { echo: true, .. }) {
            echoes.push(index);
        }
        faults[index] = Some(closure_failed(plan, index, error, !whole));
    }
    if let Some(cut) = cut {
        for (index, stage) in output.stages.iter().enumerate() {
            if stage.status.is_unknown() && plan.stages[index].stage.command().is_none() {
                let fault = Fault::new(kind_of(cut), "did not return, and was left behind");
                faults[index] = Some(fault.at(plan.stage_name(index)));
            }
        }
    }
    for (stage, fault) in output.stages.iter_mut().zip(&faults) {
        stage.error = fault.clone().map(|fault| fault.into_error(plan));
    }
    let unread = collect(plan, flows, &mut output);
    let secrets = plan.secrets();
    let fds = output.fds.iter_mut().map(|fd| &mut fd.bytes);
    [&mut output.stdout, &mut output.stderr].into_iter().chain(fds).for_each(|bytes| bytes.conceal(&secrets, whole));
    if plan.stages.is_empty() && matches!(plan.verb, Verb::Output | Verb::Read) {
        // Nobody to write anything, all of it captured.
        output.stdout = Captured::from_bytes(Vec::new());
        output.stderr = Captured::from_bytes(Vec::new());
    }
    let last = plan.main.saturating_sub(1);
    let stopped_reading = written_to_an_argument(plan, last)
        || unread.iter().any(|pipe| plan.users(*pipe, false).any(|(stage, _)| stage == last));

    let policy = plan.settings.policy.unwrap_or_default();
    let results = output.stages.iter().enumerate();
    let results = results.map(|(index, report)| result(report, &plan.stages[index].stage, echoes.contains(&index)));
    let verdict = judge(&results.collect::<Vec<_>>(), last, policy, stopped_reading);
    output.status = verdict.status;

    // That a leg did not take all is a failure of its own only where nothing else ended the run.
    let untaken = failure.as_ref().filter(|_| cut.is_some()).and_then(untaken).unwrap_or_default();
    if let Some(failure) = failure.filter(|_| untaken.is_empty()) {
        return Err(failed(plan, failure).with_output(output));
    }
    match cut {
        Some(cut) => {
            let left = Left { running: &running_at_cut, survivors: &survivors, unseen, untaken: &untaken };
            return Err(cut_short(plan, cut, &left, &output).with_output(output));
        }
        None => {
            if let Some(stage) = output.stages.iter().position(|stage| stage.status.is_unknown()) {
                let what = "ended, but its status was stolen: something else in this program reaped it \
                            (a waitpid(-1) loop, or SIGCHLD set to be ignored)";
                return Err(Fault::new(ErrorKind::StatusStolen, what).at(plan.stage_name(stage)).with_output(output));
            }
        }
    }
    // No status says why a closure failed.
    if let Some(error) = verdict.culprit.and_then(|stage| faults[stage].take()) {
        return Err(error.with_output(output));
    }
    if let (None, Some(OnLeak::Fail), Some(leak)) = (verdict.culprit, plan.settings.on_leak, &output.leaked) {
        let error = Fault::new(ErrorKind::Leaked, left_behind(leak));
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
        [] => {
            let why = leak.unseen.map_or_else(String::new, |unseen| format!(": {unseen}"));
            format!("left somebody behind{held}; who that is could not be seen{why}")
        }
        names => format!("left {} behind{held}", names.join(", ")),
    }
}

/// Whether a stage writes to stages in its arguments: when those have enough, it is the run itself that stopped reading.
fn written_to_an_argument(plan: &Plan, stage: usize) -> bool {
    let pipes =
        plan.stages.get(stage).into_iter().flat_map(|stage| &stage.bindings).filter_map(|binding| match binding {
            FdBinding { stream: Stream::Output(_), place: Endpoint::Pipe(pipe) } => Some(*pipe),
            _ => None,
        });
    pipes.into_iter().any(|pipe| plan.users(pipe, true).any(|(reader, _)| reader >= plan.main))
}

/// What a closure's end is to whoever looks at its stage.
fn closure_failed(plan: &Plan, index: usize, error: FunctionError, cut: bool) -> Fault {
    let error = match error {
        FunctionError::Failed { error, echo } => {
            let what = if echo { "passed on the error of the stage before" } else { "failed" };
            Fault::new(ErrorKind::Closure, what).because_of(error)
        }
        FunctionError::Panicked(text) => Fault::new(ErrorKind::Panic, format!("panicked: {text}")),
    };
    error.words(Words::Callers { cut }).at(plan.stage_name(index))
}

impl Over {
    /// The output, or the bad status as an error.
    pub(crate) fn checked(self, plan: &Plan) -> Result<Output, Fault> {
        match self.culprit {
            None => Ok(self.output),
            Some(stage) => {
                let status = self.output.stages[stage].status;
                let was = if status.signal().is_some() { "was " } else { "" };
                let error = Fault::new(ErrorKind::Status, format!("{was}{status}")).at(plan.stage_name(stage));
                Err(error.with_status(status).with_output(self.output))
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

/// The caller's code may have failed at a line that had no end: the child was killed in its middle.
const CALLERS: Words = Words::Callers { cut: true };

fn not_all(stream: Stream, legs: &str) -> String {
    format!("not all of its {stream} was taken by {legs}")
}

/// What is said of legs that did not take all, if that is the failure.
fn untaken(failure: &FlowFailure) -> Option<String> {
    match &failure.what {
        FlowError::Untaken(legs) => Some(format!("; {}", not_all(failure.stream, legs))),
        _ => None,
    }
}

fn failed(plan: &Plan, failure: FlowFailure) -> Fault {
    let FlowFailure { stream, pipe, .. } = failure;
    let error = match failure.what {
        FlowError::Io(error) => {
            let doing = if stream.is_input() { "fed" } else { "passed on" };
            // One without a number is of the caller's reader or writer.
            let words = if error.raw_os_error().is_some() { Words::Systems } else { CALLERS };
            let what = format!("was cut off: its {stream} could not be {doing}");
            Fault::new(ErrorKind::Io, what).because(error).words(words)
        }
        FlowError::Callback(source) => {
            let what = format!("was cut off: the callback for its {stream} failed");
            Fault::new(ErrorKind::Callback, what).because(source).words(CALLERS)
        }
        FlowError::Panic(text) => {
            let what = format!("was cut off: the code for its {stream} panicked: {text}");
            Fault::new(ErrorKind::Panic, what).words(CALLERS)
        }
        FlowError::Limit(limit) => {
            Fault::new(ErrorKind::LimitExceeded, format!("wrote more than {limit} bytes to its {stream}"))
        }
        FlowError::Untaken(legs) => Fault::new(ErrorKind::Io, format!("was ended, and {}", not_all(stream, &legs))),
    };
    // The stage whose stream it is; one that several write is everybody's.
    match pipe.and_then(|pipe| only_user(plan, pipe, stream.is_input())) {
        Some(stage) => error.at(plan.stage_name(stage)),
        None => error,
    }
}

/// The stage that alone reads or writes a pipe.
pub(crate) fn only_user(plan: &Plan, pipe: usize, reading: bool) -> Option<usize> {
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

/// What was there at a cut, and is left after it.
struct Left<'a> {
    running: &'a [usize],
    survivors: &'a [Survivor],
    unseen: Option<Unseen>,
    /// What is said of legs of a tee that did not take all.
    untaken: &'a str,
}

fn cut_short(plan: &Plan, cut: Cut, left: &Left<'_>, output: &Output) -> Fault {
    let Left { running, survivors, unseen, untaken } = *left;
    let what = match cut {
        Cut::TimedOut => format!("timed out after {:?}", plan.settings.times.timeout.unwrap_or_default()),
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
    rest.push_str(&unkilled(survivors));
    if let Some(unseen) = unseen.filter(|unseen| unseen.is_blind()) {
        rest.push_str(&format!("; more may be left: {unseen}"));
    }
    rest.push_str(untaken);
    match count {
        1 => Fault::new(kind, what + &rest).at(plan.stage_name(0)),
        count => Fault::new(kind, format!("the pipeline of {count} stages {what}{rest}")),
    }
}

/// What is said of processes that a kill did not reach.
fn unkilled(survivors: &[Survivor]) -> String {
    let survivors: Vec<String> =
        survivors.iter().map(|it| format!("`{}` (pid {}): {}", it.name, it.pid, it.why)).collect();
    if survivors.is_empty() { String::new() } else { format!("; could not be killed: {}", survivors.join(", ")) }
}

/// Of the one stage: the others had no part in it.
fn stopped(plan: &Plan, stage: usize, signal: i32) -> Fault {
    let does = if signal == libc::SIGTTIN { "reads" } else { "changes" };
    let help = match plan.settings.signals.foreground {
        true => "and this process is in the background itself",
        false => "`foreground(true)` hands it over",
    };
    let what = format!("was stopped by {}: it {does} the terminal from the background; {help}", signal_name(signal));
    Fault::new(ErrorKind::Stopped, what).at(plan.stage_name(stage))
}

/// What the policy judges a stage by.
fn result<'a>(report: &StageReport, stage: &'a Stage, echo: bool) -> StageResult<'a> {
    let (status, closure_failed) = (report.status, report.error.is_some());
    match stage {
        Stage::Command(command) => StageResult {
            status,
            allowed: &command.tolerance.codes,
            unchecked: command.tolerance.unchecked,
            sigpipe_codes: command.tolerance.sigpipe_codes,
            closure_failed,
            echo,
        },
        Stage::Closure(closure) => StageResult {
            status,
            allowed: &[],
            unchecked: closure.unchecked,
            sigpipe_codes: false,
            closure_failed,
            echo,
        },
    }
}
