//! The example that the README begins with, run as a user runs it.

use std::process;

use assert_cmd::Command;

use crate::prelude::*;

const BUNDLED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/data/dpkg.log");
const STAGES: [&str; 7] = ["grep", "cut package", "cut name", "sort", "uniq", "sort by count", "head"];

fn example(name: &str) -> Option<process::Command> {
    let mut command = process::Command::new(built_example(name)?);
    command.current_dir("/");
    Some(command)
}

/// What a run prints, in its two parts.
#[track_caller]
fn tables(mut command: Command) -> (Vec<String>, Vec<String>) {
    let output = command.assert().success().stderr("").get_output().stdout.clone();
    let text = String::from_utf8(output).expect("it prints text");
    let (counts, stages) = text.split_once("\n\n").expect("two tables");
    let lines = |table: &str| table.lines().map(str::to_owned).collect();
    (lines(counts), lines(stages))
}

/// The same answer, from Rust alone.
fn counted(log: &str) -> Vec<String> {
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    for line in log.lines().filter(|line| line.contains(" status ")) {
        let package = line.split(' ').nth(4).expect("a package in each such line");
        *counts.entry(package.split(':').next().unwrap_or(package)).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|&(package, count)| (std::cmp::Reverse(count), package));
    let rows = counts.iter().take(10).map(|(package, count)| format!("{count:>7}  {package}"));
    [String::from("changes  package")].into_iter().chain(rows).collect()
}

#[test]
fn pipeline_answers_from_the_bundled_log_and_shows_each_stage() {
    isolated(|| {
        let Some(command) = example("pipeline") else { return };
        let (counts, stages) = tables(command.into());
        assert_eq!(counts, counted(&fs::read_to_string(BUNDLED).expect("the bundled log")));
        assert_eq!(counts.len(), 11);

        assert_eq!(stages.len(), 2 + STAGES.len(), "{stages:?}");
        assert_eq!(stages[0], "stage          status                    wall ms   CPU ms  peak KiB");
        for (row, label) in stages[1..].iter().zip(STAGES) {
            let status = row.strip_prefix(&format!("{label:<15}")).unwrap_or_else(|| panic!("{label}: {row}"));
            // `head` may have had enough before this one has written all.
            let cut = label == "sort by count" && status.starts_with("killed by SIGPIPE ");
            assert!(cut || status.starts_with("exited with code 0 "), "{row}");
            assert_eq!(row.len(), stages[0].len(), "not aligned: {row}");
            let numbers: Vec<f64> = row[38..].split_whitespace().map(|word| word.parse().expect(row)).collect();
            let [wall, cpu, peak] = numbers[..] else { panic!("{row}") };
            assert!(wall > 0.0 && cpu >= 0.0 && peak >= 100.0, "{row}");
        }
    });
}

#[test]
fn pipeline_reads_the_log_it_is_given() {
    isolated(|| {
        let Some(mut command) = example("pipeline") else { return };
        let dir = tempfile::tempdir().expect("a directory");
        let log = "d t status installed b:amd64 1\nd t install a:all 1\nd t status unpacked a:all 1\n\
                   d t status installed c:amd64 1\nd t status installed a:all 1\n";
        fs::write(dir.path().join("my own.log"), log).expect("a log");
        command.arg("my own.log").current_dir(dir.path());
        let (counts, _) = tables(command.into());
        assert_eq!(counts, ["changes  package", "      2  a", "      1  b", "      1  c"]);
        assert_eq!(counts, counted(log));
    });
}

#[test]
fn pipeline_finds_nothing_in_a_log_without_changes() {
    isolated(|| {
        let Some(mut command) = example("pipeline") else { return };
        command.arg("/dev/null");
        let (counts, stages) = tables(command.into());
        assert_eq!(counts, ["changes  package"]);
        assert!(stages[1].starts_with("grep           exited with code 1 "), "{stages:?}");
    });
}

#[track_caller]
fn assert_one_line(command: process::Command, expected: &str) {
    Command::from(command).assert().code(1).stdout("").stderr(format!("{expected}\n"));
}

#[test]
fn pipeline_says_in_one_line_that_the_log_is_missing() {
    isolated(|| {
        let Some(mut command) = example("pipeline") else { return };
        command.arg("/no/such.log");
        assert_one_line(
            command,
            "pipeline: cannot start `grep` (stage 0 of 7): cannot read /no/such.log as its stdin: \
             No such file or directory (os error 2)",
        );
    });
}

#[test]
fn watch_build_tells_a_build_as_it_happens() {
    isolated(|| {
        let Some(command) = example("watch_build") else { return };
        if pipewright::which("make").is_err() {
            return skip("there is no make here");
        }
        let output = Command::from(command).assert().success().stderr("").get_output().stdout.clone();
        let text = String::from_utf8(output).expect("it prints text");
        let told: Vec<&str> =
            text.lines().map(|line| line.split_once(" ms  ").map_or(line, |(_, what)| what)).collect();
        assert!(told[0].starts_with("make started as "), "{text}");
        for line in ["stdout: compiling a.c", "stderr: b.c:7: warning: unused", "stdout: linking a.o b.o c.o"] {
            assert!(told.contains(&line), "{text}");
        }
        assert!(text.contains("make ended: exited with code 0"), "{text}");
        assert_eq!(told.last(), Some(&"62 bytes on stdout, 23 on stderr"));
    });
}

#[test]
fn jobserver_make_shares_its_tokens_with_a_real_make() {
    isolated(|| {
        let Some(command) = example("jobserver_make") else { return };
        if pipewright::which("make").is_err() {
            return skip("there is no make");
        }
        Command::from(command).assert().success().stderr("").stdout(
            "make keeps its jobserver to itself: one job at a time\n\
             2 tokens taken: 3 jobs at a time\n\
             make is done, and 2 tokens are back\n",
        );
    });
}

#[test]
fn zero_copy_tee_gives_the_same_bytes_to_a_file_and_a_child() {
    isolated(|| {
        let Some(mut command) = example("zero_copy_tee") else { return };
        command.arg("200000");
        let output = Command::from(command).assert().success().stderr("").get_output().stdout.clone();
        let text = String::from_utf8(output).expect("text");
        let lines: Vec<&str> = text.lines().collect();
        let sums: Vec<_> = lines[..2].iter().map(|line| line.split_once(':').expect(line).1.trim()).collect();
        assert_eq!(sums[0], sums[1]);
        assert!(sums[0].ends_with(" 1288895") && lines[2].starts_with("1288895 bytes: "), "{text}");
    });
}

#[test]
fn pipeline_says_in_one_line_that_a_directory_is_no_log() {
    isolated(|| {
        let Some(mut command) = example("pipeline") else { return };
        command.arg("/");
        let stderr = Command::from(command).assert().code(1).stdout("").get_output().stderr.clone();
        let stderr = String::from_utf8(stderr).expect("text");
        // The last words are grep's own.
        assert!(stderr.starts_with("pipeline: `grep` (stage 0 of 7) exited with code 2: "), "{stderr}");
        assert!(stderr.ends_with(": Is a directory\n") && stderr.lines().count() == 1, "{stderr}");
    });
}
