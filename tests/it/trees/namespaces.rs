//! A `/proc` of another process namespace: its numbers mean other processes here.

use std::os::unix::process::CommandExt;
use std::process::Child;

use pipewright::testing::ChildSnapshot;
use pipewright::{Unseen, fd};

use crate::prelude::*;

/// Set for the process that is inside.
const PART: &str = "PIPEWRIGHT_NAMESPACES_PART";

/// Runs the body of the calling test as a process of a new namespace, below a shell that is its first process, with the `/proc` of the
/// namespace around it.
fn with_a_foreign_proc(test: &str, body: impl FnOnce()) {
    if std::env::var_os(PART).is_some() {
        return body();
    }
    let nest = "sh -c '\"$@\"; exit $?' sh \"$@\"; exit $?";
    let mut outer = Command::new("sh");
    outer.args(["-c", nest, "sh"]).arg(std::env::current_exe().expect("the test binary"));
    outer.args([test, "--exact", "--nocapture", "--test-threads=1"]).env(PART, "1");
    let flags = if nix::unistd::geteuid().is_root() { 0 } else { libc::CLONE_NEWUSER } | libc::CLONE_NEWPID;
    let enter = move || {
        // SAFETY: takes numbers.
        let bound = unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
        // SAFETY: takes a number.
        let parted = unsafe { libc::unshare(flags) };
        if bound == 0 && parted == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
    };
    // SAFETY: two system calls.
    unsafe { outer.pre_exec(enter) };
    match outer.output() {
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success() && text.contains("1 passed"), "{}\n{text}", output.status);
            text.lines()
                .filter_map(|line| line.split_once("skipped ")?.1.split_once(": "))
                .for_each(|(_, why)| skip(why));
        }
        Err(error) => skip(&format!("no process namespace can be made here: {error}")),
    }
}

/// The number that `/proc` shows for a process of this namespace.
fn number_outside(pid: u32) -> u32 {
    let own = fs::read_link("/proc/self/ns/pid").expect("a namespace");
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").expect("it is there").flatten() {
        let status = fs::read_to_string(entry.path().join("status")).unwrap_or_default();
        let Some(numbers) = status.lines().find_map(|line| line.strip_prefix("NSpid:")) else { continue };
        let numbers: Vec<u32> = numbers.split_whitespace().flat_map(str::parse).collect();
        if numbers.last() == Some(&pid) && fs::read_link(entry.path().join("ns/pid")).is_ok_and(|ns| ns == own) {
            found.push(numbers[numbers.len() - 2]);
        }
    }
    assert_eq!(found.len(), 1, "{pid} is one process");
    found[0]
}

/// A child that has this number here, where numbers can be forced.
fn innocent(number: u32) -> Option<Child> {
    // A process or thread that lives on can have the number: then no process is in danger.
    for _ in 0..100 {
        fs::write("/proc/sys/kernel/ns_last_pid", (number - 1).to_string()).ok()?;
        let mut hang = Command::new(fixture());
        let mut child = hang.arg("hang").stdin(Stdio::null()).stdout(Stdio::null()).spawn().expect("it starts");
        if child.id() == number {
            return Some(child);
        }
        // Another one was started in between.
        child.kill().expect("ours");
        child.wait().expect("ours");
    }
    None
}

#[track_caller]
fn assert_unharmed(innocent: Option<Child>) {
    match innocent {
        Some(mut child) => {
            assert!(child.try_wait().expect("ours").is_none(), "an innocent process was signalled");
            child.kill().expect("ours");
            child.wait().expect("ours");
        }
        None => skip("numbers cannot be forced here: no process was in danger"),
    }
}

/// Leaves a process behind that holds its stdout, prints that process's number on stderr, and ends at the end of its stdin.
fn leaky() -> Cmd {
    let text = "\"$1\" sleep 20000 & echo $! >&2; read line; exit 0";
    Cmd::sh(text).args(["sh", fixture()]).stdin(Redirect::piped()).stderr(Redirect::piped())
}

/// Runs it, with an innocent process that has the number which `/proc` shows for what is left: what the run came to.
fn run_beside_an_innocent(cmd: Cmd) -> Result<pipewright::Output, Error> {
    let job = cmd.spawn().expect("it starts");
    let left: u32 = read_line(job.take_stderr().expect("piped")).parse().expect("a number");
    let innocent = innocent(number_outside(left));
    drop(job.take_stdin());
    let result = job.output();
    assert_unharmed(innocent);
    result
}

#[test]
fn no_process_is_signalled_or_named_for_a_leak_by_a_number_of_another_namespace() {
    with_a_foreign_proc(
        "trees::namespaces::no_process_is_signalled_or_named_for_a_leak_by_a_number_of_another_namespace",
        || {
            for containment in [None, Some(Containment::Group)] {
                let cmd = leaky().stdout(Redirect::capture()).on_leak(OnLeak::Kill).eof_grace(Duration::ZERO);
                let cmd = match &containment {
                    Some(containment) => cmd.contain(containment.clone()),
                    None => cmd,
                };
                let leak = run_beside_an_innocent(cmd).expect("a success").leaked.expect("a leak");
                assert_eq!((leak.holders, leak.processes), (vec![], vec![]), "{containment:?}");
                assert_eq!(leak.unseen, Some(Unseen::Proc));
            }
        },
    );
}

#[test]
fn a_timeout_signals_and_names_no_process_by_a_number_of_another_namespace() {
    with_a_foreign_proc(
        "trees::namespaces::a_timeout_signals_and_names_no_process_by_a_number_of_another_namespace",
        || {
            let cmd = leaky().stdout(Redirect::capture()).timeout(Duration::from_millis(300));
            let error = run_beside_an_innocent(cmd).expect_err("the stream is held");
            let text = error.to_string();
            assert!(text.contains("held stdout") && text.contains("/proc shows another process namespace"), "{text}");
            assert!(!text.contains("pid"), "{text}");
        },
    );
}

#[test]
fn reports_and_searches_say_that_proc_is_of_another_namespace() {
    with_a_foreign_proc("trees::namespaces::reports_and_searches_say_that_proc_is_of_another_namespace", || {
        let report = role("hang").spawn().expect("it starts").kill().expect("a report");
        assert_eq!((report.means, report.unseen, report.signalled.len()), (Means::Children, Some(Unseen::Proc), 1));
        let shut = role("hang").spawn().expect("it starts").shutdown(SLACK).expect("a report");
        assert_eq!((shut.means, shut.unseen), (Means::Children, Some(Unseen::Proc)));

        let (mut reader, writer) = pipe::kernel().expect("a pipe");
        let job = role("hang").stdout(Redirect::fd(writer)).spawn().expect("it starts");
        reader.read_exact(&mut [0]).expect("it is ready");
        let holders = fd::holders(&reader).expect("not seeing is no error");
        assert!(holders.found.is_empty() && !holders.complete, "{holders:?}");
        drop(job);
        let error = ChildSnapshot::take().expect_err("children cannot be seen");
        assert!(error.to_string().contains("another process namespace"), "{error}");
    });
}
