//! What subprocess's own suite checks of redirections.
//!
//! | behaviour | test |
//! |---|---|
//! | 24 stdout, stdin, stderr through a pipe | `a_piped_stdout_is_read`, `a_piped_stdin_ends_when_it_is_dropped`, `a_piped_stderr_is_read` |
//! | 25 stdin from, stdout to a file | `files_at_both_ends` |
//! | 26 null | `null_is_empty_and_swallows` |
//! | 27 merges into a pipe and a file | `merges_into_a_pipe_and_into_a_file` |
//! | 28 merge on stdin, on both outputs | stdin: no such method; both outputs exchange: `duct::both_merges_at_once_change_places` |
//! | 29 source already at its number | `a_source_at_its_own_number_survives_exec` |
//! | 30 a file on fd 2 as stdout | `a_file_at_2_as_stdout_leaves_stderr_open` |
//! | 31, 32 piped stdin, another source on fd 0 | `a_piped_stdin_and_a_source_at_0_do_not_clobber_each_other` |
//! | 33 piped stdout, stderr's source on fd 1 | `a_piped_stdout_and_a_source_at_1_do_not_clobber_each_other` |
//! | 34 sources on 1 and 2, crossed | `crossed_sources_at_1_and_2_are_exchanged` |
//! | 35 a shared file that is inheritable | `a_shared_inheritable_file_is_at_2_alone` |
//! | 36 null leaks nothing into a background process | `null_outputs_do_not_wait_for_a_background_process` |

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use pipewright::Redirect;

use crate::harness::*;
use crate::support::{role, within};

/// A file for reading and writing.
fn create(path: &Path) -> File {
    File::options().read(true).write(true).create(true).truncate(true).open(path).unwrap()
}

/// Item 24: A piped stdout is read from the job.
#[test]
fn a_piped_stdout_is_read() {
    isolated(|| {
        let job = role("echo").arg("text").stdout(Redirect::piped()).spawn().unwrap();
        let mut text = String::new();
        job.take_stdout().unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "text\n");
        assert!(job.wait().unwrap().success());
    });
}

/// Item 24: A piped stdin is written by the job's owner; dropping it is the child's end of file.
#[test]
fn a_piped_stdin_ends_when_it_is_dropped() {
    isolated(|| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out");
        let job = role("cat").stdin(Redirect::piped()).stdout(Redirect::file(&path)).spawn().unwrap();
        let mut stdin = job.take_stdin().unwrap();
        stdin.write_all(b"written").unwrap();
        assert_eq!(job.try_wait().unwrap(), None);
        drop(stdin);
        assert!(job.wait().unwrap().success());
        assert_eq!(fs::read_to_string(path).unwrap(), "written");
    });
}

/// Item 24: A piped stderr is read from the job.
#[test]
fn a_piped_stderr_is_read() {
    isolated(|| {
        let job = role("say").args(["2", "noise"]).stderr(Redirect::piped()).spawn().unwrap();
        let mut text = String::new();
        job.take_stderr().unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "noise");
        assert!(job.wait().unwrap().success());
    });
}

/// Item 25: stdin from a file, stdout to a file, both; open ones and by path; appended to.
#[test]
fn files_at_both_ends() {
    isolated(|| {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        fs::write(&from, "text").unwrap();
        assert_eq!(role("upper").stdin(Redirect::file(&from)).read().unwrap(), "TEXT");
        role("echo").arg("out").stdout(Redirect::fd(create(&to))).run().unwrap();
        assert_eq!(fs::read_to_string(&to).unwrap(), "out\n");
        let both = role("cat").stdin(Redirect::fd(File::open(&from).unwrap()));
        both.stdout(Redirect::append(&to)).run().unwrap();
        assert_eq!(fs::read_to_string(&to).unwrap(), "out\ntext");
    });
}

/// Item 26: Null reads as empty and swallows what is written.
#[test]
fn null_is_empty_and_swallows() {
    isolated(|| {
        assert_eq!(role("count").stdin(Redirect::null()).read().unwrap(), "0");
        let swallowed = role("both").arg("200000").stdout(Redirect::null()).stderr(Redirect::null());
        assert!(swallowed.status().unwrap().success());
    });
}

/// Item 27: stderr into stdout's pipe, stdout into stderr's pipe, stderr into stdout's file: order is the order of the writes.
#[test]
fn merges_into_a_pipe_and_into_a_file() {
    isolated(|| {
        const BOTH: &str = "out 0\nerr 0\nout 1\nerr 1\n";
        let role = || role("out-err").arg("2");
        let mut text = String::new();
        let job = role().stdout(Redirect::piped()).stderr_to_stdout().spawn().unwrap();
        assert!(job.take_stderr().is_none());
        job.take_stdout().unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(std::mem::take(&mut text), BOTH);
        let job = role().stderr(Redirect::piped()).stdout_to_stderr().spawn().unwrap();
        assert!(job.take_stdout().is_none());
        job.take_stderr().unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, BOTH);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("both");
        role().stdout(Redirect::file(&path)).stderr_to_stdout().run().unwrap();
        assert_eq!(fs::read_to_string(path).unwrap(), BOTH);
    });
}

/// Item 29: A descriptor that already has the number it is wanted under is still open in the child.
#[test]
fn a_source_at_its_own_number_survives_exec() {
    isolated(|| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        with_closed(&[1], || {
            // Takes the lowest number, and is close-on-exec.
            let file = create(&path);
            role("echo").arg("at 1").stdout(Redirect::fd(file)).run().unwrap();
        });
        assert_eq!(fs::read_to_string(&path).unwrap(), "at 1\n");
        with_closed(&[0], || {
            let file = File::open(&path).unwrap();
            let upper = role("upper").stdin(Redirect::fd(file)).read().unwrap();
            assert_eq!(upper, "AT 1");
        });
    });
}

/// Item 30: A file that lives at 2 is used as stdout: the child's stderr, inherited, is not closed by that.
#[test]
fn a_file_at_2_as_stdout_leaves_stderr_open() {
    isolated(|| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        with_closed(&[2], || {
            let file = Arc::new(OwnedFd::from(create(&path)));
            role("out-err").arg("1").stdout(Redirect::shared_fd(file)).run().unwrap();
        });
        assert_eq!(fs::read_to_string(&path).unwrap(), "out 0\nerr 0\n");
    });
}

/// Items 31, 32: stdin is a pipe while the source of stdout, or of stderr, sits at 0.
#[test]
fn a_piped_stdin_and_a_source_at_0_do_not_clobber_each_other() {
    isolated(|| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        for to_stdout in [true, false] {
            with_closed(&[0], || {
                let file = Redirect::fd(create(&path));
                let cmd =
                    if to_stdout { role("cat").stdout(file) } else { role("cat").stderr(file).stdout_to_stderr() };
                cmd.stdin(Redirect::bytes("through")).run().unwrap();
            });
            assert_eq!(fs::read_to_string(&path).unwrap(), "through");
        }
    });
}

/// Item 33: stdout is a pipe while the source of stderr sits at 1.
#[test]
fn a_piped_stdout_and_a_source_at_1_do_not_clobber_each_other() {
    isolated(|| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let out = with_closed(&[1], || {
            let file = Redirect::fd(create(&path));
            role("out-err").arg("1").stderr(file).read().unwrap()
        });
        assert_eq!((out.as_str(), fs::read_to_string(&path).unwrap().as_str()), ("out 0", "err 0\n"));
    });
}

/// Item 34: stdout's source sits at 2 and stderr's at 1: neither is lost on the way.
#[test]
fn crossed_sources_at_1_and_2_are_exchanged() {
    isolated(|| {
        let dir = tempfile::tempdir().unwrap();
        let (out, err) = (dir.path().join("out"), dir.path().join("err"));
        with_closed(&[1, 2], || {
            let (at_1, at_2) = (create(&err), create(&out));
            let cmd = role("out-err").arg("1").stdout(Redirect::fd(at_2)).stderr(Redirect::fd(at_1));
            cmd.run().unwrap();
        });
        assert_eq!(fs::read_to_string(out).unwrap(), "out 0\n");
        assert_eq!(fs::read_to_string(err).unwrap(), "err 0\n");
    });
}

/// Item 35: A file that all stages share as stderr, and that is inheritable here, is open in each stage as 2 and under no other number.
#[test]
fn a_shared_inheritable_file_is_at_2_alone() {
    isolated(|| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let file = Arc::new(OwnedFd::from(create(&path)));
        fcntl(&file, FcntlArg::F_SETFD(FdFlag::empty())).unwrap();
        let all = role("count-fds") | role("cat") | role("fds");
        let first = (role("count-fds") | role("cat")).stderr(Redirect::shared_fd(Arc::clone(&file))).read().unwrap();
        assert_eq!(first, "0\n1\n2");
        let last = all.stderr(Redirect::shared_fd(file)).read().unwrap();
        let at_file: Vec<&str> = last.lines().filter(|line| line.ends_with(path.to_str().unwrap())).collect();
        assert_eq!(at_file, [format!("2 -> {}", path.display())]);
    });
}

/// Item 36: With null outputs, a process that the child leaves behind keeps nothing of ours open, and nobody waits for it.
#[test]
fn null_outputs_do_not_wait_for_a_background_process() {
    isolated(|| {
        let cmd = role("fork-and-hold").arg("50000").stdout(Redirect::null()).stderr(Redirect::null());
        within(Duration::from_secs(5), || {
            cmd.run().unwrap();
            cmd.output().unwrap();
        });
    });
}
