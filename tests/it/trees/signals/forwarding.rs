//! What a signal to this process does to the runs that asked for it, to the others, and to this process.

use pipewright::{Resource, forward};

use super::{Told, in_part, is_gone, part, say_pids, wait_for_state};
use crate::prelude::*;

const ENDING: [Signal; 4] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT];

/// Longer than any test.
const LONG: Duration = Duration::from_secs(60);

fn send_self(signal: Signal) {
    kill(Pid::this(), signal).expect("this process is there");
}

fn containers() -> [Option<Containment>; 3] {
    [None, Some(Containment::Group), Some(Containment::Session)]
}

#[test]
fn a_signal_ends_the_runs_by_itself_and_then_this_process() {
    isolated(|| {
        if part("run") {
            let contain =
                containers()[std::env::var("CONTAIN").expect("set").parse::<usize>().expect("a number")].clone();
            let _forwarding = forward::signals().expect("it is installed");
            let hang = (role("hang") | role("hang")).stdout(Redirect::null()).forward_signals(true).grace(LONG);
            let hang = contain.into_iter().fold(hang, |hang, contain| hang.contain(contain));
            let jobs = [hang.spawn().expect("it starts"), hang.spawn().expect("it starts")];
            say_pids("one ", &jobs[0]);
            say_pids("two ", &jobs[1]);
            let _ = jobs.each_ref().map(pipewright::Job::wait);
            println!("back");
            return;
        }
        all_at_once(&[0, 1, 2], |contain| {
            for signal in ENDING {
                let mut told =
                    Told::by(in_part("run").env("CONTAIN", contain.to_string()).rlimit(Resource::Core, 0, 0));
                let pids = [told.pids_after("one "), told.pids_after("two ")].concat();
                told.send(signal);
                let status = within(LONG / 4, || told.job.wait()).expect("a status");
                assert_eq!(status.signal(), Some(signal as i32), "{signal}: {status}");
                // Not a moment later: they were reaped before it died.
                let left: Vec<_> = pids.iter().filter(|&&pid| !is_gone(process_state(pid))).collect();
                assert!(left.is_empty(), "{signal}: {left:?}");
                let rest = std::io::read_to_string(&mut told.lines).expect("text");
                assert!(!rest.contains("back"), "{signal}: the verb came back: {rest}");
                progress();
            }
        });
    });
}

#[test]
fn without_a_run_a_signal_ends_this_process_at_once() {
    isolated(|| {
        if part("idle") {
            let _forwarding = forward::signals().expect("it is installed");
            println!("ready here");
            let other = role("hang").stdout(Redirect::null()).kill_on_parent_death(true).spawn().expect("it starts");
            say_pids("other ", &other);
            other.wait().expect("never");
            return;
        }
        for signal in ENDING {
            let mut told = Told::by(in_part("idle").rlimit(Resource::Core, 0, 0));
            told.after("ready");
            let pids = told.pids_after("other ");
            told.send(signal);
            let status = within(LONG / 4, || told.job.wait()).expect("a status");
            assert_eq!(status.signal(), Some(signal as i32), "{signal}: {status}");
            // The run did not ask.
            wait_for_state(&pids, is_gone);
        }
    });
}

#[test]
fn a_surviving_process_gets_the_error_and_everything_else() {
    isolated(|| {
        for contain in containers() {
            for signal in ENDING {
                let forwarding = forward::signals().expect("it is installed").keep_running(true);
                let hang = (role("hang") | role("hang")).stdout(Redirect::capture()).rlimit_core_0();
                let hang = hang.forward_signals(true).grace(LONG);
                let hang = contain.iter().fold(hang, |hang, contain| hang.contain(contain.clone()));
                let deaf = role("hang").stdout(Redirect::null()).spawn().expect("it starts");
                let job = hang.spawn().expect("it starts");
                send_self(signal);
                let error = within(LONG / 4, || job.wait()).expect_err("it was ended");
                assert_eq!(error.kind(), ErrorKind::Interrupted, "{error}");
                let text = error.to_string();
                assert!(text.starts_with(&format!("the pipeline of 2 stages was interrupted by {signal}")), "{text}");
                let stages = &error.output().expect("what there was").stages;
                assert!(stages.iter().all(|stage| stage.status.signal() == Some(signal as i32)), "{stages:?}");
                assert_eq!(forwarding.received(), Some(signal as i32));
                assert_eq!(deaf.try_wait().expect("no error"), None, "it did not ask");
                drop(deaf);
                drop(forwarding);
                progress();
            }
        }
    });
}

/// No core files of tests.
trait WithoutCore {
    fn rlimit_core_0(self) -> Self;
}

impl WithoutCore for pipewright::Pipeline {
    fn rlimit_core_0(self) -> Self {
        nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_CORE, 0, 0).expect("it can be lowered");
        self
    }
}

#[test]
fn every_verb_ends_by_a_signal() {
    isolated(|| {
        use crate::surface::verbs::*;
        let _forwarding = forward::signals().expect("it is installed").keep_running(true);
        for (name, verb) in &VERBS {
            let (sign, seen) = std::sync::mpsc::channel();
            let each = move |_: &[u8]| {
                let _ = sign.send(());
            };
            let wait = role("close-stdout-then-wait").stdin(Redirect::reader_with(|| Box::new(std::io::repeat(0))));
            let wait = pipewright::Pipeline::from(wait).stderr(Redirect::each_line(each)).forward_signals(true);
            std::thread::spawn(move || seen.recv().map(|()| send_self(Signal::SIGTERM)));
            let ran = within(LONG / 4, || verb(&wait));
            assert_eq!(ran.result.expect_err(name).kind(), ErrorKind::Interrupted, "{name}");
        }
    });
}

#[test]
fn the_signal_takes_the_place_of_the_plans_first_and_the_plan_goes_on() {
    isolated(|| {
        let _forwarding = forward::signals().expect("it is installed").keep_running(true);
        let plan = [(Signal::SIGKILL as i32, Duration::from_millis(50)), (Signal::SIGUSR1 as i32, LONG)];
        let job = role("ignore-term").stdout(Redirect::piped()).forward_signals(true).shutdown_plan(plan);
        let job = job.spawn().expect("it starts");
        assert_eq!(read_line(job.take_stdout().expect("piped")), "ready");
        send_self(Signal::SIGTERM);
        let error = within(LONG / 4, || job.wait()).expect_err("it was ended");
        assert_eq!(error.output().expect("what there was").stages[0].status.signal(), Some(Signal::SIGUSR1 as i32));
    });
}

#[test]
fn a_second_int_kills() {
    isolated(|| {
        let _forwarding = forward::signals().expect("it is installed").keep_running(true);
        let job = role("ignore-term").stdout(Redirect::piped()).forward_signals(true).grace(LONG);
        let job = job.spawn().expect("it starts");
        assert_eq!(read_line(job.take_stdout().expect("piped")), "ready");
        within(LONG / 4, || {
            // Two that are sent at once may be one.
            loop {
                send_self(Signal::SIGINT);
                match job.wait_timeout(Duration::from_millis(20)) {
                    Ok(None) => {}
                    Ok(Some(status)) => panic!("{status}"),
                    Err(error) => {
                        assert_eq!(error.kind(), ErrorKind::Interrupted, "{error}");
                        let status = error.output().expect("what there was").stages[0].status;
                        assert_eq!(status.signal(), Some(Signal::SIGKILL as i32));
                        return;
                    }
                }
            }
        });
    });
}

#[test]
fn an_int_that_comes_twice_within_a_second_is_one() {
    isolated(|| {
        let text = "trap 'sleep 0.1 || exit 9; exit 7' INT; echo up; while :; do sleep 0.02; done";
        for _ in 0..count(2, 200) {
            let forwarding = forward::signals().expect("it is installed").keep_running(true);
            let job = pipewright::Cmd::sh(text).stdout(Redirect::piped()).forward_signals(true).grace(LONG);
            let job = job.spawn().expect("it starts");
            let mut stdout = job.take_stdout().expect("piped");
            assert_eq!(read_line(&mut stdout), "up");
            send_self(Signal::SIGINT);
            while forwarding.received().is_none() {
                std::thread::yield_now();
            }
            send_self(Signal::SIGINT);
            let error = within(LONG / 4, || job.wait()).expect_err("it was ended");
            assert_eq!(error.output().expect("what there was").stages[0].status.code(), Some(7), "{error}");
            progress();
        }
    });
}

#[test]
fn a_run_whose_thread_is_in_the_callers_code_does_not_keep_this_process_alive() {
    isolated(|| {
        if part("stuck") {
            let _forwarding = forward::signals().expect("it is installed");
            let yes = role("yes").forward_signals(true).grace(Duration::from_millis(50));
            let _ = yes.for_each_line(|_| {
                println!("stuck here");
                let never = std::sync::mpsc::channel::<()>();
                let _ = never.1.recv();
            });
            return;
        }
        let mut told = Told::by(in_part("stuck"));
        told.after("stuck");
        told.send(Signal::SIGTERM);
        let status = within(LONG / 4, || told.job.wait()).expect("a status");
        assert_eq!(status.signal(), Some(Signal::SIGTERM as i32));
    });
}

#[test]
fn without_a_run_a_surviving_process_hears_of_the_signal_and_goes_on() {
    isolated(|| {
        let forwarding = forward::signals().expect("it is installed").keep_running(true);
        let second = forward::signals().expect("they share");
        send_self(Signal::SIGINT);
        within(LONG / 4, || while forwarding.received() != Some(Signal::SIGINT as i32) {});
        drop(second);
        assert_eq!(role("echo").arg("on").forward_signals(true).read().expect("it goes on"), "on");
    });
}

/// The end check of the body is what sees that the handlers are gone; that they work again is seen here.
#[test]
fn handlers_come_and_go_any_number_of_times() {
    isolated(|| {
        for _ in 0..count(20, 1000) {
            let forwarding = forward::signals().expect("it is installed").keep_running(true);
            let job = role("hang").stdout(Redirect::null()).forward_signals(true).spawn().expect("it starts");
            send_self(Signal::SIGTERM);
            assert_eq!(job.wait().expect_err("it was ended").kind(), ErrorKind::Interrupted);
            drop(forwarding);
            progress();
        }
    });
}

#[test]
fn a_signal_that_is_ignored_stays_ignored() {
    isolated(|| {
        use nix::sys::signal::{SigHandler, signal};
        // SAFETY: an ignored signal runs no code.
        unsafe { signal(Signal::SIGHUP, SigHandler::SigIgn) }.expect("it can be ignored");
        let forwarding = forward::signals().expect("it is installed");
        send_self(Signal::SIGHUP);
        assert_eq!(role("echo").arg("on").forward_signals(true).read().expect("nohup works"), "on");
        assert_eq!(forwarding.received(), None);
        drop(forwarding);
        // SAFETY: as it was.
        unsafe { signal(Signal::SIGHUP, SigHandler::SigDfl) }.expect("it can be put back");
    });
}
