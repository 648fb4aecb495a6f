//! Calls that the system refuses, one by one: a seccomp filter of a container, from the start or set while runs go on.
//!
//! For each call that the library can do without, a process of its own is refused it and goes through a [tour]. What the process leaves
//! would be given to this one, which looks for it.

mod calls;
mod table;
mod tour;

use nix::sys::prctl;
use nix::sys::wait::{WaitStatus, waitpid};

use calls::{Call, OPTIONAL, WORD_BEFORE_EXEC};

use crate::prelude::*;

/// "CALL ERRNO", for the process that is refused something.
const PART: &str = "PIPEWRIGHT_REFUSED_PART";

/// The last word of such a process.
const TOURED: &str = "the tour is over";

#[derive(Debug, Clone, Copy)]
enum When {
    Ever,
    AfterRuns,
    InARun,
}

const ERRNOS: [i32; 3] = [libc::ENOSYS, libc::EPERM, libc::EINVAL];

fn errno_name(errno: i32) -> nix::errno::Errno {
    nix::errno::Errno::from_raw(errno)
}

/// What is left running of a process that has ended was given to this one: it is to be dead, or on its way.
fn nothing_is_left(what: &str) -> Result<(), String> {
    for _ in 0..500 {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Err(nix::errno::Errno::ECHILD) => return Ok(()),
            Ok(WaitStatus::StillAlive) => std::thread::sleep(Duration::from_millis(2)),
            _ => {}
        }
    }
    let left = children();
    for pid in &left {
        let _ = kill(Pid::from_raw(*pid), Signal::SIGKILL);
    }
    Err(format!("{what}: {left:?} are left running"))
}

/// Runs the part of the calling test that is refused `call`.
fn with_refused(test: &str, call: &Call, errno: i32, when: When) -> Result<(), String> {
    let what = format!("{} is refused with {}, {when:?}", call.name, errno_name(errno));
    let exe = std::env::current_exe().expect("the test binary");
    let part = Cmd::new(exe).args([test, "--exact", "--nocapture", "--test-threads=1"]);
    let part = part.env(PART, format!("{} {errno}", call.name)).stdin(Redirect::null());
    let told = match part.timeout(Duration::from_secs(8)).output() {
        Ok(out) if out.stdout_lossy().contains(TOURED) => Ok(()),
        Ok(out) => Err(format!("{what}: {}", out.stdout_lossy())),
        Err(error) => Err(format!("{what}: {error:?}")),
    };
    let left = nothing_is_left(&what);
    progress();
    told.and(left)
}

/// Where a thread waits for a child, it lets go of its pipe a moment after the child's end was seen.
fn assert_fds_are(before: &BTreeMap<i32, String>) {
    let start = Instant::now();
    while open_fds() != *before && start.elapsed() < Duration::from_secs(2) {
        std::thread::sleep(Duration::from_millis(2));
    }
    assert_eq!(open_fds(), *before);
}

/// The thread that makes children which are bound to this process stays.
fn options() -> Options {
    Options { extra_threads: 1, ..Options::default() }
}

/// A part is done in the process that is started for it; `None` in the first one.
fn part() -> Option<(&'static Call, i32)> {
    let part = std::env::var(PART).ok()?;
    let (name, errno) = part.split_once(' ').expect("two words");
    Some((Call::named(name), errno.parse().expect("a number")))
}

/// Each call with each errno at each of the times in the full count; else each call once, the times and errnos in turn.
fn each_refusal(test: &str, when: When) {
    if let Some((call, errno)) = part() {
        let before = open_fds();
        tour::go(call, errno, when);
        assert_fds_are(&before);
        // Not by the end of a test, which looks by calls that are refused here.
        println!("{TOURED}");
        std::process::exit(0);
    }
    if let Err(error) = prctl::set_child_subreaper(true) {
        return skip(&format!("what is left cannot be looked for: {error}"));
    }
    let all = count(0, 1) == 1;
    let only = std::env::var("PIPEWRIGHT_REFUSED").ok();
    let mut failed = Vec::new();
    for (index, call) in OPTIONAL.iter().enumerate() {
        if call.name == "kill" && is_portable() {
            // Without process descriptors there is no other way.
            continue;
        }
        for (turn, errno) in ERRNOS.into_iter().enumerate() {
            let is_its_turn = index % 3 == when as usize && index / 3 % 3 == turn;
            let is_wanted = only.as_ref().map_or(is_its_turn, |only| only == call.name || only == "all");
            if all || is_wanted {
                failed.extend(with_refused(test, call, errno, when).err());
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}

#[test]
fn what_is_refused_from_the_start_is_done_another_way_or_said() {
    isolated_with(options(), || {
        each_refusal("limits::refused::what_is_refused_from_the_start_is_done_another_way_or_said", When::Ever)
    });
}

#[test]
fn what_is_refused_from_some_time_on_is_done_another_way_or_said() {
    isolated_with(options(), || {
        each_refusal("limits::refused::what_is_refused_from_some_time_on_is_done_another_way_or_said", When::AfterRuns)
    });
}

#[test]
fn what_is_refused_while_a_run_goes_on_does_not_keep_it_from_being_ended() {
    isolated_with(options(), || {
        let test = "limits::refused::what_is_refused_while_a_run_goes_on_does_not_keep_it_from_being_ended";
        each_refusal(test, When::InARun);
    });
}

/// The parent would take a program that runs for a child that has died, and wait for its end.
#[test]
fn a_forked_child_that_cannot_say_so_does_not_run_its_program() {
    isolated(|| {
        let test = "limits::refused::a_forked_child_that_cannot_say_so_does_not_run_its_program";
        if std::env::var_os(PART).is_some() {
            WORD_BEFORE_EXEC.refuse(libc::EPERM).expect("a filter can be set");
            let directory = tempfile::tempdir().expect("a directory");
            let made = directory.path().join("made");
            let error = cmd!("mkdir", &made).run().expect_err("it cannot be started");
            assert_eq!((error.kind(), error.raw_os_error()), (ErrorKind::Spawn, Some(libc::EPERM)), "{error:?}");
            assert!(!made.exists(), "it ran");
            assert_no_child();
            println!("{TOURED}");
            std::process::exit(0);
        }
        let exe = std::env::current_exe().expect("the test binary");
        let part = Cmd::new(exe).args([test, "--exact", "--nocapture", "--test-threads=1"]).env(PART, "1");
        let part = part.env("PIPEWRIGHT_ENGINE", "fork").timeout(Duration::from_secs(8));
        let out = part.output().expect("the part passes");
        assert!(out.stdout_lossy().contains(TOURED), "{}", out.stdout_lossy());
    });
}
