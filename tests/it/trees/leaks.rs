//! Processes that are left when a run is over are named, are an error, or are ended.

use nix::sys::prctl;
use nix::sys::wait::{WaitStatus, waitpid};

use crate::prelude::*;
use crate::trees::cgroups::{Cgroup, containments};

/// Says the number of a process that it leaves on its stdout.
fn leaky() -> Cmd {
    role("fork-and-hold").arg("30000").stderr(Redirect::null())
}

fn said(output: &Output) -> i32 {
    output.stdout_str().expect("text").trim().parse().expect("its number")
}

/// Prints its number too, but holds no pipe: only the container shows that it is left.
fn quiet(containment: Containment) -> Cmd {
    let text = "\"$1\" hang > /dev/null 2>&1 & echo $!";
    Cmd::sh(text).args(["sh", fixture()]).contain(containment)
}

#[test]
fn it_is_told_by_name_and_let_be() {
    isolated(|| {
        let out = within(SLACK, || leaky().eof_grace(Duration::ZERO).output()).expect("a success");
        let leak = out.leaked.as_ref().expect("a leak");
        let pid = said(&out);
        assert_eq!(leak.streams, [Stream::Stdout]);
        let holder = &leak.holders[0];
        assert_eq!((holder.pid as i32, holder.name.as_str(), holder.fd), (pid, "pipewright-fixt", 1));
        let process = &leak.processes[0];
        assert_eq!((process.pid as i32, process.killed, leak.processes.len()), (pid, false, 1));
        assert!(process_state(pid).is_some_and(|state| state != 'Z'), "it was let be");
        kill_stranger(&pid.to_string());
    });
}

#[test]
fn it_is_an_error_that_names_it_and_holds_the_output() {
    isolated(|| {
        let error = within(SLACK, || leaky().on_leak(OnLeak::Fail).output()).expect_err("a leak");
        assert_eq!((error.kind(), error.stage()), (ErrorKind::Leaked, Some(0)));
        let pid = said(error.output().expect("what there was"));
        assert!(error.to_string().contains(&format!("`pipewright-fixt` (pid {pid})")), "{error}");
        assert!(process_state(pid).is_some_and(|state| state != 'Z'), "it was let be");
        kill_stranger(&pid.to_string());
        // What else is wrong comes first.
        let failed = Cmd::sh("\"$1\" fork-and-hold 30000 2>/dev/null; exit 3").args(["sh", fixture()]);
        let error = failed.on_leak(OnLeak::Fail).output().expect_err("a bad status");
        assert_eq!(error.kind(), ErrorKind::Status);
        kill_stranger(&said(error.output().expect("what there was")).to_string());
    });
}

#[test]
fn it_is_ended_and_told() {
    isolated(|| {
        for _ in 0..count(5, 200) {
            let out = within(SLACK, || leaky().on_leak(OnLeak::Kill).output()).expect("a success");
            let leak = out.leaked.as_ref().expect("a leak");
            assert!(leak.processes.iter().all(|process| process.killed), "{leak:?}");
            assert_eq!(leak.processes[0].pid as i32, said(&out));
            assert_gone(&[said(&out)]);
            progress();
        }
        // One that goes on talking, in a session of its own.
        let talks = role("fork-and-yes").on_leak(OnLeak::Kill).stderr(Redirect::null());
        let out = within(2 * SLACK, || talks.output()).expect("a success");
        let pid = out.stdout_lossy().lines().next().and_then(|line| line.parse().ok()).expect("its number");
        assert_gone(&[pid]);
    });
}

#[test]
fn a_process_that_holds_no_pipe_is_seen_in_the_container() {
    isolated(|| {
        let cgroup = Cgroup::new();
        for containment in containments(cgroup.as_ref()) {
            let is_cgroup = matches!(containment, Containment::Cgroup(_));
            let out = quiet(containment.clone()).output().expect("a success");
            // A cgroup tells for nothing; for the others every process has to be looked at.
            let seen = out.leaked.as_ref().map(|leak| leak.processes[0].pid as i32);
            assert_eq!(seen, is_cgroup.then_some(said(&out)));
            kill_stranger(&said(&out).to_string());

            let error = quiet(containment.clone()).on_leak(OnLeak::Fail).output().expect_err("a leak");
            assert_eq!(error.kind(), ErrorKind::Leaked);
            let leak = error.output().and_then(|output| output.leaked.clone()).expect("a leak");
            assert_eq!((leak.streams.as_slice(), leak.holders.len()), (&[][..], 0));
            kill_stranger(&said(error.output().expect("what there was")).to_string());

            let out = quiet(containment).on_leak(OnLeak::Kill).output().expect("a success");
            assert!(out.leaked.as_ref().is_some_and(|leak| leak.processes[0].killed));
            assert_gone(&[said(&out)]);
        }
    });
}

#[test]
fn no_process_is_left_where_all_have_ended() {
    isolated(|| {
        let cgroup = Cgroup::new();
        for containment in containments(cgroup.as_ref()) {
            for _ in 0..count(10, 500) {
                let line = role("blocks").arg("1000") | role("cat") | cmd!("sh", "-c", "cat | cat");
                let out = line.contain(containment.clone()).on_leak(OnLeak::Fail).output().expect("a success");
                assert_eq!((out.stdout.len(), out.leaked), (1000, None));
                progress();
            }
        }
    });
}

#[test]
fn a_child_of_another_run_is_not_ended_for_holding_the_pipe() {
    isolated(|| {
        // It gets the very pipe, and keeps it when the run is over.
        let (reader, writer) = pipewright::pipe::kernel().expect("a pipe");
        let other = role("hang").stdin(Redirect::null()).stdout(Redirect::fd(writer)).spawn().expect("it starts");
        assert_eq!(read_line(reader), "ready");
        let out = leaky().on_leak(OnLeak::Kill).output().expect("a success");
        assert_gone(&[said(&out)]);
        assert_eq!(other.try_wait().expect("no error"), None);
    });
}

#[test]
fn an_orphan_that_this_process_was_given_is_ended_too() {
    isolated(|| {
        // As the first process of a container is given all of them.
        prctl::set_child_subreaper(true).expect("can ask for orphans");
        let cmd = Cmd::sh("\"$1\" hang 2> /dev/null & echo $!").args(["sh", fixture()]);
        let out = cmd.on_leak(OnLeak::Kill).output().expect("a success");
        let leak = out.leaked.as_ref().expect("a leak");
        assert!(leak.processes.iter().all(|process| process.killed), "{leak:?}");
        let status = waitpid(Pid::from_raw(leak.processes[0].pid as i32), None).expect("ours by now");
        assert!(matches!(status, WaitStatus::Signaled(_, Signal::SIGKILL, _)), "{status:?}");
    });
}
