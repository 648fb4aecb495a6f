//! Pipelines in arguments are part of the run: its statuses, its time, its end.

use super::*;
use crate::prelude::*;

fn exits(code: &str) -> Cmd {
    role("exit").arg(code)
}

#[test]
fn one_that_fails_fails_the_run_and_is_named() {
    isolated(|| {
        let cmd = paths().arg_reader(exits("3")).arg_reader(role("echo").arg("x"));
        let error = cmd.output().expect_err("a stage failed");
        assert_eq!((error.kind(), error.stage()), (ErrorKind::Status, Some(1)));
        assert_eq!(error.status().and_then(|status| status.code()), Some(3));
        assert_eq!(error.output().expect("it ran").stdout, "x\n");
        let codes = |cmd: &Cmd| -> Vec<_> {
            let output = cmd.clone().unchecked().output().unwrap_or_else(|error| error.into_output().expect("it ran"));
            output.stages.iter().map(|stage| stage.status.code()).collect()
        };
        assert_eq!(codes(&cmd), [Some(0), Some(3), Some(0)]);
        // A writer's, too, and deep ones.
        let writer = role("tee-paths").arg_writer(role("cat") | exits("4")).stdin(Redirect::null());
        assert_eq!(writer.run().expect_err("failed").stage(), Some(2));
        let deep = paths().arg_reader(paths().arg_reader(exits("5")) | role("cat"));
        assert_eq!(deep.run().expect_err("failed").status().and_then(|status| status.code()), Some(5));
        // Data where it is said to be.
        assert!(paths().arg_reader(exits("3").unchecked()).run().is_ok());
        assert!(paths().arg_reader(exits("3").allow_codes([3])).run().is_ok());
    });
}

#[test]
fn the_policy_of_the_run_is_theirs() {
    isolated(|| {
        let failing = || paths().arg_reader(exits("3"));
        assert_eq!(failing().status().expect("it ran").code(), Some(3));
        let last = failing().status_policy(StatusPolicy::Last);
        assert!(last.run().expect("only the last stage counts").status.success());
        let own = (role("cat").stdin(Redirect::null()) | exits("2")).status_policy(StatusPolicy::Last);
        assert_eq!(own.run().expect_err("it is the last").stage(), Some(1));
        let last = paths().arg("/dev/fd/9").arg_reader(exits("0")).status_policy(StatusPolicy::Last);
        assert_eq!(last.run().expect_err("no fd 9").stage(), Some(0));
        // A stage whose reader had enough did not fail, unless all count.
        let head = || role("head").arg_reader(role("yes") | role("cat")).stdin(Redirect::null());
        assert!(head().run().is_ok());
        let strict = head().status_policy(StatusPolicy::Strict).run().expect_err("a death of SIGPIPE");
        assert_eq!(strict.status().and_then(|status| status.signal()), Some(nix::libc::SIGPIPE));
    });
}

/// Runs that never end by themselves, for the stage that is in an argument.
fn endless() -> [Cmd; 3] {
    let quiet = || role("hang").stdout(Redirect::null());
    [
        paths().arg_reader(role("hang") | role("cat")).stdout(Redirect::null()),
        // It outlives its writer.
        role("exit").arg("0").arg_writer(quiet()),
        paths().arg_reader(paths().arg_reader(role("ignore-term"))).stdout(Redirect::null()),
    ]
}

/// It is the run's own stage that stopped reading, so a death of it is none that counts, also for the last.
#[test]
fn a_last_stage_whose_argument_had_enough_did_not_fail() {
    isolated(|| {
        let tee = role("tee-paths").arg_writer(role("head").stdout(Redirect::null())).stdout(Redirect::null());
        let line = role("yes") | tee;
        let output = line.run().expect("no stage failed");
        assert_eq!(output.stages[1].status.signal(), Some(nix::libc::SIGPIPE));
        let strict = line.status_policy(StatusPolicy::Strict).run().expect_err("a death of SIGPIPE");
        assert_eq!(strict.kind(), ErrorKind::Status);
    });
}

#[test]
fn timeout_cancel_kill_and_drop_reach_them() {
    isolated(|| {
        let time = Duration::from_millis(150);
        all_at_once(&endless(), |cmd| {
            let limited = cmd.clone().timeout(time).grace(Duration::from_millis(50));
            let error = within(time + SLACK * 3, || limited.run()).expect_err("it never ends");
            assert_eq!(error.kind(), ErrorKind::Timeout, "{error:#}");
        });
        assert_childless();
        for cmd in endless() {
            let cancel = cmd.cancel_handle();
            let job = cmd.grace(Duration::ZERO).spawn().expect("it starts");
            cancel.cancel();
            assert_eq!(within(SLACK * 3, || job.output()).expect_err("cancelled").kind(), ErrorKind::Cancelled);
        }
        for cmd in endless() {
            let job = cmd.spawn().expect("it starts");
            let report = job.kill().expect("it can be killed");
            assert_eq!(job.pids().len(), job.processes().len());
            drop(report);
            within(SLACK * 3, || job.wait()).expect("it ends");
        }
        assert_childless();
        for cmd in endless() {
            let job = cmd.spawn().expect("it starts");
            within(SLACK, || drop(job));
        }
        assert_childless();
    });
}

#[test]
fn one_that_cannot_be_started_undoes_all() {
    isolated(|| {
        let missing = || Cmd::new("/no/such/program");
        let broken = [
            (1, paths().arg_reader(missing())),
            (2, paths().arg_reader(role("cat") | missing())),
            (2, role("tee-paths").arg_writer(role("cat")).arg_writer(missing()).stdin(Redirect::null())),
            (3, paths().arg_reader(role("hang") | paths().arg_reader(missing()))),
        ];
        for (stage, cmd) in broken {
            let before = open_fds();
            let error = cmd.run().expect_err("no program");
            assert_eq!((error.kind(), error.stage()), (ErrorKind::ProgramNotFound, Some(stage)), "{error}");
            assert_no_child();
            assert_no_new_fd(&before);
        }
        let error = paths().arg_reader(role("cat").current_dir("/no/such")).spawn().expect_err("no directory");
        assert_eq!((error.kind(), error.step(), error.stage()), (ErrorKind::CurrentDir, Some(Step::Chdir), Some(1)));
        let error = paths().arg_reader(role("cat").stdin(Redirect::file("/no/such"))).run().expect_err("no file");
        assert_eq!((error.kind(), error.stage()), (ErrorKind::Redirect, Some(1)));
        assert_no_child();
    });
}

#[test]
fn a_setting_of_the_whole_run_is_refused_inside() {
    isolated(|| {
        let time = Duration::from_secs(1);
        let inside: [pipewright::Pipeline; 5] = [
            role("cat").timeout(time).into(),
            (role("cat") | role("cat").timeout(time)),
            (role("cat") | role("cat")).stdout_limit(Limit::Head(1)),
            (role("cat") | role("cat")).status_policy(StatusPolicy::Last),
            role("cat").fd_limit(3, Limit::Head(1)).into(),
        ];
        for pipeline in inside {
            for cmd in [role("cat").arg_reader(pipeline.clone()), role("cat").arg_writer(pipeline.clone())] {
                let error = (role("cat") | cmd).run().expect_err("refused");
                assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
                assert!(error.to_string().contains("argument"), "it is in no pipeline: {error}");
            }
        }
        let own = role("cat").arg_writer(role("cat").stdin(Redirect::null()));
        assert_eq!(own.run().expect_err("it is fed").kind(), ErrorKind::Conflict);
        let own = role("cat").arg_reader(role("cat").stdout(Redirect::null()));
        assert_eq!(own.run().expect_err("it is read").kind(), ErrorKind::Conflict);
    });
}

#[test]
fn their_stderr_is_captured_with_that_of_the_run() {
    isolated(|| {
        let cmd = paths().arg_reader(role("say").args(["2", "from inside\n"]));
        assert_eq!(cmd.output().expect("it runs").stderr, "from inside\n");
        let merged = role("say").args(["2", "as output"]).stderr_to_stdout();
        assert_eq!(paths().arg_reader(merged).read().expect("it runs"), "as output");
    });
}

#[test]
fn a_run_is_over_when_its_writers_are() {
    isolated(|| {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("copy");
        let bytes = vec![b'x'; 3 << 20];
        let slow = role("cat-slow").arg("4096").stdout(Redirect::file(&path));
        let tee = role("tee-paths").arg_writer(slow).stdin(Redirect::bytes(bytes.clone()));
        tee.stdout(Redirect::null()).run().expect("it runs");
        // Not a byte is missing although the program itself had ended before.
        assert_eq!(std::fs::read(&path).expect("written"), bytes);
    });
}
