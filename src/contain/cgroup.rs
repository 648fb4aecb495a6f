//! A cgroup of version 2, see cgroups(7): made for one run, entered by its children, killed as one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Deadline;
use crate::sys::{fds, sysinfo};

#[derive(Debug)]
pub(crate) struct Cgroup {
    path: PathBuf,
    /// Open on `cgroup.procs`: a process that writes "0" to it is in.
    procs: File,
    /// Open on `cgroup.kill`, so that a kill takes no descriptor.
    kill: File,
    /// Whether the run is over: another cgroup may have this path by now. And whether it was removed then.
    is_over: AtomicBool,
    is_removed: AtomicBool,
}

/// The time between two looks whether it is empty.
const LOOK: Duration = Duration::from_millis(1);

/// What this process has made and could not remove so far, because it is in use. The next removal tries again.
static LEFT: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

impl Cgroup {
    /// Makes a fresh one in `directory`. A directory that is missing is made, and removed with the last cgroup in it.
    pub(crate) fn new(directory: &Path) -> io::Result<Cgroup> {
        let path = fresh(&std::path::absolute(directory)?)?;
        match entrance(&path) {
            Ok((procs, kill)) => {
                Ok(Cgroup { path, procs, kill, is_over: AtomicBool::new(false), is_removed: AtomicBool::new(false) })
            }
            Err(error) => {
                leave(path);
                Err(error)
            }
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn entrance(&self) -> RawFd {
        self.procs.as_raw_fd()
    }

    /// The numbers of the processes in it, or in a cgroup inside, in this process's namespace: 0 for a process that has no number there
    /// (cgroups(7)). A zombie is not in it.
    pub(crate) fn members(&self) -> io::Result<Vec<i32>> {
        let mut found = Vec::new();
        if self.is_over() {
            return Ok(found);
        }
        let mut left = vec![self.path.clone()];
        while let Some(path) = left.pop() {
            let looked = fs::read_to_string(path.join("cgroup.procs")).and_then(|text| Ok((text, inside(&path)?)));
            match looked {
                Ok((text, inside)) => {
                    found.extend(text.lines().filter_map(|line| line.parse::<i32>().ok()));
                    left.extend(inside);
                }
                // Removed meanwhile: it was empty.
                Err(error) if is_gone(&error) => {}
                // A threaded cgroup inside: its processes are listed further up.
                Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) && path != self.path => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    pub(crate) fn kill(&self) -> io::Result<()> {
        (&self.kill).write_all(b"1")
    }

    /// Waits until it is empty, or until the deadline; whether it is empty.
    pub(crate) fn wait_until_empty(&self, until: Deadline) -> bool {
        loop {
            if self.is_over() {
                return self.is_removed.load(Relaxed);
            }
            match fs::read_to_string(self.path.join("cgroup.events")) {
                Ok(text) if text.lines().any(|line| line == "populated 0") => return true,
                Ok(_) if !until.passed() => std::thread::sleep(LOOK),
                // It was removed elsewhere, which is possible only for an empty one.
                Err(error) if is_gone(&error) => return true,
                Ok(_) | Err(_) => return false,
            }
        }
    }

    /// Removes it, and those inside, as far as they are empty. The next removal tries the others again.
    pub(crate) fn remove(&self) {
        if !self.is_over.swap(true, Relaxed) {
            self.is_removed.store(leave(self.path.clone()), Relaxed);
        }
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Relaxed)
    }
}

fn fresh(directory: &Path) -> io::Result<PathBuf> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    /// How often the directory may be gone again: the last run in it removes it.
    const TRIES: u32 = 100;
    let mut tries = 0;
    loop {
        let path = directory.join(format!("pipewright-{}-{}", sysinfo::pid(), NEXT.fetch_add(1, Relaxed)));
        match fs::create_dir(&path) {
            Ok(()) => return Ok(path),
            // It was left by a process of this number that was killed.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound && tries < TRIES => {
                tries += 1;
                match fs::create_dir(directory) {
                    Ok(()) => left().push(directory.to_path_buf()),
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                    Err(error) => return Err(error),
                }
            }
            Err(error) => return Err(error),
        }
    }
}

/// Open on `cgroup.procs` and `cgroup.kill`, clear of the numbers that children get. Outside of a cgroup v2 there are no such files.
fn entrance(path: &Path) -> io::Result<(File, File)> {
    let open = |name: &str| {
        let file = OpenOptions::new().write(true).open(path.join(name)).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                io::Error::new(error.kind(), format!("it has no {name}, which cgroup v2 has from Linux 5.14 on"))
            }
            _ => error,
        })?;
        fds::clear_of_stdio(file.into()).map(File::from)
    };
    let kill = open("cgroup.kill")?;
    Ok((open("cgroup.procs")?, kill))
}

fn inside(path: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.push(entry.path());
        }
    }
    Ok(found)
}

fn left() -> std::sync::MutexGuard<'static, Vec<PathBuf>> {
    LEFT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes a cgroup, and what else is left, the latest first: a directory after what is in it. Whether it is gone.
fn leave(path: PathBuf) -> bool {
    let mut left = left();
    left.push(path.clone());
    let mut kept: Vec<PathBuf> = left.drain(..).rev().filter(|path| !is_removed(path)).collect();
    kept.reverse();
    *left = kept;
    !left.contains(&path)
}

/// Whether it is gone now.
fn is_removed(path: &Path) -> bool {
    match fs::remove_dir(path) {
        Ok(()) => true,
        // A process is in it, or the run made a cgroup inside.
        Err(error) if matches!(error.raw_os_error(), Some(libc::EBUSY | libc::ENOTEMPTY)) => {
            let inside = inside(path).unwrap_or_default();
            !inside.is_empty() && inside.iter().all(|path| is_removed(path)) && fs::remove_dir(path).is_ok()
        }
        // It is gone, or this process may not remove it any more.
        Err(_) => true,
    }
}

fn is_gone(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENODEV))
}
