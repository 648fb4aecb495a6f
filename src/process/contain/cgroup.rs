//! A cgroup of version 2, see cgroups(7): made for one run, entered by its children, killed as one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Deadline;
use crate::sys::{env, fds};

#[derive(Debug)]
pub(super) struct Cgroup {
    path: PathBuf,
    /// Open on `cgroup.procs`: who writes "0" to it is in.
    procs: File,
    /// Open on `cgroup.kill`, so that a kill takes no descriptor.
    kill: File,
    /// Whether it was let go of: somebody else may have one of this path by now. And whether it was removed then.
    is_over: AtomicBool,
    is_removed: AtomicBool,
}

/// Between two looks whether it is empty.
const LOOK: Duration = Duration::from_millis(1);

/// What this process has made and could not remove so far, being in use. Tried again by whoever makes or removes one.
static LEFT: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

impl Cgroup {
    /// A fresh one in `directory`, which is made, and removed with the last one in it, if there is no such thing.
    pub(super) fn new(directory: &Path) -> io::Result<Cgroup> {
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

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn entrance(&self) -> RawFd {
        self.procs.as_raw_fd()
    }

    /// The numbers of those that are in it, or in one that was made inside, in this process's namespace: 0 for one that has no number
    /// there (cgroups(7)). A zombie is not in it.
    pub(super) fn members(&self) -> io::Result<Vec<i32>> {
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
                // A threaded one, made inside: its processes are listed further up.
                Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) && path != self.path => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    pub(super) fn kill(&self) -> io::Result<()> {
        (&self.kill).write_all(b"1")
    }

    /// Waits until nobody is in it, at most until then; whether that is so.
    pub(super) fn wait_until_empty(&self, until: Deadline) -> bool {
        loop {
            if self.is_over() {
                return self.is_removed.load(Relaxed);
            }
            match fs::read_to_string(self.path.join("cgroup.events")) {
                Ok(text) if text.lines().any(|line| line == "populated 0") => return true,
                Ok(_) if !until.passed() => std::thread::sleep(LOOK),
                // Somebody else removed it, which takes an empty one.
                Err(error) if is_gone(&error) => return true,
                Ok(_) | Err(_) => return false,
            }
        }
    }

    /// Removes it, and those inside, as far as they are empty; what is not, when the next one is made or removed.
    pub(super) fn remove(&self) {
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
    /// How often the directory may be gone again: another run may remove it behind its own.
    const TRIES: u32 = 100;
    let mut tries = 0;
    loop {
        let path = directory.join(format!("pipewright-{}-{}", env::pid(), NEXT.fetch_add(1, Relaxed)));
        match fs::create_dir(&path) {
            Ok(()) => return Ok(path),
            // Left by a process of this number that was killed.
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

/// Open on `cgroup.procs` and `cgroup.kill`, clear of the numbers that children get. Elsewhere than in a cgroup v2 there are no such
/// files.
fn entrance(path: &Path) -> io::Result<(File, File)> {
    let open = |name: &str| {
        let file = OpenOptions::new().write(true).open(path.join(name)).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                io::Error::new(error.kind(), format!("it has no {name}, as cgroup v2 has from Linux 5.14 on"))
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

/// Removes one of ours, and what else is left, the latest first: a directory after what is in it. Whether it is gone.
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
        // Somebody is in it, or one was made inside by the run.
        Err(error) if matches!(error.raw_os_error(), Some(libc::EBUSY | libc::ENOTEMPTY)) => {
            let inside = inside(path).unwrap_or_default();
            !inside.is_empty() && inside.iter().all(|path| is_removed(path)) && fs::remove_dir(path).is_ok()
        }
        // Gone by itself, or not ours to remove any more.
        Err(_) => true,
    }
}

fn is_gone(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENODEV))
}
