//! Processes that processes have started.

use super::{cook, output};
use crate::prelude::*;

#[test]
fn timeout_tree_ends_all_of_a_tree_and_says_how_many() {
    isolated(|| {
        cook("timeout_tree", |example| {
            // The shell, its three children, and the sleep of one of them, as soon as they are there. One that is left would be a child of
            // this process.
            let lines = |seconds| -> Vec<String> {
                progress();
                output(&example.clone().arg(seconds)).stdout_lossy().lines().map(String::from).collect()
            };
            let of_all =
                ["0.2", "2", "8"].into_iter().map(lines).find(|lines| lines[2].starts_with("ended: 5 processes"));
            let lines = of_all.expect("time enough");
            assert_eq!(lines[..2], ["out of time: killed by SIGTERM", "found by: Group"]);
            assert_eq!(lines[3..], ["known to be all: no, a process may leave a group unseen"]);
        });
    });
}

#[test]
fn leak_report_names_the_holder_of_the_pipes_and_ends_it() {
    isolated(|| {
        cook("leak_report", |example| {
            let out = output(&example.clone().args([fixture(), "fork-and-hold", "30000"]));
            let lines: Vec<_> = out.stdout_str().expect("text").lines().collect();
            let name = format!("pipewright-fixt ({})", lines[0]);
            let expected = [
                "its stdout was still open".to_owned(),
                "its stderr was still open".to_owned(),
                format!("{name} had it as fd 1"),
                format!("{name} had it as fd 2"),
                format!("{name} was killed"),
            ];
            assert_eq!(lines[1..], expected);
            super::assert_gone(lines[0]);
            let out = output(&example.args([fixture(), "echo", "x"]));
            assert_eq!(out.stdout, "x\nno process held a stream\n");
        });
    });
}

#[test]
fn leak_report_has_an_example_of_its_own() {
    isolated(|| {
        cook("leak_report", |example| {
            let text = output(&example).stdout_lossy().into_owned();
            assert!(text.starts_with("started in the background\nits stdout was still open\n"), "{text}");
            assert!(text.contains("\nsleep (") && text.ends_with(" was killed\n"), "{text}");
        });
    });
}

#[test]
fn timeout_tree_says_how_a_program_ended_that_was_in_time() {
    isolated(|| {
        cook("timeout_tree", |example| {
            let out = output(&example.args(["60", fixture(), "exit", "3"]));
            assert_eq!(out.stdout, "in time: exited with code 3\n");
        });
    });
}
