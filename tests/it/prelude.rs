//! What many tests use. A name that a file defines or imports itself comes before one from here.

pub(crate) use std::collections::{BTreeMap, BTreeSet};
pub(crate) use std::ffi::OsStr;
pub(crate) use std::fs::{self, File};
pub(crate) use std::io::{self, BufRead, Read, Seek, SeekFrom, Write};
pub(crate) use std::os::fd::{AsFd, AsRawFd, OwnedFd};
pub(crate) use std::os::unix::ffi::OsStrExt;
pub(crate) use std::os::unix::net::UnixStream;
pub(crate) use std::panic::{AssertUnwindSafe, catch_unwind};
pub(crate) use std::path::{Path, PathBuf};
pub(crate) use std::process::{Command, Stdio};
pub(crate) use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
pub(crate) use std::sync::mpsc::channel;
pub(crate) use std::sync::{Arc, Mutex};
pub(crate) use std::thread;
pub(crate) use std::time::{Duration, Instant};

pub(crate) use nix::fcntl::{FcntlArg, fcntl};
pub(crate) use nix::pty::openpty;
pub(crate) use nix::sys::resource::{getrlimit, setrlimit};
pub(crate) use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, kill, sigaction};
pub(crate) use nix::sys::wait::{Id, WaitPidFlag, waitid};
pub(crate) use nix::unistd::Pid;
pub(crate) use pipewright::{
    Cmd, Containment, Error, ErrorKind, EventKind, In, Job, Limit, Means, OnLeak, Out, Output, Pipeline, Redirect,
    Stage, Status, StatusPolicy, Step, Stream, cmd, pipe,
};

pub(crate) use crate::harness::*;
pub(crate) use crate::random::Random;
pub(crate) use crate::support::*;
