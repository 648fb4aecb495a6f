//! Closed 0, 1 and 2 in this process: every redirection is still right.

use crate::prelude::*;

const SUBSETS: [&[i32]; 8] = [&[], &[0], &[1], &[2], &[0, 1], &[0, 2], &[1, 2], &[0, 1, 2]];

/// Where a stream goes; `Owned` is bytes for stdin, a capture for the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Inherit,
    Null,
    File,
    Piped,
    Owned,
}

const WAYS: [Way; 5] = [Way::Inherit, Way::Null, Way::File, Way::Piped, Way::Owned];

/// Whether stderr follows stdout, and stdout stderr.
const MERGES: [(bool, bool); 4] = [(false, false), (true, false), (false, true), (true, true)];

#[derive(Debug, Clone, Copy)]
struct Case {
    closed: &'static [i32],
    ways: [Way; 3],
    merge: (bool, bool),
}

fn cases() -> impl Iterator<Item = Case> {
    (0..SUBSETS.len() * 125 * MERGES.len()).map(|n| {
        let (n, closed) = (n / SUBSETS.len(), SUBSETS[n % SUBSETS.len()]);
        let (n, merge) = (n / MERGES.len(), MERGES[n % MERGES.len()]);
        Case { closed, ways: [WAYS[n % 5], WAYS[n / 5 % 5], WAYS[n / 25]], merge }
    })
}

impl Case {
    fn command(&self, files: &[String; 3]) -> Cmd {
        let out = |fd: usize| -> Redirect<Out> {
            match self.ways[fd] {
                Way::Inherit => Redirect::inherit(),
                Way::Null => Redirect::null(),
                Way::File => Redirect::file(&files[fd]),
                Way::Piped => Redirect::piped(),
                Way::Owned => Redirect::capture(),
            }
        };
        let stdin: Redirect<In> = match self.ways[0] {
            Way::Inherit => Redirect::inherit(),
            Way::Null => Redirect::null(),
            Way::File => Redirect::file(&files[0]),
            Way::Piped => Redirect::piped(),
            // More than any pipe holds, so that it is being fed while we look.
            Way::Owned => Redirect::bytes(vec![b'x'; 3 << 20]),
        };
        let cmd = role("hang").stdin(stdin).stdout(out(1)).stderr(out(2));
        match self.merge {
            (false, false) => cmd,
            (true, false) => cmd.stderr_to_stdout(),
            (false, true) => cmd.stdout_to_stderr(),
            (true, true) => cmd.swap_stdout_stderr(),
        }
    }

    /// What the child's fd must be: each way's own, then the merges.
    fn expected(&self, files: &[String; 3], job: &Job, own: &BTreeMap<i32, String>) -> [String; 3] {
        let taken = [
            job.take_stdin().map(|end| link(end.as_fd())),
            job.take_stdout().map(|end| link(end.as_fd())),
            job.take_stderr().map(|end| link(end.as_fd())),
        ];
        let each = [0, 1, 2].map(|fd| match self.ways[fd] {
            Way::Inherit if self.closed.contains(&(fd as i32)) => "/dev/null".to_string(),
            Way::Inherit => own[&(fd as i32)].clone(),
            Way::Null => "/dev/null".to_string(),
            Way::File => files[fd].clone(),
            Way::Piped => taken[fd].clone().unwrap_or_else(|| "a pipe that is not used".to_string()),
            Way::Owned => format!("ours for {fd}"),
        });
        let [stdin, stdout, stderr] = each;
        match self.merge {
            (false, false) => [stdin, stdout, stderr],
            (true, false) => [stdin, stdout.clone(), stdout],
            (false, true) => [stdin, stderr.clone(), stderr],
            (true, true) => [stdin, stderr, stdout],
        }
    }

    fn check(&self, files: &[String; 3]) {
        let inherited = open_fds();
        let job = self.command(files).spawn().expect("it starts");
        let child = three_fds(job.pids()[0]);
        let own = open_fds();
        for fd in self.closed {
            assert!(!own.contains_key(fd), "{self:?}: fd {fd} of ours is {}", own[fd]);
        }
        let mut expected = self.expected(files, &job, &inherited);
        for (seen, expected) in child.iter().zip(&mut expected) {
            // The other end of a capture or a feed has no handle: it is a pipe that this process holds.
            if expected.starts_with("ours") && seen.starts_with("pipe:") && own.values().any(|fd| fd == seen) {
                seen.clone_into(expected);
            }
        }
        assert_eq!(child, expected, "{self:?}");
        let owned = |fd: usize| self.ways[fd] == Way::Owned;
        if owned(1) && owned(2) && !matches!(self.merge, (true, false) | (false, true)) {
            assert_ne!(child[1], child[2], "{self:?}: one pipe for both captures");
        }
        job.kill().expect("it can be killed");
        job.wait().expect("it ends");
    }
}

/// What an fd leads to.
fn link(fd: impl AsFd) -> String {
    let path = format!("/proc/self/fd/{}", fd.as_fd().as_raw_fd());
    std::fs::read_link(path).expect("it is open").display().to_string()
}

fn three_files(directory: &Path) -> [String; 3] {
    ["in", "out", "err"].map(|name| {
        let path = directory.join(name);
        std::fs::write(&path, "from the file\n").expect("it can be written");
        path.display().to_string()
    })
}

#[test]
fn every_redirection_survives_closed_standard_streams() {
    isolated(|| {
        let directory = tempfile::tempdir().expect("a directory");
        let files = three_files(directory.path());
        // A stride that is prime to every dimension meets all of their values.
        for case in cases().step_by(count(23, 1)) {
            with_closed(case.closed, || case.check(&files));
            progress();
        }
    });
}

#[test]
fn bytes_go_where_they_are_sent_with_standard_streams_closed() {
    isolated(|| {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("merged");
        let say = || role("say").args(["1", "out ", "2", "err ", "1", "again"]);
        for closed in SUBSETS {
            with_closed(closed, || {
                let both = say().output().expect("it runs");
                assert_eq!((both.stdout_str(), both.stderr_str()), (Ok("out again"), Ok("err ")));
                let swapped = say().swap_stdout_stderr().output().expect("it runs");
                assert_eq!((swapped.stdout_str(), swapped.stderr_str()), (Ok("err "), Ok("out again")));
                assert_eq!(say().stderr_to_stdout().read().expect("it runs"), "out err again");
                let merged = say().stdout_to_stderr().output().expect("it runs");
                assert_eq!(merged.stderr_str(), Ok("out err again"));
                // One description for both: two offsets would overwrite each other.
                say().stdout(Redirect::file(&file)).stderr_to_stdout().run().expect("it runs");
                assert_eq!(std::fs::read(&file).expect("it is there"), b"out err again");
                let line = role("cat").stdin(Redirect::bytes("fed")) | role("upper") | role("cat");
                assert_eq!(line.read().expect("it runs"), "FED");
                let line = say().pipe_both(role("upper"));
                assert_eq!(line.read().expect("it runs"), "OUT ERR AGAIN");
                let line = say().stdout(Redirect::null()).pipe_stderr(role("upper"));
                assert_eq!(line.read().expect("it runs"), "ERR ");
                assert!(say().run().expect("closed streams are /dev/null for the child").status.success());
            });
        }
    });
}

#[test]
fn merges_come_after_redirections_whatever_the_order_of_the_calls() {
    isolated(|| {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("file");
        let say = || role("say").args(["1", "out ", "2", "err "]);
        let contents = || std::fs::read_to_string(&file).expect("it is there");
        say().stderr_to_stdout().stdout(Redirect::file(&file)).run().expect("it runs");
        assert_eq!(contents(), "out err ");
        say().stdout_to_stderr().stderr(Redirect::file(&file)).run().expect("it runs");
        assert_eq!(contents(), "out err ");
        // What stderr was sent to is not opened when stderr follows stdout.
        let never = directory.path().join("never");
        let cmd = say().stdout(Redirect::file(&file)).stderr(Redirect::file(&never)).stderr_to_stdout();
        cmd.run().expect("it runs");
        assert_eq!((contents().as_str(), never.exists()), ("out err ", false));
        // A swap with a pipe and a file: each goes where the other was sent.
        let cmd = say().stderr(Redirect::file(&file)).swap_stdout_stderr();
        assert_eq!(cmd.read().expect("it runs"), "err ");
        assert_eq!(contents(), "out ");
    });
}
