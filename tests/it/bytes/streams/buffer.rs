//! `output_into`: appended to the caller's buffer, which no failure empties.

use std::cell::RefCell;

use crate::prelude::*;

#[test]
fn what_is_captured_is_appended_and_the_capacity_is_used() {
    isolated(|| {
        let mut buffer = Vec::with_capacity(1 << 20);
        let place = buffer.as_ptr();
        let lines = cmd!(fixture(), "lines", "3");
        for round in 1..=3 {
            let output = lines.output_into(&mut buffer).expect("it runs");
            assert!(!output.stdout.is_captured() && output.stderr.is_captured());
            assert_eq!(String::from_utf8_lossy(&buffer), "line 0\nline 1\nline 2\n".repeat(round));
        }
        assert_eq!(buffer.as_ptr(), place, "it never moved");
        let many = cmd!(fixture(), "lines", "10000").read_bytes().expect("it runs");
        buffer.clear();
        cmd!(fixture(), "lines", "10000").output_into(&mut buffer).expect("it runs");
        assert!(buffer == many);
        assert_eq!(buffer.as_ptr(), place, "it never moved");
    });
}

#[test]
fn a_limit_counts_what_is_appended() {
    isolated(|| {
        let mut buffer = b"before ".to_vec();
        let cmd = cmd!(fixture(), "echo", "0123456789");
        cmd.clone().stdout_limit(Limit::HeadTail { head: 2, tail: 3 }).output_into(&mut buffer).expect("it runs");
        assert_eq!(buffer, b"before 0189\n");
        let error = cmd.stdout_limit(Limit::Fail(5)).output_into(&mut buffer).expect_err("it is more");
        assert_eq!(error.kind(), ErrorKind::LimitExceeded);
        assert_eq!(buffer, b"before 0189\n01234");
    });
}

#[test]
fn no_failure_loses_what_was_in_the_buffer() {
    isolated(|| {
        let used = Redirect::from_reader(std::io::empty());
        cmd!(fixture(), "cat").stdin(used.clone()).run().expect("once");
        let failing = |line: &[u8]| Err(format!("not {}", line.len()));
        let fails = || cmd!(fixture(), "say", "1", "said\n", "2", "e\n");
        let then_fail = |cmd: Cmd| cmd | Cmd::sh("cat; exit 3");
        let cases: Vec<(&str, pipewright::Pipeline, &str)> = vec![
            ("not started", cmd!("/no/such/program").into(), ""),
            ("a second stage that is not there", fails() | cmd!("/no/such/program"), ""),
            ("an argument that cannot be", fails().arg("\0").into(), ""),
            ("used before", cmd!(fixture(), "cat").stdin(used).into(), ""),
            ("a conflict", fails().stdout(Redirect::null()) | cmd!(fixture(), "cat"), ""),
            ("a bad status", then_fail(fails()), "said\n"),
            ("a bad status, captured nothing", cmd!(fixture(), "exit", "3").into(), ""),
            ("a bad status, stdout elsewhere", cmd!(fixture(), "exit", "3").stdout(Redirect::null()).into(), ""),
            ("a callback", fails().stderr(Redirect::each_line(failing)).into(), "said\n"),
        ];
        for (name, pipeline, said) in cases {
            let mut buffer = b"before ".to_vec();
            pipeline.output_into(&mut buffer).expect_err(name);
            assert_eq!(String::from_utf8_lossy(&buffer), format!("before {said}"), "{name}");
        }
        let buffer = RefCell::default();
        let hang = |time| {
            buffer.replace(b"before ".to_vec());
            let cmd = cmd!(fixture(), "hang").timeout(time).grace(Duration::from_millis(50));
            cmd.output_into(&mut buffer.borrow_mut()).expect_err("a timeout")
        };
        timed_out(hang, |_| *buffer.borrow() != b"before ");
        assert_eq!(String::from_utf8_lossy(&buffer.borrow()), "before ready\n");
    });
}

#[test]
fn a_stdout_that_goes_elsewhere_leaves_the_buffer_alone() {
    isolated(|| {
        let mut buffer = b"before".to_vec();
        let cmd = cmd!(fixture(), "echo", "x").stdout(Redirect::null());
        cmd.output_into(&mut buffer).expect("it runs");
        assert_eq!(buffer, b"before");
    });
}

#[test]
fn a_run_that_can_no_longer_be_waited_for_leaves_the_buffer_and_what_was_captured() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    isolated(|| {
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("it can be asked");
        let mut buffer = b"precious ".to_vec();
        // Fewer descriptors allowed than are polled: poll(2) then refuses.
        let starve = Redirect::each_line(move |_: &[u8]| setrlimit(Resource::RLIMIT_NOFILE, 1, hard));
        let cmd = Cmd::sh("echo so far; echo now >&2; exec cat").stdin(Redirect::bytes(vec![b'x'; 4 << 20]));
        let error = cmd.stderr(starve).output_into(&mut buffer).expect_err("poll fails");
        setrlimit(Resource::RLIMIT_NOFILE, soft, hard).expect("it is set back");
        assert_eq!(error.kind(), ErrorKind::Io, "{error:?}");
        assert!(buffer.starts_with(b"precious so far\n"), "{} bytes", buffer.len());
    });
}
