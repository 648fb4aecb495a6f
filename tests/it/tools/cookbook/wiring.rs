//! More than three streams, and pipelines as arguments.

use super::{cook, output};
use crate::prelude::*;

#[test]
fn process_substitution_compares_two_lists() {
    isolated(|| {
        cook("process_substitution", |example| {
            let said = |example: &Cmd| -> (Vec<String>, Vec<String>) {
                let out = output(example);
                let lines = out.stdout_str().expect("text").lines().map(String::from);
                // The two counts come from two programs, in any order.
                let (mut counts, columns): (Vec<_>, Vec<_>) = lines.partition(|line| line.starts_with("in "));
                counts.sort();
                (columns, counts)
            };
            let counts = |both: &str, one: &str| vec![format!("in both: {both}"), format!("in one: {one}")];
            let columns = ["\t\tgit", "m4", "\t\tmake", "perl", "\trustc"].map(String::from).to_vec();
            assert_eq!(said(&example), (columns, counts("2", "3")));
            let dir = tempfile::tempdir().expect("a directory");
            let file = |name: &str, text: &str| {
                let path = dir.path().join(name);
                std::fs::write(&path, text).expect("it can be written");
                path
            };
            let same = example.clone().args([file("a", "x y\n"), file("b", "y\nx")]);
            assert_eq!(said(&same), (vec!["\t\tx".into(), "\t\ty".into()], counts("2", "0")));
            // A part that fails is named although the program itself could go on.
            let error = example.args([file("c", ""), dir.path().join("missing")]).output().expect_err("no file");
            let text = error.stderr_tail().expect("it complains");
            assert!(text.contains("missing") && text.contains("`tr`"), "{text}");
        });
    });
}

#[test]
fn extra_fds_shows_the_progress_and_keeps_everything_apart() {
    isolated(|| {
        cook("extra_fds", |example| {
            let out = example.output().unwrap_or_else(|error| panic!("{error:#}"));
            assert_eq!(out.stdout, "results: 4\nprogress reports: 4\ncomplaints: one input was skipped\n");
            let shown: String = ["25%", "50%", "75%", "100%"].map(|part| format!("progress: {part}\n")).concat();
            assert_eq!(out.stderr, *shown);
            let own = example.args([fixture(), "say", "3", "a\nb\n", "1", "one\n"]);
            let out = own.output().unwrap_or_else(|error| panic!("{error:#}"));
            assert_eq!(out.stdout, "results: 1\nprogress reports: 2\ncomplaints: \n");
            assert_eq!(out.stderr, "progress: a\nprogress: b\n");
        });
    });
}

#[test]
fn extra_fds_shows_each_report_while_the_program_lives() {
    isolated(|| {
        cook("extra_fds", |example| {
            let text = r#"echo begun >&3; read -r line; echo "$line" >&3"#;
            let piped = pipewright::Redirect::piped;
            let cmd = example.args(["/bin/sh", "-c", text]);
            let job = cmd
                .stdin(piped())
                .stdout(pipewright::Redirect::null())
                .stderr(pipewright::Redirect::piped())
                .spawn()
                .expect("it starts");
            drop(job.take_stdin().expect("piped"));
            let mut shown = job.take_stderr().expect("piped");
            assert_eq!(read_line(&mut shown), "progress: begun");
            assert_eq!(read_line(&mut shown), "progress: ");
            assert!(job.wait().expect("it ends").code().is_some());
        });
    });
}
