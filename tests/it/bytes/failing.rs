//! Rust code at the end of a stream that errs or panics: an error with its source, neighbours that end, and no hang.

use std::error::Error as StdError;

use crate::prelude::*;

/// How the caller's code fails.
#[derive(Debug, Clone, Copy, PartialEq)]
enum How {
    Errs,
    Panics,
}

impl How {
    fn now(self) -> Own {
        match self {
            How::Errs => Own(7),
            How::Panics => panic!("the caller's own panic"),
        }
    }

    fn as_io(self) -> io::Error {
        io::Error::new(io::ErrorKind::PermissionDenied, self.now())
    }
}

/// Takes everything, and fails at the end.
struct BadEnd(How);

impl Write for BadEnd {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Err(self.0.as_io())
    }
}

fn callback(how: How) -> Redirect<Out> {
    Redirect::each_line(move |_: &[u8]| -> Result<(), Own> { Err(how.now()) })
}

/// The kind, the stream in the text, and the caller's own error or the text of its panic.
#[track_caller]
fn tells(error: &Error, how: How, kind: ErrorKind, stream: &str) {
    let text = error.to_string();
    assert!(text.contains(stream), "{stream}: {text}");
    if how == How::Panics {
        assert_eq!(error.kind(), ErrorKind::Panic, "{error:?}");
        return assert!(text.contains("the caller's own panic"), "{text}");
    }
    assert_eq!(error.kind(), kind, "{error:?}");
    let source = error.source().expect("it has one");
    let own = match source.downcast_ref::<io::Error>() {
        Some(io) => io.get_ref().and_then(|inner| inner.downcast_ref()),
        None => source.downcast_ref(),
    };
    assert_eq!(own, Some(&Own(7)), "{error:?}");
    assert!(text.contains("the caller's own, number 7"), "{text}");
}

/// By each verb that runs to the end.
fn by_each_verb(make: impl Fn() -> Pipeline, check: impl Fn(Error)) {
    let verbs: [fn(Pipeline) -> Result<Output, Error>; 3] =
        [|run| run.run(), |run| run.output(), |run| run.spawn()?.output()];
    for verb in verbs {
        check(verb(make()).expect_err("the caller's code failed"));
        assert_childless();
        progress();
    }
    check(make().status().expect_err("no status can tell"));
}

fn yes() -> Cmd {
    cmd!(fixture(), "yes")
}

#[test]
fn a_line_callback_that_fails_ends_its_writer() {
    isolated(|| {
        for how in [How::Errs, How::Panics] {
            by_each_verb(
                || yes().stdout(callback(how)).into(),
                |error| {
                    tells(&error, how, ErrorKind::Callback, "stdout");
                    assert_eq!(error.stage(), Some(0));
                    let stages = &error.output().expect("it ran").stages;
                    assert_eq!(
                        stages[0].status.signal(),
                        Some(nix::libc::SIGPIPE),
                        "it was not killed: it saw the end"
                    );
                },
            );
            let rest = || cmd!(fixture(), "say", "2", "no newline").stderr(callback(how));
            by_each_verb(|| rest().into(), |error| tells(&error, how, ErrorKind::Callback, "stderr"));
        }
    });
}

#[test]
fn a_writer_that_fails_ends_its_child() {
    isolated(|| {
        for how in [How::Errs, How::Panics] {
            let check = |error: Error| tells(&error, how, ErrorKind::Io, "stdout");
            by_each_verb(|| yes().stdout(Redirect::to_writer(Writing(move |_: &[u8]| Err(how.as_io())))).into(), check);
            let ends = || cmd!(fixture(), "lines", "10");
            by_each_verb(|| ends().stdout(Redirect::to_writer(BadEnd(how))).into(), check);
            by_each_verb(
                || ends().stdout(Redirect::to_writer(Writing(move |_: &[u8]| Err(how.as_io())))).into(),
                check,
            );
            let tee = || Redirect::tee([Redirect::capture(), Redirect::to_writer(BadEnd(how))]);
            by_each_verb(
                || ends().stdout(tee()).into(),
                |error| {
                    check(error.clone());
                    assert!(error.output().expect("it ran").stdout.ends_with(b"line 9\n"), "the others got it all");
                },
            );
        }
    });
}

#[test]
fn a_reader_that_fails_is_the_end_of_the_childs_stdin() {
    isolated(|| {
        for how in [How::Errs, How::Panics] {
            let make = || {
                cmd!(fixture(), "cat").stdin(Redirect::from_reader(
                    (&b"so far\n"[..]).chain(Reading(move |_: &mut [u8]| Err(how.as_io()))),
                ))
            };
            by_each_verb(
                || (make() | cmd!(fixture(), "cat")).stdout(Redirect::capture()),
                |error| {
                    tells(&error, how, ErrorKind::Io, "stdin");
                    assert_eq!(error.stage(), Some(0));
                    let output = error.output().expect("it ran");
                    assert_eq!(output.stdout, "so far\n");
                    assert!(output.stages.iter().all(|stage| stage.status.success()), "{output:?}");
                    assert_eq!(output.stdin_taken, Some(7));
                },
            );
        }
    });
}

#[test]
fn the_neighbours_of_a_failure_end() {
    isolated(|| {
        for how in [How::Errs, How::Panics] {
            by_each_verb(
                || yes() | cmd!(fixture(), "cat") | cmd!(fixture(), "cat").stdout(callback(how)),
                |error| {
                    tells(&error, how, ErrorKind::Callback, "stdout");
                    assert_eq!(error.stage(), Some(2));
                },
            );
            // In the middle, with no other sink: the next stage sees the end.
            by_each_verb(
                || cmd!(fixture(), "lines", "10").stdout(Redirect::tee([callback(how)])) | cmd!(fixture(), "count"),
                |error| {
                    tells(&error, how, ErrorKind::Callback, "stdout");
                    assert_eq!(error.stage(), Some(0), "the stage that wrote it");
                    assert!(error.output().expect("it ran").stages[1].status.success());
                },
            );
        }
    });
}

#[test]
fn what_was_captured_before_a_failure_is_in_the_error() {
    isolated(|| {
        let third = |line: &[u8]| if line == b"line 2" { Err(Own(7)) } else { Ok(()) };
        let tee = Redirect::tee([Redirect::capture(), Redirect::each_line(third)]);
        let error = cmd!(fixture(), "lines", "5").stdout(tee).run().expect_err("the third line is bad");
        tells(&error, How::Errs, ErrorKind::Callback, "stdout");
        assert_eq!(error.output().expect("it ran").stdout, "line 0\nline 1\nline 2\nline 3\nline 4\n");
    });
}

#[test]
fn a_child_that_ignores_the_signal_is_ended_after_the_grace() {
    isolated(|| {
        let grace = Duration::from_millis(50);
        for how in [How::Errs, How::Panics] {
            // On a busy machine the grace may be over before the first has died of its SIGTERM.
            for (role, signals) in
                [("hang", &[nix::libc::SIGTERM, nix::libc::SIGKILL][..]), ("ignore-term", &[nix::libc::SIGKILL])]
            {
                by_each_verb(
                    || cmd!(fixture(), role).stdout(callback(how)).grace(grace).into(),
                    |error| {
                        tells(&error, how, ErrorKind::Callback, "stdout");
                        let status = error.output().expect("it ran").stages[0].status;
                        assert!(status.signal().is_some_and(|signal| signals.contains(&signal)), "{role}: {status}");
                    },
                );
            }
        }
    });
}

#[test]
fn a_lent_callback_fails_with_its_own_error_and_panics_with_its_own_panic() {
    isolated(|| {
        let mut seen = 0;
        let error = (yes() | cmd!(fixture(), "cat")).for_each_line(|_| {
            seen += 1;
            if seen == 3 { Err(Own(7)) } else { Ok(()) }
        });
        tells(&error.expect_err("the third line is bad"), How::Errs, ErrorKind::Callback, "stdout");
        assert_eq!(seen, 3, "nothing comes behind the failure");
        let endless = yes() | cmd!(fixture(), "cat");
        let endless = endless.stdin(Redirect::bytes(vec![0; 1_000_000])).stderr(Redirect::capture());
        let caught =
            catch_unwind(AssertUnwindSafe(|| endless.for_each_line(|_| -> () { std::panic::panic_any(4711_u32) })));
        let payload = caught.expect_err("it comes through");
        assert_eq!(payload.downcast_ref::<u32>(), Some(&4711));
        assert_childless();
    });
}

#[test]
fn a_failing_callback_ends_lines_and_readers_too() {
    isolated(|| {
        for how in [How::Errs, How::Panics] {
            let make = || cmd!(fixture(), "out-err", "10").stderr(callback(how));
            let mut lines = make().lines().expect("it starts");
            let error = lines.find_map(Result::err).expect("an error comes");
            tells(&error, how, ErrorKind::Callback, "stderr");
            assert!(lines.next().is_none(), "once");
            let error = make().reader().expect("it starts").read_to_end(&mut Vec::new()).expect_err("an error comes");
            let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()).expect("ours is inside");
            tells(inner, how, ErrorKind::Callback, "stderr");
        }
    });
}
