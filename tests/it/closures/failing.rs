//! A closure that returns an error or panics: the run's error, and what the neighbours see.

use std::error::Error as StdError;

use super::*;
use crate::prelude::*;
use crate::surface::verbs::*;

fn fails() -> Stage {
    Stage::from_fn(|_, _| Err(Own(7).into())).label("fails")
}

fn panics() -> Stage {
    Stage::from_fn(|_, _| panic!("the caller's own panic, number {}", 7)).label("panics")
}

/// The kind, the stage, the text, and the caller's own error as the source, if there is one.
#[track_caller]
fn tells(error: &Error, stage: usize, label: &str) {
    let text = error.to_string();
    assert_eq!((error.stage(), error.label()), (Some(stage), Some(label)), "{error:?}");
    assert_eq!(error.program(), None, "a closure is no program");
    if label == "panics" {
        assert_eq!(error.kind(), ErrorKind::Panic, "{error:?}");
        assert!(text.contains("panicked: the caller's own panic, number 7"), "{text}");
    } else {
        assert_eq!(error.kind(), ErrorKind::Closure, "{error:?}");
        let source = error.source().expect("the closure's");
        assert_eq!(source.downcast_ref(), Some(&Own(7)), "{error:?}");
        assert!(text.ends_with("failed: the caller's own, number 7"), "{text}");
    }
}

#[test]
fn an_error_or_a_panic_of_a_closure_is_every_verbs_error_wherever_it_stands() {
    isolated(|| {
        for (label, bad) in [("fails", fails()), ("panics", panics())] {
            let lines = [
                (0, alone(bad.clone())),
                (0, bad.clone() | role("cat")),
                (0, bad.clone() | copy().label("echo")),
                (1, role("yes") | bad.clone() | role("cat")),
                (1, yes() | bad.clone() | copy()),
                (1, role("yes") | bad.clone()),
                (2, role("yes") | copy() | bad.clone() | copy() | role("cat")),
            ];
            for (stage, line) in lines {
                for (name, verb) in VERBS {
                    let ran = verb(&without_input(line.clone()).stdout(Redirect::capture()));
                    let error = ran.result.expect_err(name);
                    tells(&error, stage, label);
                    let report = &error.output().expect("it ran").stages[stage];
                    let code = if label == "panics" { 101 } else { 1 };
                    assert_eq!(report.status.code(), Some(code), "{name}: {report:?}");
                    tells(report.error.as_ref().expect("it failed"), stage, label);
                }
                assert_childless();
                progress();
            }
        }
    });
}

#[test]
fn any_error_type_is_kept_and_a_question_mark_makes_it_one() {
    isolated(|| {
        let error = alone(Stage::from_fn(|_, _| Ok("x".parse::<u32>().map(drop)?))).run().expect_err("no number");
        assert!(error.source().is_some_and(|source| source.is::<std::num::ParseIntError>()), "{error:?}");
        let error = alone(Stage::from_fn(|_, _| Err("only words")?)).run().expect_err("words");
        assert_eq!(error.to_string(), "`closure` failed: only words");
        let io = || io::Error::new(io::ErrorKind::PermissionDenied, Own(7));
        let error = alone(Stage::from_fn(move |_, _| Err(io().into()))).run().expect_err("io");
        assert_eq!(error.io_error().map(io::Error::kind), Some(io::ErrorKind::PermissionDenied));
        let inner = || role("exit").arg("3").run().map(drop);
        let error = alone(Stage::from_fn(move |_, _| Ok(inner()?))).run().expect_err("another run's");
        let source = error.source().and_then(|source| source.downcast_ref::<Error>()).expect("the inner run's");
        assert_eq!(source.status().and_then(|status| status.code()), Some(3));
    });
}

#[test]
fn a_panic_with_a_value_or_while_the_error_is_dropped_is_told_too() {
    isolated(|| {
        let error = alone(Stage::from_fn(|_, _| std::panic::panic_any(4711_u32))).run().expect_err("a panic");
        assert_eq!(error.kind(), ErrorKind::Panic);
        assert!(error.to_string().contains("a panic without text"), "{error}");

        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("dropped");
            }
        }
        let bomb = Bomb;
        let late = Stage::from_fn_once(move |_, _| {
            let _held = &bomb;
            Ok(())
        });
        let error = (late | copy() | role("cat")).run().expect_err("what a closure holds is its own");
        assert_eq!((error.kind(), error.stage()), (ErrorKind::Panic, Some(0)), "{error:?}");

        let payload = Stage::from_fn(|_, _| std::panic::panic_any(Bomb));
        let error = alone(payload).run().expect_err("a panic");
        assert_eq!(error.kind(), ErrorKind::Panic, "{error:?}");
    });
}

#[test]
fn a_process_behind_a_failed_closure_sees_an_end_and_what_came_before() {
    isolated(|| {
        for how in [fails, panics] {
            let bad = how();
            let bad = say("before") | copy_then(bad) | role("upper");
            let error = bad.output().expect_err("it fails");
            assert_eq!(error.stage(), Some(1), "{error:?}");
            let output = error.output().expect("it ran");
            assert_eq!(output.stdout, "BEFORE");
            assert!(output.stages[2].status.success(), "{output:?}");
        }
    });
}

/// Passes everything on, then does as the stage named would.
fn copy_then(bad: Stage) -> Stage {
    let panics = bad.to_string().contains("panics");
    Stage::from_fn(move |input, output| {
        io::copy(input, output)?;
        if panics { panic!("the caller's own panic, number 7") } else { Err(Own(7).into()) }
    })
}

#[test]
fn the_stage_before_a_failed_closure_sees_a_broken_pipe() {
    isolated(|| {
        for bad in [fails(), panics()] {
            for first in [alone(yes()), role("yes").into(), role("yes") | copy()] {
                let error = without_input(first | bad.clone()).output().expect_err("it fails");
                let stages = &error.output().expect("it ran").stages;
                let statuses: Vec<_> = stages.iter().rev().skip(1).map(|stage| stage.status).collect();
                let ended = |status: &pipewright::Status| status.signal() == Some(libc::SIGPIPE);
                assert!(statuses.iter().all(ended), "{statuses:?}");
                assert!(stages.iter().rev().skip(1).all(|stage| stage.error.is_none()), "{stages:?}");
            }
        }
    });
}
