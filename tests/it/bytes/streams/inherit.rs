//! This process's own streams, passed on and listened to on the way.

use tempfile::NamedTempFile;

use crate::prelude::*;

/// Runs `f` while this process's own 1 and 2 lead to files; what was written to them.
fn with_own_outputs(f: impl FnOnce()) -> (String, String) {
    let files = [(); 2].map(|()| NamedTempFile::new().expect("a file"));
    let saved = [
        std::os::fd::AsFd::as_fd(&std::io::stdout()).try_clone_to_owned().expect("a copy"),
        std::os::fd::AsFd::as_fd(&std::io::stderr()).try_clone_to_owned().expect("a copy"),
    ];
    nix::unistd::dup2_stdout(&files[0]).expect("it can be put there");
    nix::unistd::dup2_stderr(&files[1]).expect("it can be put there");
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(f));
    nix::unistd::dup2_stdout(&saved[0]).expect("it can be put back");
    nix::unistd::dup2_stderr(&saved[1]).expect("it can be put back");
    let [out, err] = files.map(|file| fs::read_to_string(file.path()).expect("it is there"));
    if result.is_err() {
        panic!("meanwhile: {out} {err}");
    }
    (out, err)
}

fn say() -> Cmd {
    cmd!(fixture(), "say", "1", "o", "2", "e")
}

#[test]
fn unset_streams_go_where_those_of_this_process_go() {
    isolated(|| {
        let said = with_own_outputs(|| {
            say().run().expect("it runs");
            say().status().expect("it runs");
            say().spawn().expect("it starts").wait().expect("it ends");
            assert_eq!(say().read().expect("it runs"), "o");
            assert_eq!(say().lines().expect("it starts").filter(Result::is_ok).count(), 1);
            say().output().expect("it runs");
        });
        assert_eq!(said, ("ooo".into(), "eeeee".into()));
    });
}

#[test]
fn inherit_means_the_stream_of_the_same_number() {
    isolated(|| {
        let said = with_own_outputs(|| {
            let output = say().stdout(Redirect::inherit()).stderr(Redirect::inherit()).output().expect("it runs");
            assert!(!output.stdout.is_captured() && !output.stderr.is_captured());
        });
        assert_eq!(said, ("o".into(), "e".into()));
        let said = with_own_outputs(|| drop(say().swap_stdout_stderr().run().expect("it runs")));
        assert_eq!(said, ("e".into(), "o".into()));
        let said = with_own_outputs(|| drop(say().stdout_to_stderr().run().expect("it runs")));
        assert_eq!(said, (String::new(), "oe".into()));
    });
}

#[test]
fn a_tee_shows_and_keeps() {
    isolated(|| {
        let said = with_own_outputs(|| {
            let both = || Redirect::tee([Redirect::inherit(), Redirect::capture()]);
            let output = say().stdout(both()).stderr(both()).run().expect("it runs");
            assert_eq!((&*output.stdout, &*output.stderr), (&b"o"[..], &b"e"[..]));
            let middle = say().stdout(Redirect::tee([Redirect::inherit()])) | cmd!(fixture(), "upper");
            assert_eq!(middle.read().expect("it runs"), "O");
            let lines = (say().stdout(both()) | cmd!(fixture(), "upper")).lines().expect("it starts");
            assert_eq!(lines.collect::<Result<Vec<_>, _>>().expect("it ends well"), ["O"]);
        });
        assert_eq!(said, ("ooo".into(), "eee".into()));
    });
}

#[test]
fn a_stream_that_is_closed_here_is_null_for_a_tee() {
    isolated(|| {
        let both = || Redirect::tee([Redirect::inherit(), Redirect::capture()]);
        let output = with_closed(&[1, 2], || say().stdout(both()).stderr(both()).run().expect("it runs"));
        assert_eq!((&*output.stdout, &*output.stderr), (&b"o"[..], &b"e"[..]));
    });
}
