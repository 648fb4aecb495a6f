//! A step of a termination as data: its signal, and which processes were begun before it was sent.

/// The step that was begun last, and the group that needs no signal.
#[derive(Default)]
pub(super) struct Steps {
    pub(super) current: Option<Step>,
    /// A process group that another process has signalled already (a terminal).
    pub(super) already_signalled: Option<i32>,
}

pub(super) struct Step {
    pub(super) signal: i32,
    /// The last number that the kernel had given away before the look.
    pub(super) before: Option<i32>,
    /// `None`: no signal went out yet.
    pub(super) sent: Option<Sent>,
    /// The process groups that were signalled as groups.
    pub(super) groups: Vec<i32>,
}

/// What was read right before the first signal went out.
pub(super) struct Sent {
    /// In ticks since boot.
    pub(super) at: u64,
    /// The last number that the kernel had given away.
    pub(super) last: Option<i32>,
}

impl Step {
    /// Whether a process with this start and number was begun before the first signal was sent.
    pub(super) fn is_older(&self, start: u64, pid: i32) -> bool {
        let Some(Sent { at, last }) = self.sent else { return false };
        let given_before =
            |(before, last)| if before <= last { before < pid && pid <= last } else { pid > before || pid <= last };
        start < at || (start == at && self.before.zip(last).is_some_and(given_before))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tick_and_the_number_tell_what_was_begun_before_the_signal() {
        let step = |before, last| Step { signal: 15, before, sent: Some(Sent { at: 5, last }), groups: Vec::new() };
        for (before, last, start, pid, older) in [
            (Some(10), Some(12), 4, 99, true),
            (Some(10), Some(12), 6, 11, false),
            (Some(10), Some(12), 5, 10, false),
            (Some(10), Some(12), 5, 11, true),
            (Some(10), Some(12), 5, 12, true),
            (Some(10), Some(12), 5, 13, false),
            (Some(10), Some(10), 5, 10, false),
            (Some(98), Some(3), 5, 99, true),
            (Some(98), Some(3), 5, 2, true),
            (Some(98), Some(3), 5, 4, false),
            (None, Some(12), 5, 11, false),
            (Some(10), None, 5, 11, false),
        ] {
            assert_eq!(step(before, last).is_older(start, pid), older, "{before:?} {last:?} {start} {pid}");
        }
        assert!(!Step { sent: None, ..step(None, None) }.is_older(0, 1), "nothing was sent yet");
    }
}
