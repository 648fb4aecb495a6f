//! Servers and clients of the web, on loopback.

use nix::errno::Errno;

use super::{assert_gone, cook, output};
use crate::prelude::*;

/// The handler's last word when the client has gone: what a write to its connection may then give.
#[track_caller]
fn assert_client_has_left(lines: &[&str]) {
    let gone = [Errno::EPIPE, Errno::ECONNRESET].map(|errno| io::Error::from(errno).to_string());
    let [line] = lines else { panic!("{lines:?}") };
    assert!(gone.iter().any(|error| *line == format!("(the command was ended: {error})")), "{line}");
}

#[test]
fn http_handler_streams_both_outputs_of_a_command_that_still_runs() {
    isolated(|| {
        cook("http_handler", |example| {
            let out = output(&example);
            let lines: Vec<_> = out.stdout_str().expect("text").lines().collect();
            assert_eq!(lines[..4], ["step 1", "warning 1", "step 2", "warning 2"]);
            assert_client_has_left(&lines[4..]);
        });
    });
}

#[test]
fn http_handler_ends_a_command_that_would_go_on_without_its_client() {
    isolated(|| {
        cook("http_handler", |example| {
            let out = output(&example.arg(format!("echo $$; exec {} stubborn-yes", fixture())));
            let lines: Vec<_> = out.stdout_str().expect("text").lines().collect();
            assert_client_has_left(&lines[4..]);
            assert_gone(lines[0]);
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

#[test]
fn http_handler_says_how_a_command_failed() {
    isolated(|| {
        cook("http_handler", |example| {
            let said = output(&example.arg("echo so far; exit 3")).stdout;
            assert_eq!(said, "so far\n`/bin/sh` exited with code 3\n(the command has ended)\n");
        });
    });
}
