//! Servers and clients of the web, on loopback.

use super::{cook, output};
use crate::harness::*;

#[test]
fn http_handler_streams_both_outputs_of_a_command_that_still_runs() {
    isolated(|| {
        cook("http_handler", |example| {
            let expected = "step 1\nwarning 1\nstep 2\nwarning 2\n(the client has left, and the command was ended)\n";
            assert_eq!(output(&example).stdout, expected);
        });
    });
}

#[test]
fn http_handler_ends_a_command_that_would_go_on_without_its_client() {
    isolated(|| {
        cook("http_handler", |example| {
            let out = output(&example.arg(format!("echo $$; exec {} stubborn-yes", fixture())));
            let lines: Vec<_> = out.stdout_str().expect("text").lines().collect();
            assert_eq!(lines[4..], ["(the client has left, and the command was ended)"]);
            assert_eq!(process_state(lines[0].parse().expect("a pid")), None);
        });
    });
}

#[test]
fn http_handler_says_how_a_command_failed() {
    isolated(|| {
        cook("http_handler", |example| {
            let said = output(&example.arg("echo so far; exit 3")).stdout;
            assert_eq!(said, "so far\n`/bin/sh` exited with code 3\n(the command has ended)\n");
        });
    });
}

#[test]
fn post_json_streams_a_whole_document() {
    isolated(|| {
        cook("post_json", |example| {
            let expected = "200 OK: {\"last\":\"record 999\",\"received\":1000}\n";
            assert_eq!(output(&example).stdout, expected);
            // Longer than every buffer on its way.
            let expected = "200 OK: {\"last\":\"record 19999\",\"received\":20000}\n";
            assert_eq!(output(&example.clone().arg("20000")).stdout, expected);
            assert_eq!(output(&example.arg("0")).stdout, "200 OK: {\"last\":null,\"received\":0}\n");
        });
    });
}
