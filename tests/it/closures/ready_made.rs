//! The ready-made stages: tap, map_lines, filter_lines, tee_to.

use super::*;
use crate::prelude::*;

/// What a stage makes of the bytes, between closures and between processes: it must be the same.
#[track_caller]
fn makes(input: &str, stage: impl Fn() -> Stage, expected: &str) {
    let first = || alone(stage()).stdin(Redirect::bytes(input));
    assert_eq!(String::from_utf8(first().read_bytes().expect("it runs")).expect("text"), expected, "{input:?}");
    let between = role("cat").stdin(Redirect::bytes(input)) | stage() | role("cat");
    assert_eq!(String::from_utf8(between.read_bytes().expect("it runs")).expect("text"), expected, "{input:?}");
    // Byte by byte: pieces of lines, in memory.
    let drips = Stage::from_fn(|input, output| {
        for byte in input.bytes() {
            output.write_all(&[byte?])?;
        }
        Ok(())
    });
    let dripping = (drips | stage() | copy()).stdin(Redirect::bytes(input));
    assert_eq!(String::from_utf8(dripping.read_bytes().expect("it runs")).expect("text"), expected, "{input:?}");
}

#[test]
fn lines_are_mapped_and_filtered_one_by_one_and_keep_their_ends() {
    isolated(|| {
        let long = "x".repeat(200_000);
        for (input, mapped, filtered) in [
            ("", "", ""),
            ("\n", "<>\n", "\n"),
            ("a\nb\n", "<a>\n<b>\n", "a\nb\n"),
            ("a\nno end", "<a>\n<no end>", "a\n"),
            ("no end", "<no end>", ""),
            ("\n\nx", "<>\n<>\n<x>", "\n\nx"),
            ("a\r\nno\r\n", "<a\r>\n<no\r>\n", "a\r\n"),
            ("häß\nlich\n", "<häß>\n<lich>\n", "häß\nlich\n"),
            (&long, &format!("<{long}>"), &long),
        ] {
            makes(input, || Stage::map_lines(|line| format!("<{line}>")), mapped);
            makes(input, || Stage::filter_lines(|line| !line.starts_with("no")), filtered);
            makes(input, || Stage::tap(|_| ()), input);
            makes(input, || Stage::tee_to(io::sink()), input);
        }
    });
}

#[test]
fn a_line_that_is_not_utf8_fails_the_stage_after_the_lines_before() {
    isolated(|| {
        for stage in [Stage::map_lines(|line| line.to_owned()), Stage::filter_lines(|_| true)] {
            for input in [&b"good\nb\xff\nmore\n"[..], b"good\ntail \xe2\x82"] {
                let error = alone(stage.clone()).stdin(Redirect::bytes(input)).output().expect_err("bytes");
                assert_eq!((error.kind(), error.stage()), (ErrorKind::Closure, Some(0)), "{error:?}");
                assert_eq!(error.io_error().map(io::Error::kind), Some(io::ErrorKind::InvalidData));
                assert!(error.to_string().contains("not UTF-8"), "{error}");
                assert_eq!(error.output().expect("it ran").stdout, "good\n");
            }
        }
        // Passing on bytes is no business of text.
        let any = b"\xff\xfe\n\xff".to_vec();
        let line = alone(Stage::tap(|_| ())).stdin(Redirect::bytes(any.clone())) | Stage::tee_to(io::sink());
        assert_eq!(line.read_bytes().expect("it runs"), any);
    });
}

#[test]
fn a_tap_sees_every_byte_once_and_its_error_is_the_stages() {
    isolated(|| {
        let sheet = Sheet::default();
        let mut to = sheet.clone();
        let tap = Stage::tap(move |chunk| to.write_all(chunk));
        let line = role("blocks").arg("500000") | tap | role("check-blocks");
        assert_eq!(line.read().expect("it runs"), "500000");
        assert_eq!(sheet.bytes().len(), 500_000);
        let tap = Stage::tap(|_| -> Result<(), Own> { Err(Own(7)) });
        let error = (role("yes") | tap | role("cat")).output().expect_err("the callback fails");
        assert_eq!((error.kind(), error.label()), (ErrorKind::Closure, Some("tap")), "{error:?}");
        assert!(error.to_string().contains("the caller's own, number 7"), "{error}");
        assert_eq!(error.output().expect("it ran").stdout, "");
    });
}

#[test]
fn a_panic_of_a_callback_fails_one_run_and_not_the_next() {
    isolated(|| {
        let mut calls = 0;
        let stage = Stage::map_lines(move |line| {
            calls += 1;
            assert!(calls > 1, "the first call");
            line.to_owned()
        });
        let line = role("echo").arg("x") | stage;
        assert_eq!(line.read().expect_err("the first").kind(), ErrorKind::Panic);
        assert_eq!(line.read().expect("the second"), "x");
    });
}

#[test]
fn one_stage_may_stand_in_a_pipeline_twice() {
    isolated(|| {
        let dotted = Stage::map_lines(|line| format!("{line}."));
        let tap = Stage::tap(|_| ());
        let line = role("lines").arg("20000") | tap.clone() | dotted.clone() | tap.clone() | dotted | tap;
        let text = line.read().expect("it runs");
        assert!(text.lines().enumerate().all(|(n, line)| line == format!("line {n}..")), "{}", &text[..100]);
        assert_eq!(text.lines().count(), 20_000);
    });
}

#[test]
fn a_slow_callback_does_not_hold_back_the_lines_it_has_made() {
    isolated(|| {
        let (go, gone) = channel::<()>();
        let mut line = 0;
        let slow = Stage::map_lines(move |text| {
            line += 1;
            if line == 1 {
                // Longer than lines may wait for company.
                let start = Instant::now();
                while start.elapsed() < Duration::from_millis(40) {
                    std::thread::yield_now();
                }
            } else {
                // Until the reader has seen the first line, which came in one piece with this one.
                let _ = gone.recv();
            }
            text.to_uppercase()
        });
        let pipeline = role("say").args(["1", "a\nb\n"]) | slow | role("cat");
        let mut lines = pipeline.lines().expect("it starts");
        assert_eq!(lines.next().expect("a line").expect("text"), "A");
        drop(go);
        assert_eq!(lines.next().expect("a line").expect("text"), "B");
        assert!(lines.next().is_none());
    });
}

#[test]
fn lines_go_on_before_more_input_is_waited_for() {
    isolated(|| {
        let line = Stage::map_lines(|line| line.to_uppercase()) | Stage::filter_lines(|line| line != "NO");
        let job = line.stdin(Redirect::piped()).stdout(Redirect::piped()).spawn().expect("it starts");
        let (mut stdin, mut stdout) = (job.take_stdin().expect("piped"), job.take_stdout().expect("piped"));
        for word in ["a", "b", "c"] {
            write!(stdin, "no\n{word}\npart of").expect("it reads");
            assert_eq!(read_line(&mut stdout), word.to_uppercase());
            writeln!(stdin, " a line").expect("it reads");
            assert_eq!(read_line(&mut stdout), "PART OF A LINE");
        }
        drop(stdin);
        assert!(job.wait().expect("it ends").success());
    });
}

/// Counts what it gets, and says when it is flushed and dropped.
struct Counting(Notes, usize);

impl Write for Counting {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Not all at once: the rest must come again.
        let taken = bytes.len().min(1000);
        self.1 += taken;
        Ok(taken)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.0.add(format!("flushed at {}", self.1));
        Ok(())
    }
}

impl Drop for Counting {
    fn drop(&mut self) {
        self.0.add("dropped");
    }
}

#[test]
fn a_tee_gives_its_writer_all_although_the_next_stage_had_enough() {
    isolated(|| {
        for next in [head().pipe(copy()), role("take").arg("8").into(), alone(Stage::from_fn(|_, _| Ok(())))] {
            let notes = Notes::default();
            let tee = Stage::tee_to(Counting(notes.clone(), 0));
            let line = role("blocks").arg("3000000") | tee | next;
            let output = line.output().expect("it runs");
            assert!(output.stages[..2].iter().all(|stage| stage.status.success()), "{output:?}");
            assert_eq!(notes.take(), ["flushed at 3000000", "dropped"]);
            progress();
        }
    });
}

#[test]
fn a_tees_writer_that_fails_is_the_stages_error_and_ends_the_stage_before() {
    isolated(|| {
        struct Unflushed;
        impl Write for Unflushed {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                Ok(bytes.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Err(io::Error::other(Own(7)))
            }
        }
        // A broken pipe of the writer's is not one of the next stage's.
        for kind in [io::ErrorKind::Other, io::ErrorKind::BrokenPipe] {
            let broken = Writing(move |_: &[u8]| Err(io::Error::new(kind, Own(7))));
            let line = role("yes") | Stage::tee_to(broken) | role("cat");
            let error = line.output().expect_err("the writer fails");
            assert_eq!((error.kind(), error.label()), (ErrorKind::Closure, Some("tee_to")), "{error:?}");
            assert!(error.to_string().contains("the caller's own, number 7"), "{error}");
        }
        // Nor is it when the next stage had enough long before.
        let mut written = 0;
        let breaks_late = Writing(move |bytes: &[u8]| {
            written += bytes.len();
            if written > 1_000_000 { Err(io::ErrorKind::BrokenPipe.into()) } else { Ok(bytes.len()) }
        });
        let line = role("blocks").arg("3000000") | Stage::tee_to(breaks_late) | Stage::from_fn(|_, _| Ok(()));
        let error = line.output().expect_err("the copy is not whole");
        assert_eq!((error.kind(), error.label()), (ErrorKind::Closure, Some("tee_to")), "{error:?}");
        let error = (role("echo") | Stage::tee_to(Unflushed)).output().expect_err("the flush fails");
        assert_eq!(error.label(), Some("tee_to"));
    });
}

#[test]
fn a_deadline_ends_a_tee_that_goes_on_alone() {
    isolated(|| {
        let line = role("yes") | Stage::tee_to(io::sink()) | role("take").arg("2");
        let line = without_input(line).grace(NO_GRACE_NEEDED);
        let run = |time| within(time + 2 * SLACK, || line.clone().timeout(time).output()).expect_err("it goes on");
        let has_enough = |error: &Error| error.output().is_some_and(|output| output.stages[2].status.code() == Some(0));
        let (error, _) = timed_out(run, has_enough);
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error:?}");
    });
}
