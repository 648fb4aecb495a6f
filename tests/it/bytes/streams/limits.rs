//! How much of a stream is kept.

use crate::prelude::*;

/// Ten bytes to each output: digits and letters.
fn ten() -> Cmd {
    cmd!(fixture(), "say", "1", "0123456789", "2", "abcdefghij")
}

#[test]
fn each_limit_keeps_what_it_says_and_counts_the_rest() {
    isolated(|| {
        let both = |head, tail| Limit::HeadTail { head, tail };
        let cases = [
            (Limit::None, "0123456789", 0, None),
            (Limit::Head(4), "0123", 6, Some(4)),
            (Limit::Head(0), "", 10, Some(0)),
            (Limit::Head(10), "0123456789", 0, None),
            (Limit::Tail(3), "789", 7, Some(0)),
            (Limit::Tail(0), "", 10, Some(0)),
            (Limit::Tail(10), "0123456789", 0, None),
            (both(2, 3), "01789", 5, Some(2)),
            (both(5, 5), "0123456789", 0, None),
            (both(4, 0), "0123", 6, Some(4)),
            (Limit::Fail(10), "0123456789", 0, None),
        ];
        for (limit, kept, omitted, at) in cases {
            let output = ten().stdout_limit(limit).output().expect("within it, or cut");
            assert_eq!(output.stdout, kept, "{limit:?}");
            assert_eq!((output.stdout.omitted(), output.stdout.omitted_at()), (omitted, at), "{limit:?}");
            assert_eq!(output.stderr, "abcdefghij", "{limit:?} is for stdout");
            let output = ten().stderr_limit(limit).output().expect("within it, or cut");
            let letters: String = kept.bytes().map(|digit| char::from(digit - b'0' + b'a')).collect();
            assert_eq!(output.stderr, letters, "{limit:?}");
            assert_eq!((output.stderr.omitted(), output.stderr.omitted_at()), (omitted, at), "{limit:?}");
            assert_eq!(output.stdout, "0123456789", "{limit:?} is for stderr");
        }
    });
}

/// Each character has two, three or four bytes, so that every limit below cuts one somewhere.
#[test]
fn text_under_a_limit_ends_between_characters() {
    isolated(|| {
        for text in ["éßöü", "€₤₦₩", "𝄞𝄟𝄠𝄡", "aé€𝄞"] {
            let say = |limit| cmd!(fixture(), "say", "1", text).stdout_limit(limit);
            for keep in 0..=text.len() {
                let (head, tail) = (keep / 2, keep - keep / 2);
                let limits = [(Limit::Head(keep), keep, 0), (Limit::Tail(keep), 0, keep)];
                for (limit, head, tail) in limits.into_iter().chain([(Limit::HeadTail { head, tail }, head, tail)]) {
                    let bytes = say(limit).read_bytes().expect("it runs");
                    assert_eq!(bytes.len(), keep, "bytes are not cut further: {limit:?}");
                    let first = (0..=head).rev().find(|at| text.is_char_boundary(*at)).expect("0 is one");
                    let last =
                        (text.len() - tail..=text.len()).find(|at| text.is_char_boundary(*at)).expect("the end is");
                    let kept = if keep == text.len() { text.into() } else { [&text[..first], &text[last..]].concat() };
                    assert_eq!(say(limit).read().expect("text"), kept, "{text} {limit:?}");
                }
            }
        }
        // What was no text before the cut is none behind it.
        for bad in [r"\377abc", r"abc\377", r"a\303"] {
            let error = cmd!("printf", bad).stdout_limit(Limit::Tail(8)).read().expect_err("not text");
            assert_eq!(error.kind(), ErrorKind::NotUtf8, "{bad}");
        }
        let error = cmd!("printf", r"\377abcdef").stdout_limit(Limit::Head(4)).read().expect_err("not text");
        assert_eq!(error.kind(), ErrorKind::NotUtf8);
    });
}

#[test]
fn the_tail_of_much_is_its_very_end() {
    isolated(|| {
        let lines = || cmd!(fixture(), "lines", "100000");
        let whole = lines().read_bytes().expect("it runs");
        let size = whole.len();
        for keep in [1, 100, 70_000] {
            let output = lines().stdout_limit(Limit::Tail(keep)).output().expect("it runs");
            assert!(output.stdout == whole[size - keep..]);
            assert_eq!(output.stdout.omitted(), (size - keep) as u64);
            let limit = Limit::HeadTail { head: keep / 2, tail: keep };
            let output = lines().stdout_limit(limit).output().expect("it runs");
            assert!(output.stdout == [&whole[..keep / 2], &whole[size - keep..]].concat());
            assert_eq!(output.stdout.omitted(), (size - keep - keep / 2) as u64);
        }
    });
}

#[test]
fn a_head_stops_reading_so_that_an_endless_writer_ends_well() {
    isolated(|| {
        for head in [0, 1, 7, 100_000] {
            let yes = cmd!(fixture(), "yes", "word");
            let output = yes.stdout_limit(Limit::Head(head)).output().expect("it had enough");
            assert_eq!(output.stdout.len(), head);
            assert!(output.stdout.omitted() > 0);
            assert_eq!(output.stages[0].status.signal(), Some(nix::libc::SIGPIPE));
        }
        let pipeline = cmd!(fixture(), "yes") | cmd!(fixture(), "cat");
        let text = pipeline.stdout_limit(Limit::Head(3)).read().expect("both die of SIGPIPE, which is no failure");
        assert_eq!(text, "y\ny");
    });
}

#[test]
fn a_head_of_stderr_stops_reading_as_well() {
    isolated(|| {
        let noisy = cmd!(fixture(), "yes", "word").stdout_to_stderr().stderr(Redirect::capture());
        let output = noisy.stderr_limit(Limit::Head(5)).output().expect("it had enough");
        assert_eq!(output.stderr, "word\n");
    });
}

#[test]
fn more_than_is_allowed_is_an_error_that_keeps_the_head() {
    isolated(|| {
        for (cmd, stream) in [
            (ten().stdout_limit(Limit::Fail(4)), "stdout"),
            (ten().stderr_limit(Limit::Fail(4)), "stderr"),
            (cmd!(fixture(), "yes", "123").stdout_limit(Limit::Fail(4)), "stdout"),
        ] {
            let error = cmd.output().expect_err("it is more");
            assert_eq!((error.kind(), error.stage()), (ErrorKind::LimitExceeded, Some(0)), "{error:?}");
            let text = error.to_string();
            assert!(text.contains("4 bytes") && text.contains(stream), "{text}");
            let output = error.output().expect("what was there");
            let kept = if stream == "stdout" { &output.stdout } else { &output.stderr };
            assert_eq!(kept.len(), 4);
        }
    });
}

#[test]
fn a_limit_in_a_tee_is_the_captures_alone() {
    isolated(|| {
        let lines = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let counter = std::sync::Arc::clone(&lines);
        let count = move |_: &[u8]| {
            counter.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        };
        let tee = Redirect::tee([Redirect::capture(), Redirect::each_line(count)]);
        let cmd = cmd!(fixture(), "lines", "50000").stdout(tee).stdout_limit(Limit::Head(6));
        let output = cmd.run().expect("the callback hears it all");
        assert_eq!(output.stdout, "line 0");
        assert_eq!(lines.load(std::sync::atomic::Ordering::SeqCst), 50_000);
    });
}
