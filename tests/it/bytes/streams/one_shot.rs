//! One-shot redirects: taken by the first start, shared by all clones, and nothing held open afterwards.

use std::io::Cursor;

use crate::prelude::*;

#[track_caller]
fn is_used(result: Result<impl std::fmt::Debug, Error>, stream: &str) {
    let error = result.expect_err("it was used before");
    assert_eq!(error.kind(), ErrorKind::AlreadyUsed, "{error:?}");
    assert!(error.to_string().contains(stream), "{stream}: {error}");
    assert_eq!(error.program().and_then(|program| program.to_str()), Some(fixture()));
}

/// Commands with a one-shot redirect each, and the stream it is for.
fn one_shots() -> Vec<(Cmd, &'static str)> {
    let this = || File::open(file!()).expect("this file");
    let null = || File::options().write(true).open("/dev/null").expect("it is there");
    let tee = |to| Redirect::tee([Redirect::null(), to]);
    let cat = || cmd!(fixture(), "cat");
    vec![
        (cat().stdin(Redirect::fd(this())), "stdin"),
        (cat().stdin(Redirect::from_reader(Cursor::new("x"))), "stdin"),
        (cat().stdout(Redirect::fd(null())), "stdout"),
        (cat().stdout(Redirect::to_writer(Sheet::default())), "stdout"),
        (cat().stdout(tee(Redirect::fd(null()))), "stdout"),
        (cat().stdout(tee(Redirect::to_writer(Sheet::default()))), "stdout"),
        (cat().stderr(Redirect::fd(null())), "stderr"),
        (cat().stderr(Redirect::to_writer(Sheet::default())), "stderr"),
        (cat().stderr(tee(Redirect::to_writer(Sheet::default()))), "stderr"),
    ]
}

#[test]
fn a_second_start_names_the_stream_also_through_a_clone() {
    isolated(|| {
        for (cmd, stream) in one_shots() {
            let clone = cmd.clone();
            cmd.run().expect("the first start takes it");
            is_used(cmd.run(), stream);
            is_used(clone.output(), stream);
            is_used(clone.spawn().map(|job| job.wait()), stream);
        }
    });
}

#[test]
fn one_slot_for_both_outputs_is_one_description() {
    isolated(|| {
        let (mut reader, writer) = pipe::kernel().expect("a pipe");
        let to = Redirect::fd(writer);
        cmd!(fixture(), "out-err", "3").stdout(to.clone()).stderr(to).run().expect("it is taken once for both");
        let mut text = String::new();
        reader.read_to_string(&mut text).expect("its end comes");
        assert_eq!(text, "out 0\nerr 0\nout 1\nerr 1\nout 2\nerr 2\n");
    });
}

#[test]
fn a_reader_and_a_writer_are_dropped_with_the_run() {
    isolated(|| {
        let (mut tell, told) = pipe::kernel().expect("a pipe");
        struct Held(#[expect(dead_code, reason = "its drop is what counts")] pipe::PipeWriter);
        impl Read for Held {
            fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
                Ok(0)
            }
        }
        let cmd = cmd!(fixture(), "cat").stdin(Redirect::from_reader(Held(told)));
        cmd.run().expect("it runs");
        assert_eq!(tell.read(&mut [0]).expect("the reader is gone"), 0);
    });
}

#[test]
fn one_writer_for_two_streams_is_refused_before_anything_runs() {
    isolated(|| {
        let dir = tempfile::tempdir().expect("a directory");
        let trace = dir.path().join("trace");
        let say = || cmd!(fixture(), "say", "1", "o", "2", "e");
        let first = || Cmd::sh("echo ran > \"$0\"").arg(&trace);
        let to = || Redirect::to_writer(Sheet::default());
        let (twice, teed, staged) = (to(), to(), to());
        let cases = [
            first() | say().stdout(twice.clone()).stderr(twice),
            first() | say().stdout(Redirect::tee([teed.clone(), Redirect::null(), teed])),
            first().stderr(staged.clone()) | say().stderr(staged),
        ];
        for pipeline in cases {
            let error = pipeline.run().expect_err("one writer cannot be two");
            assert_eq!(error.kind(), ErrorKind::AlreadyUsed, "{error:?}");
            assert_eq!(error.stage(), Some(1), "{error:?}");
            assert!(!trace.exists(), "the first stage ran");
        }
        let shared = (say() | say()).stderr(to());
        shared.run().expect("what a pipeline says of every stderr is one stream");
    });
}
