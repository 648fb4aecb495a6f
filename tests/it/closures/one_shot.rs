//! Closures for one run: taken once, by the first start that can be.

use super::*;
use crate::prelude::*;

fn once(text: &'static str) -> Stage {
    Stage::from_fn_once(move |_, output| Ok(output.write_all(text.as_bytes())?)).label("once")
}

#[track_caller]
fn is_used(result: Result<impl std::fmt::Debug, Error>, stage: usize) {
    let error = result.expect_err("it was used before");
    assert_eq!((error.kind(), error.stage()), (ErrorKind::AlreadyUsed, Some(stage)), "{error:?}");
    assert!(error.to_string().contains("one-shot"), "{error}");
}

#[test]
fn a_second_run_and_a_run_of_a_clone_are_already_used() {
    isolated(|| {
        let line = role("cat").stdin(Redirect::null()) | once("x") | copy();
        let (clone, part) = (line.clone(), once("y"));
        assert_eq!(line.read().expect("once"), "x");
        is_used(line.read(), 1);
        is_used(clone.run(), 1);
        is_used(clone.spawn().map(|job| job.wait()), 1);
        is_used(clone.lines().map(drop), 1);
        clone.dry_run().expect("a look takes nothing");
        alone(part.clone()).read().expect("once");
        is_used((role("cat") | part).run(), 1);
    });
}

#[test]
fn nothing_is_taken_when_another_one_shot_was_used() {
    isolated(|| {
        let used = once("x");
        alone(used.clone()).read().expect("once");
        let fresh = once("y");
        let (mut reader, writer) = pipe::kernel().expect("a pipe");
        let to = Redirect::fd(writer);
        is_used((fresh.clone() | copy() | used.clone()).stdout(to.clone()).run(), 2);
        is_used((used | fresh.clone()).run(), 0);
        let spent = Redirect::from_reader(io::empty());
        role("cat").stdin(spent.clone()).run().expect("once");
        is_used((copy() | fresh.clone()).stdin(spent).run(), 0);
        (fresh | copy()).stdout(to).run().expect("both were still there");
        let mut text = String::new();
        reader.read_to_string(&mut text).expect("its end");
        assert_eq!(text, "y");
    });
}

#[test]
fn one_closure_at_two_places_of_a_pipeline_is_refused_before_anything_runs() {
    isolated(|| {
        let dir = tempfile::tempdir().expect("a directory");
        let trace = dir.path().join("trace");
        let twice = once("x");
        let first = pipewright::Cmd::sh("echo ran > \"$0\"").arg(&trace);
        let mut buffer = b"kept".to_vec();
        let result = (first | twice.clone() | twice.clone()).output_into(&mut buffer);
        is_used(result, 2);
        assert!(!trace.exists(), "the first stage ran");
        assert_eq!(buffer, b"kept");
        assert_eq!(alone(twice).read().expect("no run took it"), "x");
    });
}

#[test]
fn of_runs_at_once_one_gets_it() {
    isolated(|| {
        for _ in 0..count(20, 1000) {
            let line = once("x") | role("cat");
            let got = Mutex::new(0);
            all_at_once(&[(); 4], |()| match line.read() {
                Ok(text) => {
                    assert_eq!(text, "x");
                    *got.lock().expect("no panic") += 1;
                }
                Err(error) => assert_eq!(error.kind(), ErrorKind::AlreadyUsed, "{error:?}"),
            });
            assert_eq!(got.into_inner().expect("no panic"), 1);
            progress();
        }
    });
}

#[test]
fn a_run_that_is_refused_before_its_start_takes_no_closure() {
    isolated(|| {
        let kept = once("x");
        let cancelled = kept.clone() | role("cat");
        cancelled.cancel_handle().cancel();
        assert_eq!(cancelled.run().expect_err("cancelled").kind(), ErrorKind::Cancelled);
        let late = (kept.clone() | role("cat")).timeout(Duration::ZERO);
        assert_eq!(late.run().expect_err("too late").kind(), ErrorKind::Timeout);
        let missing = kept.clone() | role("cat").stdout(Redirect::file("/no/such/directory/file"));
        assert_eq!(missing.run().expect_err("no such place").kind(), ErrorKind::Redirect);
        let absent = kept.clone() | pipewright::cmd!("/no/such/program");
        assert_eq!(absent.run().expect_err("no such program").kind(), ErrorKind::ProgramNotFound);
        assert_eq!(alone(kept).read().expect("no run took it"), "x");
    });
}

#[test]
fn a_closure_that_ran_once_holds_nothing_although_builders_live() {
    isolated(|| {
        let token = Arc::new(());
        let held = Arc::clone(&token);
        let line = alone(Stage::from_fn_once(move |_, _| {
            let _held = held;
            Ok(())
        }));
        let clone = line.clone();
        line.run().expect("it runs");
        assert_eq!(Arc::strong_count(&token), 1);
        drop((line, clone));
    });
}
