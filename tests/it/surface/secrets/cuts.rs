//! A limit, a deadline or a kill cuts a stream in the middle of a secret: no text shows the rest of it, the raw bytes have it.

use std::error::Error as _;

use crate::prelude::*;

/// Secrets are written in these letters, which no other text of these tests has: one that is seen is a piece of a secret.
const LETTERS: &[u8] = b"QZXJ";

fn letters(random: &mut Random, length: usize) -> Vec<u8> {
    (0..length).map(|_| *random.pick(LETTERS)).collect()
}

/// Every text that a run's result has, by what it is.
fn texts(result: &Result<Output, Error>) -> Vec<(&'static str, String)> {
    match result {
        Ok(output) => vec![("an output", format!("{output:?} {output:#?}"))],
        Err(error) => {
            let io = std::io::Error::from(error.clone());
            let mut texts = vec![
                ("Display", error.to_string()),
                ("the alternate Display", format!("{error:#}")),
                ("Debug", format!("{error:?} {error:#?}")),
                ("the full text", error.full().to_string()),
                ("an io::Error", format!("{io} {io:#} {io:?}")),
                ("the tail", error.stderr_tail().unwrap_or_default()),
                ("the output's Debug", format!("{:?}", error.output())),
            ];
            let stages = error.output().map(|output| output.stages.as_slice()).unwrap_or_default();
            for error in stages.iter().filter_map(|stage| stage.error.as_ref()).chain([error]) {
                texts.push(("a stage's error", format!("{error:#}")));
                let mut source = error.source();
                while let Some(cause) = source {
                    texts.push(("a source", format!("{cause} {cause:#} {cause:?} {cause:#?}")));
                    source = cause.source();
                }
            }
            texts
        }
    }
}

/// What the caller's code says of a line that was cut may end in a piece of so few letters that they may be an accident.
#[track_caller]
fn shows_no_piece(what: &str, text: &str) {
    let longest =
        text.split(|letter| !u8::try_from(letter).is_ok_and(|letter| LETTERS.contains(&letter))).map(str::len).max();
    assert!(longest < Some(4), "{what} shows a piece of a secret:\n{text}");
}

#[track_caller]
fn shows_no_letter(what: &str, text: &str) {
    assert!(!text.bytes().any(|byte| LETTERS.contains(&byte)), "{what} shows a piece of a secret:\n{text}");
}

/// Says the bytes on stderr, then does what the rest of the script says.
fn says(text: &[u8], then: &str) -> Cmd {
    Cmd::sh(format!("cat >&2; {then}")).arg("sh").stdin(Redirect::bytes(text))
}

fn tail(cmd: Cmd) -> String {
    let result = cmd.output();
    texts(&result).iter().for_each(|(what, text)| shows_no_letter(what, text));
    result.expect_err("it fails").stderr_tail().unwrap_or_default()
}

const SECRET: &str = "QZXZJJQXZQQQZZZXXXQJQJJJQZXZJQQZ";

#[test]
fn a_limit_that_cuts_a_secret_leaves_no_piece_of_it() {
    isolated(|| {
        for keep in 1..SECRET.len() {
            let fails = says(SECRET.as_bytes(), "exit 1").secret_arg(SECRET);
            assert_eq!(tail(fails.clone().stderr_limit(Limit::Tail(keep))), "***");
            assert_eq!(tail(fails.clone().stderr_limit(Limit::Fail(keep))), "***");
            assert_eq!(tail(fails.clone().stderr_limit(Limit::HeadTail { head: keep, tail: 0 })), "***");
            let both = fails.stderr_limit(Limit::HeadTail { head: keep / 2, tail: keep - keep / 2 });
            assert_eq!(tail(both.clone()), "***");
            let raw = both.output().unwrap_err().into_output().unwrap().stderr;
            assert_eq!(raw.len(), keep, "the raw bytes are the child's");
        }
        let around = [b"before ", SECRET.as_bytes(), b" after\n"].concat();
        let fails = says(&around, "exit 1").secret_arg(SECRET);
        assert_eq!(tail(fails.clone().stderr_limit(Limit::Tail(20))), "*** after");
        assert_eq!(tail(fails.clone().stderr_limit(Limit::HeadTail { head: 10, tail: 10 })), "before *** after");
        assert_eq!(tail(fails.stderr_limit(Limit::Fail(8))), "before ***");
    });
}

#[test]
fn a_stream_between_two_cuts_may_be_the_middle_of_a_secret() {
    isolated(|| {
        // The last 8 of the first 24, for the child is killed before it has said the rest.
        let killed = says(&SECRET.as_bytes()[..24], "kill -9 $$").secret_arg(SECRET);
        assert_eq!(tail(killed.stderr_limit(Limit::Tail(8))), "***");
    });
}

#[test]
fn a_kill_or_a_deadline_in_the_middle_of_a_secret_leaves_no_piece_of_it() {
    isolated(|| {
        for said in [1, 8, 31] {
            let text = [b"so far ", &SECRET.as_bytes()[..said]].concat();
            assert_eq!(tail(says(&text, "kill -9 $$").secret_arg(SECRET)), "so far ***");
            let late = says(&text, "exec sleep 60").secret_arg(SECRET).timeout(Duration::from_millis(500));
            assert_eq!(tail(late), "so far ***");
            let held = says(&text, "sleep 60 & exit 1").secret_arg(SECRET).eof_grace(Duration::from_millis(100));
            assert_eq!(tail(held), "so far ***");
        }
    });
}

#[test]
fn a_child_that_ends_by_itself_is_shown_to_its_last_letter() {
    isolated(|| {
        let fails = |text: &str| says(text.as_bytes(), "exit 1").secret_arg("sesame").output().unwrap_err();
        assert_eq!(fails("no access").stderr_tail().unwrap(), "no access");
        assert_eq!(fails("sesame: no access").stderr_tail().unwrap(), "***: no access");
    });
}

#[test]
fn secrets_that_overlap_or_begin_alike_are_hidden_whole() {
    isolated(|| {
        let run = |text: &str| {
            tail(
                says(text.as_bytes(), "exit 1")
                    .secret_arg("QZXZJ")
                    .secret_arg("ZJJXQ")
                    .secret_arg("QZX")
                    .secret_arg("Z"),
            )
        };
        assert_eq!(run("a QZXZJJXQ b\n"), "a *** b");
        assert_eq!(run("a QZX b QZXZJ c Z d\n"), "a *** b *** c *** d");
        assert_eq!(run("a QZXQZXZJJXQZJJXQ b\n"), "a *** b");
    });
}

#[test]
fn a_secret_of_several_lines_is_hidden_line_by_line() {
    isolated(|| {
        let secret = "QZXZJQZXZJQZ\nXXQQZZQZJJXX\nJJXQZZQQXXJJ";
        for limit in [Limit::None, Limit::Tail(20), Limit::HeadTail { head: 15, tail: 3 }] {
            tail(says(secret.as_bytes(), "exit 1").secret_arg(secret).stderr_limit(limit));
        }
        // The rendering shows twenty lines: it cuts the secret, too.
        tail(says(format!("{secret}{}", "\n".repeat(18)).as_bytes(), "exit 1").secret_arg(secret));
        let bad = Redirect::each_line(|line: &[u8]| match line.starts_with(b"JJ") {
            true => Err(format!("bad line: {:?}", String::from_utf8_lossy(line))),
            false => Ok(()),
        });
        let result = says(secret.as_bytes(), "exit 1").secret_arg(secret).stderr(bad).output();
        texts(&result).iter().for_each(|(what, text)| shows_no_letter(what, text));
    });
}

#[test]
fn no_text_of_an_output_shows_a_secret() {
    isolated(|| {
        let out = Cmd::sh("printf '%s, %s' \"$1\" \"$1\"").arg("sh").secret_arg(SECRET).output().unwrap();
        shows_no_letter("an output", &format!("{out:?} {:?}", out.stdout));
        assert_eq!(out.stdout, format!("{SECRET}, {SECRET}").as_str(), "the raw bytes are the child's");
        let long = Cmd::sh("printf '%0230d%s%099d' 1 \"$1\" 1").arg("sh").secret_arg(SECRET).output().unwrap();
        shows_no_letter("an output", &format!("{long:?}"));
        let not_text =
            Cmd::sh(r#"printf '%s\377' "$1""#).arg("sh").secret_arg(SECRET).stdout_limit(Limit::Tail(9)).read();
        texts(&not_text.map(|_| unreachable!())).iter().for_each(|(what, text)| shows_no_letter(what, text));
    });
}

/// How a child ends: by itself, by a signal, at a deadline, with its streams held.
const ENDS: [&str; 4] = ["exit 1", "kill -9 $$", "exec sleep 60", "sleep 60 & exit 1"];

fn limit(random: &mut Random, length: usize) -> Limit {
    match random.below(5) {
        0 => Limit::None,
        1 => Limit::Head(random.below(length + 1)),
        2 => Limit::Tail(random.below(length + 1)),
        3 => Limit::HeadTail { head: random.below(length / 2 + 1), tail: random.below(length / 2 + 1) },
        _ => Limit::Fail(random.below(length + 1)),
    }
}

/// Noise between secrets, which may overlap; at its end, where the child is to be cut, a piece of one.
fn text(random: &mut Random, secrets: &[Vec<u8>], cut: bool) -> Vec<u8> {
    let mut text = Vec::new();
    for _ in 0..random.below(6) {
        match random.below(4) {
            0 => text.extend(vec![b'n'; random.below(40)]),
            1 if random.one_in(4) => text.extend(vec![b'n'; random.below(3000)]),
            1 => text.extend(vec![b'\n'; random.below(30)]),
            _ => text.extend(random.pick(secrets)),
        }
    }
    let last = random.pick(secrets);
    text.extend(if cut { &last[..random.below(last.len())] } else { last });
    text
}

#[test]
fn no_text_shows_a_piece_of_a_secret_whatever_cut_it() {
    isolated(|| {
        let mut random = Random::new(32);
        for round in 0..count(120, 10_000) {
            let long = letters(&mut random, 32);
            let (start, rest) = (long[..16 + random.below(8)].to_vec(), letters(&mut random, 12));
            let secrets = [
                [&long[20..], &rest].concat(),
                [&letters(&mut random, 14), &b"\n"[..], &letters(&mut random, 14)].concat(),
                [&b"\xff\xc3"[..], &letters(&mut random, 20), b"\xa9"].concat(),
                [&letters(&mut random, 18), &b"\\'\"x\x1b"[..], &letters(&mut random, 17)].concat(),
                letters(&mut random, 3),
                long,
                start,
            ];
            // The ends that take time are one in twenty.
            let end = if round % 20 == 0 { 2 + random.below(2) } else { random.below(2) };
            let said = text(&mut random, &secrets, end > 0);
            let cuts_callbacks = random.one_in(3);
            let bad = Redirect::each_line(move |line: &[u8]| match line.iter().any(|byte| LETTERS.contains(byte)) {
                true if cuts_callbacks => Err(format!("{:?}", String::from_utf8_lossy(line))),
                true => panic!("bad line: {}", String::from_utf8_lossy(line)),
                false => Ok(()),
            });
            let mut cmd = says(&said, ENDS[end]).stderr_limit(limit(&mut random, said.len()));
            cmd = cmd.stdout_limit(limit(&mut random, said.len())).timeout(Duration::from_millis(if end == 2 {
                60
            } else {
                60_000
            }));
            let calls_back = random.one_in(4);
            cmd = match random.below(4) {
                _ if calls_back => cmd.stderr(Redirect::tee([Redirect::capture(), bad])),
                0 => cmd.stderr_to_stdout(),
                _ => cmd.stderr(Redirect::capture()),
            };
            for (index, secret) in secrets.iter().enumerate() {
                let secret = OsStr::from_bytes(secret);
                cmd = if index % 2 == 0 { cmd.secret_arg(secret) } else { cmd.secret_env(format!("K{index}"), secret) };
            }
            cmd = cmd.eof_grace(Duration::from_millis(20));
            let shows_none = if calls_back { shows_no_piece } else { shows_no_letter };
            for shown in [format!("{cmd} {cmd:?}"), format!("{0} {0:?}", cmd.dry_run().unwrap())] {
                shows_no_letter("a builder or its plan", &shown);
            }
            let result = if round % 2 == 0 {
                cmd.output()
            } else {
                let job = cmd.stdout(Redirect::capture()).spawn().expect("it starts");
                for event in job.events() {
                    if let EventKind::Finished { .. } | EventKind::Leaked { .. } = event.kind {
                        shows_none("an event", &format!("{event:?}"));
                    }
                }
                job.output()
            };
            texts(&result).iter().for_each(|(what, text)| shows_none(what, text));
            progress();
        }
    });
}
