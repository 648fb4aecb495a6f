//! Which failure is the run's: closures follow the rules for processes, broken pipes included.

use super::*;
use crate::prelude::*;

fn fails(label: &str) -> Stage {
    Stage::from_fn(|input, _| {
        // Whatever comes: this error is its own, and not an echo.
        io::copy(input, &mut io::sink())?;
        Err(Own(7).into())
    })
    .label(label)
}

#[test]
fn the_rightmost_failure_is_blamed_be_it_a_closures_or_a_processs() {
    isolated(|| {
        let three = || role("exit").arg("3");
        for (line, stage, kind) in [
            (fails("a") | role("cat") | fails("b"), 2, ErrorKind::Closure),
            (fails("a") | three(), 1, ErrorKind::Status),
            (three() | fails("a") | role("cat"), 1, ErrorKind::Closure),
            (fails("a") | role("cat") | fails("b") | role("cat") | three(), 4, ErrorKind::Status),
        ] {
            let error = without_input(line.clone()).run().expect_err("it fails");
            assert_eq!((error.stage(), error.kind()), (Some(stage), kind), "{line}: {error:?}");
        }
    });
}

#[test]
fn an_echo_is_not_blamed() {
    isolated(|| {
        let error = (fails("root") | copy() | copy()).run().expect_err("it fails");
        assert_eq!(error.label(), Some("root"));
        assert_eq!((error.label(), error.kind()), (Some("root"), ErrorKind::Closure));
        assert!(error.to_string().contains("the caller's own, number 7"), "{error}");
        let last = (fails("root") | copy()).status_policy(StatusPolicy::Last);
        assert_eq!(last.run().expect_err("a closure's error counts").label(), Some("root"));
        // An error that is caught is no echo: what comes of it later is the stage's own.
        let catches = Stage::from_fn(|input, _| {
            assert!(input.read(&mut [0]).is_err());
            Ok(())
        });
        let error = (fails("root") | catches).run().expect_err("the first failed");
        assert_eq!(error.label(), Some("root"));
    });
}

#[test]
fn unchecked_and_the_policies_leave_a_closures_error_alone() {
    isolated(|| {
        let bad = || fails("bad");
        let panics = || Stage::from_fn(|_, _| panic!("so it goes"));
        // These are about exit statuses.
        let error = (alone(bad()) | role("cat")).unchecked().output().expect_err("its error is no status");
        assert_eq!((error.kind(), error.label()), (ErrorKind::Closure, Some("bad")));
        let output = error.output().expect("it ran");
        assert_eq!(output.status.code(), Some(1));
        let report = output.stages[0].error.as_ref().expect("it is told");
        assert_eq!((report.kind(), report.label()), (ErrorKind::Closure, Some("bad")));
        let error = alone(panics()).unchecked().output().expect_err("a panic is no status");
        assert_eq!(error.kind(), ErrorKind::Panic);
        assert_eq!(error.output().expect("it ran").status.code(), Some(101));

        let first = || bad() | role("cat");
        first().status_policy(StatusPolicy::Last).run().expect_err("its error is no status");
        first().status_policy(StatusPolicy::Strict).run().expect_err("all count");
        (role("exit").arg("3") | bad()).status_policy(StatusPolicy::Last).run().expect_err("the last failed");

        // What no status can say is an error of `status` and of `wait`, too.
        assert_eq!(alone(bad()).status().expect_err("a closure's").kind(), ErrorKind::Closure);
        let job = first().spawn().expect("it starts");
        assert_eq!(job.wait().expect_err("a closure's").kind(), ErrorKind::Closure);
        let job = first().unchecked().spawn().expect("it starts");
        assert_eq!(job.wait().expect_err("its error is no status").kind(), ErrorKind::Closure);
    });
}

/// Writes until a write fails, then handles the error in the given way.
fn writes_until(
    then: impl Fn(io::Error) -> Result<(), Box<dyn std::error::Error + Send + Sync>> + Send + Sync + 'static,
) -> Stage {
    Stage::from_fn(move |_, output| {
        loop {
            if let Err(error) = output.write_all(&b"x\n".repeat(30_000)) {
                return then(error);
            }
        }
    })
    .label("writer")
}

#[test]
fn a_broken_pipe_passed_on_is_forgiven_as_sigpipe_is() {
    isolated(|| {
        #[derive(Debug, thiserror::Error)]
        #[error("while writing")]
        struct Wrapped(#[source] io::Error);
        type Make = fn() -> Stage;
        let passed_on: [(&str, Make); 5] = [
            ("as it is", || writes_until(|error| Err(error.into()))),
            ("inside another error", || writes_until(|error| Err(Wrapped(error).into()))),
            ("inside an io::Error", || writes_until(|error| Err(io::Error::other(error).into()))),
            ("a new one of the kind", || writes_until(|_| Err(io::Error::from(io::ErrorKind::BrokenPipe).into()))),
            ("swallowed", || writes_until(|_| Ok(()))),
        ];
        for (how, stage) in passed_on {
            let reads = |next: Pipeline| {
                let output = (stage() | next).output().unwrap_or_else(|error| panic!("{how}: {error:?}"));
                let status = output.stages[0].status;
                let expected = if how == "swallowed" { None } else { Some(libc::SIGPIPE) };
                assert_eq!(status.signal(), expected, "{how}: {status}");
                assert!(output.stages[0].error.is_none(), "{how}");
            };
            reads(alone(head()));
            reads(role("take").arg("1").into());
        }
    });
}

#[test]
fn strict_counts_a_broken_pipe_and_so_does_the_last_stage() {
    isolated(|| {
        for line in [yes() | head(), yes() | role("take").arg("1")] {
            line.run().expect("forgiven");
            let error = line.status_policy(StatusPolicy::Strict).run().expect_err("not forgiven");
            assert_eq!((error.kind(), error.stage()), (ErrorKind::Status, Some(0)), "{error:?}");
            assert_eq!(error.status().and_then(|status| status.signal()), Some(libc::SIGPIPE));
        }
        let (reader, writer) = pipewright::pipe::kernel().expect("a pipe");
        drop(reader);
        let error = alone(yes()).stdout(Redirect::fd(writer)).run().expect_err("the last is not forgiven");
        assert_eq!(error.status().and_then(|status| status.signal()), Some(libc::SIGPIPE), "{error:?}");
        // Where it was this library that stopped reading, it is.
        let mut lines = yes().pipe(copy()).lines().expect("it starts");
        assert_eq!(lines.next().expect("endless").expect("a line"), "y");
    });
}

#[test]
fn an_error_of_another_reason_after_a_broken_pipe_is_not_forgiven() {
    isolated(|| {
        for next in [alone(head()), role("take").arg("1").into()] {
            let other = writes_until(|_| Err(Own(7).into()));
            let error = (other | next.clone()).run().expect_err("a reason of its own");
            assert_eq!((error.kind(), error.label()), (ErrorKind::Closure, Some("writer")), "{error:?}");
            let panics = writes_until(|error| panic!("cannot write: {error}"));
            let error = (panics | next).run().expect_err("a panic is a panic");
            assert_eq!(error.kind(), ErrorKind::Panic, "{error:?}");
        }
    });
}

#[test]
fn a_broken_pipe_of_something_else_is_not_forgiven() {
    isolated(|| {
        let other = Stage::from_fn(|_, _| Err(io::Error::from(io::ErrorKind::BrokenPipe).into()));
        for line in [alone(other.clone()), other.clone() | role("cat"), role("cat") | other | copy()] {
            let error = without_input(line).run().expect_err("its output is not broken");
            assert_eq!(error.kind(), ErrorKind::Closure, "{error:?}");
        }
    });
}
