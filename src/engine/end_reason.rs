//! Why a run was ended.

/// Why a run ended other than by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EndReason {
    TimedOut,
    Cancelled,
    /// This process was sent this signal and passed it on.
    Interrupted(i32),
    /// This signal stopped a stage because the stage used the terminal from the background.
    Stopped {
        stage: usize,
        signal: i32,
    },
    /// The run was dropped, or its handle was.
    Aborted,
}
