//! Closures that do not return: no run waits for them longer than its grace, and the error names them.

use super::*;
use crate::prelude::*;
use crate::surface::verbs::*;

/// Time for a busy machine to start everything: what has not started by then is told in other words.
const TIMEOUT: Duration = Duration::from_millis(500);
const GRACE: Duration = Duration::from_millis(100);

#[test]
fn a_closure_that_never_returns_delays_no_verb_and_is_named() {
    isolated(|| {
        type Shape = fn(Stage) -> Pipeline;
        let shapes: [(usize, Shape); 5] = [
            (0, |stuck| alone(stuck)),
            (1, |stuck| role("yes") | stuck | role("cat")),
            (1, |stuck| yes() | stuck | copy()),
            (0, |stuck| stuck | role("ignore-term")),
            (1, |stuck| role("hang") | stuck),
        ];
        for (index, shape) in shapes {
            all_at_once(&VERBS, |(name, verb)| {
                let (stage, stuck) = Stuck::stage();
                let line = without_input(shape(stage)).stdout(Redirect::capture()).timeout(TIMEOUT).grace(GRACE);
                let ran = within(TIMEOUT + GRACE + 2 * SLACK, || verb(&line));
                let error = ran.result.expect_err(name);
                assert_eq!(error.kind(), ErrorKind::Timeout, "{name}: {error:?}");
                let named = format!("did not return, and was left behind: `stuck` (stage {index})");
                assert!(error.to_string().ends_with(&named), "{name}: {error}");
                let stages = &error.output().expect("it ran").stages;
                assert!(stages[index].status.is_unknown(), "{name}: {stages:?}");
                let told = stages[index].error.as_ref().map(|error| (error.kind(), error.label()));
                assert_eq!(told, Some((ErrorKind::Timeout, Some("stuck"))), "{name}: {stages:?}");
                stuck.is_running();
                stuck.release();
            });
            assert_childless();
            progress();
        }
    });
}

#[test]
fn several_that_do_not_return_share_one_grace_and_are_all_named() {
    isolated(|| {
        let (stages, stuck): (Vec<Stage>, Vec<Stuck>) = (0..8).map(|_| Stuck::stage()).unzip();
        let line: Pipeline = stages.into_iter().collect();
        let line = without_input(line | copy()).stdout(Redirect::null()).timeout(TIMEOUT).grace(GRACE);
        let error = within(TIMEOUT + GRACE + SLACK, || line.run()).expect_err("no closure returns");
        let text = error.to_string();
        let (_, behind) = text.split_once("left behind: ").expect("named");
        assert!((0..8).all(|index| behind.contains(&format!("`stuck` (stage {index})"))), "{text}");
        assert!(!behind.contains("`copy`"), "that one returned: {text}");
        stuck.into_iter().for_each(Stuck::release);
    });
}

#[test]
fn a_cancel_and_a_drop_do_not_wait_for_a_closure() {
    isolated(|| {
        let (stage, stuck) = Stuck::stage();
        let line = without_input(role("cat") | stage).stdout(Redirect::null()).grace(GRACE);
        let cancel = line.cancel_handle();
        let job = line.spawn().expect("it starts");
        stuck.is_running();
        cancel.cancel();
        let error = within(GRACE + SLACK, || job.wait()).expect_err("cancelled");
        assert_eq!(error.kind(), ErrorKind::Cancelled);
        assert!(error.to_string().contains("left behind"), "{error}");
        stuck.release();

        for captured in [false, true] {
            let (stage, stuck) = Stuck::stage();
            let line = without_input(role("yes") | stage | role("ignore-term"));
            let line = line.stdout(if captured { Redirect::capture() } else { Redirect::null() });
            let job = line.spawn().expect("it starts");
            stuck.is_running();
            within(Duration::from_millis(500), || drop(job));
            assert_childless();
            stuck.release();
        }
    });
}

#[test]
fn a_killed_run_is_over_when_its_closure_returns_and_can_be_waited_for_with_a_bound() {
    isolated(|| {
        let (stage, stuck) = Stuck::stage();
        let job = without_input(role("hang") | stage).stdout(Redirect::null()).spawn().expect("it starts");
        stuck.is_running();
        job.kill().expect("it can be told");
        assert!(within(SLACK, || job.wait_timeout(TIMEOUT)).expect("no failure").is_none());
        stuck.release();
        let status = within(SLACK, || job.wait()).expect("a status");
        assert_eq!(status.signal(), Some(libc::SIGKILL), "the process's");
    });
}

#[test]
fn one_that_was_left_behind_can_read_and_write_nothing_any_more_and_lets_go_of_all() {
    isolated(|| {
        let before = open_fds();
        let (release, released) = channel::<()>();
        let (tell, told) = channel();
        let stage = Stage::from_fn_once(move |input, output| {
            let _ = released.recv();
            let kinds = [input.read(&mut [0]).map(drop), output.write(b"late").map(drop), input.fill_buf().map(drop)];
            let kinds = kinds.map(|result| result.expect_err("the time is up").kind());
            Ok(tell.send(kinds)?)
        });
        let line = role("yes") | stage | role("count");
        let error = line.timeout(TIMEOUT).grace(GRACE).output().expect_err("it sits");
        assert_eq!(error.kind(), ErrorKind::Timeout);
        drop(release);
        assert_eq!(told.recv().expect("it ran on"), [io::ErrorKind::TimedOut; 3]);
        let start = Instant::now();
        while open_fds() != before {
            assert!(start.elapsed() < SLACK, "it holds {:?}", open_fds());
            std::thread::yield_now();
        }
    });
}

#[test]
fn a_failure_elsewhere_ends_the_run_in_spite_of_a_closure_that_does_not_return() {
    isolated(|| {
        let (stage, stuck) = Stuck::stage();
        let bad = Redirect::each_line(|_: &[u8]| -> Result<(), Own> { Err(Own(7)) });
        let line = role("echo").arg("x").stdout(Redirect::tee([bad])) | stage;
        let error = within(GRACE + 2 * SLACK, || line.grace(GRACE).output()).expect_err("the callback fails");
        assert_eq!((error.kind(), error.stage()), (ErrorKind::Callback, Some(0)), "{error:?}");
        assert!(error.output().expect("it ran").stages[1].status.is_unknown());
        stuck.release();
    });
}
