//! A run's stdout, line by line and as a reader.

use std::cell::Cell;

use pipewright::Lines;

use crate::prelude::*;
use crate::time::DROPPED_WITHIN;

fn say(text: &str) -> Cmd {
    cmd!(fixture(), "say", "1", text)
}

#[track_caller]
fn all(lines: Result<Lines, Error>) -> Vec<String> {
    lines.expect("it starts").collect::<Result<_, _>>().expect("no error")
}

#[test]
fn lines_lose_their_endings_and_the_last_needs_none() {
    isolated(|| {
        for (text, lines) in [
            ("", &[][..]),
            ("\n", &[""]),
            ("a", &["a"]),
            ("a\n", &["a"]),
            ("a\nb", &["a", "b"]),
            ("a\r\nb\r\n", &["a", "b"]),
            ("a\r\r\n\r\nb\rc\n", &["a\r", "", "b\rc"]),
            ("a\n\n\nb\n", &["a", "", "", "b"]),
        ] {
            assert_eq!(all(say(text).lines()), lines, "{text:?}");
            let bytes: Vec<Vec<u8>> =
                say(text).lines_bytes().expect("it starts").map(|line| line.expect("no error")).collect();
            let mut lent = Vec::new();
            say(text).for_each_line(|line| lent.push(line.to_vec())).expect("it runs");
            assert_eq!(bytes, lent, "{text:?}");
            let uncut: Vec<&[u8]> = text.strip_suffix('\n').unwrap_or(text).split('\n').map(str::as_bytes).collect();
            assert_eq!(
                bytes,
                if text.is_empty() { Vec::new() } else { uncut },
                "only the newline is cut from {text:?}"
            );
        }
    });
}

#[test]
fn every_line_of_many_comes_in_order() {
    isolated(|| {
        let expected = |i: usize| format!("line {i}");
        let many = || cmd!(fixture(), "lines", "50000");
        assert!(all(many().lines()).into_iter().eq((0..50_000).map(expected)));
        // The same while a thread of the run has something to do besides.
        let busy = many().stderr(Redirect::capture()).stdin(Redirect::bytes("x")).timeout(Duration::from_secs(60));
        assert!(all(busy.lines()).into_iter().eq((0..50_000).map(expected)));
        let mut next = 0;
        let each = |line: &[u8]| {
            assert_eq!(line, expected(next).as_bytes());
            next += 1;
        };
        many().for_each_line(each).expect("it runs");
        assert_eq!(next, 50_000);
    });
}

#[test]
fn a_line_comes_when_it_is_written() {
    isolated(|| {
        for extra in [false, true] {
            let cmd = cmd!(fixture(), "hang");
            let cmd = if extra { cmd.timeout(Duration::from_secs(60)) } else { cmd };
            let mut lines = cmd.lines().expect("it starts");
            assert_eq!(lines.next().expect("a line").expect("no error"), "ready");
            drop(lines);
        }
    });
}

#[test]
fn the_error_comes_once_after_the_last_line_and_then_nothing() {
    isolated(|| {
        for extra in [false, true] {
            let cmd = Cmd::sh("printf 'a\\nb'; echo why >&2; exit 3").stderr(if extra {
                Redirect::capture()
            } else {
                Redirect::null()
            });
            let mut lines = cmd.lines().expect("it starts");
            assert_eq!(lines.next().expect("a line").expect("no error"), "a");
            assert_eq!(lines.next().expect("a line").expect("no error"), "b");
            let error = lines.next().expect("the error").expect_err("the error");
            assert_eq!(error.kind(), ErrorKind::Status);
            assert_eq!(error.status().and_then(|status| status.code()), Some(3));
            let output = error.output().expect("it ran");
            assert_eq!(output.stderr == "why\n", extra);
            for _ in 0..3 {
                assert!(lines.next().is_none());
            }
            let mut reader = cmd.reader().expect("it starts");
            let mut text = String::new();
            let error = reader.read_to_string(&mut text).expect_err("the status");
            assert_eq!(text, "a\nb");
            let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()).expect("our error is inside");
            assert_eq!(inner.kind(), ErrorKind::Status);
            assert_eq!(reader.read(&mut [0]).expect("only once"), 0);
            assert!(reader.job().is_none());
        }
    });
}

#[test]
fn a_line_that_is_no_text_is_an_item_and_the_next_ones_come() {
    isolated(|| {
        let cmd = cmd!(fixture(), "cat").stdin(Redirect::bytes(b"a\n\xff\xfe\nb\n\xe2\x82".to_vec()));
        let items: Vec<_> = cmd.lines().expect("it starts").collect();
        let kinds: Vec<_> = items.iter().map(|item| item.as_deref().map_err(Error::kind)).collect();
        assert_eq!(kinds, [Ok("a"), Err(ErrorKind::NotUtf8), Ok("b"), Err(ErrorKind::NotUtf8)]);
        let bytes: Vec<_> = cmd.lines_bytes().expect("it starts").map(|line| line.expect("bytes are bytes")).collect();
        assert_eq!(bytes, [&b"a"[..], b"\xff\xfe", b"b", b"\xe2\x82"]);
        let error = cmd.read().expect_err("it is not text");
        assert_eq!(error.kind(), ErrorKind::NotUtf8);
        assert_eq!(error.output().expect("the bytes").stdout, b"a\n\xff\xfe\nb\n\xe2\x82");
        assert_eq!(cmd.read_bytes().expect("as it is"), b"a\n\xff\xfe\nb\n\xe2\x82");
    });
}

#[test]
fn dropping_them_ends_an_endless_child() {
    isolated(|| {
        for cmd in [
            cmd!(fixture(), "yes"),
            cmd!(fixture(), "yes").timeout(Duration::from_secs(60)),
            cmd!(fixture(), "yes").stderr(Redirect::capture()).stdin(Redirect::bytes(vec![0; 1_000_000])),
            // Ignores what can be ignored; never writes again.
            cmd!(fixture(), "ignore-term"),
        ] {
            for taken in [0, 1] {
                let mut lines = cmd.lines().expect("it starts");
                assert!(lines.by_ref().take(taken).all(|line| line.is_ok()));
                within(DROPPED_WITHIN, || drop(lines));
                assert_childless();
                let mut reader = cmd.reader().expect("it starts");
                reader.read_exact(&mut vec![0; taken]).expect("so much comes");
                within(DROPPED_WITHIN, || drop(reader));
                assert_childless();
            }
        }
        let pipeline = cmd!(fixture(), "yes") | cmd!(fixture(), "cat") | cmd!(fixture(), "cat");
        assert_eq!(pipeline.lines().expect("it starts").take(2).filter(Result::is_ok).count(), 2);
        assert_childless();
    });
}

#[test]
fn a_timeout_ends_the_lines_with_its_error() {
    isolated(|| {
        let grace = Duration::from_millis(50);
        for role in ["hang", "ignore-term"] {
            let came = Cell::new(0);
            let run = |time| {
                let mut lines = cmd!(fixture(), role).timeout(time).grace(grace).lines().expect("it starts");
                came.set(lines.by_ref().take_while(Result::is_ok).count());
                assert!(lines.next().is_none(), "nothing comes behind the error");
                let mut reader = cmd!(fixture(), role).timeout(time).grace(grace).reader().expect("it starts");
                let error = reader.read_to_end(&mut Vec::new()).expect_err("it hangs");
                error
                    .into_inner()
                    .and_then(|inner| inner.downcast().ok())
                    .map_or_else(|| panic!("ours"), |error| *error)
            };
            let (error, _) = timed_out(run, |_| came.get() == 1);
            assert_eq!(error.kind(), ErrorKind::Timeout);
        }
        let short = |cmd: Cmd| cmd.timeout(Duration::from_millis(100)).grace(grace);
        let mut last = None;
        for item in short(cmd!(fixture(), "stubborn-yes")).lines().expect("it starts") {
            assert!(last.is_none(), "nothing comes behind the error");
            last = item.err();
        }
        assert_eq!(last.expect("an error").kind(), ErrorKind::Timeout);
    });
}

#[test]
fn lines_can_be_fed_and_heard_on_stderr() {
    isolated(|| {
        let input: String = (0..100_000).map(|i| format!("{i}\n")).collect();
        let cmd = cmd!(fixture(), "fill-stderr", "300000").stdin(Redirect::bytes(input.clone()));
        let cmd = cmd.stderr(Redirect::capture());
        assert!(all(cmd.lines()).iter().map(String::as_str).eq(input.lines()));
        let mut reader = cmd.reader().expect("it starts");
        let mut text = String::new();
        reader.read_to_string(&mut text).expect("it ends well");
        assert!(text == input);
        let mut lent = String::new();
        let output = cmd.for_each_line(|line| lent += &format!("{}\n", String::from_utf8_lossy(line)));
        assert!(lent == input);
        let output = output.expect("it ends well");
        assert_eq!((output.stderr.len(), output.stdin_taken), (300_000, Some(input.len() as u64)));
        assert!(!output.stdout.is_captured());
    });
}

#[test]
fn a_stdout_of_its_own_is_a_conflict_for_the_verbs_that_read_it() {
    isolated(|| {
        let cmd = say("x").stdout(Redirect::null());
        for error in [cmd.lines().err(), cmd.reader().err(), cmd.for_each_line(|_| ()).err()] {
            assert_eq!(error.expect("an error").kind(), ErrorKind::Conflict);
        }
        assert_eq!(all(say("x").stdout(Redirect::piped()).lines()), ["x"]);
    });
}
