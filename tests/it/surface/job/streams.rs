//! The ends that a job hands out, and what becomes of those that are not taken.

use crate::prelude::*;

/// Everything piped, without a thread of its own or with one.
fn piped(name: &str, args: &[&str], driven: bool) -> Job {
    let piped = role(name).args(args).stdin(Redirect::piped()).stdout(Redirect::piped()).stderr(Redirect::piped());
    let piped = if driven { piped.timeout(Duration::from_secs(60)) } else { piped };
    piped.spawn().expect("it starts")
}

#[test]
fn each_end_is_taken_once() {
    isolated(|| {
        for driven in [false, true] {
            let job = piped("fill-stderr", &["3"], driven);
            let mut stdin = job.take_stdin().expect("piped");
            let (mut stdout, mut stderr) = (job.take_stdout().expect("piped"), job.take_stderr().expect("piped"));
            assert!(job.take_stdin().is_none() && job.take_stdout().is_none() && job.take_stderr().is_none());
            stdin.write_all(b"abc").expect("it reads");
            drop(stdin);
            let (mut out, mut err) = (String::new(), String::new());
            stdout.read_to_string(&mut out).expect("text");
            stderr.read_to_string(&mut err).expect("text");
            assert_eq!((out.as_str(), err.as_str()), ("abc", "eee"));
            assert!(job.wait().expect("a status").success());
            assert!(job.take_stdin().is_none() && job.take_stdout().is_none() && job.take_stderr().is_none());
        }
        let job = role("exit").arg("0").stdin(Redirect::null()).spawn().expect("it starts");
        assert!(job.take_stdin().is_none() && job.take_stdout().is_none() && job.take_stderr().is_none(), "not piped");
    });
}

#[test]
fn ends_that_are_not_taken_hold_up_no_wait() {
    isolated(|| {
        for driven in [false, true] {
            // Both outputs over what a pipe takes, and a stdin that is waited for.
            let job = piped("fill-stderr", &["1000000"], driven);
            assert_eq!(job.try_wait().expect("it waits for its stdin"), None);
            assert!(job.wait().expect("a status").success());
            assert!(job.take_stdin().is_none() && job.take_stdout().is_none(), "let go of");
            let job = piped("both", &["1000000"], driven);
            while job.wait_timeout(Duration::from_millis(50)).expect("it goes on").is_none() {}
            let job = piped("both", &["1000000"], driven);
            assert_eq!(job.output().expect("it ends well").stdout.len(), 0);
            let job = piped("both", &["1000000"], driven);
            let stdout = job.take_stdout().expect("piped");
            std::thread::scope(|scope| {
                scope.spawn(|| std::io::copy(&mut { stdout }, &mut std::io::sink()));
                assert!(job.wait().expect("a status").success(), "the untaken stderr is drained");
            });
        }
    });
}

#[test]
fn try_wait_leaves_the_ends_alone() {
    isolated(|| {
        for driven in [false, true] {
            let job = piped("cat", &[], driven);
            for _ in 0..100 {
                assert_eq!(job.try_wait().expect("it waits for its stdin"), None);
            }
            job.take_stdin().expect("still there").write_all(b"x").expect("it reads");
            let mut text = String::new();
            job.take_stdout().expect("still there").read_to_string(&mut text).expect("text");
            assert_eq!(text, "x");
            assert!(job.wait().expect("a status").success());
        }
    });
}

/// Looks and waits take the run from each other; the ends that were not taken must not get lost on the way.
#[test]
fn ends_that_are_not_taken_are_drained_beside_other_looks() {
    isolated(|| {
        for _ in 0..count(50, 3000) {
            let job = piped("both", &["300000"], false);
            let over = AtomicBool::new(false);
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    while !over.load(SeqCst) {
                        let _ = job.try_wait();
                    }
                });
                scope.spawn(|| while job.wait_timeout(Duration::from_micros(50)).is_ok_and(|ended| ended.is_none()) {});
                let waiters: Vec<_> = (0..4).map(|_| scope.spawn(|| job.wait())).collect();
                let ends: Vec<_> = waiters.into_iter().map(|waiter| waiter.join().unwrap()).collect();
                over.store(true, SeqCst);
                for end in ends {
                    assert_eq!(end.expect("a status").code(), Some(0), "its stdout was closed");
                }
            });
            progress();
        }
    });
}

#[test]
fn a_taken_end_does_not_block_its_owner_halfway() {
    isolated(|| {
        for driven in [false, true] {
            let job = piped("cat", &[], driven);
            let (stdin, mut stdout) = (job.take_stdin().expect("piped"), job.take_stdout().expect("piped"));
            drop(job.take_stderr());
            std::thread::scope(|scope| {
                scope.spawn(|| { stdin }.write_all(&vec![b'x'; 1 << 20]).expect("a write that blocks"));
                let mut all = Vec::new();
                stdout.read_to_end(&mut all).expect("a read that blocks");
                assert_eq!(all.len(), 1 << 20);
            });
            assert!(job.wait().expect("a status").success());
        }
    });
}
