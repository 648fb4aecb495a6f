//! With few descriptors left: success or a clean error; what is held can always be ended.

use crate::prelude::*;

/// Five stages with a merge, a capture and bytes for stdin.
fn pipeline() -> Pipeline {
    let line = role("cat") | role("upper").stderr_to_stdout() | role("cat") | role("cat") | role("cat");
    line.stdin(Redirect::bytes("fed")).stderr(Redirect::capture())
}

#[test]
fn with_few_fds_a_pipeline_runs_or_says_cleanly_that_it_cannot() {
    isolated(|| {
        // What is made once is made: a stack for the child, a probe of the engine.
        pipeline().output().expect("it runs");
        let before = open_fds();
        let enough = if is_portable() { 20 } else { 12 };
        let mut least = None;
        for spare in 0..=40 {
            let result = spare_fds(spare, || within(Duration::from_secs(5), || pipeline().output()));
            match result {
                Ok(output) => {
                    assert_eq!(output.stdout, b"FED");
                    assert_eq!(output.stages.len(), 5);
                    least = least.or(Some(spare));
                }
                Err(error) => {
                    assert!(spare < enough, "{spare} are enough: {error:?}");
                    assert_eq!(
                        (error.kind(), error.raw_os_error()),
                        (ErrorKind::Spawn, Some(libc::EMFILE)),
                        "{error:?}"
                    );
                    assert!(error.stage().is_some() && error.step().is_some(), "with {spare}: {error:?}");
                    let text = error.to_string();
                    assert!(text.contains("descriptor") && text.contains("of 5"), "{text}");
                }
            }
            assert_childless();
            assert_no_new_fd(&before);
            progress();
        }
        assert!(least.is_some_and(|least| least > 0), "the table was never full");
    });
}

#[test]
fn the_other_verbs_fail_as_cleanly_with_few_fds() {
    isolated(|| {
        pipeline().read().expect("it runs");
        let before = open_fds();
        for spare in 0..=24 {
            let check = |what: &str, error: pipewright::Error| {
                assert!(spare < 20, "{what} with {spare}: {error:?}");
                assert_eq!(error.raw_os_error(), Some(libc::EMFILE), "{what} with {spare}: {error:?}");
                assert!(error.step().is_some(), "{what} with {spare}: {error:?}");
            };
            spare_fds(spare, || {
                let lines = || role("lines").arg("2") | role("cat");
                match lines().lines().map(|lines| lines.collect::<Result<Vec<_>, _>>()) {
                    Ok(Ok(seen)) => assert_eq!(seen, ["line 0", "line 1"]),
                    Ok(Err(error)) | Err(error) => check("lines", error),
                }
                match lines().stdin(Redirect::piped()).stdout(Redirect::capture()).spawn() {
                    Ok(job) => assert_eq!(job.output().expect("it runs").stdout, b"line 0\nline 1\n"),
                    Err(error) => check("spawn", error),
                }
                if let Err(error) = lines().timeout(Duration::from_secs(60)).stdout(Redirect::null()).run() {
                    check("run", error);
                }
            });
            assert_childless();
            progress();
        }
        assert_no_new_fd(&before);
    });
}

#[test]
fn kill_and_drop_work_without_a_single_fd() {
    isolated(|| {
        let limit = Duration::from_millis(50) * count(10, 1) as u32;
        let endless = || {
            let line: Pipeline = (0..5).map(|_| role("stubborn-yes")).collect();
            line.stdout(Redirect::capture()).stdout_limit(pipewright::Limit::Tail(100)).spawn().expect("it starts")
        };
        let (killed, dropped, bare) = (endless(), endless(), role("ignore-term").stdout(Redirect::null()).spawn());
        let bare = bare.expect("it starts");
        spare_fds(0, || {
            let report = killed.kill().expect("it can be told");
            assert_eq!((report.signalled.len(), report.survivors.len()), (5, 0));
            assert_eq!(killed.wait().expect("it ends").signal(), Some(libc::SIGKILL));
            within(limit, || drop(dropped));
            within(limit, || drop(bare));
            assert_no_child();
        });
    });
}
