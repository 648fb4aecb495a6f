//! What a run's statuses come to, with real processes.

use pipewright::StatusPolicy::{Last, Pipefail, Strict};

use crate::prelude::*;

/// How a stage ends.
#[derive(Debug, Clone, Copy, PartialEq)]
enum End {
    Code(i32),
    Signal(i32),
}

use End::{Code, Signal};

const PIPE: End = Signal(libc::SIGPIPE);
const KILL: End = Signal(libc::SIGKILL);

fn stage(end: End) -> Cmd {
    match end {
        Code(code) => role("exit").arg(code.to_string()),
        Signal(signal) => role("signal").arg(signal.to_string()),
    }
}

/// The stage that makes the run an error, which names it and holds how each one ended.
#[track_caller]
fn culprit(pipeline: &Pipeline, ends: &[End]) -> Option<usize> {
    let pipeline = pipeline.clone().stdin(Redirect::null());
    let (output, error) = match pipeline.run() {
        Ok(output) => (output, None),
        Err(error) => (error.output().expect("there is one").clone(), Some(error)),
    };
    let seen: Vec<End> = output.stages.iter().map(|stage| stage.status).map(end_of).collect();
    assert_eq!(seen, ends);
    // The verb that does not check says the same, whatever it is.
    assert_eq!(pipeline.status().expect("any status"), output.status);
    let error = error?;
    assert_eq!(error.kind(), ErrorKind::Status);
    assert_eq!(error.status(), Some(output.status));
    let stage = error.stage().expect("there is one");
    assert_eq!(end_of(output.status), ends[stage]);
    assert!(error.to_string().contains(&format!("stage {stage} of {}", ends.len())), "{error}");
    Some(stage)
}

fn end_of(status: pipewright::Status) -> End {
    status.code().map(Code).or(status.signal().map(Signal)).expect("one of the two")
}

type Culprit = Option<usize>;

const FIRST: Culprit = Some(0);
const SECOND: Culprit = Some(1);

/// How the two stages end, and which one is at fault under pipefail, last and strict.
const TABLE: [(End, End, Culprit, Culprit, Culprit); 25] = [
    (Code(0), Code(0), None, None, None),
    (Code(0), Code(3), SECOND, SECOND, SECOND),
    (Code(0), PIPE, SECOND, SECOND, SECOND),
    (Code(0), KILL, SECOND, SECOND, SECOND),
    (Code(0), Code(141), SECOND, SECOND, SECOND),
    (Code(3), Code(0), FIRST, None, FIRST),
    (Code(3), Code(3), SECOND, SECOND, SECOND),
    (Code(3), PIPE, SECOND, SECOND, SECOND),
    (Code(3), KILL, SECOND, SECOND, SECOND),
    (Code(3), Code(141), SECOND, SECOND, SECOND),
    (PIPE, Code(0), None, None, FIRST),
    (PIPE, Code(3), SECOND, SECOND, SECOND),
    (PIPE, PIPE, SECOND, SECOND, SECOND),
    (PIPE, KILL, SECOND, SECOND, SECOND),
    (PIPE, Code(141), SECOND, SECOND, SECOND),
    (KILL, Code(0), FIRST, None, FIRST),
    (KILL, Code(3), SECOND, SECOND, SECOND),
    (KILL, PIPE, SECOND, SECOND, SECOND),
    (KILL, KILL, SECOND, SECOND, SECOND),
    (KILL, Code(141), SECOND, SECOND, SECOND),
    (Code(141), Code(0), FIRST, None, FIRST),
    (Code(141), Code(3), SECOND, SECOND, SECOND),
    (Code(141), PIPE, SECOND, SECOND, SECOND),
    (Code(141), KILL, SECOND, SECOND, SECOND),
    (Code(141), Code(141), SECOND, SECOND, SECOND),
];

#[test]
fn the_policy_says_which_status_counts() {
    isolated(|| {
        for (first, second, pipefail, last, strict) in TABLE {
            let both = stage(first) | stage(second);
            let by = |policy: StatusPolicy| culprit(&both.clone().status_policy(policy), &[first, second]);
            assert_eq!((by(Pipefail), by(Last), by(Strict)), (pipefail, last, strict), "{first:?} | {second:?}");
            assert_eq!(culprit(&both, &[first, second]), pipefail, "unset: {first:?} | {second:?}");
            progress();
        }
    });
}

#[test]
fn allowed_codes_unchecked_stages_and_codes_for_sigpipe() {
    type Change = fn(Cmd) -> Cmd;
    let same: Change = |cmd| cmd;
    let allow: Change = |cmd| cmd.allow_codes([1]).allow_codes([3, 9]);
    let unchecked: Change = |cmd| cmd.unchecked();
    let mapped: Change = |cmd| cmd.sigpipe_codes(true);
    // (first and its change, second and its change, pipefail, strict, the run's own status)
    let table = [
        (Code(3), allow, Code(0), same, None, None, Code(0)),
        (Code(4), allow, Code(0), same, FIRST, FIRST, Code(4)),
        (Code(0), same, Code(3), allow, None, None, Code(3)),
        (Code(3), allow, Code(3), same, SECOND, SECOND, Code(3)),
        (Code(4), same, Code(3), allow, FIRST, FIRST, Code(4)),
        // An allowed code is no signal.
        (Signal(9), allow, Code(0), same, FIRST, FIRST, KILL),
        (Code(3), unchecked, Code(0), same, None, None, Code(3)),
        (KILL, unchecked, Code(0), same, None, None, KILL),
        (Code(3), unchecked, Code(4), unchecked, None, None, Code(4)),
        (Code(3), same, Code(4), unchecked, FIRST, FIRST, Code(3)),
        (Code(3), unchecked, Code(4), same, SECOND, SECOND, Code(4)),
        (Code(0), same, Code(3), unchecked, None, None, Code(3)),
        (Code(141), mapped, Code(0), same, None, FIRST, Code(0)),
        (Code(141), mapped, Code(141), mapped, SECOND, SECOND, Code(141)),
        (Code(142), mapped, Code(0), same, FIRST, FIRST, Code(142)),
        (PIPE, mapped, Code(0), same, None, FIRST, Code(0)),
        (PIPE, unchecked, Code(0), same, None, None, Code(0)),
    ];
    isolated(|| {
        for (row, (first, of_first, second, of_second, pipefail, strict, status)) in table.into_iter().enumerate() {
            let both = of_first(stage(first)) | of_second(stage(second));
            assert_eq!(culprit(&both, &[first, second]), pipefail, "row {row}");
            let status_now = both.clone().stdin(Redirect::null()).status().expect("any status");
            assert_eq!(end_of(status_now), status, "row {row}");
            assert_eq!(culprit(&both.status_policy(Strict), &[first, second]), strict, "strict, row {row}");
        }
        let out = (Cmd::sh("echo data; exit 1").unchecked() | role("cat")).output().expect("unchecked");
        assert_eq!((out.status.code(), out.stdout.to_str()), (Some(1), Ok("data\n")));
    });
}

#[test]
fn a_stage_whose_reader_had_enough_did_not_fail() {
    isolated(|| {
        for _ in 0..count(15, 1000) {
            assert_eq!((role("yes") | role("head")).read().expect("head had enough"), "y");
            progress();
        }
        let strict = (role("yes") | role("head")).status_policy(Strict).read().expect_err("strict");
        assert_eq!((strict.stage(), strict.status().and_then(|status| status.signal())), (FIRST, Some(libc::SIGPIPE)));
        assert_eq!(strict.output().expect("there is one").stdout, "y\n");
    });
}

#[test]
fn a_stage_that_fails_is_named_though_the_last_one_is_well() {
    isolated(|| {
        for _ in 0..count(8, 1000) {
            let error = (role("exit").arg("1").label("false") | role("cat")).read().expect_err("the first one failed");
            assert_eq!((error.stage(), error.label()), (FIRST, Some("false")));
            assert!(error.to_string().ends_with("stage 0 of 2) exited with code 1"), "{error}");
            progress();
        }
    });
}

#[test]
fn a_last_stage_that_is_read_no_further_did_not_fail() {
    isolated(|| {
        let yes = role("yes").stdout_limit(Limit::Head(4));
        assert_eq!(yes.output().expect("we had enough").stdout, "y\ny\n");
        let error = yes.clone().status_policy(Strict).output().expect_err("strict");
        assert_eq!(error.status().and_then(|status| status.signal()), Some(libc::SIGPIPE));
        // One that dies of it by itself is another matter.
        let error = role("signal").arg("13").output().expect_err("nobody stopped reading");
        assert_eq!(error.to_string(), format!("`{}` was killed by SIGPIPE", fixture()));
    });
}

#[test]
fn every_checking_verb_gives_the_same_error() {
    isolated(|| {
        let fails = role("say").args(["1", "half\n"]) | role("cat") | role("fail-with").args(["7", "oops"]);
        let fails = fails.stdout(Redirect::capture()).stderr(Redirect::capture());
        for (name, verb) in &crate::surface::verbs::VERBS {
            let result = verb(&fails).result;
            if matches!(*name, "status" | "spawn, wait") {
                assert!(result.is_ok(), "{name}: {result:?}");
                continue;
            }
            let error = result.expect_err(name);
            assert_eq!((error.kind(), error.stage()), (ErrorKind::Status, Some(2)), "{name}: {error}");
            assert_eq!(error.status().and_then(|status| status.code()), Some(7), "{name}");
            assert_eq!(error.output().map(|output| &output.stderr[..]), Some(&b"oops\n"[..]), "{name}");
        }
    });
}

#[test]
fn a_stdin_that_no_stage_would_read_is_refused() {
    isolated(|| {
        for (name, verb) in &crate::surface::verbs::VERBS {
            for pipeline in [Pipeline::default(), Pipeline::default().pipe(Pipeline::default())] {
                let fed = pipeline.stdin("abc");
                for fed in [fed.clone(), fed.clone().pipe(cmd!("cat")), Pipeline::from(cmd!("cat")).pipe(fed)] {
                    let result: Result<(), Error> = verb(&fed).result;
                    let error = result.expect_err(name);
                    assert_eq!(error.kind(), ErrorKind::Conflict, "{name}: {error}");
                    assert!(error.to_string().contains("`stdin`"), "{name}: {error}");
                }
            }
        }
    });
}

#[test]
fn nothing_at_all_succeeds() {
    isolated(|| {
        for (name, verb) in &crate::surface::verbs::VERBS {
            let nothing = Pipeline::default();
            let result: Result<(), Error> = verb(&nothing).result;
            assert!(result.is_ok(), "{name}: {result:?}");
        }
    });
}
