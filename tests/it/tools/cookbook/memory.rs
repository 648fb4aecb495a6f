//! The pipe in memory.

use super::{cook, output};
use crate::prelude::*;

#[test]
fn simple_pipe_reads_what_the_thread_writes() {
    isolated(|| {
        cook("simple_pipe", |example| {
            let lines = "read \"line 1\"\nread \"line 2\"\nread \"line 3\"\n";
            assert_eq!(output(&example).stdout, format!("{lines}that was all\n"));
            assert_eq!(output(&example.arg("0")).stdout, "that was all\n");
        });
    });
}

#[test]
fn concurrent_writers_tear_no_line() {
    isolated(|| {
        cook("concurrent_writers", |example| {
            let expected = "4 writers, whole lines of each: [1000, 1000, 1000, 1000]\n";
            assert_eq!(output(&example).stdout, expected);
            assert_eq!(output(&example.clone().arg("1")).stdout, "1 writers, whole lines of each: [1000]\n");
            assert_eq!(output(&example.arg("0")).stdout, "0 writers, whole lines of each: []\n");
        });
    });
}

#[test]
fn close_with_error_tells_both_sides() {
    isolated(|| {
        cook("close_with_error", |example| {
            let expected = "read \"one is 1\"\n\
                            read \"two is 2\"\n\
                            the reader gets: not NAME=VALUE: three; as the writer gave it: Some(Corrupt { record: \"three\" })\n\
                            the writer gets: one record is plenty (QuotaExceeded)\n";
            assert_eq!(output(&example).stdout, expected);
            let expected = "read \"a is b\"\nthe writer gets: one record is plenty (QuotaExceeded)\n";
            assert_eq!(output(&example.arg("a=b")).stdout, expected);
        });
    });
}
