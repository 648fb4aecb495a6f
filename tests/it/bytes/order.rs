//! Merged streams keep the order of the writes, and whole records stay whole.

use std::collections::HashMap;

use crate::prelude::*;

fn in_turn(lines: usize) -> Cmd {
    cmd!(fixture(), "out-err", lines.to_string())
}

fn expected(lines: usize) -> String {
    (0..lines).map(|i| format!("out {i}\nerr {i}\n")).collect()
}

#[test]
fn the_order_of_merged_streams_is_that_of_the_writes() {
    isolated(|| {
        let n = count(5000, 100_000);
        let merged = in_turn(n).stderr_to_stdout();
        let expected = expected(n);
        assert!(merged.output().expect("it runs").stdout == expected, "output");
        assert!(merged.read().expect("it runs") + "\n" == expected, "read");
        let lines: Vec<String> = merged.lines().expect("it starts").map(|line| line.expect("no error")).collect();
        assert!(lines.iter().map(String::as_str).eq(expected.lines()), "lines");
        let mut text = String::new();
        merged.reader().expect("it starts").read_to_string(&mut text).expect("it ends well");
        assert!(text == expected, "reader");
        let through = in_turn(n).pipe_both(cmd!(fixture(), "cat"));
        assert!(through.output().expect("it runs").stdout == expected, "pipe_both");
        let other_way = in_turn(n).stdout_to_stderr().output().expect("it runs");
        assert!(other_way.stderr == expected && !other_way.stdout.is_captured(), "stdout_to_stderr");
        let job = merged.stdout(Redirect::capture()).spawn().expect("it starts");
        assert!(job.output().expect("it ends").stdout == expected, "spawn");
    });
}

#[test]
fn the_order_holds_in_a_file_and_at_any_capacity() {
    isolated(|| {
        let file = tempfile::NamedTempFile::new().expect("a file");
        in_turn(2000).stdout(Redirect::file(file.path())).stderr_to_stdout().run().expect("it runs");
        assert!(std::fs::read_to_string(file.path()).expect("it is there") == expected(2000));
        for capacity in [4096, 65_536] {
            let merged = in_turn(2000).stderr_to_stdout().pipe_capacity(capacity);
            assert!(merged.output().expect("it runs").stdout == expected(2000), "{capacity}");
        }
    });
}

#[test]
fn swapped_streams_are_kept_apart() {
    isolated(|| {
        let output = in_turn(1000).swap_stdout_stderr().output().expect("it runs");
        let (out, err): (Vec<&str>, Vec<&str>) = (
            output.stdout_str().expect("text").lines().collect(),
            output.stderr_str().expect("text").lines().collect(),
        );
        assert_eq!((out.len(), err.len()), (1000, 1000));
        assert!(out.iter().enumerate().all(|(i, line)| *line == format!("err {i}")));
        assert!(err.iter().enumerate().all(|(i, line)| *line == format!("out {i}")));
    });
}

const WRITERS: &str = "abcdefgh";

/// Records are not torn, none is missing, and each was written.
#[track_caller]
fn all_whole(bytes: &[u8], each: usize, size: usize) {
    let mut seen: HashMap<u8, usize> = HashMap::new();
    for record in bytes.chunks(size) {
        let (last, body) = record.split_last().expect("not empty");
        assert!(
            *last == b'\n' && body.iter().all(|byte| *byte == body[0]),
            "torn: {:?}",
            String::from_utf8_lossy(record)
        );
        *seen.entry(body[0]).or_default() += 1;
    }
    let all: HashMap<u8, usize> = WRITERS.bytes().map(|id| (id, each)).collect();
    assert_eq!(seen, all);
}

fn writer(id: char, each: usize, size: usize) -> Cmd {
    cmd!(fixture(), "records", id.to_string(), each.to_string(), size.to_string())
}

#[test]
fn records_of_eight_stages_into_one_stderr_are_not_torn() {
    isolated(|| {
        let each = count(50, 1250);
        for size in [2, 100, 4096] {
            for capacity in [None, Some(4096)] {
                let eight: Pipeline = WRITERS.chars().map(|id| writer(id, each, size).stdout_to_stderr()).collect();
                let eight = capacity.map_or(eight.clone(), |capacity| eight.pipe_capacity(capacity));
                let output = eight.output().expect("it runs");
                all_whole(&output.stderr, each, size);
                progress();
            }
        }
    });
}

#[test]
fn records_of_eight_jobs_into_one_pipe_or_file_are_not_torn() {
    isolated(|| {
        let each = count(50, 1250);
        for size in [100, 4096] {
            let (mut reader, writing) = pipe::kernel().expect("a pipe");
            let shared: Arc<OwnedFd> = Arc::new(writing.into());
            let to = Redirect::shared_fd(Arc::clone(&shared));
            let start = |id| writer(id, each, size).stdout(to.clone()).spawn().expect("it starts");
            let jobs: Vec<_> = WRITERS.chars().map(start).collect();
            drop((to, shared));
            let mut bytes = Vec::new();
            std::thread::scope(|scope| {
                // A job holds the shared descriptor until it is dropped.
                scope.spawn(move || jobs.iter().for_each(|job| assert!(job.wait().expect("it ends").success())));
                reader.read_to_end(&mut bytes).expect("its end comes");
            });
            all_whole(&bytes, each, size);

            let file = tempfile::NamedTempFile::new().expect("a file");
            let start = |id| writer(id, each, size).stdout(Redirect::append(file.path())).spawn().expect("it starts");
            let more: Vec<_> = WRITERS.chars().map(start).collect();
            assert!(more.iter().all(|job| job.wait().expect("it ends").success()));
            all_whole(&std::fs::read(file.path()).expect("it is there"), each, size);
            progress();
        }
    });
}
