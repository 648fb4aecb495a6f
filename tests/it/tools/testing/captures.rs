//! Captures, one promise at a time.

use std::io::BufReader;

use pipewright::testing::{Capture, Stderr, capture, capture_stderr};

use super::*;
use crate::prelude::*;

#[test]
fn a_closure_borrows_and_returns() {
    isolated(|| {
        let words = vec!["a", "b"];
        let mut count = 0;
        let said = capture_stdout(|| {
            words.iter().for_each(|word| println!("{word}"));
            count += words.len();
            &words
        });
        assert_eq!((said.value, said.text()), (&words, "a\nb\n".into()));
        assert_eq!(count, 2);
        assert!(!said.stderr.is_captured());
    });
}

#[test]
fn the_closure_runs_under_the_name_of_its_test() {
    isolated(|| {
        let name = || thread::current().name().map(String::from);
        assert_eq!(capture_stdout(name).value, name());
    });
}

#[test]
fn what_was_printed_before_and_after_stays_out() {
    isolated(|| {
        print!("before, kept back by Rust");
        c_printf(c"before, kept back by C");
        let said = capture_stdout(|| print!("within"));
        print!("after");
        assert_printed(&said, "within");
        assert_printed(&capture_stdout(|| ()), "");
    });
}

#[test]
fn stderr_is_captured_apart_or_alone_or_with_stdout_in_order() {
    isolated(|| {
        let print = || {
            println!("out 1");
            eprintln!("err 1");
            role("out-err").arg("2").run().expect("it says it");
            println!("out 2");
        };
        let said = capture(print);
        assert_eq!(
            (&*said.text(), &*said.stderr.to_string_lossy()),
            ("out 1\nout 0\nout 1\nout 2\n", "err 1\nerr 0\nerr 1\n")
        );
        let said = capture_stderr(print);
        assert!(!said.stdout.is_captured());
        assert_eq!(said.stderr, "err 1\nerr 0\nerr 1\n");
        let said = Capture::new().stderr(Stderr::Merge).run(print);
        assert_eq!(said.stdout, "out 1\nerr 1\nout 0\nerr 0\nout 1\nerr 1\nout 2\n");
        assert!(!said.stderr.is_captured());
    });
}

#[test]
fn a_relayed_stderr_is_printed_by_the_calling_thread() {
    isolated(|| {
        let outer = capture(|| {
            let inner = Capture::new().stderr(Stderr::Relay).run(|| {
                eprint!("warning");
                print!("result");
            });
            assert_printed(&inner, "result");
            assert!(!inner.stderr.is_captured());
        });
        assert_eq!((&*outer.stdout, &*outer.stderr), (&b""[..], &b"warning"[..]));
    });
}

#[test]
fn a_limit_keeps_the_first_bytes_and_counts_the_rest() {
    isolated(|| {
        let said = Capture::new().limit(3).run(|| (0..100).for_each(|_| print!("{:1000}", "abc")));
        assert_eq!(&*said.stdout, b"abc");
        assert_eq!((said.stdout.omitted(), said.stdout.omitted_at()), (100_000 - 3, Some(3)));
        assert_eq!(Capture::new().limit(3).run(|| print!("abc")).stdout, "abc");
    });
}

#[test]
fn a_panic_shows_what_was_printed_and_goes_on() {
    isolated(|| {
        let outer = capture(|| {
            let panicked = catch_unwind(AssertUnwindSafe(|| {
                capture(|| {
                    print!("printed");
                    eprint!("complained");
                    std::panic::resume_unwind(Box::new(7));
                });
            }));
            assert_eq!(panicked.unwrap_err().downcast_ref(), Some(&7));
            print!(" restored");
        });
        assert_eq!((&*outer.stdout, &*outer.stderr), (&b"printed restored"[..], &b"complained"[..]));
    });
}

#[test]
fn a_capture_does_not_wait_for_a_process_in_the_background() {
    isolated(|| {
        within(Duration::from_secs(8), || {
            let mut said = capture_stdout(|| {
                println!("started");
                Command::new(fixture()).arg("hang").stdin(Stdio::null()).spawn().expect("it starts")
            });
            assert!(said.text().starts_with("started\n"), "{}", said.text());
            said.value.kill().expect("it can be killed");
            said.value.wait().expect("it can be waited for");
        });
    });
}

#[test]
fn threads_of_the_closure_may_print_where_stdout_is_shared() {
    among_others(|| {
        let join = || thread::spawn(|| print!("from a thread")).join().expect("it ends");
        assert_printed(&Capture::new().shared_stdout(true).run(join), "from a thread");
        // SAFETY: this process has no other thread that looks.
        unsafe { std::env::set_var("NEXTEST_EXECUTION_MODE", "process-per-test") };
        assert_printed(&capture_stdout(join), "from a thread");
    });
}

/// Runs `f` with a pipe as its stderr; `f` gets the lines that are written there.
fn with_stderr_read<T>(f: impl FnOnce(&mut dyn Iterator<Item = String>) -> T) -> T {
    let real = std::io::stderr();
    let saved = nix::unistd::dup(&real).expect("stderr can be saved");
    let (reader, writer) = os_pipe::pipe().expect("a pipe");
    nix::unistd::dup2_stderr(writer).expect("stderr can be replaced");
    let value = f(&mut BufReader::new(reader).lines().map(|line| line.expect("a line")));
    nix::unistd::dup2_stderr(saved).expect("stderr can be put back");
    value
}

#[test]
fn a_closure_that_waits_for_a_thread_that_prints_is_told_of() {
    among_others(|| {
        with_stderr_read(|lines| {
            let (tell, told) = channel();
            let capture = move || {
                let said = Capture::new().patience(Duration::from_millis(20)).run(move || {
                    let printer = thread::spawn(|| print!("too late"));
                    told.recv().map(|()| printer).expect("the line comes")
                });
                said.value.join().expect("it goes on");
                assert_eq!(said.stdout, "");
            };
            let capturing = thread::Builder::new().name("the test".into()).spawn(capture).expect("a thread");
            let line = lines.next().expect("a line");
            let expected = "pipewright: the capture of `the test` goes on without a word of its closure. ";
            assert!(line.starts_with(expected) && line.contains("shared_stdout") && line.contains("isolate"), "{line}");
            assert!(line.contains("the lock of stdout,"), "{line}");
            tell.send(()).expect("it waits");
            capturing.join().expect("it passes");
        });
    });
}

#[test]
fn a_capture_within_a_shared_one_is_told_of_past_both() {
    among_others(|| {
        with_stderr_read(|lines| {
            let (tell, told) = channel();
            let capture = move || {
                let said = Capture::new().shared_stdout(true).stderr(Stderr::Capture).run(move || {
                    let inner = Capture::new().stderr(Stderr::Capture).patience(Duration::from_millis(20));
                    inner.run(move || told.recv().expect("the line comes"))
                });
                assert_eq!((&*said.stderr, &*said.value.stderr), (&b""[..], &b""[..]));
            };
            let capturing = thread::Builder::new().name("the test".into()).spawn(capture).expect("a thread");
            let line = lines.next().expect("a line");
            let expected = "pipewright: the capture of `the test` goes on without a word of its closure. ";
            assert!(line.starts_with(expected) && line.contains("the lock of stdout or stderr,"), "{line}");
            tell.send(()).expect("it waits");
            capturing.join().expect("it passes");
        });
    });
}

#[test]
fn a_capture_inside_that_prints_is_a_sign_of_life() {
    among_others(|| {
        with_stderr_read(|lines| {
            let patience = Duration::from_millis(600);
            Capture::new().patience(patience).run(|| {
                let begun = Instant::now();
                // It prints all the time, for longer than the patience of the outer one.
                capture_stdout(|| {
                    let (_open, never) = channel::<()>();
                    while begun.elapsed() < 2 * patience {
                        println!("word");
                        assert!(never.recv_timeout(Duration::from_millis(5)).is_err());
                    }
                });
            });
            eprintln!("the end");
            assert_eq!(lines.next().as_deref(), Some("the end"));
        });
    });
}

#[test]
fn captures_that_wait_need_no_descriptors() {
    among_others(|| {
        nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE, 64, 64).expect("it can be lowered");
        thread::scope(|scope| {
            for number in 0..60 {
                scope.spawn(move || assert_printed(&capture(|| println!("{number}")), &format!("{number}\n")));
            }
        });
    });
}

/// What is printed cannot be flushed any more.
fn fill_stdout() {
    print!("kept back");
    let full = std::fs::File::options().write(true).open("/dev/full").expect("it is there");
    nix::unistd::dup2_stdout(full).expect("it can be replaced");
}

#[test]
fn a_panic_is_not_lost_where_the_end_fails() {
    isolated(|| {
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            Capture::new().try_run(|| {
                fill_stdout();
                std::panic::resume_unwind(Box::new(7))
            })
        }));
        assert_eq!(panicked.unwrap_err().downcast_ref(), Some(&7));
    });
}

#[test]
fn what_could_not_be_flushed_at_the_end_is_an_error() {
    isolated(|| {
        let failed = Capture::new().stderr(Stderr::Capture).try_run(fill_stdout);
        assert_eq!(failed.map(drop).unwrap_err().raw_os_error(), Some(libc::ENOSPC));
    });
}

#[test]
fn a_capture_that_waits_for_another_one_is_told_of() {
    isolated(|| {
        with_stderr_read(|lines| {
            let (tell, told) = channel::<()>();
            let (begin, begun) = channel();
            let first = move || {
                let said = capture(move || {
                    begin.send(()).expect("it waits");
                    told.recv().expect("the line comes");
                });
                assert_eq!(said.stderr, "", "the line is not for this capture");
            };
            let first = thread::Builder::new().name("the first".into()).spawn(first).expect("a thread");
            begun.recv().expect("it captures");
            let second =
                || assert_printed(&Capture::new().patience(Duration::from_millis(20)).run(|| print!("2")), "2");
            let second = thread::Builder::new().name("the second".into()).spawn(second).expect("a thread");
            let line = lines.next().expect("a line");
            assert!(
                line.starts_with("pipewright: `the second` waits for the capture of `the first` to end, "),
                "{line}"
            );
            tell.send(()).expect("it waits");
            first.join().expect("it passes");
            second.join().expect("it passes");
        });
    });
}

#[test]
fn what_other_threads_start_keeps_the_real_stdout() {
    among_others(|| {
        let saved = nix::unistd::dup(std::io::stdout()).expect("stdout can be saved");
        let (mut reader, writer) = os_pipe::pipe().expect("a pipe");
        nix::unistd::dup2_stdout(writer).expect("stdout can be replaced");
        let (begin, begun) = channel();
        let (tell, told) = channel();
        let outside = thread::spawn(move || {
            begun.recv().expect("the capture begins");
            role("echo").arg("a stranger's child").run().expect("it says it");
            role("echo").arg("passed on").stdout(Redirect::tee([Redirect::inherit()])).run().expect("it says it");
            role("echo")
                .arg("by a closure")
                .pipe_fn(|from, to| Ok(std::io::copy(from, to).map(drop)?))
                .run()
                .expect("it copies");
            tell.send(()).expect("it waits");
        });
        let said = capture_stdout(move || {
            begin.send(()).expect("it waits");
            role("echo").arg("a child of the closure").run().expect("it says it");
            told.recv().expect("the other is done");
        });
        outside.join().expect("it passes");
        nix::unistd::dup2_stdout(saved).expect("stdout can be put back");
        assert_printed(&said, "a child of the closure\n");
        let mut real = String::new();
        reader.read_to_string(&mut real).expect("text");
        assert_eq!(real, "a stranger's child\npassed on\nby a closure\n");
    });
}

#[test]
fn a_closed_stdout_is_closed_again() {
    isolated(|| {
        let said = with_closed(&[1], || capture_stdout(|| raw_write("text")));
        assert_printed(&said, "text");
        let said = with_closed(&[0, 1, 2], || capture(|| raw_write("text")));
        assert_printed(&said, "text");
    });
}

#[test]
fn with_few_descriptors_left_a_capture_is_an_error_or_right() {
    isolated(|| {
        let mut results = Vec::new();
        for spare in 0..10 {
            let result = spare_fds(spare, || Capture::new().stderr(Stderr::Capture).try_run(|| print!("text")));
            results.push(result.is_ok());
            match result {
                Ok(said) => assert_printed(&said, "text"),
                Err(error) => assert_eq!(error.raw_os_error(), Some(libc::EMFILE)),
            }
        }
        assert_eq!(results.iter().filter(|worked| !**worked).count(), 8, "{results:?}");
        assert!(results.is_sorted());
    });
}
