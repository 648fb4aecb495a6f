//! The bits of the word.

use super::word::TimedOut;

/// The phase of the offer.
pub(super) const PHASE: u32 = 0b11;
pub(super) const IDLE: u32 = 0;
pub(super) const OFFERED: u32 = 1;
pub(super) const CLAIMED: u32 = 2;
/// The reader gives back to the writer what it does not take.
pub(super) const RETURN: u32 = 1 << 2;
pub(super) const R_CLOSED: u32 = 1 << 3;
pub(super) const W_CLOSED: u32 = 1 << 4;
pub(super) const R_ASLEEP: u32 = 1 << 5;
pub(super) const W_ASLEEP: u32 = 1 << 6;
/// The phase of the loan; 0 is `NONE`.
pub(super) const LOAN: u32 = 0b11 << 7;
pub(super) const LENT: u32 = 0b01 << 7;
pub(super) const FILLING: u32 = 0b10 << 7;
pub(super) const FILLED: u32 = 0b11 << 7;

/// One of the two sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Reader,
    Writer,
}

impl Side {
    pub(super) fn closed_bit(self) -> u32 {
        match self {
            Side::Reader => R_CLOSED,
            Side::Writer => W_CLOSED,
        }
    }
}

/// Why nothing was moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TransferError {
    /// The caller's own side is closed.
    Closed,
    /// The other side is closed, and nothing is left.
    PeerClosed,
    /// The deadline has passed.
    TimedOut,
}

impl From<TimedOut> for TransferError {
    fn from(_: TimedOut) -> TransferError {
        TransferError::TimedOut
    }
}

/// Why a writer of this state cannot write.
pub(super) fn closed_to_writers(state: u32) -> Option<TransferError> {
    if state & W_CLOSED != 0 {
        Some(TransferError::Closed)
    } else {
        (state & R_CLOSED != 0).then_some(TransferError::PeerClosed)
    }
}
