//! From a finished run to its result: which status is the run's, and what is an error.

use std::time::Instant;

use crate::engine::closure::ClosureError;
use crate::engine::end_reason::EndReason;
use crate::engine::finished::Finished;
use crate::engine::leak::OnLeak;
use crate::io::captured::Captured;
use crate::io::failure::{FlowError, FlowFailure};
use crate::io::flow::Flow;
use crate::io::sink::Sink;
use crate::outcome::{ErrorKind, Fault, FdOutput, Leak, Output, StageReport, StageResult, Words, judge};
use crate::plan::{Endpoint, FdBinding, Plan, StagePlan, Verb};
use crate::process::ExitReport;
use crate::procfs::Unseen;
use crate::spec::Stage;
use crate::status::{Status, signal_name};
use crate::stream::Stream;
use crate::tree::Survivor;

/// How a run ended: its outcome, whatever the statuses, or an error that no status explains, with the output in it.
pub(crate) type RunResult = Result<Box<Outcome>, Fault>;

/// What a run left.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    pub(crate) output: Output,
    /// The stage whose status is an error, for the verbs that check.
    culprit: Option<usize>,
}

/// Makes the result of what the engine left.
///
/// An error of the caller's own code comes first, because it causes what follows; then the cut, whose signals the statuses only repeat;
/// then a stolen status.
pub(crate) fn conclude(plan: &Plan, finished: Finished, began: &[Instant]) -> RunResult {
    let Finished { stages, errors, flows, end_reason, running, failure, leaks, survivors } = finished;
    let unseen = leaks.unseen;
    let mut output = Output {
        status: Status::exited(0),
        stdout: Captured::not_captured(),
        stderr: Captured::not_captured(),
        stages: reports(plan, &stages, began),
        leaked: (!leaks.is_empty()).then_some(Leak {
            streams: leaks.streams,
            holders: leaks.holders,
            processes: leaks.processes,
            unseen,
        }),
        fds: Vec::new(),
        stdin_taken: None,
    };
    // Nothing was cut in the middle of a secret, because all that was to be written was written. A process that a signal ended may have
    // been in the middle of a write.
    let by_itself = |stage: &StageReport| stage.status.code().is_some();
    let whole =
        end_reason.is_none() && failure.is_none() && output.leaked.is_none() && output.stages.iter().all(by_itself);
    let is_echo = |(_, error): &&(usize, ClosureError)| matches!(error, ClosureError::Failed { echo: true, .. });
    let echoes: Vec<usize> = errors.iter().filter(is_echo).map(|(index, _)| *index).collect();
    let mut faults = closure_faults(plan, &output, errors, end_reason, whole);
    for (stage, fault) in output.stages.iter_mut().zip(&faults) {
        stage.error = fault.clone().map(|fault| fault.into_error(plan));
    }
    let unread = collect(plan, flows, &mut output);
    let secrets = plan.secrets();
    let fds = output.fds.iter_mut().map(|fd| &mut fd.bytes);
    [&mut output.stdout, &mut output.stderr].into_iter().chain(fds).for_each(|bytes| bytes.conceal(&secrets, whole));
    if plan.stages.is_empty() && matches!(plan.verb, Verb::Output | Verb::Read) {
        // No stage writes, and all of that was captured.
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

    let left = Left { running: &running, survivors: &survivors, unseen };
    let fault = run_fault(plan, &output, end_reason, failure, &left).or_else(|| match verdict.culprit {
        // No status says why a closure failed.
        Some(stage) => faults[stage].take(),
        None => leak_fault(plan, &output),
    });
    match fault {
        Some(fault) => Err(fault.with_output(output)),
        None => Ok(Box::new(Outcome { output, culprit: verdict.culprit })),
    }
}

fn reports(plan: &Plan, ended: &[Option<ExitReport>], began: &[Instant]) -> Vec<StageReport> {
    let stages = plan.stages.iter().zip(ended).zip(began);
    let report = |((stage, ended), began): ((&StagePlan, &Option<ExitReport>), &Instant)| StageReport {
        label: stage.stage.name(),
        status: ended.map_or(Status::UNKNOWN, |ended| ended.status),
        usage: ended.and_then(|ended| ended.usage),
        wall: ended.map_or_else(|| began.elapsed(), |ended| ended.wall),
        error: None,
    };
    stages.map(report).collect()
}

/// By stage: why a closure failed, or that it did not return in time.
fn closure_faults(
    plan: &Plan,
    output: &Output,
    errors: Vec<(usize, ClosureError)>,
    end_reason: Option<EndReason>,
    whole: bool,
) -> Vec<Option<Fault>> {
    let mut faults: Vec<Option<Fault>> = vec![None; plan.stages.len()];
    for (index, error) in errors {
        faults[index] = Some(closure_failed(plan, index, error, !whole));
    }
    for (index, stage) in output.stages.iter().enumerate() {
        if let (Some(reason), true, None) = (end_reason, stage.status.is_unknown(), plan.stages[index].stage.command())
        {
            let fault = Fault::new(kind_of(reason), "did not return, and was left behind");
            faults[index] = Some(fault.at(plan.stage_name(index)));
        }
    }
    faults
}

/// The error of the run as a whole, whatever its stages say.
fn run_fault(
    plan: &Plan,
    output: &Output,
    end_reason: Option<EndReason>,
    failure: Option<FlowFailure>,
    left: &Left<'_>,
) -> Option<Fault> {
    // That a leg did not take all is a failure of its own only where nothing else ended the run.
    let untaken = failure.as_ref().filter(|_| end_reason.is_some()).and_then(untaken);
    match (end_reason, failure) {
        (_, Some(failure)) if untaken.is_none() => return Some(failed(plan, failure)),
        (Some(reason), _) => return Some(cut_short(plan, reason, left, &untaken.unwrap_or_default(), output)),
        (None, _) => {}
    }
    let stage = output.stages.iter().position(|stage| stage.status.is_unknown())?;
    let what = "ended, but its status was stolen: something else in this program reaped it \
                (a waitpid(-1) loop, or SIGCHLD set to be ignored)";
    Some(Fault::new(ErrorKind::StatusStolen, what).at(plan.stage_name(stage)))
}

/// The error of a run that left processes behind, where the builder asked for one.
fn leak_fault(plan: &Plan, output: &Output) -> Option<Fault> {
    let leak = output.leaked.as_ref().filter(|_| plan.settings.on_leak == Some(OnLeak::Fail))?;
    let error = Fault::new(ErrorKind::Leaked, left_behind(leak));
    Some(if plan.stages.len() == 1 { error.at(plan.stage_name(0)) } else { error })
}

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

/// Whether a stage writes to stages in its arguments: when they stop reading, the run itself broke the stage's pipe.
fn written_to_an_argument(plan: &Plan, stage: usize) -> bool {
    let pipes =
        plan.stages.get(stage).into_iter().flat_map(|stage| &stage.bindings).filter_map(|binding| match binding {
            FdBinding { stream: Stream::Output(_), place: Endpoint::Pipe(pipe) } => Some(*pipe),
            _ => None,
        });
    pipes.into_iter().any(|pipe| plan.users(pipe, true).any(|(reader, _)| reader >= plan.main))
}

fn closure_failed(plan: &Plan, index: usize, error: ClosureError, cut: bool) -> Fault {
    let error = match error {
        ClosureError::Failed { error, echo } => {
            let what = if echo { "passed on the error of the stage before" } else { "failed" };
            Fault::new(ErrorKind::Closure, what).because_of(error)
        }
        ClosureError::Panicked(text) => Fault::new(ErrorKind::Panic, format!("panicked: {text}")),
    };
    error.words(Words::Callers { cut }).at(plan.stage_name(index))
}

impl Outcome {
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

/// Collects what the flows captured. Returns the pipes that this process stopped reading before their end.
fn collect(plan: &Plan, flows: Vec<Flow>, output: &mut Output) -> Vec<usize> {
    let mut unread = Vec::new();
    for flow in flows {
        match flow {
            Flow::Feed(feed) if feed.stream() == Stream::Stdin => output.stdin_taken = Some(feed.taken()),
            Flow::IoThread(handle) if handle.stream() == Stream::Stdin => output.stdin_taken = Some(handle.taken()),
            Flow::Feed(_) | Flow::IoThread(_) => {}
            Flow::Drain(drain) => {
                let stream = drain.stream();
                let pipe = drain.pipe();
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

/// An error of the caller's code may quote a line that was cut, because the child was killed in the middle of it.
const CALLERS: Words = Words::Callers { cut: true };

fn not_all(stream: Stream, legs: &str) -> String {
    format!("not all of its {stream} was taken by {legs}")
}

/// The text for a failure that is only this: legs of a tee did not take everything.
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
            // An error without an errno comes from the caller's reader or writer.
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
    // A stream that several stages use names none of them.
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

fn kind_of(reason: EndReason) -> ErrorKind {
    match reason {
        EndReason::TimedOut => ErrorKind::Timeout,
        EndReason::Interrupted(_) => ErrorKind::Interrupted,
        EndReason::Stopped { .. } => ErrorKind::Stopped,
        EndReason::Cancelled | EndReason::Aborted => ErrorKind::Cancelled,
    }
}

/// The stages that ran when the run was cut, and what is left after the cut.
struct Left<'a> {
    running: &'a [usize],
    survivors: &'a [Survivor],
    unseen: Option<Unseen>,
}

fn cut_short(plan: &Plan, reason: EndReason, left: &Left<'_>, untaken: &str, output: &Output) -> Fault {
    let Left { running, survivors, unseen } = *left;
    let what = match reason {
        EndReason::TimedOut => format!("timed out after {:?}", plan.settings.times.timeout.unwrap_or_default()),
        EndReason::Cancelled => "was cancelled".to_owned(),
        EndReason::Interrupted(signal) => format!("was interrupted by {}", signal_name(signal)),
        EndReason::Stopped { stage, signal } => return stopped(plan, stage, signal),
        EndReason::Aborted => "was dropped while it ran".to_owned(),
    };
    let kind = kind_of(reason);
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

fn unkilled(survivors: &[Survivor]) -> String {
    let survivors: Vec<String> =
        survivors.iter().map(|it| format!("`{}` (pid {}): {}", it.name, it.pid, it.why)).collect();
    if survivors.is_empty() { String::new() } else { format!("; could not be killed: {}", survivors.join(", ")) }
}

/// Names one stage: the terminal stopped no other.
fn stopped(plan: &Plan, stage: usize, signal: i32) -> Fault {
    let does = if signal == libc::SIGTTIN { "reads" } else { "changes" };
    let help = match plan.settings.signals.foreground {
        true => "and this process is in the background itself",
        false => "`foreground(true)` hands it over",
    };
    let what = format!("was stopped by {}: it {does} the terminal from the background; {help}", signal_name(signal));
    Fault::new(ErrorKind::Stopped, what).at(plan.stage_name(stage))
}

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
