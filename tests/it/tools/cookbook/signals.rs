//! Programs that are interrupted.

use super::{assert_gone, cook, output};
use crate::prelude::*;

#[test]
fn ctrl_c_leaves_nothing_of_the_run_and_dies_of_the_signal() {
    isolated(|| {
        cook("ctrl_c", |example| {
            let job = example.stdout(Redirect::piped()).stderr(Redirect::piped()).spawn().expect("it starts");
            let said = read_line(job.take_stdout().expect("piped"));
            let pids: Vec<&str> = said.split(|c: char| !c.is_ascii_digit()).filter(|word| !word.is_empty()).collect();
            assert_eq!(pids.len(), 2, "{said}");
            // As a supervisor does: to this one process.
            job.processes()[0].send_signal(2).expect("it is there");
            let mut complaints = String::new();
            job.take_stderr().expect("piped").read_to_string(&mut complaints).expect("text");
            assert_eq!(complaints, "cleaning up\n");
            assert_eq!(job.wait().expect("a status").signal(), Some(2));
            // The one in the background ignores SIGINT, as a shell has it do.
            pids.iter().for_each(|pid| assert_gone(pid));
        });
    });
}

#[test]
fn ctrl_c_runs_to_its_end_without_an_interrupt() {
    isolated(|| {
        cook("ctrl_c", |example| {
            let out = output(&example.args([fixture(), "echo", "own"]));
            assert_eq!(out.stdout, "own\nit was not interrupted: exited with code 0\n");
        });
    });
}
