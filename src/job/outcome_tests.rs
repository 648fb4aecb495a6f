use super::*;

const PIPE: i32 = libc::SIGPIPE;

fn check(status: Status) -> Check<'static> {
    Check { status, allowed: &[], unchecked: false, sigpipe_codes: false, echo: false }
}

fn code(code: i32) -> Check<'static> {
    check(Status::exited(code))
}

fn signal(signal: i32) -> Check<'static> {
    check(Status::signaled(signal, false))
}

fn culprit(stages: &[Check<'_>], policy: StatusPolicy) -> Option<usize> {
    judge(stages, stages.len().saturating_sub(1), policy, false).culprit
}

#[test]
fn the_rightmost_failure_decides() {
    use StatusPolicy::{Last, Pipefail, Strict};
    // (first, second, pipefail, last, strict)
    let table = [
        (code(0), code(0), None, None, None),
        (code(1), code(0), Some(0), None, Some(0)),
        (code(0), code(2), Some(1), Some(1), Some(1)),
        (code(1), code(2), Some(1), Some(1), Some(1)),
        (signal(PIPE), code(0), None, None, Some(0)),
        (signal(PIPE), code(3), Some(1), Some(1), Some(1)),
        (code(0), signal(PIPE), Some(1), Some(1), Some(1)),
        (signal(9), code(0), Some(0), None, Some(0)),
        (code(141), code(0), Some(0), None, Some(0)),
    ];
    for (row, (first, second, pipefail, last, strict)) in table.into_iter().enumerate() {
        let stages = [first, second];
        assert_eq!(culprit(&stages, Pipefail), pipefail, "row {row}");
        assert_eq!(culprit(&stages, Last), last, "row {row}");
        assert_eq!(culprit(&stages, Strict), strict, "row {row}");
    }
}

#[test]
fn a_last_stage_that_dies_of_our_stopping_did_not_fail() {
    assert_eq!(judge(&[signal(PIPE)], 0, StatusPolicy::Pipefail, true).culprit, None);
    assert_eq!(judge(&[signal(PIPE)], 0, StatusPolicy::Pipefail, false).culprit, Some(0));
    assert_eq!(judge(&[signal(PIPE)], 0, StatusPolicy::Strict, true).culprit, Some(0));
}

#[test]
fn allowed_codes_and_codes_that_mean_sigpipe() {
    let allowed = Check { allowed: &[1, 5], ..code(5) };
    assert_eq!(judge(&[allowed], 0, StatusPolicy::Strict, false), Verdict { status: Status::exited(5), culprit: None });
    let mapped = Check { sigpipe_codes: true, ..code(141) };
    assert_eq!(culprit(&[mapped, code(0)], StatusPolicy::Pipefail), None);
    let mapped = Check { sigpipe_codes: true, ..code(141) };
    assert_eq!(culprit(&[mapped, code(0)], StatusPolicy::Strict), Some(0));
}

#[test]
fn an_unchecked_stage_shows_but_is_no_error() {
    let unchecked = |code| Check { unchecked: true, ..check(Status::exited(code)) };
    let status = |stages: &[Check<'_>]| judge(stages, stages.len() - 1, StatusPolicy::Pipefail, false);
    assert_eq!(status(&[unchecked(1), code(0)]), Verdict { status: Status::exited(1), culprit: None });
    assert_eq!(status(&[code(1), unchecked(2)]), Verdict { status: Status::exited(1), culprit: Some(0) });
    assert_eq!(status(&[unchecked(1), unchecked(2)]), Verdict { status: Status::exited(2), culprit: None });
}

#[test]
fn nothing_to_run_succeeds() {
    assert_eq!(judge(&[], 0, StatusPolicy::Strict, false), Verdict { status: Status::exited(0), culprit: None });
}
