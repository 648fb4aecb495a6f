//! `copy` of much: what it does to pipes, and what it asks the system.

use std::io::read_to_string;

use pipewright::fd;

use super::ends::{source, target};
use crate::prelude::*;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// The target's capacity in the middle of a copy, and after it.
fn capacities(asked: Option<usize>) -> (usize, usize) {
    let (from, mut input) = pipe::kernel().expect("a pipe");
    let (mut output, to) = pipe::kernel().expect("a pipe");
    if let Some(asked) = asked {
        fd::set_capacity(&to, asked).expect("less than a MiB is allowed");
    }
    thread::scope(|scope| {
        let to = &to;
        let copying = scope.spawn(move || fd::copy(&from, to).expect("it copies"));
        let feeding = scope.spawn(move || {
            input.write_all(&[7; 8 * MIB]).expect("it is read");
            input
        });
        let mut half = vec![0; 4 * MIB];
        output.read_exact(&mut half).expect("half of it");
        let middle = fd::capacity(&output).expect("a pipe");
        output.read_exact(&mut half).expect("the rest");
        // Only now it ends, with nothing left in the pipe.
        drop(feeding.join());
        assert_eq!(copying.join().expect("no panic").bytes, 8 * MIB as u64);
        (middle, fd::capacity(&output).expect("a pipe"))
    })
}

#[test]
fn a_busy_pipe_is_grown_while_it_is_copied_to_unless_another_capacity_was_asked_for() {
    isolated(|| {
        if !cfg!(target_os = "linux") {
            return skip("a pipe's capacity can only be asked for on Linux");
        }
        let usual = fd::capacity(pipe::kernel().expect("a pipe").0).expect("a pipe");
        if usual != 64 * KIB {
            return skip("new pipes do not have the default capacity here");
        }
        assert_eq!(capacities(None), (256 * KIB, usual));
        assert_eq!(capacities(Some(128 * KIB)), (128 * KIB, 128 * KIB));
    });
}

#[test]
fn a_short_copy_leaves_a_pipe_as_it_is() {
    isolated(|| {
        if !cfg!(target_os = "linux") {
            return skip("a pipe's capacity can only be asked for on Linux");
        }
        let (output, to) = pipe::kernel().expect("a pipe");
        let before = fd::capacity(&output).expect("a pipe");
        let from = source("pipe", b"a few bytes");
        fd::copy(&from.fd, &to).expect("it copies");
        from.arrived();
        assert_eq!(fd::capacity(&output).expect("a pipe"), before);
        drop(to);
        assert_eq!(read_to_string(output).expect("text"), "a few bytes");
    });
}

#[test]
fn what_sigpipe_does_is_asked_once_however_long_the_copy_is() {
    isolated(|| {
        if let Ok(mib) = std::env::var(PART) {
            let bytes = vec![7; mib.parse::<usize>().expect("a number") * MIB];
            let (from, to) = (source("pipe", &bytes), target("pipe"));
            fd::copy(&from.fd, &to.fd).expect("it copies");
            from.arrived();
            assert!(to.arrived() == bytes);
            return;
        }
        if !can_trace() {
            return skip("no strace here, or it may not trace");
        }
        let asked = |mib| traced(mib, &["trace=rt_sigaction"]).matches("rt_sigaction(SIGPIPE").count();
        assert_eq!(asked("1"), asked("16"));
    });
}
