//! One stream to several places, also in the middle of a pipeline.

use crate::prelude::*;

const SIZE: usize = 500_000;

/// What `blocks` writes.
fn blocks() -> Vec<u8> {
    (0..SIZE as u64 / 8).flat_map(u64::to_le_bytes).collect()
}

#[test]
fn every_target_of_a_tee_gets_the_same_bytes() {
    isolated(|| {
        let dir = tempfile::tempdir().expect("a directory");
        let [made, grown] = ["made", "grown"].map(|name| dir.path().join(name));
        fs::write(&grown, "").expect("a file");
        let (writer, lines) = (Sheet::default(), Sheet::default());
        let tee = Redirect::tee([
            Redirect::capture(),
            Redirect::null(),
            Redirect::tee([Redirect::file(&made), Redirect::append(&grown)]),
            Redirect::to_writer(writer.clone()),
            Redirect::each_line(lines.lines()),
        ]);
        let output = cmd!(fixture(), "blocks", SIZE.to_string()).stdout(tee).run().expect("it runs");
        let blocks = blocks();
        assert!(output.stdout == blocks, "captured");
        assert!(fs::read(&made).expect("made") == blocks, "a file");
        assert!(fs::read(&grown).expect("grown") == blocks, "appended");
        assert!(writer.bytes() == blocks, "written");
        let split: Vec<u8> = blocks.split(|&byte| byte == b'\n').collect::<Vec<_>>().join(&b'|');
        assert!(lines.bytes() == [split, b"|".to_vec()].concat(), "in lines");
    });
}

#[test]
fn a_tee_serves_both_outputs_apart_and_merged() {
    isolated(|| {
        let (out, err) = (Sheet::default(), Sheet::default());
        let to = |sheet: &Sheet| Redirect::tee([Redirect::capture(), Redirect::to_writer(sheet.clone())]);
        let cmd = cmd!(fixture(), "both", "300000").stdout(to(&out)).stderr(to(&err));
        let output = cmd.run().expect("it runs");
        assert!(output.stdout == out.bytes() && out.bytes() == vec![b'o'; 300_000]);
        assert!(output.stderr == err.bytes() && err.bytes() == vec![b'e'; 300_000]);

        let merged = Sheet::default();
        let cmd = cmd!(fixture(), "out-err", "50").stdout(to(&merged)).stderr_to_stdout();
        let output = cmd.run().expect("it runs");
        let expected: String = (0..50).map(|i| format!("out {i}\nerr {i}\n")).collect();
        assert_eq!(output.stdout, expected);
        assert_eq!(merged.bytes(), expected.as_bytes());
    });
}

#[test]
fn a_middle_stage_can_be_listened_to() {
    isolated(|| {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("middle");
        for capacity in [4096, 65_536] {
            let (first, middle) = (Sheet::default(), Sheet::default());
            let three = cmd!(fixture(), "blocks", SIZE.to_string())
                .stdout(Redirect::tee([Redirect::to_writer(first.clone())]))
                .pipe(
                    cmd!(fixture(), "cat")
                        .stdout(Redirect::tee([Redirect::file(&file), Redirect::each_line(middle.lines())])),
                )
                .pipe(cmd!(fixture(), "check-blocks"))
                .pipe_capacity(capacity);
            assert_eq!(three.read().expect("it runs"), SIZE.to_string());
            assert!(first.bytes() == blocks());
            assert!(fs::read(&file).expect("made") == blocks());
            assert_eq!(middle.bytes().len(), SIZE + 1);
        }
    });
}

#[test]
fn captures_of_several_stages_come_in_the_order_of_the_stages() {
    isolated(|| {
        let three = cmd!(fixture(), "echo", "word").stdout(Redirect::tee([Redirect::capture()]))
            | cmd!(fixture(), "upper").stdout(Redirect::tee([Redirect::capture()]))
            | cmd!(fixture(), "count");
        let output = three.output().expect("it runs");
        assert_eq!(output.stdout, "word\nWORD\n5\n");
        let mut buffer = b"before ".to_vec();
        three.output_into(&mut buffer).expect("it runs");
        assert_eq!(String::from_utf8_lossy(&buffer), "before word\nWORD\n5\n");
    });
}

#[test]
fn a_next_stage_that_has_enough_leaves_the_other_targets_theirs() {
    isolated(|| {
        let tee = Redirect::tee([Redirect::capture()]);
        let two = cmd!(fixture(), "blocks", SIZE.to_string()).stdout(tee) | cmd!(fixture(), "take", "8");
        let output = two.stdout(Redirect::null()).run().expect("no stage failed");
        assert!(output.stdout == blocks());
        assert!(output.stages.iter().all(|stage| stage.status.success()), "{:?}", output.stages);
    });
}

#[test]
fn a_tee_whose_targets_all_have_enough_ends_an_endless_writer() {
    isolated(|| {
        let relay_only = cmd!(fixture(), "yes").stdout(Redirect::tee([])) | cmd!(fixture(), "take", "8");
        let output = relay_only.output().expect("a death of SIGPIPE upstream is no failure");
        assert_eq!(output.stdout, "y\ny\ny\ny\n");
        assert_eq!(output.stages[0].status.signal(), Some(nix::libc::SIGPIPE));
        let tee = || Redirect::tee([Redirect::capture()]);
        let limited = cmd!(fixture(), "yes").stdout(tee()) | cmd!(fixture(), "take", "2").stdout(Redirect::null());
        let output = limited.stdout_limit(Limit::Head(4)).run().expect("both had enough");
        assert_eq!(output.stdout, "y\ny\n");
    });
}

#[test]
fn a_stage_that_breaks_behind_a_tee_is_not_forgiven() {
    isolated(|| {
        let broken = cmd!(fixture(), "yes").stdout(Redirect::tee([])) | cmd!(fixture(), "signal", "13");
        let error = broken.run().expect_err("the last stage's SIGPIPE came from no reader here");
        assert_eq!((error.kind(), error.stage()), (ErrorKind::Status, Some(1)));
    });
}

#[test]
fn the_slowest_target_sets_the_pace_and_loses_nothing() {
    isolated(|| {
        let (mut reader, writer) = pipe::kernel().expect("a pipe");
        let tee = Redirect::tee([Redirect::capture(), Redirect::fd(writer)]);
        let job = cmd!(fixture(), "blocks", SIZE.to_string()).stdout(tee).spawn().expect("it starts");
        // More than the pipes hold is still to come.
        assert!(job.try_wait().expect("no failure").is_none());
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).expect("its end comes");
        assert!(bytes == blocks());
        assert!(job.output().expect("it ends").stdout == blocks());
    });
}

#[test]
fn a_full_pipe_with_another_writer_does_not_put_off_a_deadline() {
    isolated(|| {
        // Another writer may take the room that a readiness promised; here nothing is read, and the room ends.
        let (reader, writer) = pipewright::pipe::kernel().expect("a pipe");
        let tee = Redirect::tee([Redirect::capture(), Redirect::fd(writer)]);
        let endless = cmd!(fixture(), "yes").stdout(tee).stdout_limit(pipewright::Limit::Tail(10));
        let start = std::time::Instant::now();
        let error = endless.timeout(std::time::Duration::from_millis(200)).run().expect_err("it is endless");
        assert_eq!(error.kind(), pipewright::ErrorKind::Timeout, "{error:?}");
        assert!(start.elapsed() < std::time::Duration::from_secs(3), "{:?}", start.elapsed());
        drop(reader);
    });
}
