//! A cgroup of version 2 for a test, where there is one that it may write to.

use crate::prelude::*;

/// An empty cgroup. Drop kills what is in it by then, and removes it.
pub(crate) struct Cgroup(PathBuf);

impl Cgroup {
    /// `None`, said by name, where none can be made.
    pub(crate) fn new() -> Option<Cgroup> {
        let made = own().and_then(|own| {
            let path = own.join(format!("pipewright-test-{}", std::process::id()));
            fs::create_dir(&path)?;
            let cgroup = Cgroup(path);
            // What a run is to be put into and killed by.
            fs::metadata(cgroup.0.join("cgroup.kill"))?;
            Ok(cgroup)
        });
        made.map_err(|error| skip(&format!("no writable cgroup v2 with cgroup.kill: {error}"))).ok()
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// The cgroups inside.
    pub(crate) fn inside(&self) -> Vec<PathBuf> {
        directories(&self.0)
    }

    /// The processes in it, and inside.
    pub(crate) fn members(&self) -> Vec<i32> {
        members(&self.0)
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let _ = fs::write(self.0.join("cgroup.kill"), "1");
        let start = Instant::now();
        while remove(&self.0).is_err() && start.elapsed() < Duration::from_secs(2) {
            std::thread::yield_now();
        }
    }
}

/// Everything that can contain a run here; a run's own cgroup is made in this one, if there is one.
pub(crate) fn containments(cgroup: Option<&Cgroup>) -> Vec<Containment> {
    let cgroup = cgroup.map(|cgroup| Containment::Cgroup(cgroup.path().into()));
    [Containment::Group, Containment::Session].into_iter().chain(cgroup).collect()
}

/// The one that this process is in.
fn own() -> io::Result<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    let mount = mounts.lines().find(|line| line.contains(" - cgroup2 ")).and_then(|line| line.split(' ').nth(4));
    let lines = fs::read_to_string("/proc/self/cgroup")?;
    let path = lines.lines().find_map(|line| line.strip_prefix("0::/"));
    match (mount, path) {
        (Some(mount), Some(path)) => Ok(Path::new(mount).join(path)),
        _ => Err(io::Error::other("none is mounted")),
    }
}

pub(crate) fn members(path: &Path) -> Vec<i32> {
    // A threaded one does not tell, and one that is gone has none.
    let text = fs::read_to_string(path.join("cgroup.procs")).unwrap_or_default();
    let own = text.lines().filter_map(|line| line.parse().ok());
    own.chain(directories(path).iter().flat_map(|path| members(path))).collect()
}

fn directories(path: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}

fn remove(path: &Path) -> io::Result<()> {
    directories(path).iter().try_for_each(|path| remove(path))?;
    fs::remove_dir(path)
}
