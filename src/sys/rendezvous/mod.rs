//! Bytes from one thread's slices to another's: what the pipe in memory is built on.
//!
//! **Terms.** The *word* is one atomic number that both sides change. An *offer* is the slices of a writer that waits, lent to readers. A
//! *loan* is the slices of a reader that waits, lent to a writer: the next write is then over without a switch of threads. The *ring* keeps
//! bytes between a write and its read; a pipe of capacity 0 has none. Each side has a *lock*: one reader and one writer at a time are in
//! here, the others wait for their side's lock.
//!
//! | phase of the offer | what ends it | next phase |
//! |---|---|---|
//! | `IDLE` | the writer makes an offer, unless a side is closed | `OFFERED` |
//! | `OFFERED` | a reader claims it | `CLAIMED` |
//! | | the writer takes it back: its deadline passed, or a side closed | `IDLE` |
//! | `CLAIMED` | the reader has copied, and bytes are left | `OFFERED` |
//! | | the reader has copied, and none are left or `RETURN` is set | `IDLE` |
//!
//! | phase of the loan | what ends it | next phase |
//! |---|---|---|
//! | `NONE` | the reader makes a loan, while the offer is `IDLE` and no side is closed | `LENT` |
//! | `LENT` | a writer begins to fill it | `FILLING` |
//! | | the reader takes it back: its deadline passed, a side closed, or the ring has bytes | `NONE` |
//! | `FILLING` | the writer has copied | `FILLED` |
//! | `FILLED` | the reader has seen it | `NONE` |
//!
//! No offer is made while a loan is `LENT`: the writer fills the loan first. An offer may come before the reader has seen that its loan is
//! `FILLED`; the reader then takes the loan's bytes first.
//!
//! The word also holds which sides are closed (`R_CLOSED`, `W_CLOSED`: set for good), which sleep (`R_ASLEEP`, `W_ASLEEP`), and
//! `RETURN`.
//!
//! **Why the copy is sound.** The offer points to the writer's slices. It is written in `IDLE` by the holder of the writers' lock, and used in
//! `CLAIMED` by the thread that set that phase: never by two at once. The writer returns to its caller only after `IDLE`: it finds that phase,
//! or sets it from `OFFERED` itself, or sets `RETURN` and waits until the reader has copied. That wait has no deadline and
//! needs none: between `CLAIMED` and the next phase the reader does nothing but copy, and runs no code of its caller. A guard does
//! the same if the writer unwinds. Closing a side changes no phase. The loan is the same the other way round: written in `NONE` by the
//! holder of the readers' lock, used in `FILLING` by the thread that set that phase; the reader returns to its caller only after `NONE`.
//!
//! **Why nothing is lost.** The offer counts in `taken` what was copied, and the writer reads it after `IDLE`; the loan does so in `filled`.
//! No offer is made and no loan filled once the writers' side is closed: the same compare-and-swap checks both. So a reader that finds
//! `IDLE` and `W_CLOSED`, and has taken back its loan, has seen the last bytes. With a ring it then takes the writers' lock for a moment:
//! no write is half done while it holds that, and no later one begins. A loan is filled only past a ring that is empty.

#![expect(unsafe_code, reason = "slices that another thread lends, and a ring that two threads share")]

mod backoff;
mod cpu;
mod loan;
mod meeting;
#[cfg(all(test, loom))]
mod models;
mod offer;
mod ring;
mod side_lock;
mod slices;
mod state;
mod sync;
#[cfg(all(test, not(loom)))]
mod tests;
mod transfer;
mod word;

pub(crate) use state::{Side, TransferError};
pub(crate) use transfer::Rendezvous;
