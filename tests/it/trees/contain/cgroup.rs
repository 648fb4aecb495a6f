//! The cgroup of a run: fresh, its own, and gone afterwards.

use pipewright::KillReport;

use super::*;
use crate::prelude::*;
use crate::trees::cgroups::members;

fn in_cgroup(cmd: Cmd, cgroup: &Cgroup) -> Cmd {
    cmd.contain(Containment::Cgroup(cgroup.path().into()))
}

/// A moment after the last process of it: the system takes a cgroup down behind that.
#[track_caller]
fn assert_removed(what: impl Fn() -> bool) {
    let start = Instant::now();
    while !what() {
        assert!(start.elapsed() < SLACK, "a cgroup is left");
        std::thread::yield_now();
    }
}

#[test]
fn runs_in_one_directory_have_nothing_to_do_with_each_other() {
    isolated(|| {
        let Some(cgroup) = Cgroup::new() else { return };
        // Not there yet: the first of them makes it.
        let directory = cgroup.path().join("runs");
        let hang = role("orphan").arg("session").contain(Containment::Cgroup(directory.clone()));
        for _ in 0..count(3, 100) {
            let (first, said) = live(&hang, 2);
            let (second, others) = live(&hang, 2);
            assert!(first.shutdown_with([]).expect("a report").proven);
            assert_gone(&of(&said, |_| true));
            first.wait().expect("a status");
            assert_eq!(second.try_wait().expect("no error"), None, "it was not meant");
            assert_eq!(members(&directory).len(), 2);
            drop(first);
            drop(second);
            assert_gone(&of(&others, |_| true));
            // Made by the library, so removed by it.
            assert!(!directory.exists() || live(&hang, 2).0.kill().is_ok());
        }
        hang.clone().timeout(std::time::Duration::ZERO).run().expect_err("too late");
        assert_removed(|| !directory.exists() || hang.spawn().is_err());
    });
}

#[test]
fn a_cgroup_that_is_in_use_is_removed_later() {
    isolated(|| {
        let Some(cgroup) = Cgroup::new() else { return };
        // A process goes on in it, which is no error.
        let hold = in_cgroup(role("fork-and-hold").arg("30000"), &cgroup).stderr(Redirect::null());
        let out = hold.eof_grace(std::time::Duration::ZERO).output().expect("a success");
        let leak = out.leaked.clone().expect("it is left");
        let pid = out.stdout_str().expect("text").trim().parse().expect("its number");
        assert_eq!(sorted(leak.processes.iter().map(|process| process.pid)), [pid]);
        assert_eq!((cgroup.members(), cgroup.inside().len()), (vec![pid], 1));
        end_strangers(&[pid]);
        assert_gone(&[pid]);
        assert_removed(|| {
            in_cgroup(role("exit").arg("0"), &cgroup).run().expect("a success");
            cgroup.inside().is_empty()
        });
    });
}

#[test]
fn cgroups_that_the_run_makes_inside_are_part_of_it() {
    isolated(|| {
        let Some(cgroup) = Cgroup::new() else { return };
        let text = "own=$1; shift; own=$own/$(ls \"$own\" | grep pipewright-); mkdir \"$own/a\" \"$own/a/b\"; \
                    echo $$ > \"$own/a/b/cgroup.procs\"; exec \"$1\" orphan session";
        let deep = in_cgroup(Cmd::sh(text).arg("sh").arg(cgroup.path()).arg(fixture()), &cgroup);
        let (job, said) = live(&deep, 2);
        let report = job.shutdown_with([]).expect("a report");
        assert!(report.proven, "{report:?}");
        assert_eq!(sorted(report.signalled), of(&said, |_| true));
        assert_gone(&of(&said, |_| true));
        job.wait().expect("a status");
        assert_removed(|| cgroup.inside().is_empty());
    });
}

#[test]
fn a_threaded_cgroup_inside_hides_no_process() {
    isolated(|| {
        let Some(cgroup) = Cgroup::new() else { return };
        let text = "own=$1; own=$own/$(ls \"$own\" | grep pipewright-); mkdir \"$own/a\" && \
                    echo threaded > \"$own/a/cgroup.type\" && echo $$ > \"$own/a/cgroup.threads\" || echo refused 1; \
                    exec \"$2\" orphan session";
        let (job, said) = live(&in_cgroup(Cmd::sh(text).arg("sh").arg(cgroup.path()).arg(fixture()), &cgroup), 2);
        if said[0].0 == "refused" {
            return skip("no threaded cgroup can be made here");
        }
        let report = job.shutdown_with([]).expect("a report");
        assert!(report.proven && report.signalled.len() == 2, "{report:?}");
        job.wait().expect("a status");
        assert_removed(|| cgroup.inside().is_empty());
    });
}

#[test]
fn the_cgroup_is_entered_whatever_else_is_open() {
    isolated(|| {
        let Some(cgroup) = Cgroup::new() else { return };
        // The entrance has a high number then.
        let null = fs::File::open("/dev/null").expect("it opens");
        let copy = || -> OwnedFd { null.try_clone().expect("a descriptor").into() };
        let _many: Vec<OwnedFd> = std::iter::repeat_with(copy).take(700).collect();
        for _ in 0..count(12, 100) {
            // Nothing else of a high number is needed.
            let alone = role("sleep").arg("30000").stdin(Redirect::inherit());
            let job = in_cgroup(alone, &cgroup).spawn().expect("it starts");
            assert_eq!(cgroup.members(), sorted(job.pids()));
            let report = job.shutdown_with([]).expect("a report");
            assert_eq!((report.proven, report.fell_back), (true, None));
        }
        assert!(fcntl(&null, FcntlArg::F_GETFD).is_ok());
    });
}

/// It runs, and says why without.
#[track_caller]
fn assert_fell_back(directory: &std::path::Path, why: &str) {
    let contained = |name| role(name).contain(Containment::Cgroup(directory.into()));
    assert_eq!(contained("exit").arg("3").status().expect("it runs").code(), Some(3));
    let (job, said) = live(&contained("orphan").arg("with"), 2);
    let KillReport { means, proven, fell_back, signalled, .. } = job.shutdown_with([]).expect("a report");
    assert_eq!((means, proven, sorted(signalled)), (Means::Walk, false, of(&said, |what| what == "parent")));
    assert!(fell_back.as_ref().is_some_and(|text| text.contains(why)), "{fell_back:?}");
    end_strangers(&of(&said, |what| what == "orphan"));
    let three = role("echo").arg("x") | role("cat") | role("cat");
    assert_eq!(three.contain(Containment::Cgroup(directory.into())).read().expect("it runs"), "x");
}

#[test]
fn where_no_cgroup_can_be_made_the_run_goes_without_and_says_so() {
    isolated(|| {
        let temp = tempfile::tempdir().expect("a directory");
        assert_fell_back(temp.path(), "it has no cgroup.kill");
        assert_fell_back(&temp.path().join("new"), "it has no cgroup.kill");
        assert_fell_back(&temp.path().join("a/b"), "No such file or directory");
        assert_fell_back(std::path::Path::new("/proc/pipewright"), "no cgroup could be made in /proc/pipewright");
        assert_eq!(temp.path().read_dir().expect("it is there").count(), 0, "nothing is left");
    });
}

#[test]
fn where_the_cgroup_cannot_be_entered_the_run_goes_without_and_says_so() {
    isolated(|| {
        let Some(cgroup) = Cgroup::new() else { return };
        // Beside a threaded one no other kind can be entered.
        let threaded = cgroup.path().join("threaded");
        fs::create_dir(&threaded).expect("a cgroup");
        if let Err(error) = fs::write(threaded.join("cgroup.type"), "threaded") {
            return skip(&format!("no threaded cgroup can be made here: {error}"));
        }
        assert_fell_back(cgroup.path(), "could not be entered: ");
        assert_removed(|| cgroup.inside() == [threaded.clone()]);
    });
}

#[test]
fn a_cgroup_that_is_removed_counts_as_empty() {
    isolated(|| {
        let Some(cgroup) = Cgroup::new() else { return };
        let (job, _) = live(&in_cgroup(role("orphan").arg("with"), &cgroup), 2);
        assert!(job.shutdown_with([]).expect("a report").proven);
        job.processes()[0].wait().expect("a status");
        let [own] = &cgroup.inside()[..] else { panic!("one cgroup") };
        assert_removed(|| fs::remove_dir(own).is_ok());
        for _ in 0..2 {
            let report = job.shutdown_with([]).expect("a report");
            assert!(report.proven && report.survivors.is_empty(), "{report:?}");
            // After it, too.
            job.wait().expect("a status");
        }
    });
}
