//! Where a closure may stand.

use super::*;
use crate::prelude::*;
use crate::surface::verbs::*;

/// Verbs that show nothing of a stdout when all is well.
const SILENT: [&str; 4] = ["status", "read", "read_bytes", "spawn, wait"];

/// Pipelines with closures at every place, each of which says "A\nB\n".
fn shapes() -> Vec<(&'static str, Pipeline)> {
    let say_role = || role("say").args(["1", "a\nb\n"]);
    vec![
        ("alone", alone(say("A\nB\n"))),
        ("first", say("a\nb\n") | role("upper")),
        ("last", say_role() | upper()),
        ("in the middle", say_role() | upper() | role("cat")),
        ("two", say("a\nb\n") | upper()),
        ("several in a row", say("a\nb\n") | copy() | copy() | upper() | copy()),
        ("processes between", say("a\nb\n") | role("cat") | copy() | role("cat") | upper() | role("cat")),
        ("nested", (say_role() | copy()) | (upper() | (copy() | role("cat")))),
        ("collected", [say("a\nb\n"), copy(), Stage::from(role("upper")), copy()].into_iter().collect()),
        (
            "by methods",
            say_role().pipe_fn(|input, output| io::copy(input, output).map(drop).map_err(Into::into)).pipe(upper()),
        ),
        (
            "once",
            say("a\nb\n").pipe_fn_once(|input, output| io::copy(input, output).map(drop).map_err(Into::into)) | upper(),
        ),
        ("after stderr", role("say").args(["2", "a\nb\n"]).pipe_stderr(upper())),
        ("after both", role("say").args(["2", "a\n", "1", "b\n"]).pipe_both(upper()).pipe(role("cat"))),
        ("both of a closure is its one output", say("a\nb\n").pipe_both(upper())),
    ]
}

#[test]
fn closures_stand_at_every_place_under_every_verb() {
    isolated(|| {
        for (name, verb) in VERBS {
            for (shape, pipeline) in shapes() {
                let ran = verb(&without_input(pipeline).stdout(Redirect::capture()));
                ran.result.unwrap_or_else(|error| panic!("{name}, {shape}: {error:?}"));
                let expected = if SILENT.contains(&name) { "" } else { "A\nB\n" };
                assert_eq!(String::from_utf8_lossy(&ran.seen), expected, "{name}, {shape}");
            }
            assert_childless();
            progress();
        }
        for (shape, pipeline) in shapes() {
            assert_eq!(pipeline.read().expect(shape), "A\nB", "{shape}");
        }
    });
}

#[test]
fn a_report_for_each_stage_has_its_label_and_status_and_no_usage_of_a_closure() {
    isolated(|| {
        let line = say("a\n")
            | role("cat").label("first cat")
            | copy()
            | Stage::from_fn(|input, _| io::copy(input, &mut io::sink()).map(drop).map_err(Into::into));
        let output = line.output().expect("it runs");
        let labels: Vec<&str> = output.stages.iter().map(|stage| stage.label.as_str()).collect();
        assert_eq!(labels, ["say", "first cat", "copy", "closure"]);
        for (index, stage) in output.stages.iter().enumerate() {
            assert!(stage.status.success() && stage.error.is_none(), "{stage:?}");
            assert_eq!(stage.usage.is_some(), index == 1, "{stage:?}");
        }
    });
}

#[test]
fn a_stage_is_a_value_that_runs_any_number_of_times_and_at_once() {
    isolated(|| {
        let runs = std::sync::Arc::new(AtomicUsize::new(0));
        let counted = std::sync::Arc::clone(&runs);
        let stage = Stage::from_fn(move |input, output| {
            counted.fetch_add(1, SeqCst);
            io::copy(input, output).map(drop).map_err(Into::into)
        });
        let line = role("cat") | stage.clone() | stage.clone() | role("upper") | stage;
        let each = count(10, 500);
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let line = line.clone();
                scope.spawn(move || {
                    for round in 0..each {
                        let text = format!("thread {thread} round {round}");
                        let line = line.clone().stdin(Redirect::bytes(text.clone()));
                        assert_eq!(line.read().expect("it runs"), text.to_uppercase());
                        progress();
                    }
                });
            }
        });
        assert_eq!(runs.load(SeqCst), 3 * 4 * each);
    });
}

#[test]
fn what_a_closure_captured_is_dropped_with_the_builder_and_no_sooner() {
    isolated(|| {
        let token = std::sync::Arc::new(());
        let held = std::sync::Arc::clone(&token);
        let stage = Stage::from_fn(move |_, output| Ok(writeln!(output, "{}", std::sync::Arc::strong_count(&held))?));
        let line = alone(stage);
        assert_eq!(line.read().expect("it runs"), "2");
        assert_eq!(line.clone().read().expect("it runs"), "2");
        assert_eq!(std::sync::Arc::strong_count(&token), 2);
        drop(line);
        assert_eq!(std::sync::Arc::strong_count(&token), 1);
    });
}

#[test]
fn a_closure_has_no_stderr_to_feed_the_next_stage_with() {
    isolated(|| {
        let error = say("a").pipe_stderr(role("cat")).run().expect_err("it has none");
        assert_eq!((error.kind(), error.stage(), error.label()), (ErrorKind::Conflict, Some(0), Some("say")));
        assert!(error.to_string().contains("has no stderr"), "{error}");
    });
}

#[test]
fn a_closures_own_redirect_where_a_pipe_goes_is_a_conflict_and_a_tee_is_not() {
    isolated(|| {
        let fed = role("echo") | alone(copy()).stdin(Redirect::bytes("x"));
        let sent = alone(say("x")).stdout(Redirect::null()) | copy();
        let timed = role("echo") | alone(copy()).timeout(std::time::Duration::from_secs(60));
        for (pipeline, stage, words) in [
            (fed, 1, "a stdin of its own"),
            (sent, 0, "a stdout of its own"),
            (timed, 1, "carries `timeout`, which is a setting of a whole run"),
        ] {
            let error = pipeline.run().expect_err("two things at once");
            assert_eq!((error.kind(), error.stage()), (ErrorKind::Conflict, Some(stage)), "{error:?}");
            assert!(error.to_string().contains(words), "{error}");
        }
        let teed = alone(say("x")).stdout(Redirect::tee([Redirect::capture()])) | upper();
        let output = teed.stdout(Redirect::null()).run().expect("both");
        assert_eq!(output.stdout, "x", "the tee's capture");
    });
}

#[test]
fn a_pipelines_redirects_of_stderr_concern_its_processes_alone() {
    isolated(|| {
        let line = say("") | role("say").args(["2", "e1"]) | copy() | role("say").args(["2", "e2"]);
        let output = line.clone().stderr(Redirect::capture()).run().expect("it runs");
        let mut said = output.stderr.to_vec();
        said.sort_unstable();
        assert_eq!(said, b"12ee");
        assert_eq!(line.stderr_to_stdout().read().expect("it runs"), "e2", "the first's went through the closure");
    });
}

#[test]
fn the_dry_run_tells_closures_and_pipes_in_memory() {
    isolated(|| {
        let ran = std::sync::Arc::new(AtomicUsize::new(0));
        let counted = std::sync::Arc::clone(&ran);
        let first = Stage::from_fn(move |_, _| {
            counted.fetch_add(1, SeqCst);
            Ok(())
        })
        .label("my own");
        let text = (first | copy() | role("cat")).dry_run().expect("a plan").to_string();
        for part in [
            "stage 0: my own (a closure, on a thread of its own)",
            "pipe 0 (in memory): stage 0 (stdout) -> stage 1 (stdin)",
            "pipe 1: stage 1 (stdout) -> stage 2 (stdin)",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains("stderr  none"), "{text}");
        assert_eq!(ran.load(SeqCst), 0, "nothing ran");
    });
}

#[test]
fn a_pasted_pipeline_with_a_closure_fails_in_a_shell_and_runs_nothing() {
    isolated(|| {
        let dir = tempfile::tempdir().expect("a directory");
        let made = dir.path().join("made").display().to_string();
        for label in ["plain", "it's }", "$(touch MADE)", "`touch MADE`", "}; touch MADE; echo ${x", "\"'\n'"] {
            let label = label.replace("MADE", &made);
            let line = alone(copy().label(&label)).to_string();
            let output = pipewright::Cmd::sh(&line).unchecked().output().expect("a shell");
            assert!(!output.status.success(), "{line}");
            assert!(!std::path::Path::new(&made).exists(), "{line}");
        }
    });
}

#[test]
fn a_detached_run_goes_on_with_its_closures() {
    isolated(|| {
        let (tell, told) = std::sync::mpsc::channel();
        let line = role("cat")
            | Stage::from_fn_once(move |input, _| {
                let mut text = String::new();
                input.read_to_string(&mut text)?;
                Ok(tell.send(text)?)
            });
        let job = line.stdin(Redirect::piped()).stdout(Redirect::null()).spawn().expect("it starts");
        let mut stdin = job.take_stdin().expect("piped");
        job.detach();
        stdin.write_all(b"after the handle is gone").expect("it reads");
        drop(stdin);
        assert_eq!(told.recv().expect("it ran on"), "after the handle is gone");
    });
}
