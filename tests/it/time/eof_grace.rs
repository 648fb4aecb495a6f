//! What a process left behind holds open is waited for as long as was asked, and no longer.

use std::io::BufReader;

use super::{SLACK, TIMEOUT, captured};
use crate::prelude::*;
use crate::surface::verbs::*;

const EOF_GRACE: Duration = Duration::from_millis(100);
/// Long enough for a child to start and to say its pid, on a machine that is busy elsewhere.
const HELD: Duration = Duration::from_millis(600);

/// Every verb comes back well, with what was there.
fn every_verb_is_cut(pipeline: Pipeline, check: impl Fn(&str, &[u8]) + Sync) {
    let pipeline = captured(pipeline).eof_grace(EOF_GRACE);
    for _ in 0..count(1, 20) {
        all_at_once(&VERBS, |(name, verb)| {
            let ran = within(EOF_GRACE + SLACK, || verb(&pipeline));
            assert!(ran.result.is_ok(), "{name}: {:?}", ran.result);
            check(name, &ran.seen);
        });
        progress();
    }
}

fn ends_with_its_pid(name: &str, seen: &[u8]) {
    // `status` and `wait` show nothing, and the run of `read` was stripped of nothing that is looked at here.
    let text = String::from_utf8_lossy(seen);
    if !matches!(name, "status" | "spawn, wait" | "read" | "read_bytes") {
        let (pid, _) = text.split_once('\n').expect("a line");
        kill_stranger(pid);
    }
}

#[test]
fn a_grandchild_that_holds_stdout_is_not_waited_for() {
    isolated(|| every_verb_is_cut(role("fork-and-hold").arg("3000").into(), ends_with_its_pid));
}

#[test]
fn a_grandchild_that_keeps_talking_does_not_extend_it() {
    isolated(|| every_verb_is_cut(role("fork-and-yes").into(), ends_with_its_pid));
}

#[test]
fn the_streams_that_were_cut_are_named() {
    isolated(|| {
        let hold = role("fork-and-hold").arg("30000").eof_grace(EOF_GRACE);
        let leaked = |hold: pipewright::Cmd| {
            let output = within(EOF_GRACE + SLACK, || hold.output()).expect("its own status is good");
            kill_stranger(output.stdout_str().expect("a pid"));
            output.leaked.map(|leak| leak.streams)
        };
        assert_eq!(leaked(hold.clone()), Some(vec![Stream::Stdout, Stream::Stderr]));
        assert_eq!(leaked(hold.clone().stderr(Redirect::null())), Some(vec![Stream::Stdout]));
        assert_eq!(
            leaked(hold.clone().stdin(Redirect::bytes("in")).stderr(Redirect::null())),
            Some(vec![Stream::Stdout])
        );
        // More than a pipe takes, and no process reads it.
        let bytes = Redirect::bytes(vec![b'x'; 1 << 20]);
        assert_eq!(
            leaked(hold.clone().stdin(bytes).stderr(Redirect::null())),
            Some(vec![Stream::Stdin, Stream::Stdout])
        );
        assert_eq!(role("echo").eof_grace(EOF_GRACE).output().expect("it ends well").leaked, None);
    });
}

#[test]
fn with_no_grace_at_all_what_is_there_is_taken() {
    isolated(|| {
        for _ in 0..count(5, 200) {
            let hold = role("fork-and-hold").arg("30000").stderr(Redirect::null()).eof_grace(Duration::ZERO);
            let output = within(SLACK, || hold.output()).expect("its own status is good");
            assert!(output.stdout.ends_with(b"\n"), "{output:?}");
            kill_stranger(output.stdout_str().expect("a pid"));
            // 100,000 bytes are in the pipe or on their way when the writer ends, and all of them are its own.
            let much = role("both").arg("100000").eof_grace(Duration::ZERO).output().expect("it ends well");
            assert_eq!((much.stdout.len(), much.stderr.len(), much.leaked), (100_000, 100_000, None));
        }
    });
}

#[test]
fn the_grace_counts_from_the_last_end() {
    isolated(|| {
        // The first stage is long gone when the last one ends; its stderr is held by its child all the while.
        let first = role("fork-and-hold").arg("30000").stderr(Redirect::capture()).stdin(Redirect::null());
        let job = (first | role("head") | role("hang")).stdout(Redirect::piped()).eof_grace(EOF_GRACE);
        let job = job.spawn().expect("it starts");
        let mut lines = BufReader::new(job.take_stdout().expect("piped"));
        lines.read_line(&mut String::new()).expect("ready");
        job.processes()[0].wait().expect("ours");
        job.processes()[1].wait().expect("ours");
        assert_eq!(job.wait_timeout(EOF_GRACE * 2).expect("it goes on"), None);
        job.processes()[2].kill().expect("it is there");
        let status = within(EOF_GRACE + SLACK, || job.wait()).expect("a status");
        assert_eq!(status.signal(), Some(libc::SIGKILL));
    });
}

#[test]
fn a_timeout_that_cut_a_held_stream_names_it() {
    isolated(|| {
        for name in ["fork-and-hold", "fork-and-yes"] {
            let hold = role(name).arg("30000").stderr(Redirect::null()).timeout(HELD);
            let error = within(HELD + SLACK, || hold.output()).expect_err("its child holds on");
            let output = error.output().expect("there is one");
            let stdout = output.stdout_lossy();
            let pid = stdout.lines().next().expect("a pid");
            kill_stranger(pid);
            let leak = output.leaked.as_ref().expect("it is held");
            assert_eq!(leak.streams, [Stream::Stdout]);
            if cfg!(target_os = "linux") {
                let [holder] = leak.holders.as_slice() else { panic!("one holds it: {leak:?}") };
                assert_eq!((holder.pid.to_string().as_str(), holder.fd), (pid, 1));
                assert!(leak.processes[0].killed, "only the child can have passed it on: {leak:?}");
                let named = format!("held by `{}` (pid {pid}), ended with the run", holder.name);
                assert!(error.to_string().contains(&named), "{error}");
                assert!(error.full().to_string().contains(&format!("stdout: {named}")), "{error:?}");
            }
        }
        let error = role("hang").timeout(TIMEOUT).output().expect_err("it hangs");
        assert_eq!(error.output().expect("there is one").leaked, None, "only the child itself held it");
    });
}

#[test]
fn a_timeout_names_the_holder_of_a_pipe_between_stages() {
    isolated(|| {
        if !cfg!(target_os = "linux") {
            return skip("the holders of a pipe can only be seen on Linux");
        }
        // The first stage is gone; its child holds on to the pipe that the second one reads, and passes on.
        let hold = role("fork-and-hold").arg("30000") | role("cat");
        let run = |time| {
            within(time + SLACK, || hold.clone().stderr(Redirect::null()).timeout(time).output())
                .expect_err("it is held")
        };
        let (error, _) = timed_out(run, |error| error.output().is_some_and(|output| !output.stdout.is_empty()));
        let output = error.output().expect("there is one");
        let stdout = output.stdout_lossy();
        let pid = stdout.trim_end();
        let [holder] = output.leaked.as_ref().expect("it is held").holders.as_slice() else { panic!("{error:?}") };
        assert_eq!((holder.pid.to_string().as_str(), holder.fd), (pid, 1));
        assert!(error.to_string().ends_with(&format!("held by `{}` (pid {pid})", holder.name)), "{error}");
        kill_stranger(pid);
    });
}

#[test]
fn a_slow_writer_of_the_caller_is_not_a_holder_of_the_stream() {
    isolated(|| {
        for tee in [false, true] {
            let seen = Sheet::default();
            let mut sheet = seen.clone();
            // Takes a little at a time, and not at once.
            let writer = Redirect::to_writer(Writing(move |bytes: &[u8]| {
                thread::yield_now();
                sheet.write(&bytes[..bytes.len().min(4096)])
            }));
            let to = if tee { Redirect::tee([Redirect::capture(), writer]) } else { writer };
            let output = role("blocks").arg("400000").stdout(to).eof_grace(Duration::ZERO).run().expect("it runs");
            assert_eq!(output.leaked, None, "tee: {tee}");
            assert_eq!(seen.bytes().len(), 400_000, "tee: {tee}");
        }
    });
}
