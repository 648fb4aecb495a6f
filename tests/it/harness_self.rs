//! Tests of the harness: what it must report, it reports by name.

use std::mem::forget;
use std::os::unix::process::CommandExt;
use std::process::Child;

use nix::sys::signal::signal;

use crate::prelude::*;

/// Limits for a body that is meant to fail its end check.
fn hasty() -> Options {
    Options { settle: Duration::from_millis(50), ..Options::default() }
}

fn impatient(millis: u64) -> Options {
    Options { patience: Duration::from_millis(millis), ..hasty() }
}

fn spawn(role: &str) -> Child {
    Command::new(fixture()).arg(role).stdout(Stdio::piped()).spawn().expect("the helper starts")
}

#[track_caller]
fn assert_holds(report: &str, words: &[&str]) {
    for word in words {
        assert!(report.contains(word), "no {word:?} in: {report}");
    }
}

#[test]
fn a_clean_body_passes() {
    isolated(|| {
        let mut child = spawn("hang");
        assert_eq!(read_line(child.stdout.take().expect("piped")), "ready");
        assert_eq!(children(), [child.id() as i32]);
        assert!(matches!(process_state(child.id() as i32), Some('R' | 'S')));
        child.kill().expect("it can be killed");
        child.wait().expect("it can be waited for");
        assert_eq!(children(), []);
        assert_eq!(process_state(child.id() as i32), None);
    });
}

#[test]
fn a_body_is_alone() {
    isolated(|| {
        assert!(threads().len() <= 2, "{:?}", threads());
        let mut fds = spawn("count-fds");
        let mut text = String::new();
        fds.stdout.take().expect("piped").read_to_string(&mut text).expect("it says");
        fds.wait().expect("it ends");
        assert_eq!(text, "0\n1\n2\n");
    });
}

#[test]
fn a_leaked_fd_is_reported() {
    let report = try_isolated(hasty(), || forget(os_pipe::pipe().expect("a pipe")));
    assert_holds(&report.expect_err("it leaks"), &["end check: fd ", "-> pipe:[", "is new"]);
}

#[test]
fn a_closed_fd_is_reported() {
    let report = try_isolated(hasty(), || nix::unistd::close(0).expect("it was open"));
    assert_holds(&report.expect_err("it closes"), &["end check: fd 0 -> /dev/null is closed"]);
}

#[test]
fn a_replaced_fd_is_reported() {
    let report = try_isolated(hasty(), || {
        let (reader, _writer) = os_pipe::pipe().expect("a pipe");
        nix::unistd::dup2_stdin(reader).expect("fd 0 can be replaced");
    });
    let report = report.expect_err("it replaces");
    assert_holds(&report, &["end check: fd 0 was /dev/null and is pipe:["]);
}

#[test]
fn allowed_fds_and_threads_pass() {
    isolated_with(Options { extra_fds: 2, extra_threads: 1, ..hasty() }, || {
        forget(os_pipe::pipe().expect("a pipe"));
        std::thread::spawn(|| {
            loop {
                std::thread::park()
            }
        });
    });
}

#[test]
fn a_child_left_running_is_reported() {
    let report = try_isolated(hasty(), || {
        let mut child = spawn("hang");
        read_line(child.stdout.take().expect("piped"));
        forget(child);
    });
    assert_holds(&report.expect_err("it leaves a child"), &["a child is left", "(pipewright-fixt) in state S"]);
}

#[test]
fn a_zombie_is_reported() {
    let report = try_isolated(hasty(), || {
        let child = Id::Pid(Pid::from_raw(spawn("echo").id() as i32));
        waitid(child, WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT).expect("it ends");
    });
    assert_holds(&report.expect_err("it leaves a zombie"), &["a child is left", "in state Z"]);
}

#[test]
fn a_thread_left_is_reported() {
    let report = try_isolated(hasty(), || {
        let thread = std::thread::Builder::new().name("lingering".to_string());
        thread
            .spawn(|| {
                loop {
                    std::thread::park()
                }
            })
            .expect("a thread");
    });
    assert_holds(&report.expect_err("it leaves a thread"), &["end check: thread ", "(lingering) is left"]);
}

#[test]
fn changed_signals_are_reported() {
    let report = try_isolated(hasty(), || {
        // SAFETY: an ignored signal runs no code.
        unsafe { signal(Signal::SIGUSR1, SigHandler::SigIgn) }.expect("it can be ignored");
        SigSet::from(Signal::SIGUSR2).thread_block().expect("it can be blocked");
    });
    let report = report.expect_err("it changes signals");
    assert_holds(&report, &["SigBlk was ", "SigIgn was "]);
}

#[test]
fn a_panic_is_relayed() {
    let report = try_isolated(hasty(), || panic!("the words of the body"));
    assert_holds(&report.expect_err("it panics"), &["a_panic_is_relayed", "the words of the body"]);
}

#[test]
fn an_end_without_a_verdict_is_a_failure() {
    let report = try_isolated(hasty(), || std::process::exit(0));
    assert_holds(&report.expect_err("no verdict"), &["ended with exit status: 0"]);
}

#[test]
fn a_hang_is_ended_and_dumped() {
    let report = try_isolated(impatient(300), || {
        let (mut reader, _writer) = os_pipe::pipe().expect("a pipe");
        let _ = reader.read(&mut [0]);
    });
    let expected = ["no progress for 300ms", "(it", " state ", " wchan ", " syscall ", "fd 0 -> /dev/null"];
    assert_holds(&report.expect_err("it hangs"), &expected);
}

#[test]
fn a_hang_takes_the_descendants_along() {
    let report = try_isolated(impatient(1000), || {
        let mut command = Command::new(fixture());
        let child = command.arg("hang").process_group(0).spawn().expect("the helper starts");
        println!("helper={}", child.id());
        forget(child);
        loop {
            std::thread::park();
        }
    });
    let report = report.expect_err("it hangs");
    let pid = report.split("helper=").nth(1).and_then(|text| text.lines().next());
    let pid = pid.expect("the body said it");
    assert_holds(&report, &[&format!("process {pid} (pipewright-fixt) state S"), "ready"]);
    let pid = pid.parse().expect("a number");
    // Its new parent may take a moment to collect it.
    assert!(matches!(process_state(pid), None | Some('Z')), "{pid} lives");
}

#[test]
fn progress_keeps_the_watchdog_quiet() {
    isolated_with(impatient(2000), || {
        for _ in 0..22 {
            let pause = Command::new(fixture()).args(["sleep", "100"]).status();
            assert!(pause.expect("the helper starts").success());
            with_closed(&[0, 1, 2], progress);
        }
    });
}

#[test]
fn spare_fds_are_as_many_as_said() {
    isolated(|| {
        for spare in [0, 1, 7] {
            let opened = spare_fds(spare, || {
                let null = || std::fs::File::open("/dev/null").ok();
                std::iter::from_fn(null).collect::<Vec<_>>().len()
            });
            assert_eq!(opened, spare);
        }
    });
}

#[test]
fn closed_standard_fds_come_back() {
    isolated(|| {
        let before = open_fds();
        for set in [&[0][..], &[1, 2], &[0, 1, 2]] {
            with_closed(set, || {
                let inside = open_fds();
                // The look at the table itself takes the lowest number and gives it back.
                assert!(set.iter().all(|fd| !inside.contains_key(fd)), "{inside:?}");
            });
            assert_eq!(open_fds(), before);
        }
    });
}

#[test]
fn an_fd_left_in_a_closed_place_is_reported() {
    let report = try_isolated(hasty(), || {
        with_closed(&[0], || forget(std::fs::File::open("/dev/zero").expect("it opens")));
    });
    assert_holds(&report.expect_err("it leaves an fd"), &["fd 0 was left open: /dev/zero"]);
}

#[test]
fn a_panic_with_stderr_closed_is_relayed() {
    let report = try_isolated(hasty(), || with_closed(&[1, 2], || panic!("words in the dark")));
    assert_holds(&report.expect_err("it panics"), &["words in the dark"]);
}

#[test]
fn the_hostile_fd_reaches_a_careless_child() {
    isolated(|| {
        let hostile = hostile_fd();
        assert_eq!(hostile.as_raw_fd(), 7);
        let mut child = spawn("count-fds");
        let mut text = String::new();
        child.stdout.take().expect("piped").read_to_string(&mut text).expect("it says");
        child.wait().expect("it ends");
        assert_eq!(text, "0\n1\n2\n7\n");
    });
}

#[test]
fn a_line_is_read_and_no_byte_more() {
    isolated(|| {
        let (mut reader, mut writer) = os_pipe::pipe().expect("a pipe");
        writer.write_all(b"one\ntwo").expect("it fits");
        drop(writer);
        assert_eq!(read_line(&mut reader), "one");
        assert_eq!(read_line(&mut reader), "two");
        assert_eq!(read_line(&mut reader), "");
    });
}

#[test]
fn memory_is_seen() {
    isolated(|| {
        let before = rss_kib();
        let bytes = std::hint::black_box(vec![1_u8; 32 << 20]);
        assert!(rss_kib() >= before + 30_000, "{before} to {}", rss_kib());
        drop(bytes);
        assert!(peak_rss_kib() >= before + 30_000);
    });
}

#[test]
fn counts_follow_the_environment() {
    let full = std::env::var("PIPEWRIGHT_FULL").is_ok_and(|value| value == "1");
    assert_eq!(count(3, 1000), if full { 1000 } else { 3 });
}

#[test]
fn a_skip_is_seen_by_name() {
    let report = try_isolated(hasty(), || {
        skip("only to be seen");
        panic!("so that there is a report");
    });
    let expected = "skipped harness_self::a_skip_is_seen_by_name: only to be seen";
    assert_holds(&report.expect_err("it panics"), &[expected]);
}
