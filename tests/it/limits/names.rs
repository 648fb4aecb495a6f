//! A limit or a name that does not fit is named: which argument, which key, which step.

use crate::prelude::*;

/// The most bytes of one string of argv or envp, its NUL included: 32 pages (execve(2)).
const STRING_MAX: usize = 128 * 1024;

fn echo() -> Cmd {
    cmd!(fixture(), "echo")
}

#[track_caller]
fn refused(cmd: &Cmd, kind: ErrorKind) -> Error {
    let error = cmd.output().expect_err("it cannot be started");
    assert_eq!(error.kind(), kind, "{error:?}");
    assert_eq!(error.stage(), Some(0), "{error:?}");
    assert!(error.output().is_none(), "nothing ran: {error:?}");
    error
}

#[test]
fn a_value_that_is_refused_is_not_shown() {
    isolated(|| {
        let secret = OsStr::from_bytes(b"hush4711\0");
        for cmd in [echo().env("KEY", secret), echo().secret_env("KEY", secret), echo().secret_arg(secret)] {
            let error = refused(&cmd, ErrorKind::InvalidInput);
            assert!(!format!("{error} {error:?} {error:#}").contains("hush"), "{error:?}");
        }
    });
}

#[test]
fn a_bad_word_in_any_stage_keeps_every_stage_from_starting() {
    isolated(|| {
        let dir = tempfile::tempdir().expect("a directory");
        for bad in 0..3 {
            let trace = dir.path().join(bad.to_string());
            let stage = |index| {
                let stage = cmd!(fixture(), "cat").stderr(Redirect::file(&trace)).label(format!("stage-{index}"));
                if index == bad { stage.arg("a\0b") } else { stage }
            };
            let error = (stage(0) | stage(1) | stage(2)).run().expect_err("it cannot be started");
            assert_eq!((error.kind(), error.stage()), (ErrorKind::InvalidInput, Some(bad)));
            assert_eq!(error.label(), Some(&*format!("stage-{bad}")));
            assert_eq!(error.program(), Some(OsStr::new(fixture())));
            assert!(!trace.exists(), "a file was made for a run that never began");
        }
    });
}

#[test]
fn a_file_whose_name_cannot_be_is_an_error_of_its_redirect() {
    isolated(|| {
        let error = echo().stdout(Redirect::file("a\0b")).run().expect_err("no such name");
        assert_eq!((error.kind(), error.step()), (ErrorKind::Redirect, Some(Step::Open)));
        assert!(error.to_string().contains("stdout"), "{error}");
    });
}

#[test]
fn the_argument_over_the_limit_is_named_by_its_number() {
    isolated(|| {
        let longest = "x".repeat(STRING_MAX - 1);
        let output = echo().arg("short").arg(&longest).output().expect("it just fits");
        assert_eq!(output.stdout.len(), "short ".len() + longest.len() + 1);
        let longer = longest + "x";
        for (index, cmd) in [
            (2, echo().arg(&longer).arg("short")),
            (4, echo().args(["a", "b"]).arg(&longer)),
            (3, echo().arg("a").secret_arg(&longer)),
        ] {
            let error = refused(&cmd, ErrorKind::TooLong);
            assert_eq!((error.step(), error.raw_os_error()), (Some(Step::Exec), Some(nix::libc::E2BIG)));
            let text = error.to_string();
            assert!(text.contains(&format!("argument {index} is {STRING_MAX} bytes")), "{text}");
            assert!(text.contains("131071"), "the limit: {text}");
            assert!(text.len() < 1000, "the argument itself is too long to be shown: {} bytes", text.len());
        }
    });
}

#[test]
fn the_variable_over_the_limit_is_named_by_its_key() {
    isolated(|| {
        let longest = "x".repeat(STRING_MAX - 1 - "KEY=".len());
        let listing = cmd!(fixture(), "env").env_clear().env("A", "1").env("KEY", &longest);
        assert!(listing.read_bytes().expect("it just fits").windows(5).any(|part| part == b"KEY=x"));
        for cmd in [listing.clone().env("KEY", longest.clone() + "x"), listing.secret_env("KEY", longest + "x")] {
            let error = refused(&cmd, ErrorKind::TooLong);
            assert_eq!((error.step(), error.raw_os_error()), (Some(Step::Exec), Some(nix::libc::E2BIG)));
            let text = error.full().to_string();
            assert!(text.contains("\"KEY\"") && text.contains("131071"), "{text}");
            assert!(!text.contains("xxxx"), "its value is shown");
        }
    });
}

#[test]
fn what_is_too_long_only_together_is_told_so() {
    isolated(|| {
        let word = "x".repeat(100_000);
        // Over the limit whatever the stack's is: the kernel stops at 6 MiB.
        let many = echo().args(std::iter::repeat_n(&word, 80));
        let error = refused(&many, ErrorKind::TooLong);
        assert_eq!((error.step(), error.raw_os_error()), (Some(Step::Exec), Some(nix::libc::E2BIG)));
        let text = error.to_string();
        assert!(text.contains("together") && text.contains("80"), "{text}");
        let spread = (0..80).fold(echo(), |cmd, n| cmd.env(format!("KEY{n}"), &word));
        assert!(refused(&spread, ErrorKind::TooLong).to_string().contains("together"));
    });
}
