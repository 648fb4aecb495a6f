//! A deadline is a deadline, whatever the children do, and for every verb.

mod cancel;
mod drops;
mod eof_grace;

use crate::prelude::*;
use crate::surface::verbs::*;

const TIMEOUT: Duration = Duration::from_millis(80);
const GRACE: Duration = Duration::from_millis(60);
/// The promised 50 ms for a drop, ten times over.
pub(crate) const DROPPED_WITHIN: Duration = Duration::from_millis(500);
/// A grace that no test may wait for.
const NO_GRACE_NEEDED: Duration = Duration::from_secs(30);

/// All of stdout is read, but not all is kept: many endless outputs at once would be about memory, not about time.
fn captured(pipeline: impl Into<Pipeline>) -> Pipeline {
    let kept = Limit::HeadTail { head: 4096, tail: 0 };
    pipeline.into().stdout(Redirect::capture()).stdout_limit(kept).stderr(Redirect::null())
}

#[track_caller]
fn assert_timeout(name: &str, result: Result<(), Error>) -> Error {
    let error = result.expect_err(name);
    assert_eq!(error.kind(), ErrorKind::Timeout, "{name}: {error}");
    let what = if error.output().is_some() { "timed out after " } else { "was not started: the timeout of " };
    assert!(error.to_string().contains(what), "{name}: {error}");
    error
}

/// Every verb comes back with a timeout in time, and with what was there by then.
///
/// On a machine that is busy elsewhere, a child may not have come to start, or to say what `is_there` looks for: then, and only then, it gets more
/// time, and its deadline has to hold all the same.
fn every_verb_is_in_time(pipeline: Pipeline, grace: Duration, is_there: impl Fn(&[u8]) -> bool + Sync) {
    let pipeline = captured(pipeline).grace(grace);
    // As if none was needed, unless it is short.
    let waited_for = if grace < NO_GRACE_NEEDED { grace } else { Duration::ZERO };
    let stages = pipeline.to_string().matches(" | ").count() + 1;
    for verbs in VERBS.chunks(6).cycle().take(count(2, 40)) {
        all_at_once(verbs, |(name, verb)| {
            let mut timeout = TIMEOUT;
            loop {
                let ran = within(timeout + waited_for + SLACK, || verb(&pipeline.clone().timeout(timeout)));
                let error = assert_timeout(name, ran.result);
                if let Some(output) = error.output() {
                    assert_eq!(output.stages.len(), stages, "{name}");
                    // One that has to be killed may take longer to die than it is waited for.
                    let known = output.stages.iter().all(|stage| !stage.status.is_unknown());
                    assert!(known || grace < NO_GRACE_NEEDED, "{name}: {output:?}");
                }
                if is_there(&ran.seen) {
                    break;
                }
                assert!(timeout < TIMEOUT * 40, "{name} showed {:?}", String::from_utf8_lossy(&ran.seen));
                timeout *= 3;
            }
        });
        progress();
    }
}

fn says(expected: &'static str) -> impl Fn(&[u8]) -> bool + Sync {
    move |seen| seen == expected.as_bytes()
}

fn says_yes(seen: &[u8]) -> bool {
    seen.starts_with(b"y\ny\n")
}

/// The pid of one that was left behind comes first.
fn end_stranger(seen: &[u8]) -> Option<&[u8]> {
    let newline = seen.iter().position(|&byte| byte == b'\n')?;
    kill_stranger(std::str::from_utf8(&seen[..newline]).expect("a pid"));
    Some(&seen[newline + 1..])
}

#[test]
fn a_child_that_waits_is_ended_by_term() {
    isolated(|| every_verb_is_in_time(role("hang").into(), NO_GRACE_NEEDED, says("ready\n")));
}

#[test]
fn a_child_that_ignores_term_is_killed_after_the_grace() {
    isolated(|| every_verb_is_in_time(role("ignore-term").into(), GRACE, says("ready\n")));
}

#[test]
fn a_child_that_stopped_itself_is_ended_too() {
    isolated(|| every_verb_is_in_time(role("stop-self").arg("so far\n").into(), NO_GRACE_NEEDED, says("so far\n")));
}

#[test]
fn what_a_child_says_when_it_is_asked_to_end_is_there() {
    isolated(|| every_verb_is_in_time(role("term-exit").arg("5").into(), NO_GRACE_NEEDED, says("ready\nbye\n")));
}

#[test]
fn a_grandchild_on_the_pipe_delays_no_verb() {
    isolated(|| {
        let hold = role("fork-and-hold").arg("30000").into();
        every_verb_is_in_time(hold, NO_GRACE_NEEDED, |seen| end_stranger(seen) == Some(b""));
    });
}

#[test]
fn a_grandchild_that_never_stops_writing_delays_no_verb() {
    isolated(|| {
        let yes = role("fork-and-yes").into();
        every_verb_is_in_time(yes, NO_GRACE_NEEDED, |seen| end_stranger(seen).is_some_and(says_yes));
    });
}

#[test]
fn endless_output_moves_no_deadline() {
    isolated(|| {
        every_verb_is_in_time(role("yes").into(), NO_GRACE_NEEDED, says_yes);
        every_verb_is_in_time(role("stubborn-yes").into(), GRACE, says_yes);
        // And one of which everything is kept.
        let all = role("yes").timeout(TIMEOUT).grace(NO_GRACE_NEEDED);
        assert_timeout("output", within(TIMEOUT + SLACK, || all.output().map(drop)));
    });
}

#[test]
fn the_deadline_is_for_the_whole_pipeline() {
    isolated(|| {
        every_verb_is_in_time(role("ignore-term") | role("cat") | role("cat"), GRACE, says("ready\n"));
        every_verb_is_in_time(role("yes") | role("cat") | role("cat"), NO_GRACE_NEEDED, says_yes);
        every_verb_is_in_time(role("yes") | role("hang"), NO_GRACE_NEEDED, says("ready\n"));
    });
}

#[test]
fn a_child_that_does_not_read_is_not_fed_for_ever() {
    isolated(|| {
        let bytes = vec![b'x'; 1 << 20];
        let pipeline = captured(role("hang").stdin(Redirect::bytes(bytes))).timeout(TIMEOUT).grace(NO_GRACE_NEEDED);
        all_at_once(&VERBS, |(name, verb)| {
            let ran = within(TIMEOUT + SLACK, || verb(&pipeline));
            let error = assert_timeout(name, ran.result);
            let taken = error.output().and_then(|output| output.stdin_taken).expect("it was fed");
            assert!((1..1 << 20).contains(&taken), "{name}: {taken}");
        });
    });
}

#[test]
fn a_slow_callback_moves_the_deadline_by_one_call() {
    isolated(|| {
        let slow = || within(SLACK, || cmd!(fixture(), "sleep", "10").status().map(drop)).expect("it sleeps");
        // Lines that wait when the time is up still come, within the grace.
        let yes = role("yes").timeout(TIMEOUT).grace(TIMEOUT);
        let late = 2 * TIMEOUT + SLACK;
        let mut calls = 0;
        let error = within(late, || {
            yes.for_each_line(|line| {
                assert_eq!(line, b"y");
                calls += 1;
                slow();
            })
        });
        assert_timeout("for_each_line", error.map(drop));
        assert!(calls > 1);
        let each = yes.stdout(Redirect::each_line(move |_: &[u8]| slow()));
        let error = within(late, || each.run());
        assert_timeout("each_line, run", error.map(drop));
        let error = within(late, || each.spawn().expect("it starts").wait());
        assert_timeout("each_line, wait", error.map(drop));
    });
}

#[test]
fn a_deadline_of_a_job_holds_without_a_waiter() {
    isolated(|| {
        let job = captured(role("hang")).timeout(TIMEOUT).spawn().expect("it starts");
        // The process's own end: nothing here drives the job.
        let status = within(TIMEOUT + SLACK, || job.processes()[0].wait().expect("ours to wait for"));
        assert_eq!(status.signal(), Some(libc::SIGTERM));
        let error = job.output().unwrap_err();
        assert!(error.output().expect("there is one").stdout.is_captured());
        assert_timeout("job", Err(error));
    });
}

#[test]
fn a_timeout_too_long_for_the_clock_is_none() {
    isolated(|| {
        for (name, verb) in &VERBS {
            let echo = captured(role("echo").arg("x")).timeout(Duration::MAX).grace(Duration::MAX);
            let ran = verb(&echo.eof_grace(Duration::MAX));
            assert!(ran.result.is_ok(), "{name}: {:?}", ran.result);
        }
        let job = role("exit").arg("0").spawn().expect("it starts");
        let process = &job.processes()[0];
        assert!(process.wait_timeout(Duration::MAX).expect("ours").is_some_and(|status| status.success()));
    });
}

#[test]
fn a_deadline_that_has_passed_starts_nothing() {
    isolated(|| {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("made");
        let touch = cmd!("/bin/sh", "-c", ": > \"$1\"", "sh", &file).timeout(Duration::ZERO);
        for (name, verb) in &VERBS {
            let error = verb(&captured(touch.clone())).result.expect_err(name);
            assert_eq!(error.kind(), ErrorKind::Timeout, "{name}: {error}");
            assert!(!file.exists(), "{name}");
        }
    });
}
