//! Children of another user, and children that die with their parent.

use nix::unistd::geteuid;

use crate::prelude::*;

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
        // The child enters the directory after it has changed its user.
        let error = role("cat").uid(1234).gid(1234).current_dir(made.path()).run().expect_err("it is closed to him");
        assert_eq!((error.kind(), error.step()), (ErrorKind::CurrentDir, Some(Step::Chdir)), "{error:?}");
        assert_eq!(error.raw_os_error(), Some(libc::EACCES));
        let error = role("cat").uid(u32::MAX).run().expect_err("no user");
        assert_eq!((error.kind(), error.step()), (ErrorKind::Spawn, Some(Step::Uid)), "{error:?}");
        assert_no_child();
    });
}

#[test]
fn a_failure_of_a_child_that_is_to_die_with_this_process_is_reported_like_any_other() {
    isolated_with(Options { extra_threads: 1, ..Options::default() }, || {
        let error = Cmd::new("/no/such/program").kill_on_parent_death(true).run().expect_err("no program");
        assert_eq!((error.kind(), error.step()), (ErrorKind::ProgramNotFound, Some(Step::Exec)), "{error:?}");
        let told = role("signals").inherit_signals(true).kill_on_parent_death(true).read().expect("it runs");
        let here = role("signals").inherit_signals(true).read().expect("it runs");
        assert_eq!(told, here, "the thread between has no mask of its own");
    });
}
