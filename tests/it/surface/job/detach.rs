//! A run that is let go of lives on, and leaves nothing behind when it ends.

use crate::prelude::*;

#[test]
fn a_detached_run_lives_on_and_leaves_no_zombie() {
    isolated(|| {
        for _ in 0..count(10, 500) {
            let job = (role("cat").stdin(Redirect::piped()) | role("cat")).stdout(Redirect::piped()).spawn();
            let job = job.expect("it starts");
            let (stdin, mut stdout) = (job.take_stdin().expect("piped"), job.take_stdout().expect("piped"));
            let process = job.processes()[1].clone();
            job.detach();
            assert_eq!(process.try_wait().expect("ours"), None);
            std::io::Write::write_all(&mut { stdin }, b"alive").expect("it reads");
            let mut text = String::new();
            std::io::Read::read_to_string(&mut stdout, &mut text).expect("text");
            assert_eq!(text, "alive");
            assert!(process.wait().expect("ours").success());
            progress();
        }
        assert_childless();
    });
}

#[test]
fn a_detached_process_can_still_be_ended() {
    isolated(|| {
        let job = role("hang").stdin(Redirect::null()).stdout(Redirect::piped()).spawn().expect("it starts");
        let (process, stdout) = (job.processes()[0].clone(), job.take_stdout().expect("piped"));
        job.detach();
        assert_eq!(read_line(stdout), "ready");
        process.kill().expect("it is there");
        assert_eq!(process.wait().expect("ours").signal(), Some(libc::SIGKILL));
        assert_childless();
    });
}

#[test]
fn what_its_thread_does_goes_on_after_a_detach() {
    isolated(|| {
        for _ in 0..count(10, 1000) {
            let (lines, heard) = channel();
            let each = move |line: &[u8]| lines.send(line.to_vec());
            let fed = role("cat").stdin(Redirect::bytes("one\ntwo\n".repeat(20_000)));
            fed.stdout(Redirect::each_line(each)).spawn().expect("it starts").detach();
            assert_eq!(heard.iter().count(), 40_000);
            progress();
        }
        assert_childless();
    });
}

#[test]
fn the_deadline_of_a_detached_run_holds() {
    isolated(|| {
        let job = role("hang").stdin(Redirect::null()).stdout(Redirect::null()).timeout(Duration::from_millis(100));
        let job = job.spawn().expect("it starts");
        let process = job.processes()[0].clone();
        job.detach();
        let status = within(Duration::from_millis(100) + SLACK, || process.wait()).expect("ours");
        assert_eq!(status.signal(), Some(libc::SIGTERM));
        assert_childless();
    });
}

#[test]
fn a_cancel_reaches_a_detached_run() {
    isolated(|| {
        let hang = role("hang").stdin(Redirect::null()).stdout(Redirect::null());
        let cancel = hang.cancel_handle();
        let job = hang.spawn().expect("it starts");
        let process = job.processes()[0].clone();
        job.detach();
        cancel.cancel();
        assert_eq!(within(SLACK, || process.wait()).expect("ours").signal(), Some(libc::SIGTERM));
        assert_childless();
    });
}
