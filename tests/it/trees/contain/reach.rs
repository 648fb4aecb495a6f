//! What a kill reaches, by each means.

use pipewright::KillReport;

use super::*;
use crate::prelude::*;

/// A tree of 50: 5 in sessions of their own, 5 whose parents have ended.
fn fifty() -> Cmd {
    role("tree").args(["50", "5", "5", "0"])
}

/// Killed, surviving and invisible are all there are.
#[track_caller]
fn assert_all_told(report: &KillReport, said: &Said, invisible: &[i32]) {
    let mut told = sorted(report.signalled.iter().copied().chain(report.survivors.iter().map(|left| left.pid)));
    told.extend(invisible);
    told.sort_unstable();
    assert_eq!(told, of(said, |_| true), "{report:?}");
}

#[test]
fn a_tree_of_fifty_is_killed_or_told_of() {
    isolated(|| {
        let cgroup = Cgroup::new();
        for _ in 0..count(2, 500) {
            let (job, said) = live(&fifty(), 50);
            let report = job.kill().expect("a report");
            assert_eq!((report.means, report.proven), (Means::Walk, false));
            // They hold the pipe whose end was taken here, so the run does not find them by it.
            let orphans = of(&said, |what| what == "orphan");
            assert_eq!(orphans.len(), 5);
            assert_all_told(&report, &said, &orphans);
            assert_gone(&of(&said, |what| what != "orphan"));
            end_strangers(&orphans);

            for containment in containments(cgroup.as_ref()) {
                let (job, said) = live(&fifty().contain(containment.clone()), 50);
                // Not `kill`, which does not wait: on a busy machine it cannot know yet that all are gone.
                let report = job.shutdown_with([]).expect("a report");
                let means = match containment {
                    Containment::Group => Means::Group,
                    Containment::Session => Means::Session,
                    _ => Means::Cgroup,
                };
                assert_eq!((report.means, report.proven, &report.fell_back), (means, means == Means::Cgroup, &None));
                assert_all_told(&report, &said, &[]);
                assert_gone(&of(&said, |_| true));
            }
            progress();
        }
        assert!(cgroup.is_none_or(|cgroup| cgroup.inside().is_empty()));
    });
}

#[test]
fn a_timeout_finds_an_orphan_by_the_pipe() {
    isolated(|| {
        let grace = Duration::from_millis(50);
        let run = |time| fifty().timeout(time).grace(grace).output().expect_err("it waits");
        let said = |error: &Error| -> Said {
            let text = error.output().map(|output| output.stdout_lossy().into_owned()).unwrap_or_default();
            let lines = text.lines().filter_map(|line| line.split_once(' '));
            lines.filter_map(|(what, pid)| Some((what.to_owned(), pid.parse().ok()?))).collect()
        };
        let (error, _) = timed_out(run, |error| said(error).len() == 50);
        assert_eq!(error.kind(), ErrorKind::Timeout);
        let said = said(&error);
        assert_gone(&of(&said, |_| true));
        let leak = error.output().and_then(|output| output.leaked.clone()).expect("strangers held the pipe");
        assert!(leak.processes.iter().all(|process| process.killed), "{leak:?}");
        assert_eq!(sorted(leak.processes.iter().map(|process| process.pid)), of(&said, |what| what == "orphan"));
    });
}

#[test]
fn a_process_in_a_group_of_its_own_is_still_in_the_session() {
    isolated(|| {
        let apart = |containment| live(&role("orphan").arg("group").contain(containment), 2);
        let (job, said) = apart(Containment::Session);
        assert_eq!(sorted(job.kill().expect("a report").signalled), of(&said, |_| true));
        assert_gone(&of(&said, |_| true));
        // It left the group and has no parent in the run: nothing shows it.
        let (job, said) = apart(Containment::Group);
        let report = job.kill().expect("a report");
        assert_eq!(sorted(report.signalled), of(&said, |what| what == "parent"));
        assert!(!report.proven);
        end_strangers(&of(&said, |_| true));
    });
}

#[test]
fn a_group_is_ended_also_when_its_first_process_has_ended() {
    isolated(|| {
        for containment in [Containment::Group, Containment::Session] {
            for end in ["kill", "drop", "shutdown"] {
                let hold = role("fork-and-hold").arg("30000").contain(containment.clone());
                let job = hold.stdout(Redirect::piped()).spawn().expect("it starts");
                let left = read_line(job.take_stdout().expect("piped")).parse().expect("its number");
                assert!(job.processes()[0].wait().expect("a status").success());
                match end {
                    "kill" => assert!(sorted(job.kill().expect("a report").signalled).contains(&left)),
                    "shutdown" => drop(job.shutdown(Duration::from_secs(5)).expect("a report")),
                    _ => drop(job),
                }
                assert_gone(&[left]);
            }
        }
    });
}

#[test]
fn a_shutdown_asks_orphans_too_and_waits_for_them() {
    isolated(|| {
        let cgroup = Cgroup::new();
        for containment in containments(cgroup.as_ref()) {
            let (job, said) = live(&role("orphan").arg("with").contain(containment), 2);
            // They end by the first signal: long before the grace is over.
            let report = within(Duration::from_secs(20), || job.shutdown(Duration::from_secs(60))).expect("a report");
            assert!(report.survivors.is_empty(), "{report:?}");
            assert_gone(&of(&said, |_| true));
            assert_eq!(job.wait().expect("a status").signal(), Some(15));

            // Stubborn leaves, which SIGTERM does not end.
            let (job, said) = live(&role("tree").args(["7", "0", "2", "1"]).contain(Containment::Group), 7);
            job.shutdown_with([(1, Duration::from_millis(20)), (15, Duration::from_millis(20))]).expect("a report");
            assert_gone(&of(&said, |_| true));
        }
    });
}

#[test]
fn a_stopped_process_is_ended_too() {
    isolated(|| {
        let cgroup = Cgroup::new();
        for containment in containments(cgroup.as_ref()) {
            let stopped = role("stop-self").arg("parent 1\n").contain(containment);
            let (job, _) = live(&stopped, 1);
            within(Duration::from_secs(20), || job.shutdown(Duration::from_secs(60))).expect("a report");
            assert!(job.wait().expect("a status").signal().is_some());
        }
    });
}

#[test]
fn a_drop_ends_all_of_it_also_without_a_spare_descriptor() {
    isolated(|| {
        let cgroup = Cgroup::new();
        for containment in containments(cgroup.as_ref()).into_iter().filter(|it| *it != Containment::Session) {
            let (job, said) = live(&role("tree").args(["20", "2", "4", "1"]).contain(containment.clone()), 20);
            spare_fds(0, || within(SLACK, || drop(job)));
            // Only a walk finds a process that left the group by `setsid`, and a walk takes a descriptor.
            let found = |what: &str| what != "session" || matches!(containment, Containment::Cgroup(_));
            assert_gone(&of(&said, found));
            end_strangers(&of(&said, |_| true));
        }
    });
}

#[test]
fn detached_processes_live_on() {
    isolated(|| {
        let cgroup = Cgroup::new();
        for containment in containments(cgroup.as_ref()) {
            let (job, said) = live(&role("orphan").arg("with").contain(containment), 2);
            job.detach();
            let all = of(&said, |_| true);
            assert!(all.iter().all(|pid| process_state(*pid).is_some_and(|state| state != 'Z')));
            end_strangers(&all);
            assert_gone(&all);
            assert_childless();
        }
    });
}

#[test]
fn a_run_in_a_container_ends_by_itself_as_any_other() {
    isolated(|| {
        let cgroup = Cgroup::new();
        for containment in containments(cgroup.as_ref()) {
            for _ in 0..count(20, 1000) {
                let three = role("blocks").arg("100000") | role("cat") | role("exit").arg("5");
                let error = three.contain(containment.clone()).run().expect_err("the last stage fails");
                assert_eq!(error.status().and_then(|status| status.code()), Some(5), "{error:?}");
            }
            let missing = role("hang") | Cmd::new("/no/such/program");
            let error = missing.contain(containment).run().expect_err("no such program");
            assert_eq!((error.kind(), error.stage()), (ErrorKind::ProgramNotFound, Some(1)));
            assert_childless();
            progress();
        }
        assert!(cgroup.is_none_or(|cgroup| cgroup.inside().is_empty()));
    });
}
