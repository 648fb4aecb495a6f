//! What subprocess's own suite does not test, and should.
//!
//! | behaviour | test |
//! |---|---|
//! | a bound on the time of every timeout | `within(…)` around each: `defects`, `subprocess_process`, `subprocess_pipelines` |
//! | POLLERR alone under a large feed; constant data; a blocking source | `defects` |
//! | a failing start midway, with much pending and with a long sleeper | `a_start_that_fails_midway_forgets_what_is_pending` |
//! | a grandchild holding pipes | `defects`, `duct_handles` |
//! | SIGPIPE upstream under pipefail | `a_sigpipe_is_forgiven_where_a_reader_stopped_and_nowhere_else` |
//! | closed 0, 1, 2 | `duct_kin`, `subprocess_redirect` |
//! | descriptors before and after a thousand runs | `many_runs_leave_every_descriptor_as_it_was` |
//! | spawns from many threads: descriptors, ETXTBSY | `threads_that_write_and_run_programs_do_not_disturb_each_other` |
//! | a storm of signals | `a_storm_of_signals_interrupts_nothing` |
//! | child's PATH, parent's PATH | `duct::a_single_component_is_a_name_for_path_also_as_a_path` |
//! | ENOEXEC | `a_file_without_a_shebang_is_an_error_and_no_shell_runs_it` |
//! | one failing kill must not skip the others | `defects::an_ended_stage_does_not_keep_a_signal_from_the_others` |
//! | a sink or callback that errs or panics | `a_callback_that_errs_ends_the_run_with_its_error`, `a_writer_or_reader_that_fails_or_panics_is_an_error` |

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use pipewright::{Cmd, ErrorKind, Pipeline, Redirect, StatusPolicy, cmd};

use crate::harness::*;
use crate::support::{assert_childless, role, within};

const SOON: Duration = Duration::from_secs(6);

/// A program that is missing in the middle: the error comes at once, whatever the started stages have written or mean to do, and nothing of
/// them is left; what was to be fed and the stages behind are forgotten.
#[test]
fn a_start_that_fails_midway_forgets_what_is_pending() {
    isolated(|| {
        let noisy = role("fill-stderr").arg("300000");
        let pipeline: Pipeline =
            [noisy, role("ignore-term"), cmd!("/no/such/program"), role("cat")].into_iter().collect();
        let pipeline = pipeline.stdin(Redirect::bytes(vec![0; 300_000]));
        for error in [
            within(SOON, || pipeline.output().unwrap_err()),
            within(SOON, || pipeline.spawn().unwrap_err()),
            within(SOON, || pipeline.lines().unwrap_err()),
        ] {
            assert_eq!((error.kind(), error.stage()), (ErrorKind::ProgramNotFound, Some(2)));
            assert_childless();
        }
    });
}

/// A death of SIGPIPE counts for nothing where the next stage, or this library, stopped reading; it counts for the last stage on its
/// own, under `Strict`, and a code 141 counts unless it is declared to be one.
#[test]
fn a_sigpipe_is_forgiven_where_a_reader_stopped_and_nowhere_else() {
    isolated(|| {
        let pipe_signal = || role("signal").arg(libc::SIGPIPE.to_string());
        assert!((pipe_signal() | role("cat")).output().unwrap().status.success());
        assert_eq!(pipe_signal().output().unwrap_err().status().unwrap().signal(), Some(libc::SIGPIPE));
        assert!((role("cat") | pipe_signal()).output().is_err());
        assert!((pipe_signal() | role("cat")).status_policy(StatusPolicy::Strict).output().is_err());
        let code = || role("exit").arg("141");
        assert!((code() | role("cat")).output().is_err());
        assert!((code().sigpipe_codes(true) | role("cat")).output().is_ok());
        // Both a stopped upstream and a real failure further left: the failure counts.
        let error = (role("exit").arg("3") | role("yes") | role("exit").arg("0")).output().unwrap_err();
        assert_eq!((error.stage(), error.status().unwrap().code()), (Some(0), Some(3)));
    });
}

/// After many runs of every kind, good ones and failing ones, each descriptor is what it was.
#[test]
fn many_runs_leave_every_descriptor_as_it_was() {
    isolated(|| {
        let before = open_fds();
        for round in 0..count(40, 1_000) {
            let good = (role("cat") | role("upper")).stdin(Redirect::bytes("x"));
            let results = [
                good.output().map(drop),
                good.run().map(drop),
                good.clone().stdout(Redirect::null()).timeout(SOON).status().map(drop),
                good.lines().map(|mut lines| drop(lines.next())),
                good.spawn().map(drop),
                role("exit").arg("1").output().map(drop),
                (role("cat") | cmd!("/no/such/program")).output().map(drop),
                role("cat").stdin(Redirect::file("/no/such/file")).run().map(drop),
            ];
            assert_eq!(results.map(|result| result.is_ok()), [true, true, true, true, true, false, false, false]);
            // The thread behind a dropped job may take a moment; the end check waits for it.
            if round % 10 == 9 {
                progress();
            }
        }
        assert!(open_fds().len() <= before.len() + 32, "{:?}", open_fds());
    });
}

/// A program file at `path`.
fn write_program(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Threads that each write a program and run it at once: no ETXTBSY reaches a caller, no output is another's, no pipe stays open elsewhere.
#[test]
fn threads_that_write_and_run_programs_do_not_disturb_each_other() {
    isolated(|| {
        let dir = tempfile::tempdir().unwrap();
        thread::scope(|scope| {
            for writer in 0..4 {
                let path = dir.path().join(format!("program-{writer}"));
                scope.spawn(move || {
                    for round in 0..count(15, 250) {
                        write_program(&path, &format!("#!/bin/sh\necho {writer} {round}\n"));
                        let said = (Cmd::new(&path) | role("cat")).read().unwrap();
                        assert_eq!(said, format!("{writer} {round}"));
                        fs::remove_file(&path).unwrap();
                        progress();
                    }
                });
            }
        });
    });
}

/// Signals that interrupt system calls, one after the other without a pause, change nothing in a run.
#[test]
fn a_storm_of_signals_interrupts_nothing() {
    extern "C" fn caught(_: libc::c_int) {}
    isolated(|| {
        // Without SA_RESTART: a blocked system call comes back with EINTR.
        let action = SigAction::new(SigHandler::Handler(caught), SaFlags::empty(), SigSet::empty());
        // SAFETY: the handler does nothing.
        let old = unsafe { sigaction(Signal::SIGUSR1, &action) }.unwrap();
        // A pointer with musl, a number with glibc.
        // SAFETY: takes nothing.
        let target = unsafe { libc::pthread_self() } as usize;
        let over = AtomicBool::new(false);
        let over = &over;
        thread::scope(|scope| {
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    // SAFETY: that thread outlives this scope.
                    unsafe { libc::pthread_kill(target as libc::pthread_t, libc::SIGUSR1) };
                    thread::yield_now();
                }
            });
            let input: Vec<u8> = (0..300_000_u32).map(|n| n as u8).collect();
            let bytes = Redirect::bytes(input.clone());
            let cats = (role("cat") | role("fill-stderr").arg("300000")).stdin(bytes);
            let mut results = Vec::new();
            for _ in 0..count(5, 200) {
                let output = cats.output();
                let job = cats.clone().stdout(Redirect::capture()).spawn().and_then(|job| job.output());
                let mut read = Vec::new();
                let copied =
                    cats.reader().map_err(io::Error::from).and_then(|mut reader| reader.read_to_end(&mut read));
                results.push((output, job, copied, read));
                progress();
            }
            over.store(true, Ordering::Relaxed);
            for (output, job, copied, read) in results {
                assert!(output.unwrap().stdout == input && job.unwrap().stdout == input);
                assert!(copied.unwrap() == input.len() && read == input);
            }
        });
        // SAFETY: puts back what was.
        unsafe { sigaction(Signal::SIGUSR1, &old) }.unwrap();
    });
}

/// An executable file that is neither a binary nor has a `#!` line is an error that says so; a shell would have run it.
#[test]
fn a_file_without_a_shebang_is_an_error_and_no_shell_runs_it() {
    isolated(|| {
        let dir = tempfile::tempdir().unwrap();
        let (plain, script, orphan) = (dir.path().join("plain"), dir.path().join("script"), dir.path().join("orphan"));
        write_program(&plain, "echo a shell ran it\n");
        write_program(&script, "#!/bin/sh\necho ran\n");
        write_program(&orphan, "#!/no/such/interpreter\n");
        for program in [Cmd::new(&plain), Cmd::new("plain").env("PATH", dir.path())] {
            let error = program.output().unwrap_err();
            assert_eq!((error.kind(), error.raw_os_error()), (ErrorKind::NoShebang, Some(libc::ENOEXEC)));
        }
        assert_eq!(Cmd::new(&script).read().unwrap(), "ran");
        let error = Cmd::new(&orphan).read().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InterpreterNotFound);
        assert!(error.to_string().contains("/no/such/interpreter"), "{error}");
    });
}

/// A line callback that errs closes its stream and ends the run with its own error, by every way of calling it; one that panics takes nobody
/// along but itself.
#[test]
fn a_callback_that_errs_ends_the_run_with_its_error() {
    isolated(|| {
        let stop = |_: &[u8]| Err::<(), _>(io::Error::other("had enough"));
        let yes = || role("yes") | role("cat");
        for error in [
            within(SOON, || yes().for_each_line(stop).unwrap_err()),
            within(SOON, || yes().stdout(Redirect::each_line(stop)).run().unwrap_err()),
            within(SOON, || yes().stdout(Redirect::each_line(stop)).spawn().unwrap().wait().unwrap_err()),
            within(SOON, || role("yes").stdout_to_stderr().stderr(Redirect::each_line(stop)).run().unwrap_err()),
        ] {
            assert_eq!(error.kind(), ErrorKind::Callback);
            assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "had enough");
            assert_childless();
        }
        let panics = |_: &[u8]| -> () { panic!("a callback's own") };
        let error = within(SOON, || yes().stdout(Redirect::each_line(panics)).spawn().unwrap().wait().unwrap_err());
        assert_eq!(error.kind(), ErrorKind::Panic);
        assert!(error.to_string().contains("a callback's own"), "{error}");
        assert_childless();
    });
}

/// A writer that fails or panics, and a reader that does: an error of its kind with its source; nobody hangs, nothing is left.
#[test]
fn a_writer_or_reader_that_fails_or_panics_is_an_error() {
    struct Broken(bool);
    impl Broken {
        fn fail(&self) -> io::Result<usize> {
            if self.0 { panic!("broken on purpose") } else { Err(io::Error::other("broken on purpose")) }
        }
    }
    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            self.fail()
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            self.fail()
        }
    }
    isolated(|| {
        for (panics, kind) in [(false, ErrorKind::Io), (true, ErrorKind::Panic)] {
            for error in [
                within(SOON, || role("yes").stdout(Redirect::to_writer(Broken(panics))).run().unwrap_err()),
                within(SOON, || {
                    role("yes").stdout(Redirect::tee([Redirect::to_writer(Broken(panics))])).run().unwrap_err()
                }),
                within(SOON, || role("cat").stdin(Redirect::from_reader(Broken(panics))).output().unwrap_err()),
                within(SOON, || {
                    role("yes").stderr_to_stdout().stdin(Redirect::from_reader(Broken(panics))).output().unwrap_err()
                }),
            ] {
                assert_eq!(error.kind(), kind, "{error}");
                assert!(error.to_string().contains("broken on purpose"), "{error}");
                assert_childless();
            }
        }
    });
}
