//! Any descriptor under any number, further streams, and pipelines as arguments.

mod arguments;
mod arguments_end;
mod bulk;
mod calls;
mod closed;
mod documents;
mod ending;
mod exact;
mod once;
mod permuted;
mod pipelines;
mod random;
mod redirects;
mod refused;
mod words;

use nix::sys::stat::fstat;
use nix::unistd::{Whence, lseek};

use crate::prelude::*;

/// Where the child says what it has: a number that no test wants for itself.
const REPORT: i32 = 40;

/// What can be seen of a descriptor: the file, the offset (-1 where there is none), the flags of its description, and its own.
#[derive(Debug, Clone, PartialEq, Eq)]
struct State {
    file: String,
    offset: i64,
    flags: i32,
    cloexec: bool,
}

impl State {
    /// As a child sees a descriptor of this process: never with close-on-exec.
    fn of(fd: impl AsFd) -> State {
        let stat = fstat(&fd).expect("it is open");
        State {
            file: format!("{}:{}", stat.st_dev, stat.st_ino),
            offset: lseek(&fd, 0, Whence::SeekCur).map_or(-1, i64::from),
            flags: fcntl(&fd, FcntlArg::F_GETFL).expect("it is open"),
            cloexec: false,
        }
    }
}

/// A child that says what its descriptors are.
fn reporting() -> Cmd {
    role("fd-states").arg(REPORT.to_string()).fd_out(REPORT, Redirect::piped())
}

/// A child that opens the paths it is given and copies each to its stdout.
fn paths() -> Cmd {
    role("cat-paths")
}

/// What it said, by number.
#[track_caller]
fn told(output: &Output) -> BTreeMap<i32, State> {
    parsed(output.fd(REPORT).expect("the report is captured").to_str().expect("text"))
}

fn parsed(text: &str) -> BTreeMap<i32, State> {
    let state = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let [fd, file, offset, flags, cloexec] = words[..] else { panic!("{line}") };
        let number = |word: &str| word.parse::<i64>().expect("a number");
        let flags = i32::try_from(number(flags)).expect("flags");
        (number(fd) as i32, State { file: file.into(), offset: number(offset), flags, cloexec: cloexec != "0" })
    };
    text.lines().map(state).collect()
}

/// A file of its own with an offset of its own, to know it by.
fn marked(offset: usize) -> Arc<OwnedFd> {
    let mut file = tempfile::tempfile().expect("a file");
    file.write_all(&vec![b'x'; offset]).expect("it can be written");
    Arc::new(file.into())
}

fn null() -> File {
    File::options().read(true).write(true).open("/dev/null").expect("it opens")
}

/// The command with this descriptor as its `number`, whatever that takes.
fn with_fd(cmd: Cmd, fd: &Arc<OwnedFd>, number: i32) -> Cmd {
    let fd = Arc::clone(fd);
    match number {
        0 => cmd.stdin(Redirect::shared_fd(fd)),
        1 => cmd.stdout(Redirect::shared_fd(fd)),
        2 => cmd.stderr(Redirect::shared_fd(fd)),
        _ => cmd.map_fd(fd, number),
    }
}

/// Runs it with the map from the child's numbers to descriptors of this process, and compares. `true` when it is exactly so.
#[track_caller]
fn check_map(map: &BTreeMap<i32, Arc<OwnedFd>>) {
    let cmd = map.iter().fold(reporting(), |cmd, (&number, fd)| with_fd(cmd, fd, number));
    let output = cmd.run().unwrap_or_else(|error| panic!("{:?}: {error:#}", numbers(map)));
    let mut seen = told(&output);
    // What was not mapped is as unset as ever.
    for standard in 0..3 {
        if !map.contains_key(&standard) {
            assert!(seen.remove(&standard).is_some(), "{standard} is closed with {:?}", numbers(map));
        }
    }
    let expected: BTreeMap<i32, State> = map.iter().map(|(&number, fd)| (number, State::of(fd))).collect();
    assert_eq!(seen, expected, "child's number and ours: {:?}", numbers(map));
}

fn numbers(map: &BTreeMap<i32, Arc<OwnedFd>>) -> Vec<(i32, i32)> {
    map.iter().map(|(&number, fd)| (number, fd.as_raw_fd())).collect()
}
