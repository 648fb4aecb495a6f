//! The roles of the helper program do what they say.

mod signals;
mod state;
mod streams;
mod trees;

use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Output, Stdio};

use crate::harness::*;

fn role(name: &str, args: &[&str]) -> Command {
    let mut command = Command::new(fixture());
    command.arg(name).args(args).stdin(Stdio::null()).stdout(Stdio::piped());
    command
}

fn start(name: &str, args: &[&str]) -> Child {
    role(name, args).stdin(Stdio::piped()).spawn().expect("the helper starts")
}

/// Runs a role to its end with `input`, which must fit a pipe.
fn run_with(input: &[u8], name: &str, args: &[&str]) -> Output {
    let mut command = role(name, args);
    let mut child = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the helper starts");
    child.stdin.take().expect("piped").write_all(input).expect("it fits");
    child.wait_with_output().expect("it ends")
}

fn run(name: &str, args: &[&str]) -> Output {
    run_with(b"", name, args)
}

/// What a role says on stdout before it exits with 0.
#[track_caller]
fn says(name: &str, args: &[&str]) -> String {
    let output = run(name, args);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("it is text")
}

#[test]
fn arguments_are_repeated() {
    isolated(|| {
        assert_eq!(says("echo", &["a", "b c", ""]), "a b c \n");
        let odd = OsStr::from_bytes(b"\xff \n");
        let output = role("args", &["", "x"]).arg(odd).output().expect("it ends");
        assert_eq!(output.stdout, b"\0x\0\xff \n\0");
        let output = role("arg0", &[]).arg0("another name").output().expect("it ends");
        assert_eq!(output.stdout, b"another name\n");
    });
}

#[test]
fn words_go_where_they_are_sent() {
    isolated(|| {
        let output = run("say", &["1", "out", "2", "err", "1", "more\n"]);
        assert_eq!(output.stdout, b"outmore\n");
        assert_eq!(output.stderr, b"err");
        let output = run("fail-with", &["7", "it is broken"]);
        assert_eq!(output.status.code(), Some(7));
        assert_eq!(output.stderr, b"it is broken\n");
        assert_eq!(run("exit", &["3"]).status.code(), Some(3));
        assert_eq!(says("sleep", &["1"]), "");
    });
}

#[test]
fn wrong_use_is_told() {
    isolated(|| {
        for args in [&[][..], &["no-such-role"], &["exit"], &["exit", "x"], &["say", "1"]] {
            let output = Command::new(fixture()).args(args).output().expect("it ends");
            assert_eq!(output.status.code(), Some(64), "{args:?}");
            assert!(output.stderr.starts_with(b"pipewright-fixture: "), "{args:?}");
        }
    });
}
