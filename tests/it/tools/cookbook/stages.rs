//! Rust code as a stage.

use flate2::read::MultiGzDecoder;
use pipewright::which;
use sha2::{Digest, Sha256};

use super::{cook, output};
use crate::prelude::*;

const BUNDLED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/data/dpkg.log");

/// The source of an example.
fn source(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(format!("{name}.rs"))).expect("an example")
}

/// A file of this many bytes, most of them a hole.
fn big_file(directory: &Path, bytes: usize) -> PathBuf {
    let path = directory.join("big");
    let mut file = File::create(&path).expect("a file");
    file.write_all(b"First line\n").expect("its beginning");
    file.seek(SeekFrom::Start(bytes as u64 - 5)).expect("a hole");
    file.write_all(b"last\n").expect("its end");
    path
}

/// A run that took less memory than its input, and not much. (The peak counts from this process's own size.)
#[track_caller]
fn assert_lean(output: &Output, bytes: usize) {
    let (peak, limit) = (output.stages[0].usage.expect("known here").max_rss, 24 << 20);
    assert!(bytes as u64 > limit && peak < limit, "{} KiB", peak / 1024);
}

#[test]
fn file_stream_writes_a_file_in_upper_case_in_little_memory() {
    isolated(|| {
        let dir = tempfile::tempdir().expect("a directory");
        let bytes = 32 << 20;
        let (from, to) = (big_file(dir.path(), bytes), dir.path().join("to"));
        cook("file_stream", |example| {
            let out = output(&example.args([&from, &to]));
            assert_eq!(out.stdout, "");
            assert_lean(&out, bytes);
            let mut expected = fs::read(&from).expect("it is there");
            expected.make_ascii_uppercase();
            assert!(fs::read(&to).expect("it was written") == expected, "it differs");
        });
    });
}

#[test]
fn file_stream_writes_to_stdout_when_not_told_where() {
    isolated(|| {
        cook("file_stream", |example| {
            assert_eq!(output(&example).stdout, source("file_stream").to_ascii_uppercase());
            let error = example.arg("no/such/file").output().unwrap_err();
            assert!(error.stderr_tail().is_some_and(|tail| tail.contains("cannot read no/such/file")), "{error:#}");
        });
    });
}

#[test]
fn chained_stages_end_all_when_the_last_has_enough() {
    isolated(|| {
        cook("chained_stages", |example| {
            let ends = "numbers: killed by SIGPIPE\nprimes: killed by SIGPIPE\nsquares: killed by SIGPIPE\nfirst: exited with code 0\n";
            let squares = "2² = 4\n3² = 9\n5² = 25\n7² = 49\n11² = 121\n";
            assert_eq!(output(&example).stdout, format!("{squares}{ends}"));
            assert_eq!(output(&example.arg("1")).stdout, format!("2² = 4\n{ends}"));
        });
    });
}

#[test]
fn gzip_stream_writes_what_gunzip_opens() {
    isolated(|| {
        cook("gzip_stream", |example| {
            if which("gunzip").is_err() {
                return skip("there is no gunzip here");
            }
            assert_eq!(output(&example).stdout, source("gzip_stream"));
        });
    });
}

#[test]
fn gzip_stream_compresses_a_file_in_little_memory() {
    isolated(|| {
        let dir = tempfile::tempdir().expect("a directory");
        let bytes = 32 << 20;
        let (from, to) = (big_file(dir.path(), bytes), dir.path().join("to.gz"));
        cook("gzip_stream", |example| {
            let out = output(&example.args([&from, &to]));
            assert_eq!(out.stdout, "");
            assert_lean(&out, bytes);
            let compressed = File::open(&to).expect("it was written");
            assert!(compressed.metadata().expect("its size").len() < bytes as u64 / 100);
            let mut text = Vec::new();
            MultiGzDecoder::new(compressed).read_to_end(&mut text).expect("it can be opened");
            assert!(text == fs::read(&from).expect("it is there"), "it differs");
        });
    });
}

/// What the example says when both sides have seen this.
fn both_saw(path: &Path) -> String {
    let (mut file, mut hasher, mut buffer) = (File::open(path).expect("a file"), Sha256::new(), vec![0; 8 << 20]);
    loop {
        match file.read(&mut buffer).expect("it can be read") {
            0 => break,
            read => hasher.update(&buffer[..read]),
        }
        progress();
    }
    let hash: String = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sent      {hash}\nreceived  {hash}\n")
}

#[test]
fn hash_while_uploading_takes_one_pass_and_little_memory() {
    // The many bytes of a full run take their time, in silence.
    let patience = Duration::from_secs(300);
    isolated_with(Options { patience, ..Options::default() }, || {
        let dir = tempfile::tempdir().expect("a directory");
        let bytes = count(32 << 20, 4 << 30);
        let file = big_file(dir.path(), bytes);
        cook("hash_while_uploading", |example| {
            let out = output(&example.arg(&file).timeout(patience));
            assert_eq!(out.stdout, both_saw(&file));
            assert_lean(&out, bytes);
        });
    });
}

#[test]
fn hash_while_uploading_uploads_itself_and_nothing_when_there_is_no_file() {
    isolated(|| {
        cook("hash_while_uploading", |example| {
            let itself = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/hash_while_uploading.rs");
            assert_eq!(output(&example).stdout, both_saw(&itself));
            let error = example.arg("no/such/file").output().unwrap_err();
            assert!(error.stderr_tail().is_some_and(|tail| tail.contains("cannot read no/such/file")), "{error:#}");
        });
    });
}

#[test]
fn mixed_pipeline_counts_by_hour() {
    isolated(|| {
        let log = fs::read_to_string(BUNDLED).expect("the bundled log");
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for line in log.lines().filter(|line| line.contains(" status installed ")) {
            *counts.entry(&line[11..13]).or_default() += 1;
        }
        assert!(counts.len() > 3);
        let expected: String =
            counts.iter().map(|(hour, count)| format!("{count:>7} {hour}:00 to {hour}:59\n")).collect();
        cook("mixed_pipeline", |example| {
            assert_eq!(output(&example).stdout, expected);
            assert_eq!(output(&example.arg("/dev/null")).stdout, "");
        });
    });
}

#[test]
fn mixed_pipeline_says_which_line_its_closure_did_not_understand() {
    isolated(|| {
        let dir = tempfile::tempdir().expect("a directory");
        let log = dir.path().join("log");
        fs::write(&log, "d 14:00:00 status installed a\nd noon status installed b\n").expect("a log");
        cook("mixed_pipeline", |example| {
            let error = example.arg(log).output().unwrap_err();
            let tail = error.stderr_tail().expect("its words");
            let expected = "`hours` (closure, stage 1 of 4) failed: line 1 has no time: d noon status installed b\n";
            assert!(tail.contains(expected), "{error:#}");
        });
    });
}
