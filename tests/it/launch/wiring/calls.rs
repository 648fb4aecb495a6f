//! Which system calls a map takes.

use super::*;
use crate::prelude::*;

/// A start with nothing but the standard streams; then one with a map that has a cycle.
fn plain() {
    role("exit").arg("0").run().expect("it runs");
}

fn mapped() {
    let fds = [marked(1), marked(2), marked(3)];
    let numbers = fds.each_ref().map(|fd| fd.as_raw_fd());
    let rotated = (0..3).fold(role("exit").arg("0"), |cmd, at| cmd.map_fd(Arc::clone(&fds[at]), numbers[(at + 1) % 3]));
    rotated.map_fd(null(), 1000).run().expect("it runs");
}

/// How often each of these was called.
fn counts(part: &str) -> [usize; 4] {
    let log = traced(part, &["trace=clone,clone3,fork,vfork,pipe,pipe2,dup2,dup3"]);
    let of = |names: &[&str]| {
        log.lines().filter(|line| names.iter().any(|name| line.contains(&format!(" {name}(")))).count()
    };
    [of(&["clone", "clone3"]), of(&["fork", "vfork"]), of(&["pipe", "pipe2"]), of(&["dup2", "dup3"])]
}

#[test]
fn a_map_costs_copies_in_the_child_and_no_process_no_fork_and_no_pipe() {
    isolated_with(Options { extra_threads: 1, ..Options::default() }, || {
        match std::env::var(PART).as_deref() {
            Ok("plain") => return plain(),
            Ok("mapped") => return mapped(),
            _ => {}
        }
        if !can_trace() {
            return skip("no strace here, or it may not trace");
        }
        let [clones, forks, pipes, copies] = counts("plain");
        let [clones_mapped, forks_mapped, pipes_mapped, copies_mapped] = counts("mapped");
        assert_eq!((clones_mapped, forks_mapped, pipes_mapped), (clones, forks, pipes));
        // Three of the cycle, one beyond; the third copy that the cycle takes for a moment is an fcntl.
        assert_eq!(copies_mapped - copies, 4);
    });
}
