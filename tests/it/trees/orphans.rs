//! Orphans of an ended run, where the system gives them to this process: as pid 1 of a container, or as a subreaper.

use std::os::unix::process::CommandExt;

use nix::sys::prctl;
use pipewright::Containment;

use super::*;

/// A body whose process is given all orphans among its descendants.
fn as_subreaper(body: impl FnOnce()) {
    isolated(|| {
        if can_walk() {
            prctl::set_child_subreaper(true).expect("can ask for orphans");
            body();
        }
    });
}

#[test]
fn a_run_that_is_ended_by_its_handle_leaves_no_zombie_to_a_subreaper() {
    as_subreaper(|| {
        for run in [tree(&ROLES), tree(&ROLES).contain(Containment::Group)] {
            for end in ["kill", "shutdown", "drop"] {
                let (job, _) = live(&run, &ROLES);
                match end {
                    "kill" => drop(job.kill().expect("a report")),
                    "shutdown" => drop(job.shutdown(Duration::from_millis(50)).expect("a report")),
                    _ => {}
                }
                drop(job);
                assert_childless();
            }
        }
    });
}

#[test]
fn a_timeout_leaves_no_zombie_to_a_subreaper() {
    as_subreaper(|| {
        let grace = Duration::from_millis(50);
        let run = |time| {
            let error = tree(&ROLES).timeout(time).grace(grace).output().expect_err("it hangs");
            assert_childless();
            error
        };
        let said = |error: &Error| {
            let stdout = error.output().map(|output| output.stdout_lossy().into_owned()).unwrap_or_default();
            complete(&stdout.lines().map(String::from).collect::<Vec<_>>(), &ROLES)
        };
        timed_out(run, |error| said(error).is_some());
    });
}

#[test]
fn the_hosts_own_child_in_the_runs_group_is_left_to_the_host() {
    as_subreaper(|| {
        let (job, all) = live(&tree(&["hang"]).contain(Containment::Group), &["hang"]);
        let own = std::process::Command::new(fixture()).arg("hang").process_group(all[0]).spawn();
        let mut own = own.expect("it starts");
        assert!(job.kill().expect("a report").killed.contains(&own.id()));
        drop(job);
        assert!(!own.wait().expect("its status is still there").success());
        assert_childless();
    });
}
