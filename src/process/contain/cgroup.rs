//! A cgroup of version 2, see cgroups(7): made for one run, entered by its children, killed as one.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use crate::clock::Deadline;
use crate::sys::{env, fds};

#[derive(Debug)]
pub(super) struct Cgroup {
    path: PathBuf,
    /// Open on `cgroup.procs`: who writes "0" to it is in.
    procs: File,
}

/// Between two looks whether it is empty.
const LOOK: Duration = Duration::from_millis(1);

impl Cgroup {
    /// A fresh one: `directory` itself if there is no such thing yet, else one in it.
    pub(super) fn new(directory: &Path) -> io::Result<Cgroup> {
        let path = match fs::create_dir(directory) {
            Ok(()) => directory.to_path_buf(),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => fresh(directory)?,
            Err(error) => return Err(error),
        };
        match entrance(&path) {
            Ok(procs) => Ok(Cgroup { path, procs }),
            Err(error) => {
                // Empty, and ours; what is in the way is told by the error.
                let _ = fs::remove_dir(&path);
                Err(error)
            }
        }
    }

    pub(super) fn entrance(&self) -> RawFd {
        self.procs.as_raw_fd()
    }

    /// The numbers of those that are in it, or in one that was made inside. A zombie is not.
    pub(super) fn members(&self) -> io::Result<Vec<i32>> {
        let mut found = Vec::new();
        let mut left = vec![self.path.clone()];
        while let Some(path) = left.pop() {
            // A number of 0 is a process that this namespace has no number for.
            let text = fs::read_to_string(path.join("cgroup.procs"))?;
            found.extend(text.lines().filter_map(|line| line.parse::<i32>().ok()).filter(|&pid| pid > 0));
            left.extend(inside(&path)?);
        }
        Ok(found)
    }

    pub(super) fn kill(&self) -> io::Result<()> {
        fs::write(self.path.join("cgroup.kill"), "1")
    }

    /// Waits until nobody is in it, at most until then; whether that is so.
    pub(super) fn wait_until_empty(&self, until: Deadline) -> bool {
        loop {
            match fs::read_to_string(self.path.join("cgroup.events")) {
                Ok(text) if text.lines().any(|line| line == "populated 0") => return true,
                Ok(_) if !until.passed() => std::thread::sleep(LOOK),
                // Somebody else removed it, which takes an empty one.
                Err(error) if error.kind() == io::ErrorKind::NotFound => return true,
                Ok(_) | Err(_) => return false,
            }
        }
    }

    /// Removes it, and those inside, as far as they are empty.
    pub(super) fn remove(&self) {
        remove_tree(&self.path);
    }
}

fn fresh(directory: &Path) -> io::Result<PathBuf> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let path = directory.join(format!("pipewright-{}-{}", env::pid(), NEXT.fetch_add(1, Relaxed)));
        match fs::create_dir(&path) {
            Ok(()) => return Ok(path),
            // Left by a process of this number that was killed.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}

/// Open on `cgroup.procs`, clear of the numbers that children get. Elsewhere than in a cgroup v2 there is no such file with the others.
fn entrance(path: &Path) -> io::Result<File> {
    for name in ["cgroup.events", "cgroup.kill"] {
        fs::metadata(path.join(name)).map_err(|error| {
            io::Error::new(error.kind(), format!("it has no {name}, as cgroup v2 has from Linux 5.14 on"))
        })?;
    }
    let file = OpenOptions::new().write(true).open(path.join("cgroup.procs"))?;
    fds::clear_of_stdio(file.into()).map(File::from)
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

fn remove_tree(path: &Path) {
    // Gone by itself, or somebody is in it: both are for others to see to.
    inside(path).unwrap_or_default().iter().for_each(|path| remove_tree(path));
    let _ = fs::remove_dir(path);
}
