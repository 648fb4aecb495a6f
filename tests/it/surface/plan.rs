//! A plan is made without touching the system, and its text says which stage owns which end.

use crate::prelude::*;

/// The plan's text without the stages' command lines, which are the quoting tests' affair.
fn wiring(pipeline: impl Into<Pipeline>) -> Vec<String> {
    let text = pipeline.into().dry_run().unwrap().to_string();
    text.lines().map(str::trim).filter(|line| !line.starts_with("stage")).map(str::to_owned).collect()
}

#[test]
fn a_pipeline_links_neighbours_and_inherits_the_rest() {
    isolated(|| {
        let plan = (cmd!("a") | cmd!("b") | cmd!("c")).timeout(Duration::from_secs(30));
        assert_eq!(
            wiring(plan),
            [
                "run: 3 stages, timeout 30s",
                "stdin   this process's 0",
                "stdout  pipe 0",
                "stderr  this process's 2",
                "stdin   pipe 0",
                "stdout  pipe 1",
                "stderr  this process's 2",
                "stdin   pipe 1",
                "stdout  this process's 1",
                "stderr  this process's 2",
                "pipe 0: stage 0 (stdout) -> stage 1 (stdin)",
                "pipe 1: stage 1 (stdout) -> stage 2 (stdin)",
            ]
        );
    });
}

#[test]
fn merges_resolve_after_redirections_whatever_the_order_of_the_calls() {
    isolated(|| {
        let early = cmd!("a").stderr_to_stdout().stdout(Redirect::null());
        let late = cmd!("a").stdout(Redirect::null()).stderr_to_stdout();
        assert_eq!(wiring(early), wiring(late.clone()));
        assert_eq!(wiring(late)[2..], ["stdout  /dev/null", "stderr  /dev/null"]);
        let swapped = cmd!("a").swap_stdout_stderr().stdout(Redirect::null());
        assert_eq!(wiring(swapped)[2..], ["stdout  this process's 2", "stderr  /dev/null"]);
    });
}

#[test]
fn either_output_or_both_may_feed_the_next_stage() {
    isolated(|| {
        let stderr = wiring(cmd!("a").pipe_stderr(cmd!("b")));
        assert_eq!(stderr[2..4], ["stdout  this process's 1", "stderr  pipe 0"]);
        assert_eq!(stderr.last().unwrap(), "pipe 0: stage 0 (stderr) -> stage 1 (stdin)");
        let both = wiring(cmd!("a").pipe_both(cmd!("b")));
        assert_eq!(both.last().unwrap(), "pipe 0: stage 0 (stdout), stage 0 (stderr) -> stage 1 (stdin)");
        let merged = wiring(cmd!("a").stderr_to_stdout().pipe(cmd!("b")));
        assert_eq!(merged.last(), both.last());
    });
}

#[test]
fn captured_stderr_of_all_stages_shares_one_pipe() {
    isolated(|| {
        let stages = (0..3).map(|_| cmd!("a").stderr(Redirect::capture()));
        let plan = wiring(stages.collect::<Pipeline>());
        assert_eq!(
            plan.iter().filter(|line| line.contains("this process (stderr to the output)")).collect::<Vec<_>>(),
            ["pipe 2: stage 0 (stderr), stage 1 (stderr), stage 2 (stderr) -> this process (stderr to the output)"]
        );
    });
}

#[test]
fn a_tee_stands_between_two_stages_in_this_process() {
    isolated(|| {
        let tee = Redirect::tee([Redirect::capture(), Redirect::inherit()]);
        let plan = wiring(cmd!("a").stdout(tee) | cmd!("b"));
        assert_eq!(
            plan[plan.len() - 2..],
            [
                "pipe 0: this process (behind a tee) -> stage 1 (stdin)",
                "pipe 1: stage 0 (stdout) -> this process (stdout to the output and this process's 1 and pipe 0)",
            ]
        );
    });
}

#[test]
fn what_goes_where_is_said_for_every_kind() {
    isolated(|| {
        let fed = cmd!("a").stdin(Redirect::bytes("1234")).stdout(Redirect::append("/x y")).stderr(Redirect::piped());
        let plan = wiring(fed);
        assert_eq!(plan[1..4], ["stdin   pipe 0", "stdout  file '/x y' (appended to)", "stderr  pipe 1"]);
        assert_eq!(plan[4], "pipe 0: this process (4 bytes) -> stage 0 (stdin)");
        let note = Cmd::new("diff").arg("/dev/fd/63").dry_run().unwrap().to_string();
        assert!(note.contains("note: descriptor 63 is named in an argument, but the child does not get it"), "{note}");
    });
}

#[test]
fn planning_opens_nothing_and_starts_nothing() {
    isolated(|| {
        let before = open_fds();
        let impossible = cmd!("/no/such/program").current_dir("/no/such/dir").stdout(Redirect::file("/no/such/file"));
        let text = impossible.dry_run().unwrap().to_string();
        assert!(text.contains("/no/such/file"), "{text}");
        assert_eq!(open_fds(), before);
    });
}

#[test]
fn contradictions_are_found_before_anything_happens() {
    isolated(|| {
        let limit = Duration::from_secs(1);
        let cases: [(Pipeline, &str); 6] = [
            (cmd!("a") | cmd!("b").timeout(limit), "timeout"),
            (cmd!("a").timeout(limit) | cmd!("b"), "timeout"),
            ((cmd!("a") | cmd!("b")).timeout(limit) | cmd!("c"), "timeout"),
            (cmd!("a").stdout(Redirect::null()) | cmd!("b"), "/dev/null"),
            (cmd!("a") | cmd!("b").stdin(Redirect::null()), "/dev/null"),
            (cmd!("a").stderr(Redirect::null()).pipe_both(cmd!("b")), "/dev/null"),
        ];
        for (pipeline, named) in cases {
            let error = pipeline.dry_run().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
            assert!(error.to_string().contains(named), "{error}");
            assert!(error.stage().is_some(), "{error}");
        }
    });
}
