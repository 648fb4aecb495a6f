//! How runs with further streams end: by time, by order, with a stranger at a pipe.

use crate::prelude::*;

/// Says so on its fd 3, and waits to be ended.
fn hangs() -> Cmd {
    Cmd::sh(r#"echo begun >&3; exec "$0" hang"#).arg(fixture()).stdout(Redirect::null())
}

#[test]
fn a_timeout_comes_with_what_a_further_stream_said() {
    isolated(|| {
        let run = |time| {
            within(time + SLACK * 6, || hangs().fd_out(3, Redirect::piped()).timeout(time).output().unwrap_err())
        };
        let begun = |error: &pipewright::Error| {
            error.output().is_some_and(|output| output.fd(3).is_some_and(|bytes| *bytes == "begun\n"))
        };
        let (error, _) = timed_out(run, begun);
        assert_eq!((error.kind(), error.stage()), (ErrorKind::Timeout, Some(0)));
        assert_no_child();
    });
}

#[test]
fn a_stream_that_is_fed_or_drained_for_ever_is_bounded_too() {
    isolated(|| {
        let time = Duration::from_millis(100);
        let endless = || role("fan").args(["3", "4"]).fd_in(3, Redirect::from_reader(std::io::repeat(b'x')));
        let runs = [
            endless().fd_out(4, Redirect::null()),
            endless().fd_out(4, Redirect::to_writer(std::io::sink())),
            endless().fd_out(4, Redirect::tee([Redirect::null(), Redirect::null()])),
            // The child does not read its input.
            role("hang").fd_in(3, Redirect::bytes(vec![0; 1 << 20])).stdout(Redirect::null()),
        ];
        all_at_once(&runs, |run| {
            let error = within(time + SLACK * 3, || run.clone().timeout(time).run().unwrap_err());
            assert_eq!(error.kind(), ErrorKind::Timeout, "{error:#}");
        });
        assert_no_child();
    });
}

#[test]
fn a_cancel_ends_a_run_that_moves_further_streams() {
    isolated(|| {
        let cmd = hangs();
        let cancel = cmd.cancel_handle();
        let canceller = cancel.clone();
        let told = Redirect::each_line(move |_: &[u8]| canceller.cancel());
        let error = within(SLACK * 5, || cmd.fd_out(3, told).run().unwrap_err());
        assert_eq!(error.kind(), ErrorKind::Cancelled);
        assert!(cancel.is_cancelled());
        assert_no_child();
    });
}

#[test]
fn a_stranger_at_fd_3_is_a_leak_of_fd_3() {
    isolated(|| {
        let dir = tempfile::tempdir().expect("a directory");
        let pid = dir.path().join("pid");
        let hold = || role("fork-and-hold").arg("60000").stdout(Redirect::file(&pid)).stderr(Redirect::null());
        let kill = || kill_stranger(&std::fs::read_to_string(&pid).expect("its pid"));
        let grace = Duration::from_millis(20);

        let run = hold().stdin(Redirect::null()).fd_out(3, Redirect::piped()).eof_grace(grace);
        let output = within(grace + SLACK * 2, || run.run()).expect("it ends");
        kill();
        assert_eq!(output.leaked.expect("it is held").streams, [Stream::Output(3)]);

        let (error, _) = timed_out(
            |time| {
                let error =
                    hold().stdin(Redirect::null()).fd_out(3, Redirect::piped()).timeout(time).run().expect_err("held");
                kill();
                error
            },
            |error| error.output().is_some_and(|output| output.stages[0].status.success()),
        );
        assert_eq!(error.kind(), ErrorKind::Timeout);
        assert!(error.to_string().contains("another one held fd 3"), "{error}");
    });
}

#[test]
fn dropping_a_job_ends_it_whatever_streams_it_has() {
    isolated(|| {
        let before = open_fds();
        for n in 0..count(50, 2000) {
            let cmd = hangs()
                .fd_out(3, Redirect::piped())
                .fd_in(4, Redirect::piped())
                .fd_in(5, Redirect::bytes(vec![1; 200_000]));
            let job = cmd.fd_out(6, Redirect::capture()).spawn().expect("it starts");
            let ends = (n % 2 == 0).then(|| (job.take_fd_in(4), job.take_fd_out(3)));
            within(SLACK, || drop(job));
            drop(ends);
            // Also where the run's own thread has not begun yet.
            assert_no_new_fd(&before);
            progress();
        }
        assert_no_child();
    });
}
