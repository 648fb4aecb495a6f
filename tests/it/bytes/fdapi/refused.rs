//! Kernels that do not have a call, or do not do it here: the copy is the same by other ways. And what a copy costs, counted.

use std::io::read_to_string;

use pipewright::fd::{self, CopyMethod};

use super::ends::*;
use super::{content, file_with};
use crate::prelude::*;

/// Copies between every pair of ends; `may` says whether a way is one that is left.
fn every_pair(may: impl Fn(CopyMethod) -> bool) {
    let bytes = content(200_000);
    for from in ["file", "pipe", "socket"] {
        for to in ["file", "append", "pipe", "socket"] {
            let (from_end, to_end) = (source(from, &bytes), target(to));
            let copied = fd::copy(&from_end.fd, &to_end.fd).unwrap_or_else(|error| panic!("{from} to {to}: {error:?}"));
            assert_eq!(copied.bytes, bytes.len() as u64, "{from} to {to}");
            assert!(may(copied.method), "{from} to {to}: {:?}", copied.method);
            from_end.arrived();
            assert!(to_end.arrived() == bytes, "{from} to {to}: other bytes");
        }
    }
}

#[test]
fn a_kernel_without_the_fast_ways_copies_the_same_bytes() {
    isolated(|| {
        match std::env::var(PART).as_deref() {
            Ok("slow") => return every_pair(|method| method == CopyMethod::ReadWrite),
            Ok("sendfile") => {
                assert_eq!(
                    fd::copy(file_with(b"abc"), &target("file").fd).expect("it copies").method,
                    CopyMethod::Sendfile
                );
                return every_pair(|method| method != CopyMethod::CopyFileRange);
            }
            _ => {}
        }
        if !can_trace() {
            return skip("no strace here, or it may not trace");
        }
        for errno in ["ENOSYS", "EPERM", "EINVAL", "EOPNOTSUPP", "EAGAIN"] {
            let calls = "splice,sendfile,copy_file_range";
            let log = traced("slow", &[&format!("trace={calls}"), &format!("inject={calls}:error={errno}")]);
            assert!(log.matches("(INJECTED)").count() >= 9, "{log}");
            progress();
        }
        for errno in ["EXDEV", "EBADF", "ETXTBSY"] {
            let inject = format!("inject=copy_file_range:error={errno}");
            let log = traced("sendfile", &["trace=copy_file_range", &inject]);
            assert!(log.contains("(INJECTED)"), "{log}");
            progress();
        }
    });
}

#[test]
fn an_end_that_is_none_and_an_interruption_stop_no_copy() {
    isolated(|| {
        match std::env::var(PART).as_deref() {
            Ok(_) => return every_pair(|_| true),
            Err(_) if !can_trace() => return skip("no strace here, or it may not trace"),
            Err(_) => {}
        }
        // Some kernels say 0 for a file that has bytes.
        let log = traced("zero", &["trace=copy_file_range", "inject=copy_file_range:retval=0"]);
        assert!(log.contains("(INJECTED)"), "{log}");
        let calls = "splice,sendfile,copy_file_range";
        let log = traced("signals", &[&format!("trace={calls}"), &format!("inject={calls}:error=EINTR:when=1+2")]);
        assert!(log.matches("EINTR").count() >= 9, "{log}");
    });
}

#[test]
fn no_byte_of_a_spliced_copy_enters_this_process() {
    const LEN: usize = 8 * 1024 * 1024;
    isolated(|| {
        if std::env::var_os(PART).is_some() {
            let blocks =
                cmd!(fixture(), "blocks", LEN.to_string()).stdout(Redirect::piped()).spawn().expect("it starts");
            let check = cmd!(fixture(), "check-blocks").stdin(Redirect::piped()).stdout(Redirect::piped());
            let check = check.spawn().expect("it starts");
            let to = check.take_stdin().expect("it is there");
            fd::copy(blocks.take_stdout().expect("it is there"), &to).expect("it copies");
            drop(to);
            let seen = read_to_string(check.take_stdout().expect("it is there")).expect("text");
            assert_eq!(seen.trim(), LEN.to_string());
            assert!(check.wait().expect("it ends").success() && blocks.wait().expect("it ends").success());
            return;
        }
        if !can_trace() {
            return skip("no strace here, or it may not trace");
        }
        let log = traced("copy", &["trace=splice,read,write"]);
        let thread =
            log.lines().find(|line| line.contains("splice(")).expect("a splice").split(' ').next().expect("a tid");
        let own: Vec<&str> = log.lines().filter(|line| line.split(' ').next() == Some(thread)).collect();
        let is_long = |line: &&&str| {
            let moved = line.rsplit_once(" = ").and_then(|(_, moved)| moved.split(' ').next()?.parse().ok());
            !line.contains("splice") && moved.is_some_and(|moved: usize| moved >= 4096)
        };
        let first = own.iter().position(|line| line.contains("splice(")).expect("a splice");
        let long: Vec<_> = own[first..].iter().filter(is_long).collect();
        assert!(long.is_empty(), "{long:#?}");
    });
}
