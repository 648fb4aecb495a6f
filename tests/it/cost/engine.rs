//! Which system calls make a child.

use nix::unistd::geteuid;
use pipewright::Resource;

use crate::prelude::*;

/// Every call that made a process or a thread while this test's body ran once more, doing `part`, in the engine that is the default.
fn clones_of(part: &str) -> Vec<String> {
    calls(&traced(part, &["trace=clone,clone3,fork,vfork"]))
}

/// One line a call: its start, where it was interrupted by another thread's.
fn calls(log: &str) -> Vec<String> {
    let is_call = |line: &&str| ["clone(", "clone3(", "fork("].iter().any(|call| line.contains(call));
    log.lines().filter(is_call).map(String::from).collect()
}

/// Everything that can be set on a command, except credentials.
fn tour() {
    let made = tempfile::tempdir().expect("a directory");
    let file = made.path().join("file");
    let fixture_dir = Path::new(fixture()).parent().expect("a directory");
    let quiet = |name: &str| role(name).stdout(Redirect::null());
    let commands = [
        quiet("echo"),
        quiet("echo").process_group(0),
        quiet("echo").new_session(true),
        quiet("echo").umask(0o77),
        quiet("echo").nice(10),
        quiet("echo").rlimit(Resource::Core, 0, 0),
        quiet("echo").kill_on_parent_death(true),
        quiet("echo").inherit_fds(true),
        quiet("echo").inherit_signals(true),
        quiet("echo").arg0("x").current_dir("/").env("A", "B").env_remove("C"),
        quiet("echo").env_clear(),
        quiet("echo").timeout(std::time::Duration::from_secs(60)),
        pipewright::cmd!("pipewright-fixture", "exit", "0").env("PATH", fixture_dir),
        role("echo").stdout(Redirect::file(&file)).stderr_to_stdout(),
        role("cat").stdin(Redirect::null()).stdout(Redirect::append(&file)).unchecked(),
        role("cat").stdin(Redirect::file(&file)).stdout(Redirect::null()),
        role("cat").stdin(Redirect::bytes("x")).stdout(Redirect::capture()).stderr(Redirect::capture()),
        role("cat").stdin(Redirect::from_reader(&b"x"[..])).stdout(Redirect::to_writer(std::io::sink())),
        role("echo").stdout(Redirect::each_line(|_: &[u8]| ())).stderr_to_stdout(),
        role("echo").stdout(Redirect::tee([Redirect::capture(), Redirect::null()])).swap_stdout_stderr(),
    ];
    for cmd in commands {
        cmd.run().expect("it runs");
    }
    let line = role("lines").arg("3") | role("cat") | role("upper");
    assert_eq!(line.read().expect("it runs"), "LINE 0\nLINE 1\nLINE 2");
    assert_eq!(line.lines().expect("it starts").count(), 3);
    drop(line.stdout(Redirect::capture()).spawn().expect("it starts"));
    assert!(role("echo").current_dir("/no/such/directory").run().is_err());
}

#[test]
fn no_child_is_forked_in_the_default_engine_whatever_is_set() {
    isolated_with(Options { extra_threads: 1, ..Options::default() }, || {
        if std::env::var_os(PART).is_some() {
            return tour();
        }
        if !can_trace() {
            return skip("no strace here, or it may not trace");
        }
        let calls = clones_of("tour");
        let children = calls.iter().filter(|call| call.contains("CLONE_VFORK")).count();
        assert!(children > 25, "{calls:#?}");
        // Threads have it, too.
        let forks: Vec<_> = calls.iter().filter(|call| !call.contains("CLONE_VM")).collect();
        assert!(forks.is_empty(), "{forks:#?}");
        let bare: Vec<_> =
            calls.iter().filter(|call| call.contains("SIGCHLD") && !call.contains("CLONE_PIDFD")).collect();
        assert!(bare.is_empty(), "a child without a pidfd from birth: {bare:#?}");
    });
}

#[test]
fn credentials_never_change_in_shared_memory() {
    isolated(|| {
        if !geteuid().is_root() {
            return skip("it takes root to change user and group");
        }
        if std::env::var_os(PART).is_some() {
            for cmd in [role("exit").uid(1), role("exit").gid(1), role("exit").groups([1])] {
                cmd.arg("0").run().expect("it runs");
            }
            return;
        }
        if !can_trace() {
            return skip("no strace here, or it may not trace");
        }
        let calls = clones_of("credentials");
        // A libc may fork by the old call or by clone.
        let fork = |call: &&String| call.contains(" fork(") || call.contains("SIGCHLD") && !call.contains("CLONE_VM");
        let forks = calls.iter().filter(fork).count();
        let shared = calls.iter().filter(|call| call.contains("SIGCHLD") && call.contains("CLONE_VM")).count();
        assert_eq!((forks, shared), (3, 0), "{calls:#?}");
    });
}
