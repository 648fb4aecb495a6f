//! What shall die with this process does, however it dies; and with nothing else.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::libc;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use pipewright::{Cmd, Containment, Error, ErrorKind, Job, Redirect, Step};

use crate::harness::*;
use crate::random::Random;
use crate::support::*;
use crate::trees::cgroups::Cgroup;

/// The library's thread goes on, with nothing to do.
fn one_thread() -> Options {
    Options { extra_threads: 1, ..Options::default() }
}

fn bound(name: &str) -> Cmd {
    role(name).kill_on_parent_death(true).stdin(Redirect::null())
}

const IN: &str = "PIPEWRIGHT_TEST_IN";

/// Starts trees in the container that the environment names until a signal kills it. Everything writes to this process's stdout.
fn be_a_parent(part: &str) -> ! {
    let tree = |own_session| bound("tree").args(["6", own_session, "2", "1"]);
    let cmd = match part {
        // One that leaves the group by a session of its own would be left.
        "group" => tree("0").contain(Containment::Group),
        "cgroup" => tree("1").contain(Containment::Cgroup(std::env::var_os(IN).expect("where").into())),
        _ => bound("hang"),
    };
    loop {
        let job = cmd.spawn().expect("it starts");
        // So long that some are at work and some are not there yet.
        let _ = job.wait_timeout(Duration::from_millis(4));
        drop(job);
    }
}

/// Kills a process that starts and ends runs at a random instant; a process that is left then holds the pipe.
fn killed_at_random(part: &str, name: &str, cgroup: Option<&Cgroup>) {
    let mut random = Random::new(part.len() as u64);
    for _ in 0..count(15, 1000) {
        let (mut reader, writer) = os_pipe::pipe().expect("a pipe");
        let mut parent = Command::new(std::env::current_exe().expect("the test binary"));
        parent.args([name, "--exact", "--nocapture", "--test-threads=1"]).env(PART, part);
        parent.stdin(Stdio::null()).stdout(writer).stderr(Stdio::null()).process_group(0);
        if let Some(cgroup) = cgroup {
            parent.env(IN, cgroup.path());
        }
        let mut child = parent.spawn().expect("it starts");
        drop(parent);
        // It is at work from here on.
        let mut seen = [0; 512];
        let mut said = Vec::new();
        while !said.windows(6).any(|text| text == b"member" || text == b"ready\n") {
            let count = reader.read(&mut seen).expect("a pipe");
            assert!(count > 0, "it ended: {}", String::from_utf8_lossy(&said));
            said.extend_from_slice(&seen[..count]);
        }
        let until = Instant::now() + Duration::from_micros(random.below(15_000) as u64);
        while Instant::now() < until {
            std::hint::spin_loop();
        }
        child.kill().expect("ours");
        child.wait().expect("ours");
        // The promised second, ten times over.
        within(Duration::from_secs(10), || while reader.read(&mut seen).expect("a pipe") > 0 {});
        progress();
    }
}

#[test]
fn no_child_is_left_of_a_process_that_is_killed_at_any_instant() {
    isolated(|| match std::env::var(PART) {
        Ok(part) => be_a_parent(&part),
        Err(_) => killed_at_random(
            "child",
            "trees::parent_death::no_child_is_left_of_a_process_that_is_killed_at_any_instant",
            None,
        ),
    });
}

#[test]
fn no_descendant_is_left_in_a_group() {
    isolated(|| match std::env::var(PART) {
        Ok(part) => be_a_parent(&part),
        Err(_) => killed_at_random("group", "trees::parent_death::no_descendant_is_left_in_a_group", None),
    });
}

#[test]
fn no_descendant_and_no_cgroup_is_left() {
    isolated(|| {
        if let Ok(part) = std::env::var(PART) {
            be_a_parent(&part);
        }
        let Some(cgroup) = Cgroup::new() else { return };
        killed_at_random("cgroup", "trees::parent_death::no_descendant_and_no_cgroup_is_left", Some(&cgroup));
        // One that was killed in the moment in which it made one may have left an empty one.
        // A process that has closed the pipe may still be about to end.
        let start = Instant::now();
        while !cgroup.members().is_empty() {
            assert!(start.elapsed() < Duration::from_secs(5), "left: {:?}", cgroup.members());
            std::thread::yield_now();
        }
    });
}

/// Everything that can contain a run that a watchdog guards.
fn watched(cgroup: Option<&Cgroup>) -> Vec<Containment> {
    let cgroup = cgroup.map(|cgroup| Containment::Cgroup(cgroup.path().into()));
    [Containment::Group].into_iter().chain(cgroup).collect()
}

#[test]
fn the_watchdog_ends_with_the_run() {
    isolated_with(one_thread(), || {
        let cgroup = Cgroup::new();
        for containment in watched(cgroup.as_ref()) {
            let hang = || bound("hang").contain(containment.clone()).stdout(Redirect::piped());
            let start = |cmd: Cmd| -> Job {
                let job = cmd.spawn().expect("it starts");
                assert_eq!(read_line(job.take_stdout().expect("piped")), "ready");
                assert_eq!(children().len(), 2, "one more than it was to be");
                assert_eq!((job.pids().len(), job.processes().len()), (1, 1));
                job
            };
            let job = start(hang());
            let report = job.kill().expect("a report");
            assert_eq!(report.signalled, job.pids(), "the watchdog is not of the run");
            job.wait().expect("a status");
            assert_childless();

            let job = start(hang());
            assert_eq!(job.shutdown(Duration::from_secs(60)).expect("a report").signalled, job.pids());
            drop(job);
            assert_childless();

            let job = start(hang());
            within(SLACK, || drop(job));
            assert_childless();

            // With a thread of its own.
            let job = start(hang().timeout(Duration::from_secs(60)));
            within(SLACK, || drop(job));
            assert_childless();

            // The run lives on, the watchdog does not.
            let job = start(hang());
            let process = job.processes()[0].clone();
            job.detach();
            let detached = Instant::now();
            while children().len() > 1 {
                assert!(detached.elapsed() < SLACK, "{:?}", children());
            }
            assert_eq!(process.try_wait().expect("no error"), None);
            process.kill().expect("ours");
            process.wait().expect("a status");
            assert_childless();

            // A start that fails, a run that ends by itself.
            let missing = Cmd::new("/no/such/program").kill_on_parent_death(true).contain(containment.clone());
            assert_eq!(missing.run().expect_err("none").kind(), ErrorKind::ProgramNotFound);
            assert_childless();
            let out = bound("echo").arg("x").contain(containment.clone()).output().expect("a success");
            assert_eq!((out.stdout_str(), &out.leaked), (Ok("x\n"), &None));
            assert_childless();
            let quick = bound("hang").contain(containment.clone()).timeout(Duration::ZERO);
            assert_eq!(quick.run().expect_err("too late").kind(), ErrorKind::Timeout);
            assert_childless();
        }
    });
}

#[test]
fn a_signal_to_the_whole_group_does_not_end_the_watchdog() {
    isolated_with(one_thread(), || {
        let text = "trap '' TERM HUP INT USR1; kill -TERM 0; kill -HUP 0; kill -INT 0; kill -USR1 0; echo done; read x";
        let cmd = Cmd::sh(text).kill_on_parent_death(true).contain(Containment::Group);
        let job = cmd.stdin(Redirect::piped()).stdout(Redirect::piped()).spawn().expect("it starts");
        assert_eq!(read_line(job.take_stdout().expect("piped")), "done");
        let states: Vec<_> = children().into_iter().map(process_state).collect();
        assert!(states.len() == 2 && !states.contains(&Some('Z')), "{states:?}");
        drop(job.take_stdin());
        job.wait().expect("a status");
    });
}

#[test]
fn a_run_with_a_stage_that_is_not_bound_has_no_watchdog() {
    isolated_with(one_thread(), || {
        let line = bound("cat") | role("cat");
        let line = line.contain(Containment::Group).stdin(Redirect::piped());
        let job = line.spawn().expect("it starts");
        assert_eq!(children().len(), 2);
        job.wait().expect("a status");
    });
}

#[test]
fn a_thread_that_ends_takes_no_child_along() {
    isolated_with(one_thread(), || {
        for _ in 0..count(5, 200) {
            let start = || {
                let job = bound("hang").stdout(Redirect::piped()).spawn().expect("it starts");
                let stdout = job.take_stdout().expect("piped");
                (job, stdout)
            };
            let (job, stdout) = std::thread::spawn(start).join().expect("no panic");
            assert_eq!(read_line(stdout), "ready");
            assert_eq!(job.try_wait().expect("no error"), None);
            assert!(process_state(job.pids()[0] as i32).is_some_and(|state| state != 'Z'));
        }
    });
}

/// What a start on a thread that has changed itself comes to.
fn on_a_thread(change: impl FnOnce() -> bool + Send + 'static, cmd: Cmd) -> Option<Result<(), Error>> {
    std::thread::spawn(move || change().then(|| cmd.run().map(drop))).join().expect("no panic")
}

#[track_caller]
fn assert_refused(result: Option<Result<(), Error>>, what: &str) {
    let Some(result) = result else { return skip(&format!("{what} cannot be changed here")) };
    let error = result.expect_err("the two threads differ");
    assert_eq!((error.kind(), error.step()), (ErrorKind::Spawn, Some(Step::ParentDeath)), "{error:?}");
    assert!(error.to_string().contains(what), "{error}");
}

/// Parts the calling thread from the others of this process.
fn apart(flags: i32) -> bool {
    // SAFETY: takes a number.
    unsafe { libc::unshare(flags) == 0 }
}

#[test]
fn a_thread_that_is_unlike_the_one_that_starts_children_is_refused() {
    isolated_with(one_thread(), || {
        let echo = || bound("exit").arg("0");
        // The first start decides what the library's thread is like.
        echo().run().expect("it runs");
        let nicer = || {
            // SAFETY: takes numbers; on Linux 0 is the calling thread.
            unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, 7) == 0 }
        };
        assert_refused(on_a_thread(nicer, echo()), "nice value");
        // What the child gets by its own attribute does not differ.
        assert!(on_a_thread(nicer, echo().nice(9)).is_some_and(|result| result.is_ok()));
        // A run that does not ask for it has no watchdog.
        assert!(on_a_thread(nicer, role("exit").arg("0")).is_some_and(|result| result.is_ok()));
        let elsewhere = || apart(libc::CLONE_NEWNET);
        assert_refused(on_a_thread(elsewhere, echo()), "network namespace");
        let moved = || apart(libc::CLONE_FS) && std::env::set_current_dir("/").is_ok();
        assert_refused(on_a_thread(moved, echo()), "working directory");
        let no_new = || {
            // SAFETY: takes numbers.
            unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 }
        };
        assert_refused(on_a_thread(no_new, echo()), "no_new_privs");
        echo().run().expect("it runs");
    });
}

#[test]
fn a_detached_child_still_dies_with_this_process() {
    isolated(|| {
        let name = "trees::parent_death::a_detached_child_still_dies_with_this_process";
        if std::env::var_os(PART).is_some() {
            bound("hang").contain(Containment::Group).stdout(Redirect::inherit()).spawn().expect("it starts").detach();
            kill(Pid::this(), Signal::SIGKILL).expect("allowed");
        }
        let parent = Cmd::new(std::env::current_exe().expect("the test binary"));
        let parent = parent.args([name, "--exact", "--nocapture", "--test-threads=1"]).env(PART, "1").unchecked();
        // Both hold this stdout: its end is the end of both.
        assert_eq!(parent.output().expect("it runs").status.signal(), Some(9));
    });
}
