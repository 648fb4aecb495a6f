//! Children of another user, and children that die with their parent.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use nix::unistd::geteuid;
use pipewright::{Cmd, ErrorKind, Pipeline, Redirect, Step};

use crate::harness::*;
use crate::support::*;

/// Whether this process may change its credentials; says so if not.
fn is_root() -> bool {
    let root = geteuid().is_root();
    if !root {
        skip("it takes root to change user and group");
    }
    root
}

#[test]
fn user_group_and_groups_are_the_childs_alone() {
    isolated(|| {
        if !is_root() {
            return;
        }
        let own = role("uid").read().expect("it runs");
        let told = role("uid").uid(1234).gid(2345).groups([3456, 4567]).read().expect("it runs");
        assert_eq!(told, "1234 1234 2345 2345 3456 4567");
        let none: [u32; 0] = [];
        assert_eq!(role("uid").gid(5).groups(none).read().expect("it runs"), "0 0 5 5");
        let line: Pipeline = role("cat").uid(1234) | role("uid").gid(7).groups([8]);
        assert_eq!(line.read().expect("it runs"), "0 0 7 7 8");
        assert_eq!(role("uid").read().expect("it runs"), own);
    });
}

#[test]
fn what_the_user_may_not_do_is_an_error_of_its_step() {
    isolated(|| {
        if !is_root() {
            return;
        }
        let made = tempfile::tempdir().expect("a directory");
        std::fs::set_permissions(made.path(), std::os::unix::fs::PermissionsExt::from_mode(0o700)).expect("its mode");
        // The directory is entered as the user who is to run in it.
        let error = role("cat").uid(1234).gid(1234).current_dir(made.path()).run().expect_err("it is closed to him");
        assert_eq!((error.kind(), error.step()), (ErrorKind::CurrentDir, Some(Step::Chdir)), "{error:?}");
        assert_eq!(error.raw_os_error(), Some(libc::EACCES));
        let error = role("cat").uid(u32::MAX).run().expect_err("no user");
        assert_eq!((error.kind(), error.step()), (ErrorKind::Spawn, Some(Step::Uid)), "{error:?}");
        assert_no_child();
    });
}

#[test]
fn a_child_dies_with_this_process_if_it_was_told_to() {
    isolated(|| {
        let child = || role("hang").kill_on_parent_death(true);
        if std::env::var_os(PART).is_some() {
            // stdout is a pipe that the child now holds, too.
            let _job = child().spawn().expect("it starts");
            loop {
                std::thread::park();
            }
        }
        let mut middle = Command::new(std::env::current_exe().expect("the path of the test binary"));
        middle.args(std::env::args_os().skip(1)).env(PART, "parent").stdout(Stdio::piped());
        let mut middle = middle.spawn().expect("it starts");
        let mut told = middle.stdout.take().expect("piped");
        // The words of libtest stand before it.
        while !read_line(&mut told).ends_with("ready") {}
        middle.kill().expect("it is there");
        middle.wait().expect("it ends");
        // The end comes when the child lets go of the pipe, which it does for nothing but its death.
        told.read_to_end(&mut Vec::new()).expect("its end");
    });
}

#[test]
fn a_thread_that_ends_takes_no_child_along() {
    isolated_with(Options { extra_threads: 1, ..Options::default() }, || {
        let start = || {
            let cat = role("cat").stdin(Redirect::piped()).stdout(Redirect::piped()).kill_on_parent_death(true);
            cat.spawn().expect("it starts")
        };
        let jobs: Vec<_> = (0..count(4, 100)).map(|_| std::thread::spawn(start).join().expect("no panic")).collect();
        for job in jobs {
            let (mut stdin, mut stdout) = (job.take_stdin().expect("piped"), job.take_stdout().expect("piped"));
            stdin.write_all(b"alive\n").expect("it reads");
            assert_eq!(read_line(&mut stdout), "alive");
            drop(stdin);
            assert!(job.wait().expect("it ends").success());
        }
    });
}

#[test]
fn a_failure_of_a_child_that_is_to_die_with_us_is_told_as_any_other() {
    isolated_with(Options { extra_threads: 1, ..Options::default() }, || {
        let error = Cmd::new("/no/such/program").kill_on_parent_death(true).run().expect_err("no program");
        assert_eq!((error.kind(), error.step()), (ErrorKind::ProgramNotFound, Some(Step::Exec)), "{error:?}");
        let told = role("signals").inherit_signals(true).kill_on_parent_death(true).read().expect("it runs");
        let here = role("signals").inherit_signals(true).read().expect("it runs");
        assert_eq!(told, here, "the thread between has no mask of its own");
    });
}
