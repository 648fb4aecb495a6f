//! Descriptors and numbers that cannot be: found before anything is taken, opened or started.

use nix::sys::resource::Resource;

use super::*;
use crate::prelude::*;

/// A way to use a number.
type Use = fn(Cmd, i32) -> Cmd;

const USES: [(&str, Use); 5] = [
    ("map_fd", |cmd, number| cmd.map_fd(null(), number)),
    ("fd_in", |cmd, number| cmd.fd_in(number, Redirect::bytes("x"))),
    ("fd_out", |cmd, number| cmd.fd_out(number, Redirect::null())),
    ("fd_in piped", |cmd, number| cmd.fd_in(number, Redirect::piped())),
    ("fd_out piped", |cmd, number| cmd.fd_out(number, Redirect::piped())),
];

/// A stage that would leave a file, if anything began.
fn witness(dir: &tempfile::TempDir) -> Cmd {
    role("echo").stderr(Redirect::file(dir.path().join("began")))
}

#[track_caller]
fn assert_refused(cmd: Cmd, kind: ErrorKind, words: &[&str]) {
    let dir = tempfile::tempdir().expect("a directory");
    let before = open_fds();
    for verb in ["run", "spawn", "lines"] {
        let line = witness(&dir) | cmd.clone();
        let error = match verb {
            "run" => line.run().expect_err("refused"),
            "spawn" => line.spawn().expect_err("refused"),
            _ => line.lines().expect_err("refused"),
        };
        assert_eq!((error.kind(), error.stage()), (kind, Some(1)), "{verb}: {error}");
        let text = error.to_string();
        assert!(words.iter().all(|word| text.contains(word)), "{words:?}: {text}");
        assert!(!dir.path().join("began").exists(), "{verb}: something was opened");
    }
    assert_no_child();
    assert_no_new_fd(&before);
}

#[test]
fn a_number_that_is_a_standard_streams_is_a_conflict() {
    isolated(|| {
        for (name, given) in USES {
            for (number, stream) in [(0, "stdin"), (1, "stdout"), (2, "stderr")] {
                let cmd = given(role("exit").label(name), number);
                assert_refused(cmd, ErrorKind::Conflict, &[&format!("fd {number}"), stream]);
            }
        }
    });
}

#[test]
fn a_number_that_is_given_twice_is_a_conflict_however() {
    isolated(|| {
        for (_, first) in USES {
            for (_, second) in USES {
                assert_refused(second(first(role("exit"), 9), 9), ErrorKind::Conflict, &["fd 9"]);
            }
        }
    });
}

#[test]
fn a_number_out_of_range_is_refused() {
    isolated(|| {
        for (_, given) in USES {
            for number in [-1, i32::MIN] {
                assert_refused(given(role("exit"), number), ErrorKind::InvalidInput, &[&number.to_string()]);
            }
            let max = i32::MAX.to_string();
            assert_refused(given(role("exit"), i32::MAX), ErrorKind::InvalidInput, &[&max, "limit"]);
        }
    });
}

#[test]
fn a_number_beyond_the_limit_of_open_files_is_refused_with_the_limit() {
    isolated(|| {
        let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("the limit can be read");
        setrlimit(Resource::RLIMIT_NOFILE, 300, hard).expect("it can be lowered");
        for (_, given) in USES {
            assert_refused(
                given(role("exit"), 300),
                ErrorKind::InvalidInput,
                &["fd 300", "limit of open files is 300"],
            );
            given(role("exit").arg("0"), 299).run().expect("the last one there is");
        }
    });
}

#[test]
fn a_descriptor_that_was_closed_behind_its_owner_is_named_with_its_role() {
    isolated(|| {
        let closed = || {
            let fd = pipewright::fd::dup_above(null(), 200).expect("a copy");
            nix::unistd::close(fd.as_raw_fd()).expect("it was open");
            fd
        };
        let number = closed();
        let fd = number.as_raw_fd();
        std::mem::forget(number);
        let named = format!("descriptor {fd}");
        // Never dropped: a close of what is not open is an abort.
        let keep = |cmd: Cmd| {
            std::mem::forget(cmd.clone());
            cmd
        };
        assert_refused(keep(role("exit").map_fd(closed(), 9)), ErrorKind::Redirect, &[&named, "fd 9"]);
        assert_refused(keep(role("exit").map_fd(closed(), fd)), ErrorKind::Redirect, &[&named, &format!("fd {fd}")]);
        assert_refused(keep(role("exit").arg_fd(closed())), ErrorKind::Redirect, &[&named, "fd 63"]);
        let error = keep(role("exit").stdin(closed())).run().expect_err("refused");
        assert_eq!(error.kind(), ErrorKind::Redirect);
        assert!(error.to_string().contains(&named) && error.to_string().contains("stdin"), "{error}");
        assert_refused(keep(role("exit").fd_out(8, Redirect::fd(closed()))), ErrorKind::Redirect, &[&named, "fd 8"]);
        let tee = Redirect::tee([Redirect::fd(closed()), Redirect::capture()]);
        assert_refused(keep(role("exit").fd_out(8, tee)), ErrorKind::Redirect, &[&named, "fd 8"]);
        let shared = Arc::new(closed());
        std::mem::forget(Arc::clone(&shared));
        assert_refused(role("exit").map_fd(shared, 9), ErrorKind::Redirect, &[&named, "fd 9"]);
        let inner = keep(role("exit").map_fd(closed(), 9));
        let error = paths().arg_reader(inner).run().expect_err("refused");
        assert_eq!((error.kind(), error.stage()), (ErrorKind::Redirect, Some(1)), "{error}");
    });
}

#[test]
fn a_directory_may_be_any_further_descriptor() {
    isolated(|| {
        let root = || File::open("/").expect("it opens");
        let seen = told(&reporting().map_fd(root(), 9).arg_fd(root()).run().expect("it runs"));
        assert_eq!((&seen[&9].file, &seen[&63].file), (&State::of(root()).file, &State::of(root()).file));
    });
}
