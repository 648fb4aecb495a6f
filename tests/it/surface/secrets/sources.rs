//! What the caller's code says of a failure is in the chain of sources: it shows no secret there either.

use std::error::Error as StdError;

use crate::prelude::*;

const SECRET: &str = "hunter2-hunter2";

fn tells() -> Cmd {
    Cmd::sh("echo token is $TOKEN").secret_env("TOKEN", SECRET)
}

#[derive(Debug, thiserror::Error)]
#[error("cannot read this")]
struct Outer(#[source] Inner);

#[derive(Debug, thiserror::Error)]
#[error("it was {0:?}")]
struct Inner(String);

#[track_caller]
fn chain_shows_none(error: &Error) -> usize {
    let mut depth = 0;
    let mut next: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = next {
        let all = format!("{error} {error:#} {error:?} {error:#?}");
        assert!(!all.contains("hunter2"), "at the depth of {depth}: {all}");
        (next, depth) = (error.source(), depth + 1);
    }
    depth
}

fn text(line: &[u8]) -> String {
    String::from_utf8_lossy(line).into_owned()
}

#[test]
fn a_callbacks_error_is_redacted_in_the_chain_and_there_for_a_program() {
    isolated(|| {
        let bad = Redirect::each_line(|line: &[u8]| Err::<(), _>(Outer(Inner(text(line)))));
        let error = tells().stdout(bad).run().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Callback);
        assert_eq!(chain_shows_none(&error), 3);
        let source = error.source().unwrap();
        assert_eq!(source.to_string(), "cannot read this");
        assert_eq!(source.source().unwrap().to_string(), "it was \"token is ***\"");
        let original: &Outer = error.raw_source().unwrap().downcast_ref().expect("the callback's own");
        assert_eq!(original.0.0, format!("token is {SECRET}"));
    });
}

#[test]
fn a_source_that_shows_no_secret_is_the_original() {
    isolated(|| {
        let bad = Redirect::each_line(|_: &[u8]| Err::<(), _>(Own(7)));
        let error = tells().stdout(bad).run().unwrap_err();
        assert_eq!(error.source().and_then(|source| source.downcast_ref()), Some(&Own(7)));
        assert_eq!(error.raw_source().and_then(|source| source.downcast_ref()), Some(&Own(7)));
        // Nor does a short secret that happens to be in the system's words.
        let error = cmd_with_short_secret().run().unwrap_err();
        assert_eq!(error.raw_os_error(), Some(2));
        assert!(error.to_string().ends_with("No such file or directory (os error 2)"), "{error}");
    });
}

fn cmd_with_short_secret() -> Cmd {
    role("cat").secret_arg("2").secret_arg("file").stdin(Redirect::file("/nonexistent"))
}

#[test]
fn bytes_that_a_debug_text_lists_are_hidden_too() {
    isolated(|| {
        let bad = Redirect::each_line(|line: &[u8]| String::from_utf8([line, b"\xff"].concat()).map(drop));
        let error = tells().stdout(bad).run().unwrap_err();
        let numbers = format!("{:?}", SECRET.as_bytes());
        let source = error.source().expect("the callback's");
        assert!(!format!("{source:?}").contains(numbers.trim_matches(['[', ']'])), "{source:?}");
        assert_eq!(source.to_string(), error.raw_source().unwrap().to_string());
    });
}

#[test]
fn a_closures_error_and_a_writers_are_redacted_wherever_they_are() {
    isolated(|| {
        let closure = tells().pipe_fn(|input, _| Err(io::read_to_string(input)?.into()));
        let error = closure.output().unwrap_err();
        chain_shows_none(&error);
        let stage = error.output().unwrap().stages[1].error.clone().expect("the closure's");
        chain_shows_none(&stage);

        let passes_on = tells()
            .pipe_fn(|input, _| Err(io::read_to_string(input)?.into()))
            .pipe_fn(|input, _| Ok(io::copy(input, &mut io::sink()).map(drop)?));
        chain_shows_none(&passes_on.output().unwrap_err());

        let refuses = Writing(|bytes: &[u8]| Err(io::Error::other(text(bytes))));
        let error = tells().stdout(Redirect::to_writer(refuses)).run().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io);
        chain_shows_none(&error);
        assert!(error.io_error().is_none_or(|error| !error.to_string().contains("hunter2")));

        let error = tells().for_each_line(|line| Err::<(), _>(text(line))).unwrap_err();
        chain_shows_none(&error);
    });
}

#[test]
fn a_callback_that_gets_a_line_that_was_cut_does_not_tell_its_piece() {
    isolated(|| {
        for quoted in [true, false] {
            let bad = Redirect::each_line(move |line: &[u8]| {
                Err::<(), _>(if quoted { format!("bad line: {:?}", text(line)) } else { text(line) })
            });
            let cut = Cmd::sh("printf %s \"${TOKEN%???}\"; kill -9 $$").secret_env("TOKEN", SECRET);
            let error = cut.stdout(bad).run().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Callback);
            chain_shows_none(&error);
        }
    });
}

#[test]
fn an_observers_panic_does_not_tell_a_secret() {
    isolated(|| {
        let job = tells().stdout(Redirect::capture()).on_event(|event| {
            if let pipewright::EventKind::Line { line, .. } = &event.kind {
                panic!("{}", text(line));
            }
        });
        let panicked = job.spawn().expect("it starts").output();
        chain_shows_none(&panicked.expect_err("the observer panicked"));
    });
}
