//! What is left, and what is said of it.

use std::mem::forget;

use pipewright::testing::{ChildSnapshot, FdSnapshot, assert_no_leaks, isolate};

use crate::prelude::*;

fn hanging() -> (Job, u32) {
    let job = role("hang").stdout(Redirect::piped()).spawn().expect("it starts");
    assert_eq!(read_line(job.take_stdout().expect("piped")), "ready");
    let pid = job.pids()[0];
    (job, pid)
}

#[test]
fn what_leaves_nothing_passes_with_its_value() {
    isolated(|| {
        let value = assert_no_leaks(|| {
            drop(hanging());
            thread::spawn(|| ()).join().expect("it ends");
            File::open("/dev/null").expect("it opens");
            (Cmd::sh("echo hi") | role("cat")).read().expect("it says it")
        });
        assert_eq!(value, "hi");
    });
}

#[test]
#[should_panic(expected = " -> pipe:[")]
fn a_descriptor_is_named_with_where_it_points() {
    isolate(|| assert_no_leaks(|| forget(os_pipe::pipe().expect("a pipe"))));
}

#[test]
#[should_panic(expected = "(`pipewright-fixt`)")]
fn a_child_is_named_with_its_program() {
    // No code waits for it: it ends with its parent.
    isolate(|| {
        let mut child = role("hang").kill_on_parent_death(true);
        child = child.stdout(Redirect::null());
        assert_no_leaks(|| child.spawn().expect("it starts").detach());
    });
}

#[test]
#[should_panic(expected = "which has ended and was not waited for")]
fn a_zombie_is_said_to_be_one() {
    isolate(|| {
        assert_no_leaks(|| forget(Command::new(fixture()).args(["exit", "0"]).spawn().expect("it starts")));
    });
}

#[test]
#[should_panic(expected = "(`lingering`)")]
fn a_thread_is_named() {
    isolate(|| {
        let (sender, receiver) = channel::<()>();
        let thread = thread::Builder::new().name("lingering".into());
        assert_no_leaks(|| thread.spawn(move || receiver.recv()).expect("a thread"));
        drop(sender);
    });
}

#[test]
fn snapshots_tell_what_is_new() {
    isolated(|| {
        let (fds, children) = (FdSnapshot::take().expect("a list"), ChildSnapshot::take().expect("a list"));
        assert_eq!(fds.new_fds().expect("a list"), []);
        let file = File::open("/dev/zero").expect("it opens");
        let new = fds.new_fds().expect("a list");
        assert_eq!(new.iter().map(|fd| fd.target.as_str()).collect::<Vec<_>>(), ["/dev/zero"]);
        drop(file);
        assert_eq!(children.new_children().expect("a list"), []);
        let (job, pid) = hanging();
        let new = children.new_children().expect("a list");
        assert_eq!(new.iter().map(|child| (child.pid, child.ended)).collect::<Vec<_>>(), [(pid, false)]);
        drop(job);
        assert_eq!(children.new_children().expect("a list"), []);
    });
}

#[test]
fn the_thread_that_starts_children_for_good_is_no_leak() {
    isolated_with(Options { extra_threads: 1, ..Options::default() }, || {
        assert_no_leaks(|| {
            role("exit").arg("0").kill_on_parent_death(true).stdin(Redirect::null()).run().expect("it ends")
        });
    });
}
