//! What the processes of a run have started in turn ends with the run.

pub(crate) mod cgroups;
mod contain;
mod graceful;
mod leaks;
mod namespaces;
mod orphans;
mod parent_death;
mod signals;
mod stolen;

use crate::prelude::*;

/// A shell that says its own number, starts helpers in these roles, says theirs, and waits for them. They say when they are ready.
fn tree(roles: &[&str]) -> Cmd {
    let text = "helper=$1; shift; echo $$; for role; do \"$helper\" $role & echo $!; done; wait";
    Cmd::sh(text).args(["sh", fixture()]).args(roles).stderr(Redirect::null())
}

/// The process numbers that a tree has printed, the shell's first; `None` until all are printed and each role that can has said "ready".
fn complete(lines: &[String], roles: &[&str]) -> Option<Vec<i32>> {
    let pids: Vec<i32> = lines.iter().filter_map(|line| line.parse().ok()).collect();
    let ready = lines.iter().filter(|line| *line == "ready").count();
    let say_so = roles.iter().filter(|role| **role != "stop-self").count();
    (pids.len() > roles.len() && ready >= say_so).then_some(pids)
}

/// The live tree, once it is complete.
fn live(cmd: &Cmd, roles: &[&str]) -> (Job, Vec<i32>) {
    let job = cmd.clone().stdout(Redirect::piped()).spawn().expect("it starts");
    let mut stdout = job.take_stdout().expect("piped");
    let mut said = Vec::new();
    loop {
        said.push(read_line(&mut stdout));
        if let Some(pids) = complete(&said, roles) {
            return (job, pids);
        }
    }
}

/// False on systems that do not show which process started which.
fn can_walk() -> bool {
    if !cfg!(target_os = "linux") {
        skip("a walk needs Linux");
    }
    cfg!(target_os = "linux")
}

const ROLES: [&str; 3] = ["hang", "ignore-term", "stop-self"];

#[test]
fn a_timeout_and_a_cancel_end_processes_that_ignore_the_first_signal_or_have_stopped() {
    isolated(|| {
        if !can_walk() {
            return;
        }
        let grace = Duration::from_millis(50);
        let run = |time| tree(&ROLES).timeout(time).grace(grace).output().expect_err("it hangs");
        let said = |error: &Error| {
            let stdout = error.output().map(|output| output.stdout_lossy().into_owned()).unwrap_or_default();
            complete(&stdout.lines().map(String::from).collect::<Vec<_>>(), &ROLES)
        };
        let (error, _) = timed_out(run, |error| said(error).is_some());
        assert_eq!(error.kind(), ErrorKind::Timeout);
        assert_gone(&said(&error).expect("all of it"));

        let endless = tree(&ROLES).grace(grace);
        let cancel = endless.cancel_handle();
        let mut lines = endless.lines().expect("it starts");
        let mut said = Vec::new();
        let all = loop {
            said.push(lines.next().expect("a line").expect("text"));
            if let Some(pids) = complete(&said, &ROLES) {
                break pids;
            }
        };
        cancel.cancel();
        let error = lines.find_map(Result::err).expect("it was cancelled");
        assert_eq!(error.kind(), ErrorKind::Cancelled);
        assert_gone(&all);
    });
}

#[test]
fn a_drop_ends_all_of_it_in_its_time() {
    isolated(|| {
        if !can_walk() {
            return;
        }
        for _ in 0..count(3, 100) {
            let (job, all) = live(&tree(&ROLES), &ROLES);
            within(SLACK, || drop(job));
            assert_gone(&all);
            // With a thread of its own, too.
            let (job, all) = live(&tree(&ROLES).timeout(Duration::from_secs(60)), &ROLES);
            within(SLACK, || drop(job));
            assert_gone(&all);
            progress();
        }
    });
}

#[test]
fn a_kill_reports_all_that_it_reached() {
    isolated(|| {
        if !can_walk() {
            return;
        }
        let (job, all) = live(&tree(&ROLES), &ROLES);
        let report = job.kill().expect("a report");
        let mut killed: Vec<i32> = report.signalled.iter().map(|pid| i32::try_from(*pid).expect("a number")).collect();
        assert_eq!((report.means, report.proven, report.signalled[0]), (Means::Walk, false, job.pids()[0]));
        killed.sort_unstable();
        let mut expected = all.clone();
        expected.sort_unstable();
        assert_eq!((killed, report.survivors), (expected, Vec::new()));
        assert_eq!(job.wait().expect("a status").signal(), Some(libc::SIGKILL));
        assert_gone(&all);
    });
}

#[test]
fn a_shutdown_comes_back_when_all_are_gone_and_not_before() {
    isolated(|| {
        if !can_walk() {
            return;
        }
        // No process ignores the first signal: the end comes long before the grace is over.
        let (job, all) = live(&tree(&["hang", "hang"]), &["hang", "hang"]);
        let report = within(Duration::from_secs(20), || job.shutdown(Duration::from_secs(60))).expect("a report");
        assert!(report.survivors.is_empty(), "{report:?}");
        assert_gone(&all);
        // One does, though the shell above it dies of it at once.
        let (job, all) = live(&tree(&["ignore-term"]), &["ignore-term"]);
        let grace = Duration::from_millis(100);
        let start = Instant::now();
        let report = within(grace + 2 * SLACK, || job.shutdown(grace)).expect("a report");
        assert!(start.elapsed() >= grace, "it had its time");
        assert!(report.survivors.is_empty(), "{report:?}");
        assert_gone(&all);
    });
}

#[test]
fn what_left_the_session_is_reached_as_long_as_its_parent_is_there() {
    isolated(|| {
        if !can_walk() {
            return;
        }
        if pipewright::which("setsid").is_err() {
            return skip("there is no setsid here");
        }
        let text = "echo $$; setsid \"$1\" ignore-term & echo $!; wait";
        let shell = Cmd::sh(text).args(["sh", fixture()]).stderr(Redirect::null());
        let (job, all) = live(&shell, &["ignore-term"]);
        job.kill().expect("a report");
        assert!(job.wait().is_ok());
        assert_gone(&all);
    });
}

#[test]
fn a_kill_ends_a_holder_of_a_stream_that_is_no_descendant() {
    isolated(|| {
        if !can_walk() {
            return;
        }
        let ends: [fn(&pipewright::Job); 2] = [
            |job| drop(job.kill().expect("a report")),
            |job| drop(job.shutdown(Duration::from_secs(10)).expect("a report")),
        ];
        for end in ends {
            // The one that was started is gone; its child holds the captured stream.
            let hold = role("fork-and-hold").arg("30000").stderr(Redirect::null()).stdout(Redirect::capture());
            let job = hold.spawn().expect("it starts");
            let line = job.events().find_map(|event| match event.kind {
                EventKind::Line { line, .. } => Some(line),
                _ => None,
            });
            let stranger: u32 = std::str::from_utf8(&line.expect("its pid")).expect("text").parse().expect("a number");
            job.processes()[0].wait().expect("ours");
            let output = within(SLACK, || {
                end(&job);
                job.output()
            });
            let leak = output.expect("its own status is good").leaked.expect("it was held");
            assert_eq!((leak.processes[0].pid, leak.processes[0].killed), (stranger, true));
            assert_gone(&[i32::try_from(stranger).expect("a number")]);
        }
    });
}
