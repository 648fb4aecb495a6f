//! What a process that is refused a call goes through.

use pipewright::{KillReport, fd};

use super::When;
use super::calls::Call;
use crate::prelude::*;

pub(super) fn go(call: &Call, errno: i32, when: When) {
    let refuse = || call.refuse(errno).expect("a filter can be set");
    match when {
        When::Ever => refuse(),
        When::AfterRuns => {
            // Whatever is found out once has been.
            starts();
            ends();
            refuse();
        }
        When::InARun => return in_a_run(refuse),
    }
    starts();
    streams();
    copies();
    ends();
}

/// Starts, and what a child gets.
fn starts() {
    let hostile = hostile_fd();
    // More than are started without a cut of the table.
    for _ in 0..6 {
        assert_eq!(role("count-fds").read().expect("it runs"), "0\n1\n2");
    }
    drop(hostile);
    let missing = cmd!("/no/such/program").run().expect_err("it is not there");
    assert_eq!(missing.kind(), ErrorKind::ProgramNotFound);
    assert_eq!(role("exit").arg("3").status().expect("it runs").code(), Some(3));
    let bound = role("exit").arg("0").kill_on_parent_death(true).status();
    assert!(bound.as_ref().is_ok_and(|status| status.success()) || is_spawn_error(&bound), "{bound:?}");
}

fn is_spawn_error<T>(result: &Result<T, pipewright::Error>) -> bool {
    result.as_ref().is_err_and(|error| error.kind() == ErrorKind::Spawn && error.raw_os_error().is_some())
}

/// Bytes through pipes, of several kinds of ends.
fn streams() {
    let bytes = vec![b'x'; 300_000];
    let out = (role("cat") | role("cat")).stdin(Redirect::bytes(bytes.clone())).output().expect("it runs");
    assert_eq!(out.stdout, bytes);
    let read = role("count").stdin(Redirect::here_document("a document")).read().expect("it runs");
    assert_eq!(read, "10");
    let mut file = tempfile::tempfile().expect("a file");
    let targets = [Redirect::fd(file.try_clone().expect("a copy")), Redirect::capture()];
    let out = role("blocks").arg("2000000").stdout(Redirect::tee(targets)).output().expect("it runs");
    let mut written = Vec::new();
    file.rewind().expect("a file");
    file.read_to_end(&mut written).expect("a file");
    assert!(out.stdout == written && written.len() == 2_000_000, "{} of it", written.len());
    let (mut reader, writer) = pipe::kernel().expect("a pipe");
    let targets = [Redirect::fd(writer), Redirect::fd(File::create("/dev/null").expect("it opens"))];
    let job = role("blocks").arg("2000000").stdout(Redirect::tee(targets)).spawn().expect("it starts");
    let reading = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).map(|_| bytes)
    });
    job.wait().expect("it ends");
    drop(job);
    assert!(reading.join().expect("no panic").expect("a pipe") == written);
}

/// The functions for descriptors.
fn copies() {
    let mut from = tempfile::tempfile().expect("a file");
    from.write_all(b"copied").expect("a file");
    let mut to = tempfile::tempfile().expect("a file");
    let (mut reader, writer) = pipe::kernel().expect("a pipe");
    from.rewind().expect("a file");
    assert_eq!(fd::copy(&from, &to).expect("it is copied").bytes, 6);
    from.rewind().expect("a file");
    assert_eq!(fd::copy(&from, &writer).expect("it is copied").bytes, 6);
    assert_eq!(fd::copy_at_most(&reader, &to, 3).expect("it is copied").bytes, 3);
    drop(writer);
    let mut rest = String::new();
    reader.read_to_string(&mut rest).expect("a pipe");
    to.rewind().expect("a file");
    let mut copied = String::new();
    to.read_to_string(&mut copied).expect("a file");
    assert_eq!((copied.as_str(), rest.as_str()), ("copiedcop", "ied"));
}

/// Four processes, the last a grandchild, all of which hold the first one's stdout. None of them waits for another one: that may be refused.
fn family() -> Cmd {
    let text = "sh -c '\"$1\" sleep 19000 & echo up; exec \"$1\" sleep 19000' sh \"$1\" & exec \"$1\" sleep 19000";
    Cmd::sh(text).args(["sh", fixture()])
}

/// One that lost its parent, in the group.
fn orphaned() -> Cmd {
    Cmd::sh("(\"$1\" sleep 19000 & echo up); exec \"$1\" sleep 19000").args(["sh", fixture()])
}

fn started(cmd: Cmd) -> (Job, pipe::PipeReader) {
    let job = cmd.stdout(Redirect::piped()).spawn().expect("it starts");
    let stdout = job.take_stdout().expect("piped");
    assert_eq!(read_line(&stdout), "up");
    (job, stdout)
}

/// All that was started has ended, or the report names it or says that it did not see all.
#[track_caller]
fn assert_all_end(report: Option<&KillReport>, mut stdout: pipe::PipeReader) {
    let (sender, receiver) = std::sync::mpsc::channel();
    let waiting = std::thread::spawn(move || {
        let ended = stdout.read_to_end(&mut Vec::new());
        let _ = sender.send(());
        ended
    });
    let ended = receiver.recv_timeout(Duration::from_secs(5)).is_ok();
    assert!(ended, "something lives: {report:?}");
    waiting.join().expect("no panic").expect("a pipe");
}

/// The ways to end a run, with what it has started.
fn ends() {
    for cmd in [family(), family().contain(Containment::Group), orphaned().contain(Containment::Group)] {
        end_each_way(&cmd);
    }
    let job = role("hang").spawn().expect("it starts");
    let process = job.processes()[0].clone();
    assert_eq!(process.try_wait().expect("no error"), None);
    process.kill().expect("it may be signalled");
    assert_eq!(process.wait().expect("it ends").signal(), Some(9));
    drop(job);
    assert_no_child_by_any_call();
}

fn end_each_way(cmd: &Cmd) {
    let (job, stdout) = started(cmd.clone());
    let report = job.kill().expect("a report");
    assert_all_end(Some(&report), stdout);
    assert_eq!(job.wait().expect("it ends").signal(), Some(9));

    let (job, stdout) = started(cmd.clone());
    let report = job.shutdown(Duration::from_secs(3)).expect("a report");
    assert_all_end(Some(&report), stdout);
    assert!(job.wait().expect("it ends").signal().is_some());

    let (job, stdout) = started(cmd.clone());
    drop(job);
    assert_all_end(None, stdout);

    let (reader, writer) = pipe::kernel().expect("a pipe");
    let targets = [Redirect::fd(writer), Redirect::capture()];
    let cut = cmd.clone().stdout(Redirect::tee(targets)).timeout(Duration::from_millis(150));
    let error = cut.output().expect_err("it takes longer");
    drop(cut);
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error:?}");
    drop(reader);
}

fn assert_no_child_by_any_call() {
    for _ in 0..500 {
        if children().is_empty() {
            return;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    panic!("children are left: {:?}", children().into_iter().map(process_state).collect::<Vec<_>>());
}

/// Runs that had begun.
fn in_a_run(refuse: impl FnOnce()) {
    let kinds = || [family(), family().contain(Containment::Group), orphaned().contain(Containment::Group)];
    let [killed, shut, dropped] = [0; 3].map(|_| kinds().map(started));
    let alone = role("hang").spawn().expect("it starts");
    let waited = role("exit").arg("7").spawn().expect("it starts");
    refuse();
    for (job, stdout) in killed {
        let report = job.kill().expect("a report");
        assert_all_end(Some(&report), stdout);
        assert_eq!(job.wait().expect("it ends").signal(), Some(9));
    }
    for (job, stdout) in shut {
        let report = job.shutdown(Duration::from_secs(3)).expect("a report");
        assert_all_end(Some(&report), stdout);
        assert!(job.wait().expect("it ends").signal().is_some());
    }
    for (job, stdout) in dropped {
        drop(job);
        assert_all_end(None, stdout);
    }
    let process = alone.processes()[0].clone();
    process.kill().expect("it may be signalled");
    assert_eq!(process.wait().expect("it ends").signal(), Some(9));
    drop(alone);
    assert_eq!(waited.wait().expect("it ends").code(), Some(7));
    drop(waited);
    assert_no_child_by_any_call();
}
