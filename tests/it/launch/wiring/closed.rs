//! Closed 0, 1 and 2 in this process while further descriptors are in play.

use super::*;
use crate::prelude::*;

const SUBSETS: [&[i32]; 8] = [&[], &[0], &[1], &[2], &[0, 1], &[0, 2], &[1, 2], &[0, 1, 2]];

const WAYS: [&str; 4] = ["piped", "null", "file", "inherit"];

fn out(way: &str, path: &std::path::Path) -> Redirect<Out> {
    match way {
        "piped" => Redirect::piped(),
        "null" => Redirect::null(),
        "file" => Redirect::file(path),
        _ => Redirect::inherit(),
    }
}

#[test]
fn further_descriptors_are_right_whatever_of_0_to_2_is_closed_here() {
    isolated(|| {
        let dir = tempfile::tempdir().expect("a directory");
        for closed in SUBSETS {
            for (way, merged) in WAYS.iter().flat_map(|way| [(way, false), (way, true)]) {
                with_closed(closed, || {
                    // These take the closed numbers, and are sent to others.
                    let files: Vec<Arc<OwnedFd>> = (1..5).map(marked).collect();
                    let map: BTreeMap<i32, Arc<OwnedFd>> = (3..).zip(files.iter().rev().cloned()).collect();
                    let mut cmd = map.iter().fold(reporting(), |cmd, (&number, fd)| with_fd(cmd, fd, number));
                    cmd = cmd.stdout(out(way, &dir.path().join("out"))).stderr(out(way, &dir.path().join("err")));
                    cmd = cmd.fd_in(8, Redirect::bytes("x")).fd_out(9, Redirect::capture());
                    let cmd = if merged { cmd.stderr_to_stdout() } else { cmd };
                    let output = cmd.run().expect("it runs");
                    let seen = told(&output);
                    for (number, fd) in &map {
                        assert_eq!(seen.get(number), Some(&State::of(fd)), "{closed:?} {way} {merged}: fd {number}");
                    }
                    let all: Vec<i32> = seen.keys().copied().collect();
                    assert_eq!(all, [0, 1, 2, 3, 4, 5, 6, 8, 9], "{closed:?} {way} {merged}");
                    assert_eq!(seen[&1] == seen[&2], merged || matches!(*way, "null") || same_outputs(way, closed));
                    let of_ours = |state: &State| map.values().any(|fd| State::of(fd).file == state.file);
                    for standard in [0, 1, 2] {
                        // A closed number that one of this test's files has by now is inherited as that file: it is what 1 is here.
                        let inherits = *way == "inherit" || standard == 0;
                        assert!(inherits || !of_ours(&seen[&standard]), "{closed:?} {way}: fd {standard}");
                    }
                });
                progress();
            }
        }
        assert_no_child();
    });
}

/// Whether an inherited 1 and 2 are one description here: both the pipe that the test writes to.
fn same_outputs(way: &str, closed: &[i32]) -> bool {
    way == "inherit" && !closed.contains(&1) && !closed.contains(&2)
}

#[test]
fn every_stream_moves_its_own_bytes_whatever_is_closed_here() {
    isolated(|| {
        for closed in SUBSETS {
            with_closed(closed, || {
                let first =
                    role("fan").args(["4", "1", "5"]).fd_in(4, Redirect::bytes("four")).fd_out(5, Redirect::piped());
                let second = role("fan").args(["0", "1", "7"]).fd_out(7, Redirect::piped());
                let output = (first | second).output().expect("it runs");
                assert_eq!(output.stdout, "four");
                assert_eq!(*output.fd(5).expect("captured"), "four");
                assert_eq!(*output.fd(7).expect("captured"), "four");

                let inner = || role("echo").arg("inner") | role("upper");
                let read = role("fan").args(["63", "1"]).arg_reader(inner()).read();
                // The last argument is the path, which the role is not asked to open.
                assert!(read.is_err(), "a path is no number");
                let cat = paths().arg_reader(inner()).arg_reader(inner());
                assert_eq!(cat.read().expect("it runs"), "INNER\nINNER");
            });
            progress();
        }
    });
}

#[test]
fn piped_ends_are_taken_and_work_whatever_is_closed_here() {
    isolated(|| {
        for closed in SUBSETS {
            with_closed(closed, || {
                let cmd = role("fan").args(["5", "6"]).fd_in(5, Redirect::piped()).fd_out(6, Redirect::piped());
                let job = Pipeline::from(cmd).spawn().expect("it starts");
                let mut to = job.take_fd_in(5).expect("piped");
                let mut from = job.take_fd_out(6).expect("piped");
                assert!(to.as_fd().as_raw_fd() > 2 && from.as_fd().as_raw_fd() > 2, "{closed:?}");
                to.write_all(b"there and back").expect("the child reads");
                drop(to);
                let mut text = String::new();
                within(std::time::Duration::from_secs(5), || from.read_to_string(&mut text)).expect("its end");
                assert_eq!(text, "there and back");
                assert!(job.wait().expect("it ends").success());
            });
        }
    });
}
