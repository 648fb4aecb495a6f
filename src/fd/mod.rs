//! Descriptors: the system calls by their names.
//!
//! Everything here takes and gives [`OwnedFd`](std::os::fd::OwnedFd), [`BorrowedFd`](std::os::fd::BorrowedFd) or any
//! [`AsFd`](std::os::fd::AsFd): no function takes a bare number for a descriptor. Nothing here is needed to run commands. A search of the
//! documentation for a system call finds the functions that come from it.
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
//! Errors are [`std::io::Error`]s with the errno in them. If a descriptor does not fit the call, a [`BadFd`] inside names the descriptor and
//! its role.

pub(crate) mod child_table;
mod copy;
mod error;
mod flags;
mod given;
mod holders;
pub(crate) mod jobserver;
mod map;
pub(crate) mod real_stdio;
mod splice;
mod wait;

pub use copy::{Copied, CopyError, CopyMethod, copy, copy_at_most};
pub use error::{BadFd, FdKind, Role};
pub use flags::{bytes_queued, capacity, cloexec, dup_above, is_pipe, same_pipe, set_capacity, set_cloexec};
pub use given::{GivenFd, IntoGivenFd};
pub(crate) use holders::HeldPipe;
pub use holders::{Holder, HolderSearch, Holders, holders};
pub use jobserver::{JobToken, Jobserver, JobserverError};
pub use map::{FdMap, FdMapError};
pub use splice::{splice, tee_pipes};
pub use wait::{PollSet, wait_readable, wait_writable};
