//! Texts of runs that went wrong on the way.

use super::helper;
use super::texts::Texts;
use crate::prelude::*;

#[test]
fn a_bad_status_comes_with_the_last_of_stderr() {
    isolated(|| {
        let mut texts = Texts::new();
        texts.check("status", helper("fail-with").args(["3", "cannot open the frobnicator"]).output());
        texts.check("status-of-run", helper("exit").arg("3").run());
        texts.check("killed-by-a-signal", helper("signal").arg("9").output());

        let report = helper("say").args(["2", "warning:\tslow disk\nwarning: \x1b[31mred\x1b[0m\n"]);
        // Not before the first stage has ended.
        let check = Cmd::sh("cat; echo 'line 7: not a number: \"x\"' >&2; exit 2").label("check");
        texts.check("status-in-a-pipeline", (report | check | helper("count")).output());

        let noisy =
            Cmd::sh("i=0; while [ $i -lt 100 ]; do i=$((i+1)); echo \"line $i\" >&2; done; exit 1").label("noisy");
        texts.check("status-after-much-stderr", noisy.output());

        let strict = helper("yes") | helper("say").args(["1", "enough\n"]);
        texts.check("sigpipe-under-strict", strict.status_policy(StatusPolicy::Strict).output());
        texts.finish();
    });
}

#[test]
fn no_text_shows_a_secret() {
    isolated(|| {
        let mut texts = Texts::new();
        let login = Cmd::sh("echo \"login $1 with $TOKEN failed\" >&2; exit 1").args(["sh"]).label("login");
        let error =
            login.secret_arg("hunter2").env("TOKEN", "t0k3n").env("PATH", "/bin:/usr/bin").output().unwrap_err();
        let all = format!("{error}\n{error:#}\n{error:?}");
        assert!(!all.contains("hunter2") && !all.contains("t0k3n"), "{all}");
        texts.check_with("status-with-secrets", &error, &[]);
        texts.finish();
    });
}

#[test]
fn a_timeout_comes_with_what_there_was() {
    isolated(|| {
        let mut texts = Texts::new();
        let (error, time) = timed_out(
            |time| helper("hang").timeout(time).output().unwrap_err(),
            |error| error.output().is_some_and(|output| output.stdout == "ready\n"),
        );
        texts.check_with("timeout", &error, &[(format!("{time:?}"), "TIME")]);

        let stages = |time| -> Error {
            let first = helper("say").args(["2", "so far so good\n"]);
            let stages: Pipeline = [first, helper("hang"), helper("cat")].into_iter().collect();
            stages.timeout(time).output().unwrap_err()
        };
        // `cat` sees its input end by the end of `hang`, so it may exit before it is told to.
        let (error, time) = timed_out(stages, |error| {
            let output = error.output().expect("it ran");
            let ended = output.stages[0].status.success() && output.stages[2].status.signal().is_some();
            ended && output.stdout == "ready\n"
        });
        texts.check_with("timeout-of-a-pipeline", &error, &[(format!("{time:?}"), "TIME")]);
        texts.check("timeout-of-zero", helper("cat").timeout(Duration::ZERO).run());
        texts.finish();
    });
}

#[test]
fn a_cancelled_run_says_so() {
    isolated(|| {
        let mut texts = Texts::new();
        let hang = helper("hang");
        let cancel = hang.cancel_handle();
        let canceller = cancel.clone();
        let told = Redirect::each_line(move |_: &[u8]| canceller.cancel());
        let hang = hang.stdout(Redirect::tee([Redirect::capture(), told]));
        texts.check("cancelled", hang.run());
        assert!(cancel.is_cancelled());
        texts.check("cancelled-before-it-started", hang.run());
        texts.finish();
    });
}

#[test]
fn more_output_than_allowed_is_named_with_its_limit_and_stage() {
    isolated(|| {
        let mut texts = Texts::new();
        let stages = helper("yes").stdin(Redirect::null()) | helper("cat");
        texts.check("limit-exceeded", stages.stdout_limit(Limit::Fail(1000)).output());
        let noise = helper("fill-stderr").arg("5000").stderr_limit(Limit::Fail(10));
        texts.check("limit-of-stderr-exceeded", noise.output());
        texts.finish();
    });
}

#[test]
fn the_callers_own_failures_are_told_with_their_cause() {
    isolated(|| {
        let mut texts = Texts::new();
        let lines = || helper("lines").arg("2");
        let refuse = |_: &[u8]| -> Result<(), io::Error> { Err(io::Error::other("the disk is full")) };
        texts.check("callback-error", lines().for_each_line(refuse));
        texts.check(
            "callback-error-of-stderr",
            helper("fail-with").args(["0", "x"]).stderr(Redirect::each_line(refuse)).run(),
        );
        let explode = |_: &[u8]| -> () { panic!("index out of bounds:\nthe length is 3") };
        texts.check("callback-panic", lines().stdout(Redirect::each_line(explode)).run());

        let broken = Reading(|_: &mut [u8]| Err(io::Error::other("connection reset by peer")));
        texts.check("reader-error", (helper("cat").stdin(Redirect::from_reader(broken)) | helper("count")).output());
        let full = Writing(|_: &[u8]| Err(io::Error::other("quota exceeded")));
        texts.check("writer-error", lines().stdout(Redirect::to_writer(full)).run());
        texts.finish();
    });
}

/// The number of the process that is left, which it printed, and the texts that vary with it.
fn left_of(error: &Error) -> (String, Vec<(String, &'static str)>) {
    let said = error.output().expect("what there was").stdout_lossy().into_owned();
    let pid = said.trim().to_owned();
    let bytes = (format!("stdout: {} bytes", said.len()), "stdout: SOME bytes");
    (pid.clone(), vec![(format!("(pid {pid})"), "(pid PID)"), bytes])
}

#[test]
fn processes_that_are_left_behind_are_named() {
    isolated(|| {
        let mut texts = Texts::new();
        let mut check = |name: &str, result: Result<Output, Error>| {
            let error = result.expect_err("a process is left");
            let (pid, varying) = left_of(&error);
            texts.check_with(name, &error, &varying);
            kill_stranger(&pid);
        };
        let hold = || helper("fork-and-hold").arg("30000").on_leak(OnLeak::Fail);
        check("left-behind", hold().output());
        check("left-behind-with-stdout", hold().stderr(Redirect::null()).output());
        let pipeline = helper("fork-and-hold").arg("30000").stderr(Redirect::null()) | helper("cat");
        // `cat` waits for the holder of its input, so it is left, too.
        let (error, time) = timed_out(
            |time| pipeline.clone().timeout(time).output().unwrap_err(),
            |error| error.output().is_some_and(|output| output.stdout.ends_with(b"\n")),
        );
        let (pid, mut varying) = left_of(&error);
        varying.push((format!("{time:?}"), "TIME"));
        texts.check_with("left-between-stages", &error, &varying);
        kill_stranger(&pid);
        texts.finish();
    });
}

#[test]
fn output_that_is_not_text_says_so() {
    isolated(|| {
        let mut texts = Texts::new();
        let bytes = helper("say").arg("1").arg(OsStr::from_bytes(b"caf\xe9\n"));
        texts.check("not-utf8", bytes.read());
        texts.finish();
    });
}
