//! Closures that borrow: every verb returns after them, whatever happened.

use std::sync::mpsc::RecvTimeoutError;

use pipewright::Scoped;

use super::*;
use crate::prelude::*;

/// Adds to a counter when it goes: a closure that holds one is gone when it has.
struct Gone<'a>(&'a AtomicUsize);

impl Drop for Gone<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, SeqCst);
    }
}

type ScopedVerb = fn(Scoped<'_>) -> Result<String, Error>;

const SCOPED_VERBS: [(&str, ScopedVerb); 7] = [
    ("run", |s| s.stdout(Redirect::capture()).run().map(|output| output.stdout_lossy().into_owned())),
    ("status", |s| s.stdout(Redirect::null()).status().map(|_| String::new())),
    ("output", |s| s.output().map(|output| output.stdout_lossy().into_owned())),
    ("output_into", |s| {
        let mut bytes = Vec::new();
        s.output_into(&mut bytes).map(|_| String::from_utf8_lossy(&bytes).into_owned())
    }),
    ("read", |s| s.read()),
    ("read_bytes", |s| s.read_bytes().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())),
    ("for_each_line", |s| {
        let mut text = String::new();
        s.for_each_line(|line| text.push_str(&String::from_utf8_lossy(line))).map(|_| text)
    }),
];

#[test]
fn closures_that_borrow_run_under_every_verb_and_are_gone_when_it_returns() {
    isolated(|| {
        for (name, verb) in SCOPED_VERBS {
            let (mut lines, mut bytes, mut copy, gone) = (0, 0, Vec::new(), AtomicUsize::new(0));
            let wanted = String::from("b");
            let guard = Gone(&gone);
            let text = role("say").args(["1", "a\nb\nc\n"]).scoped(|s| {
                let s = s.tap(|chunk| bytes += chunk.len()).map_lines(|line| {
                    lines += 1;
                    line.to_owned()
                });
                let s = s.pipe(role("cat")).filter_lines(|line| line == wanted).tee_to(&mut copy);
                verb(s.pipe_fn(move |input, output| {
                    let _guard = guard;
                    io::copy(input, output)?;
                    Ok(())
                }))
            });
            let text = text.expect(name);
            assert_eq!(text.trim_end(), if name == "status" { "" } else { "b" }, "{name}");
            assert_eq!((lines, bytes, copy.as_slice(), gone.into_inner()), (3, 6, &b"b\n"[..], 1), "{name}");
        }
    });
}

#[test]
fn a_scoped_closure_that_fails_or_panics_is_the_runs_error() {
    isolated(|| {
        for (name, verb) in SCOPED_VERBS {
            let gone = AtomicUsize::new(0);
            let (first, second) = (Gone(&gone), Gone(&gone));
            let error = role("yes").scoped(|s| {
                let s = s.pipe_fn(move |_, _| {
                    let _guard = &first;
                    Err(Own(7).into())
                });
                verb(s.label("bad").pipe(role("cat")))
            });
            let error = error.expect_err(name);
            assert_eq!((error.kind(), error.label(), error.stage()), (ErrorKind::Closure, Some("bad"), Some(1)));
            let error = role("yes").scoped(|s| {
                verb(s.pipe_fn(move |_, _| {
                    let _guard = &second;
                    panic!("so it goes")
                }))
            });
            assert_eq!(error.expect_err(name).kind(), ErrorKind::Panic, "{name}");
            assert_eq!(gone.into_inner(), 2, "{name}");
            assert_childless();
        }
    });
}

#[test]
fn a_run_that_cannot_start_drops_the_closures_unrun() {
    isolated(|| {
        for (name, verb) in SCOPED_VERBS {
            let (ran, gone) = (AtomicBool::new(false), AtomicUsize::new(0));
            let guard = Gone(&gone);
            let ran_too = &ran;
            let error = role("yes").scoped(|s| {
                let s = s.pipe_fn(move |_, _| {
                    let _guard = &guard;
                    ran_too.store(true, SeqCst);
                    Ok(())
                });
                verb(s.pipe(cmd!("/no/such/program")))
            });
            assert_eq!(error.expect_err(name).kind(), ErrorKind::ProgramNotFound, "{name}");
            assert_eq!((ran.into_inner(), gone.into_inner()), (false, 1), "{name}");
            assert_childless();
        }
        let gone = AtomicUsize::new(0);
        let guard = Gone(&gone);
        role("yes").scoped(|s| {
            drop(s.pipe_fn(move |_, _| {
                drop(guard);
                Ok(())
            }))
        });
        assert_eq!(gone.into_inner(), 1, "without a verb");
    });
}

#[test]
fn a_deadline_ends_processes_and_wakes_scoped_closures() {
    isolated(|| {
        for (name, verb) in SCOPED_VERBS {
            let time = Duration::from_millis(100);
            let mut woken = None;
            let line = without_input(role("hang")).timeout(time).grace(NO_GRACE_NEEDED);
            let error = within(time + SLACK, || {
                line.scoped(|s| {
                    verb(s.pipe_fn(|input, output| {
                        let result = io::copy(input, output);
                        woken = result.as_ref().err().map(io::Error::kind);
                        result?;
                        Ok(())
                    }))
                })
            });
            assert_eq!(error.expect_err(name).kind(), ErrorKind::Timeout, "{name}");
            assert_eq!(woken, Some(io::ErrorKind::TimedOut), "{name}");
        }
    });
}

#[test]
fn a_scoped_closure_that_does_not_return_keeps_the_verb_until_it_does() {
    isolated(|| {
        let (woken, waits) = channel();
        let (release, released) = channel::<()>();
        let (tell, returned) = channel();
        let mut borrowed = 0;
        let own = &mut borrowed;
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let line = without_input(role("hang")).timeout(Duration::from_millis(50));
                let result = line.grace(Duration::from_millis(1)).scoped(|s| {
                    s.pipe_fn(move |input, _| {
                        let result = input.read_to_end(&mut Vec::new());
                        woken.send(result.map_err(|error| error.kind()))?;
                        let _ = released.recv();
                        *own += 1;
                        Ok(())
                    })
                    .run()
                });
                tell.send(result.map(drop)).expect("the test waits");
            });
            assert_eq!(waits.recv().expect("it runs"), Err(io::ErrorKind::TimedOut));
            assert_childless();
            // Long after the grace and all that comes behind it.
            let early = returned.recv_timeout(Duration::from_millis(300)).map(drop);
            assert_eq!(early, Err(RecvTimeoutError::Timeout), "it returned before its closure");
            drop(release);
            let error = returned.recv().expect("it returns").expect_err("the time was up");
            assert_eq!(error.kind(), ErrorKind::Timeout);
        });
        assert_eq!(borrowed, 1);
    });
}

#[test]
fn a_panic_of_the_callers_callback_comes_through_after_the_closures() {
    isolated(|| {
        for _ in 0..count(10, 500) {
            let gone = AtomicUsize::new(0);
            let guards = (Gone(&gone), Gone(&gone));
            let line = without_input(role("stubborn-yes"));
            let caught = catch_unwind(AssertUnwindSafe(|| {
                line.scoped(|s| {
                    let s = s.pipe_fn(move |input, output| {
                        let _guard = &guards.0;
                        io::copy(input, output).map(drop).map_err(Into::into)
                    });
                    let s = s.pipe(role("cat")).pipe_fn(move |input, output| {
                        let _guard = &guards.1;
                        io::copy(input, output).map(drop).map_err(Into::into)
                    });
                    s.for_each_line(|_| -> () { std::panic::panic_any(4711_u32) })
                })
            }));
            assert_eq!(caught.expect_err("it comes through").downcast_ref(), Some(&4711_u32));
            assert_eq!(gone.load(SeqCst), 2);
            assert_childless();
            progress();
        }
    });
}

#[test]
fn an_error_of_the_callers_callback_ends_scoped_closures() {
    isolated(|| {
        let mut seen = 0;
        let error = Pipeline::default().scoped(|s| {
            let s = s.pipe_fn(|_, output| {
                loop {
                    output.write_all(b"y\n")?;
                }
            });
            s.for_each_line(|_| {
                seen += 1;
                if seen == 3 { Err(Own(7)) } else { Ok(()) }
            })
        });
        assert_eq!((error.expect_err("the third is bad").kind(), seen), (ErrorKind::Callback, 3));
    });
}

#[test]
fn settings_of_the_run_come_before_the_scope_and_misplaced_ones_are_refused() {
    isolated(|| {
        let timed = role("cat").timeout(Duration::from_secs(60));
        let text = timed
            .stdin(Redirect::bytes("x"))
            .scoped(|s| s.pipe_fn(|i, o| io::copy(i, o).map(drop).map_err(Into::into)).read());
        assert_eq!(text.expect("it runs"), "x");
        let inside = role("cat").scoped(|s| s.pipe(role("cat").timeout(Duration::from_secs(60))).run());
        assert_eq!(inside.expect_err("misplaced").kind(), ErrorKind::Conflict);
        let fed = Pipeline::default().scoped(|s| {
            s.pipe_fn(|i, o| io::copy(i, o).map(drop).map_err(Into::into))
                .pipe(role("upper"))
                .stdin(Redirect::bytes("fed"))
                .read()
        });
        assert_eq!(fed.expect("it runs"), "FED");
    });
}
