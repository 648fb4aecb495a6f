//! What the suite relies on in its helper program, and would not notice: that a role ends in time, that a typing mistake in a test is told,
//! and that a role finds its descriptors as it inherited them. The rest of the roles is tested by the tests that use them.

use std::os::unix::process::ExitStatusExt;

use crate::prelude::*;

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

#[test]
fn no_role_outlives_its_time() {
    isolated(|| {
        let children = ["ignore-term", "stop-self", "cat"].map(|name| {
            let mut command = Command::new(fixture());
            command.arg(name).env("PIPEWRIGHT_FIXTURE_LIFE", "1").stdin(Stdio::piped()).stdout(Stdio::null());
            command.spawn().expect("the helper starts")
        });
        for mut child in children {
            // Waiting on the child itself would close its stdin, which ends `cat` the usual way.
            let held = child.stdin.take();
            let status = child.wait().expect("it ends");
            assert_eq!(status.signal(), Some(Signal::SIGKILL as i32));
            drop(held);
        }
    });
}

#[test]
fn closed_fds_stay_closed() {
    isolated(|| {
        let (reader, writer) = os_pipe::pipe().expect("a pipe");
        let mut command = Command::new(fixture());
        command.arg("count-fds").stdout(writer);
        // The runtime of std would have opened /dev/null in their places.
        let status = with_closed(&[0, 2], || command.status());
        assert!(status.expect("it ends").success());
        drop(command);
        assert_eq!(std::io::read_to_string(reader).expect("it is text"), "1\n");
    });
}
