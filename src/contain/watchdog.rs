//! The process that ends a container when this process is gone.
//!
//! A child that dies with its parent (`PR_SET_PDEATHSIG`) leaves its own children behind, and this process is gone by
//! then. So another process waits for that: a shell that reads a pipe whose other end only this process holds. The end of that pipe is the
//! end of this process, however it came.
//!
//! The watchdog of a group is its leader. It is there before the first child and until the run is over, so the number that it kills is its
//! own all the while. It ignores the signals that the group's processes may send to all of them. The watchdog of a cgroup stays outside,
//! because it has to remove the cgroup.
//!
//! It is a shell because a copy of this process would keep all of its memory alive, and run code of a program with threads after a fork.

use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::clock::Deadline;
use crate::fd::child_table::ChildTable;
use crate::pipe;
use crate::process::{self, Process};
use crate::setup_step::{Failure, Step};
use crate::spawn::{self, Attributes, EnvChange, Image, ImageSpec, Prepared};
use crate::sys::poll::{self, Interest};
use crate::sys::{fds, stream};

/// The line that it prints says that no signal to the group can end it any more. Nothing is ever written to what it reads.
const WATCH: &str = "trap '' HUP INT QUIT PIPE ALRM TERM USR1 USR2 TSTP TTIN TTOU; echo; read nothing; ";

/// The signals that it ignores, as [`WATCH`] names them.
pub(crate) const IGNORES: [i32; 11] = [
    libc::SIGHUP,
    libc::SIGINT,
    libc::SIGQUIT,
    libc::SIGPIPE,
    libc::SIGALRM,
    libc::SIGTERM,
    libc::SIGUSR1,
    libc::SIGUSR2,
    libc::SIGTSTP,
    libc::SIGTTIN,
    libc::SIGTTOU,
];

const END_GROUP: &str = "kill -KILL 0";

/// A killed process takes a moment to be gone. The cgroups inside go first; one that is in use stays.
const END_CGROUP: &str = "echo 1 > \"$1/cgroup.kill\"; tries=0; \
    while [ -d \"$1\" ] && [ $tries -lt 300 ]; do \
        rmdir \"$1\"/*/*/ \"$1\"/*/ \"$1\"; tries=$((tries + 1)); \
    done 2> /dev/null";

/// How long a shell may take to start.
const STARTED_WITHIN: Duration = Duration::from_secs(10);
/// How long it may take to be gone before it is left to the reaper: what a drop's 50 ms leave.
const GONE_WITHIN: Duration = Duration::from_millis(2);

#[derive(Debug)]
pub(crate) struct Watchdog {
    process: Process,
    /// The end of the pipe that it reads.
    _line: OwnedFd,
}

impl Watchdog {
    /// Starts one that leads a group of its own, for others to enter.
    pub(crate) fn of_group(deadline: Deadline) -> Result<Watchdog, Failure> {
        Watchdog::start(&[OsStr::new(&format!("{WATCH}{END_GROUP}"))], deadline)
    }

    pub(crate) fn of_cgroup(path: &Path, deadline: Deadline) -> Result<Watchdog, Failure> {
        let text = format!("{WATCH}{END_CGROUP}");
        Watchdog::start(&[OsStr::new(&text), OsStr::new("sh"), path.as_os_str()], deadline)
    }

    pub(crate) fn process(&self) -> &Process {
        &self.process
    }

    /// Returns when it watches.
    fn start(words: &[&OsStr], deadline: Deadline) -> Result<Watchdog, Failure> {
        let failed = |step| move |error: io::Error| Failure::new(step, &error);
        let (reader, line) = pipe::kernel().map_err(failed(Step::Pipe))?;
        let (said, writer) = pipe::kernel().map_err(failed(Step::Pipe))?;
        let null = OpenOptions::new().write(true).open("/dev/null").map_err(failed(Step::Open))?;
        let null = fds::clear_of_stdio(null.into()).map_err(failed(Step::Open))?;
        let mut table = ChildTable::new();
        for (source, target) in [(reader.as_fd(), 0), (writer.as_fd(), 1), (null.as_fd(), 2)] {
            // Three numbers, each once.
            let _ = table.insert(source.as_raw_fd(), target);
        }
        let attributes = Attributes { process_group: Some(0), ..Attributes::default() };
        let image = image(words).ok_or(Failure { step: Step::Exec, errno: libc::EINVAL, detail: 0 })?;
        let began = Instant::now();
        let prepared = Arc::new(Prepared::new(image, attributes, table, false, &[]));
        let launched = spawn::spawn(prepared, deadline).map_err(|(failure, _)| failure)?;
        let process = Process::new(launched, began, true).map_err(failed(Step::Thread))?;
        let watchdog = Watchdog { process, _line: line.into() };
        drop(writer);
        let until = deadline.earlier(Deadline::after(STARTED_WITHIN));
        let watches = poll::wait_for(said.as_fd(), Interest::Readable, until)
            .and_then(|ready| if ready { stream::read(said.as_fd(), &mut [0; 1]) } else { Ok(0) });
        match watches {
            Ok(1..) => Ok(watchdog),
            Ok(0) if until.passed() => {
                watchdog.end();
                Err(Failure { step: Step::Thread, errno: libc::ETIMEDOUT, detail: 0 })
            }
            Ok(0) => {
                watchdog.end();
                Err(Failure { step: Step::Vanished, errno: 0, detail: 0 })
            }
            Err(error) => {
                watchdog.end();
                Err(Failure::new(Step::Pipe, &error))
            }
        }
    }

    /// Ends it before it does anything: after SIGKILL it runs no more, whatever it reads, so the pipe is closed afterwards.
    pub(crate) fn end(self) {
        // ESRCH is the only refusal for a child that never changes its user.
        let _ = self.process.kill();
        self.process.detach();
        // An error means that it was reaped elsewhere: it is gone as well.
        if matches!(self.process.wait_until(Deadline::after(GONE_WITHIN)), Ok(None)) {
            process::hand_over(self.process.clone());
        }
    }
}

fn image(words: &[&OsStr]) -> Option<Image> {
    let args: Vec<&OsStr> = [OsStr::new("-c")].into_iter().chain(words.iter().copied()).collect();
    let env = [EnvChange::Clear, EnvChange::Set("PATH".into(), "/usr/bin:/bin".into())];
    // The path of a cgroup that was made holds no NUL.
    Image::new(ImageSpec {
        program: OsStr::new("/bin/sh"),
        arg0: None,
        args: &mut args.iter().copied(),
        env: &env,
        cwd: Some(Path::new("/")),
        allow_relative_path: false,
    })
    .ok()
}
