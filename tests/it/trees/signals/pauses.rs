//! Times stand still while this process is stopped.

use pipewright::forward;

use super::{Told, in_part, is_stopped, part, say_pids, wait_for_state};
use crate::prelude::*;

/// Long enough for the stop to come before it passes.
const TIMEOUT: Duration = Duration::from_millis(1500);

#[test]
fn a_stop_stops_the_run_and_its_time() {
    isolated(|| {
        if part("run") {
            let _forwarding = forward::signals().expect("it is installed");
            let start = Instant::now();
            let hang = role("hang").stdout(Redirect::null()).contain(Containment::Group).forward_signals(true);
            let job = hang.timeout(TIMEOUT).spawn().expect("it starts");
            say_pids("run ", &job);
            let error = job.wait().expect_err("its time passes");
            assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
            println!("took {}", start.elapsed().as_millis());
            return;
        }
        let mut told = Told::by(in_part("run"));
        let child = told.pids_after("run ");
        told.send(Signal::SIGTSTP);
        wait_for_state(&[child[0], told.pid()], is_stopped);
        // From the stop seen to the continue: that much later it ends, or more. If its time ran on, it would end at the timeout.
        let start = Instant::now();
        while start.elapsed() < TIMEOUT / 4 {
            assert!(is_stopped(process_state(told.pid())));
            pause(Duration::from_millis(5));
        }
        let stopped = start.elapsed();
        told.send(Signal::SIGCONT);
        let took = Duration::from_millis(told.after("took ").parse().expect("a number"));
        assert!(took + Duration::from_millis(1) >= TIMEOUT + stopped, "{took:?} with {stopped:?} stopped");
        assert!(told.job.wait().expect("a status").success());
    });
}
