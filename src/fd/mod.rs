//! Descriptors, for people who know the system calls by name.
//!
//! Everything here takes and gives [`OwnedFd`](std::os::fd::OwnedFd), [`BorrowedFd`](std::os::fd::BorrowedFd) or whatever is
//! [`AsFd`](std::os::fd::AsFd): no function takes a bare number for a descriptor. Nothing here is needed to run commands. What
//! each function comes from is its documentation's search word.
//!
//! | | from |
//! |---|---|
//! | [`cloexec`], [`set_cloexec`], [`dup_above`] | fcntl(2) |
//! | [`capacity`], [`set_capacity`], [`bytes_queued`], [`is_pipe`], [`same_pipe`] | fcntl(2), ioctl(2), fstat(2) |
//! | [`wait_readable`], [`wait_writable`], [`PollSet`] | poll(2), with a deadline |
//! | [`splice`], [`tee_pipes`], [`copy`] | splice(2), tee(2), sendfile(2), copy_file_range(2) |
//! | [`holders`] | proc(5) |
//! | [`Jobserver`] | make's MAKEFLAGS |
//! | [`FdMap`], for [`Cmd::fd_map`](crate::Cmd::fd_map) | dup2(2) |
//!
//! Errors are [`std::io::Error`]s with the system's number in them, but where a descriptor does not fit the call: that is a
//! [`BadFd`], which names the descriptor and its role.

mod bad;
mod copy;
pub(crate) mod diverted;
mod holders;
pub(crate) mod jobserver;
mod map;
mod single;
mod splice;
pub(crate) mod table;
mod wait;

pub use bad::{BadFd, FdKind, Role};
pub use copy::{Copied, CopyError, CopyMethod, copy, copy_at_most};
pub(crate) use holders::HeldPipe;
pub use holders::{Holder, HolderSearch, Holders, holders};
pub use jobserver::{JobToken, Jobserver, JobserverError};
pub(crate) use map::ChildFd;
pub use map::{FdMap, FdMapError};
pub use single::{bytes_queued, capacity, cloexec, dup_above, is_pipe, same_pipe, set_capacity, set_cloexec};
pub use splice::{splice, tee_pipes};
pub use wait::{PollSet, wait_readable, wait_writable};
