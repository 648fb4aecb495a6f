//! Bodies in processes of their own: tests as users write them, without the harness of this suite.

use std::fs::OpenOptions;
use std::os::unix::process::parent_id;

use pipewright::testing::{NotATest, capture_stdout, isolate, rerun};

use crate::prelude::*;

#[test]
fn the_body_runs_once_and_alone() {
    let witness = |pid: u32| std::env::temp_dir().join(format!("pipewright-isolated-{pid}"));
    isolate(|| {
        // It fails where there is one.
        OpenOptions::new().create_new(true).write(true).open(witness(parent_id())).expect("the first to make it");
        assert!(threads().len() <= 2, "{:?}", threads());
        std::env::set_current_dir("/").expect("it is there");
        nix::unistd::close(0).expect("it was open");
        nix::unistd::close(1).expect("it was open");
    });
    std::fs::remove_file(witness(std::process::id())).expect("the body made it");
    assert_ne!(std::env::current_dir().expect("a directory"), PathBuf::from("/"));
    assert!(Path::new("/proc/self/fd/0").is_symlink());
}

#[test]
fn in_the_body_threads_may_print_into_a_capture() {
    isolate(|| {
        let said = capture_stdout(|| thread::spawn(|| print!("from a thread")).join().expect("it ends"));
        assert_eq!(said.stdout, "from a thread");
    });
}

#[test]
#[should_panic(expected = "the body's own words\nand more of them")]
fn a_panic_of_the_body_is_the_tests_own() {
    isolate(|| std::panic::resume_unwind(Box::new("the body's own words\nand more of them")));
}

#[test]
#[should_panic(expected = "the body ended its process: exited with code 0")]
fn a_body_that_exits_has_failed() {
    isolate(|| std::process::exit(0));
}

#[test]
#[should_panic(expected = "the body ended its process: killed by SIGKILL")]
fn a_body_that_is_killed_has_failed() {
    isolate(|| nix::sys::signal::raise(nix::sys::signal::Signal::SIGKILL).expect("it can be sent"));
}

#[test]
fn each_call_runs_its_body_in_a_process_of_its_own() {
    let witness = |which: &str, pid: u32| std::env::temp_dir().join(format!("pipewright-isolated-{which}-{pid}"));
    let leave = |which: &str| {
        OpenOptions::new()
            .create_new(true)
            .write(true)
            .open(witness(which, parent_id()))
            .expect("the first to make it");
    };
    isolate(|| leave("a"));
    for which in ["b", "c"] {
        isolate(|| leave(which));
    }
    for which in ["a", "b", "c"] {
        std::fs::remove_file(witness(which, std::process::id())).expect("the body made it");
    }
}

#[test]
#[should_panic(expected = "the third of them")]
fn a_later_body_that_fails_fails_the_test() {
    for number in ["first", "second", "third", "fourth"] {
        isolate(|| {
            if number == "third" {
                std::panic::resume_unwind(Box::new("the third of them"));
            }
        });
    }
}

#[test]
#[should_panic(expected = "behind the inner one")]
fn an_isolated_body_in_another_one_runs_within_it() {
    isolate(|| {
        let (pid, mut inner) = (std::process::id(), 0);
        isolate(|| inner = std::process::id());
        assert_eq!(inner, pid);
        std::panic::resume_unwind(Box::new("behind the inner one"));
    });
}

#[test]
fn a_rerun_is_for_the_call_that_gave_it() {
    let (text, passed) = run("reruns_twice", &["--nocapture"]);
    assert!(passed, "{text}");
    // The second process comes by the first call again.
    let bodies = text.lines().filter_map(|line| line.strip_prefix("body: ")).collect::<Vec<_>>();
    assert_eq!(bodies, ["first", "first", "second"], "{text}");
}

#[test]
fn where_there_is_no_test_it_is_refused() {
    isolated(|| {
        let nameless = thread::spawn(rerun).join().expect("it ends");
        assert_eq!(nameless.unwrap_err(), NotATest::Thread(None));
        let other = thread::Builder::new().name("another".into()).spawn(rerun).expect("a thread");
        let error = other.join().expect("it ends").unwrap_err();
        assert!(matches!(&error, NotATest::Harness { found, .. } if found == "another"), "{error}");
    });
}

/// Runs a test of [`victims`] as a harness does; what it printed, and whether it passed.
fn run(name: &str, arguments: &[&str]) -> (String, bool) {
    let mut test = Command::new(std::env::current_exe().expect("the path of the test binary"));
    test.arg(format!("tools::testing::isolated::victims::{name}")).args(["--exact", "--ignored"]).args(arguments);
    // This process is one, too.
    test.env_remove("PIPEWRIGHT_ISOLATED_PROGRAM").env_remove("PIPEWRIGHT_ISOLATED_TEST");
    let output = test.stdin(Stdio::null()).output().expect("it starts");
    (String::from_utf8_lossy(&output.stdout).into_owned(), output.status.success())
}

#[test]
fn what_a_failing_body_prints_is_shown_with_the_test() {
    isolated(|| {
        for arguments in [&[][..], &["--nocapture"], &["--test-threads=1"]] {
            let (text, passed) = run("prints_and_fails", arguments);
            assert!(!passed);
            assert_eq!(text.matches("running 1 test").count(), 1, "{text}");
            assert_eq!(text.matches("test result: FAILED. 0 passed; 1 failed").count(), 1, "{text}");
            assert!(text.contains("words of the body\nwords on stderr"), "{text}");
        }
    });
}

#[test]
fn what_a_passing_body_prints_is_not_shown() {
    isolated(|| {
        let (text, passed) = run("prints", &[]);
        assert!(passed && !text.contains("words of the body"), "{text}");
        let (text, passed) = run("prints", &["--nocapture"]);
        assert!(passed && text.contains("words of the body"), "{text}");
    });
}

#[test]
fn a_process_that_the_body_leaves_is_not_waited_for() {
    isolated(|| {
        let (text, passed) = within(Duration::from_secs(20), || run("leaves_a_process", &["--nocapture"]));
        let pid = text.lines().find_map(|line| line.strip_prefix("left: ")).expect(&text);
        kill_stranger(pid);
        assert!(passed, "{text}");
    });
}

/// Tests for other tests to run.
mod victims {
    use super::*;

    #[test]
    #[ignore = "fails, for a test that looks at how"]
    fn prints_and_fails() {
        isolate(|| {
            println!("words of the body");
            eprint!("words on stderr");
            std::panic::resume_unwind(Box::new("on purpose"));
        });
    }

    #[test]
    #[ignore = "prints, for a test that counts"]
    fn reruns_twice() {
        for body in ["first", "second"] {
            match rerun().expect("a test") {
                Some(test) => print!("{}", test.read().expect("it passes")),
                None => return println!("\nbody: {body}"),
            }
        }
    }

    #[test]
    #[ignore = "prints, for a test that looks"]
    fn prints() {
        isolate(|| print!("words of the body"));
    }

    #[test]
    #[ignore = "leaves a process, for a test that ends it"]
    fn leaves_a_process() {
        isolate(|| {
            let left = role("sleep").arg("60000").stdin(Redirect::null()).spawn().expect("it starts");
            println!("left: {}", left.pids()[0]);
            left.detach();
        });
    }
}
