//! Which of the stages' statuses is the run's, and which is an error.

use crate::status::Status;

/// Which stages' statuses count.
///
/// An [`unchecked`](crate::Cmd::unchecked) stage and an allowed code are not a failure under any policy.
///
/// ```
/// use pipewright::{Cmd, StatusPolicy, cmd};
/// let pipeline = Cmd::sh("exit 3") | cmd!("cat");
/// assert_eq!(pipeline.run().unwrap_err().stage(), Some(0));
/// assert!(pipeline.status_policy(StatusPolicy::Last).run()?.status.success());
/// # Ok::<(), pipewright::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum StatusPolicy {
    /// Any stage that failed, the rightmost first. A stage that SIGPIPE killed because the next one stopped reading did not fail.
    #[default]
    Pipefail,
    /// The last stage alone.
    Last,
    /// Any stage, a death of SIGPIPE included.
    Strict,
}

/// One stage, as the policy judges it.
pub(crate) struct StageResult<'a> {
    pub(crate) status: Status,
    /// Codes that are no failure, besides 0.
    pub(crate) allowed: &'a [i32],
    pub(crate) unchecked: bool,
    /// Whether code 141 counts as a death of SIGPIPE.
    pub(crate) sigpipe_codes: bool,
    /// Whether it is a closure that returned an error or panicked. That is an error under every policy.
    pub(crate) closure_failed: bool,
    /// Whether it failed with the error that the stage before gave it.
    pub(crate) echo: bool,
}

/// The run's status, and the stage whose result is an error.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) status: Status,
    /// The stage whose result is an error.
    pub(crate) culprit: Option<usize>,
}

impl StageResult<'_> {
    fn failed(&self, policy: StatusPolicy, forgive_sigpipe: bool) -> bool {
        if self.closure_failed {
            return true;
        }
        if self.status.success() || self.status.code().is_some_and(|code| self.allowed.contains(&code)) {
            return false;
        }
        let sigpipe = self.status.signal() == Some(libc::SIGPIPE)
            || (self.sigpipe_codes && self.status.code() == Some(128 + libc::SIGPIPE));
        !(sigpipe && forgive_sigpipe && policy != StatusPolicy::Strict)
    }
}

/// The rightmost checked stage that failed decides; a stage that only passed on another's error decides if no other one does. Then
/// the rightmost unchecked stage that failed decides, then the last stage.
///
/// `last` is the pipeline's own last stage; those of pipelines in arguments come behind it.
///
/// A death of SIGPIPE is a success where the reader stopped on purpose: the next stage, or, for the last stage, this
/// library (`stopped_reading`).
pub(crate) fn judge(stages: &[StageResult<'_>], last: usize, policy: StatusPolicy, stopped_reading: bool) -> Verdict {
    if stages.is_empty() {
        return Verdict { status: Status::exited(0), culprit: None };
    }
    let counts = |index: &usize| policy != StatusPolicy::Last || *index == last || stages[*index].closure_failed;
    let failed = (0..stages.len()).filter(counts);
    let failed: Vec<usize> =
        failed.filter(|&index| stages[index].failed(policy, index != last || stopped_reading)).collect();
    let is_checked = |index: &usize| !stages[*index].unchecked || stages[*index].closure_failed;
    let mut checked = failed.iter().rev().copied().filter(is_checked);
    let culprit = checked.clone().find(|&index| !stages[index].echo).or_else(|| checked.next());
    let decisive = culprit.or(failed.last().copied()).unwrap_or(last);
    Verdict { status: stages[decisive].status, culprit }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIPE: i32 = libc::SIGPIPE;

    fn check(status: Status) -> StageResult<'static> {
        StageResult { status, allowed: &[], unchecked: false, sigpipe_codes: false, closure_failed: false, echo: false }
    }

    fn code(code: i32) -> StageResult<'static> {
        check(Status::exited(code))
    }

    fn signal(signal: i32) -> StageResult<'static> {
        check(Status::signaled(signal, false))
    }

    fn culprit(stages: &[StageResult<'_>], policy: StatusPolicy) -> Option<usize> {
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
        let allowed = StageResult { allowed: &[1, 5], ..code(5) };
        assert_eq!(
            judge(&[allowed], 0, StatusPolicy::Strict, false),
            Verdict { status: Status::exited(5), culprit: None }
        );
        let mapped = StageResult { sigpipe_codes: true, ..code(141) };
        assert_eq!(culprit(&[mapped, code(0)], StatusPolicy::Pipefail), None);
        let mapped = StageResult { sigpipe_codes: true, ..code(141) };
        assert_eq!(culprit(&[mapped, code(0)], StatusPolicy::Strict), Some(0));
    }

    #[test]
    fn an_unchecked_stage_shows_but_is_no_error() {
        let unchecked = |code| StageResult { unchecked: true, ..check(Status::exited(code)) };
        let status = |stages: &[StageResult<'_>]| judge(stages, stages.len() - 1, StatusPolicy::Pipefail, false);
        assert_eq!(status(&[unchecked(1), code(0)]), Verdict { status: Status::exited(1), culprit: None });
        assert_eq!(status(&[code(1), unchecked(2)]), Verdict { status: Status::exited(1), culprit: Some(0) });
        assert_eq!(status(&[unchecked(1), unchecked(2)]), Verdict { status: Status::exited(2), culprit: None });
    }

    #[test]
    fn nothing_to_run_succeeds() {
        assert_eq!(judge(&[], 0, StatusPolicy::Strict, false), Verdict { status: Status::exited(0), culprit: None });
    }

    #[test]
    fn a_closure_that_failed_is_an_error_whatever_is_said_about_statuses() {
        let failed = || StageResult { closure_failed: true, unchecked: true, ..code(1) };
        assert_eq!(culprit(&[failed(), code(0)], StatusPolicy::Last), Some(0));
        assert_eq!(culprit(&[code(0), failed()], StatusPolicy::Pipefail), Some(1));
        assert_eq!(culprit(&[failed(), code(3)], StatusPolicy::Last), Some(1));
    }
}
