//! What the README and the guide say of this library and no example of theirs shows: most of it the first column of the comparison.

#[rustfmt::skip]
mod examples;
mod text;

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use pipewright::{Cmd, Error, ErrorKind, Redirect, cmd};

use crate::harness::*;
use crate::support::{kill_stranger, role, timed_out};

#[test]
fn a_stage_that_nobody_reads_any_more_has_not_failed() {
    isolated(|| {
        let head = role("yes") | role("say").args(["1", "enough"]);
        let out = head.output().expect("a success");
        assert_eq!(out.stdout, "enough");
        assert_eq!(out.stages[0].status.signal(), Some(nix::libc::SIGPIPE));
    });
}

#[test]
fn a_stage_that_cannot_be_started_leaves_none_running() {
    isolated(|| {
        let stages = role("hang").stdin(Redirect::null()) | cmd!("no-such-program") | role("cat");
        let error = stages.output().unwrap_err();
        // The end check sees what is left.
        assert_eq!((error.kind(), error.stage()), (ErrorKind::ProgramNotFound, Some(1)));
        assert_eq!(error.program().and_then(|program| program.to_str()), Some("no-such-program"));
    });
}

#[test]
fn a_timeout_ends_what_it_started_and_keeps_what_came() {
    isolated(|| {
        let stubborn = role("ignore-term").grace(Duration::from_millis(50));
        let ready = |error: &Error| error.output().is_some_and(|output| output.stdout == "ready\n");
        let (error, _) = timed_out(|time| stubborn.clone().timeout(time).output().unwrap_err(), ready);
        assert_eq!(error.kind(), ErrorKind::Timeout);
        let status = error.output().map(|output| output.stages[0].status);
        assert_eq!(status.and_then(|status| status.signal()), Some(nix::libc::SIGKILL));
    });
}

#[test]
fn a_stranger_on_the_pipe_is_waited_for_no_longer_than_asked() {
    isolated(|| {
        let out = role("fork-and-hold").arg("30000").eof_grace(Duration::ZERO).output().expect("a success");
        assert!(out.leaked.is_some());
        kill_stranger(out.stdout_str().expect("its number"));
    });
}

#[test]
fn input_that_a_program_does_not_want_is_no_error() {
    isolated(|| {
        let out = role("exit").arg("0").stdin(Redirect::bytes(vec![b'x'; 1 << 20])).output().expect("a success");
        assert!(out.stdin_taken.is_some_and(|taken| taken < 1 << 20), "{out:?}");
    });
}

#[test]
fn a_dropped_job_is_gone() {
    isolated(|| {
        let job = role("ignore-term").stdout(Redirect::piped()).spawn().expect("it starts");
        let pid = job.pids()[0] as i32;
        assert_eq!(read_line(job.take_stdout().expect("piped")), "ready");
        drop(job);
        assert_eq!(process_state(pid), None);
    });
}

#[test]
fn a_child_gets_its_three_streams_and_no_more() {
    isolated(|| {
        let _careless = hostile_fd();
        assert_eq!(role("count-fds").read().expect("a success"), "0\n1\n2");
    });
}

#[test]
fn a_bare_name_is_looked_for_in_the_childs_path() {
    isolated(|| {
        let dir = tempfile::tempdir().expect("a directory");
        symlink(fixture(), dir.path().join("only-there")).expect("a link");
        let there = cmd!("only-there", "echo", "found").env("PATH", dir.path());
        assert_eq!(there.read().expect("a success"), "found");
        let here = cmd!("./only-there", "echo", "found").current_dir(dir.path());
        assert_eq!(here.read().expect("a success"), "found");
    });
}

#[test]
fn the_last_call_counts() {
    isolated(|| {
        let dirs = [tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory")];
        let [first, last] = dirs.each_ref().map(|dir| fs::canonicalize(dir.path()).expect("it is there"));
        let cwd = role("cwd").current_dir(first).current_dir(&last);
        assert_eq!(cwd.read().expect("a success"), last.to_str().expect("text"));
        let env = role("env").env_clear().env("A", "1").env("A", "2");
        assert_eq!(env.read().expect("a success"), "A=2\0");
        let out = role("say").args(["1", "x"]).stdout(Redirect::null()).stdout(Redirect::capture()).run();
        assert_eq!(out.expect("a success").stdout, "x");
    });
}

#[test]
fn feeding_and_capturing_takes_no_thread() {
    isolated(|| {
        if std::env::var("PIPEWRIGHT_ENGINE").is_ok_and(|engine| engine == "portable") {
            return skip("without process descriptors each child has a thread that waits for it");
        }
        let before = threads().len();
        let seen = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&seen);
        // In the middle of the run: more than a pipe holds goes in and comes out again afterwards.
        let look = move |_: &[u8]| count.store(threads().len(), Relaxed);
        let stderr = Redirect::tee([Redirect::capture(), Redirect::each_line(look)]);
        let noisy = Cmd::sh("echo now >&2; exec cat").stdin(Redirect::bytes(vec![b'x'; 1 << 20])).stderr(stderr);
        let out = noisy.output().expect("a success");
        assert_eq!((out.stdout.len(), out.stderr_str()), (1 << 20, Ok("now\n")));
        assert_eq!(seen.load(Relaxed), before);
    });
}

#[test]
fn text_that_is_none_is_kept() {
    isolated(|| {
        let latin = Cmd::sh("printf 'caf\\351'");
        let error = latin.read().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotUtf8);
        assert_eq!(error.into_output().expect("it ran").stdout, &b"caf\xe9"[..]);
    });
}

#[test]
fn a_stages_own_stderr_is_left_alone_by_a_capture() {
    isolated(|| {
        let quiet = role("say").args(["2", "hidden"]).stderr(Redirect::null());
        let out = (quiet | role("say").args(["2", "seen"])).output().expect("a success");
        assert_eq!(out.stderr, "seen");
    });
}

#[test]
fn the_peak_memory_of_a_child_is_not_below_this_programs() {
    isolated(|| {
        let big = vec![1_u8; 64 << 20];
        let out = role("exit").arg("0").output().expect("a success");
        let peak = out.stages[0].usage.expect("ours to read").max_rss;
        assert!(peak > 60 << 20, "{peak}");
        drop(std::hint::black_box(big));
    });
}

#[test]
fn a_child_can_be_made_to_die_with_this_process() {
    const PARENT: &str = "PIPEWRIGHT_TEST_PARENT";
    isolated(|| {
        if std::env::var_os(PARENT).is_some() {
            let bound = role("hang").kill_on_parent_death(true).spawn().expect("it starts");
            bound.detach();
            // No drop runs, of anything.
            nix::sys::signal::raise(nix::sys::signal::Signal::SIGKILL).expect("allowed");
        }
        let exe = std::env::current_exe().expect("the path of the test binary");
        let name = "readme::a_child_can_be_made_to_die_with_this_process";
        let parent = cmd!(exe, name, "--exact", "--nocapture", "--test-threads=1").env(PARENT, "1").unchecked();
        // Both hold this stdout: its end is the end of both, and the watchdog waits for less than the child's minute.
        let out = parent.output().expect("it runs");
        assert_eq!(out.status.signal(), Some(nix::libc::SIGKILL));
    });
}
