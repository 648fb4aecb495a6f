//! What the suites of duct's relatives check (shared_child, os_pipe, sigchld, wait-timeout), and what none of them covers.
//!
//! | behaviour | test |
//! |---|---|
//! | shared_child: wait after an exit out of band | `a_status_that_the_handle_learns_late_is_the_same` |
//! | zero timeout on an exited child | `a_zero_timeout_sees_an_exit_that_was` |
//! | a timeout beside a blocked waiter | `a_wait_with_a_limit_keeps_it_beside_one_without` |
//! | ten waiters and a kill | `ten_waiters_and_a_kill_agree` |
//! | waiting twice | `ten_waiters_and_a_kill_agree` |
//! | take_std* once | `an_end_is_taken_once` |
//! | race soak of wait and try_wait | `waits_and_looks_from_many_threads_agree` |
//! | into_inner, new() on a given child | not offered: a job starts what it holds |
//! | os_pipe: small, empty, 1 MB across threads | `a_pipe_carries_nothing_little_and_much` |
//! | IO by shared reference; clones | `pipe_ends_work_shared_and_cloned` |
//! | close-on-exec of ends and of clones | `pipe_ends_and_their_clones_stay_out_of_children` |
//! | dup of the parent's streams leaves the originals; swap | `inherited_streams_stay_open_here` |
//! | sigchld, wait-timeout: handlers, their removal | not needed: no handler is installed (`no_signal_handler_is_installed_for_waiting`) |
//! | nobody: descriptor count before and after | the end check of every test; `stages_hold_0_1_and_2` for the children's |
//! | nobody: closed standard streams of the parent | `a_pipeline_works_with_0_1_and_2_closed` |
//! | nobody: SIGCHLD ignored | `an_ignored_sigchld_gives_the_status_or_says_stolen` |
//! | nobody: `lines()` on failure | `lines_of_a_failing_command_end_once_with_the_error` |
//! | nobody: a thread that cannot be started | `a_thread_that_cannot_start_is_an_error_and_leaves_no_child` |
//! | nobody: EMFILE midway in a pipeline | `descriptors_that_run_out_midway_are_an_error_and_leave_no_child` |
//! | nobody: status by stage | `every_stage_keeps_its_status` |
//! | nobody: cap on memory | `a_limit_caps_what_is_kept_of_endless_output` |
//! | nobody: argv[0] kept | `argv0_is_the_program_as_it_was_given` |
//! | nobody: spawn time independent of memory | a measurement, not a test: no clone without shared memory, by system-call trace |

use std::io::{Read, Write};
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{SigHandler, Signal, signal};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;
use pipewright::{Cmd, ErrorKind, Limit, Redirect, Status, Step, pipe};

use crate::harness::*;
use crate::support::{assert_childless, role, within};

/// A child that has exited and that nobody has waited for.
fn wait_for_zombie(pid: u32) {
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
    waitid(Id::Pid(Pid::from_raw(pid as i32)), flags).expect("it is our child");
}

/// shared_child: the status of a child that ended long before anybody asked.
#[test]
fn a_status_that_the_handle_learns_late_is_the_same() {
    isolated(|| {
        let job = role("exit").arg("9").spawn().unwrap();
        job.processes()[0].wait_timeout(Duration::from_secs(60)).unwrap();
        assert_eq!(job.wait().unwrap().code(), Some(9));
        assert_eq!(job.try_wait().unwrap().unwrap().code(), Some(9));
    });
}

/// shared_child: a look without any waiting sees an exit that was.
#[test]
fn a_zero_timeout_sees_an_exit_that_was() {
    isolated(|| {
        for by_job in [false, true] {
            let job = role("exit").arg("1").spawn().unwrap();
            let pid = job.pids()[0];
            match std::env::var_os("PIPEWRIGHT_ENGINE").is_some_and(|engine| engine == "portable") {
                // A thread of the library's reaps it; that it did is all there is to see.
                true => drop(job.processes()[0].wait().unwrap()),
                false => wait_for_zombie(pid),
            }
            let status = match by_job {
                true => job.wait_timeout(Duration::ZERO).unwrap(),
                false => job.processes()[0].wait_timeout(Duration::ZERO).unwrap(),
            };
            assert_eq!(status.unwrap().code(), Some(1));
        }
    });
}

/// shared_child: a waiter with a limit comes back at it, while one without waits on; both on the job and on the process.
#[test]
fn a_wait_with_a_limit_keeps_it_beside_one_without() {
    isolated(|| {
        let job = role("hang").stdout(Redirect::null()).spawn().unwrap();
        let limit = Duration::from_millis(20);
        thread::scope(|scope| {
            let waiter = scope.spawn(|| job.wait().unwrap());
            let other = scope.spawn(|| job.processes()[0].wait().unwrap());
            for _ in 0..3 {
                assert_eq!(within(Duration::from_secs(5), || job.wait_timeout(limit).unwrap()), None);
                assert_eq!(within(Duration::from_secs(5), || job.processes()[0].wait_timeout(limit).unwrap()), None);
            }
            job.kill().unwrap();
            assert_eq!(waiter.join().unwrap(), other.join().unwrap());
        });
    });
}

/// shared_child: ten waiters and a kill: all get the one status, then and later.
#[test]
fn ten_waiters_and_a_kill_agree() {
    isolated(|| {
        let job = role("hang").stdout(Redirect::null()).spawn().unwrap();
        let killed = |status: Status| assert_eq!(status.signal(), Some(libc::SIGKILL));
        thread::scope(|scope| {
            for waiter in 0..10 {
                let job = &job;
                match waiter % 2 {
                    0 => scope.spawn(move || killed(job.wait().unwrap())),
                    _ => scope.spawn(move || killed(job.processes()[0].wait().unwrap())),
                };
            }
            job.kill().unwrap();
        });
        killed(job.wait().unwrap());
        killed(job.wait().unwrap());
    });
}

/// shared_child: our ends of piped streams can be taken once.
#[test]
fn an_end_is_taken_once() {
    isolated(|| {
        let piped = role("cat").stdin(Redirect::piped()).stdout(Redirect::piped()).stderr(Redirect::piped());
        let job = piped.spawn().unwrap();
        assert!(job.take_stdin().is_some() && job.take_stdin().is_none());
        assert!(job.take_stdout().is_some() && job.take_stdout().is_none());
        assert!(job.take_stderr().is_some() && job.take_stderr().is_none());
        assert!(job.wait().unwrap().success());
        let unpiped = role("exit").arg("0").spawn().unwrap();
        assert!(unpiped.take_stdin().is_none() && unpiped.take_stdout().is_none() && unpiped.take_stderr().is_none());
    });
}

/// shared_child: waits and looks of many threads at once, over and over: each gets the one status, none hangs. The stdout that
/// nobody took is drained whoever waits, never closed on its writer.
#[test]
fn waits_and_looks_from_many_threads_agree() {
    isolated(|| {
        for _ in 0..count(30, 1_000) {
            let job = role("blocks").arg("300000").stdout(Redirect::piped()).spawn().unwrap();
            let start = Barrier::new(3);
            thread::scope(|scope| {
                scope.spawn(|| {
                    start.wait();
                    while job.try_wait().unwrap().is_none() {
                        thread::yield_now();
                    }
                });
                scope.spawn(|| {
                    start.wait();
                    while job.wait_timeout(Duration::from_micros(50)).unwrap().is_none() {}
                });
                start.wait();
                let status = job.wait().unwrap();
                assert!(status.success(), "{status}");
            });
            progress();
        }
    });
}

/// os_pipe: nothing, little, and more than a pipe holds, across threads.
#[test]
fn a_pipe_carries_nothing_little_and_much() {
    isolated(|| {
        for size in [0, 3, 1_000_000] {
            let (mut reader, mut writer) = pipe::kernel().unwrap();
            let sent: Vec<u8> = (0..size).map(|n| n as u8).collect();
            let copy = sent.clone();
            let sender = thread::spawn(move || writer.write_all(&copy).unwrap());
            let mut received = Vec::new();
            reader.read_to_end(&mut received).unwrap();
            sender.join().unwrap();
            assert!(received == sent, "{size} bytes");
        }
    });
}

/// os_pipe: ends work by shared reference, clones are the same end, and the reader's end comes with the last writer's.
#[test]
fn pipe_ends_work_shared_and_cloned() {
    isolated(|| {
        let (reader, writer) = pipe::kernel().unwrap();
        let second = writer.try_clone().unwrap();
        (&writer).write_all(b"one ").unwrap();
        drop(writer);
        (&second).write_all(b"two").unwrap();
        drop(second);
        let other = reader.try_clone().unwrap();
        let mut text = [0; 4];
        (&reader).read_exact(&mut text).unwrap();
        drop(reader);
        let mut rest = String::new();
        (&other).read_to_string(&mut rest).unwrap();
        assert_eq!((&text, rest.as_str()), (b"one ", "two"));
    });
}

/// os_pipe: ends and clones are close-on-exec: even std's `Command`, which closes nothing, does not pass them on.
#[test]
fn pipe_ends_and_their_clones_stay_out_of_children() {
    isolated(|| {
        let ends = pipe::kernel().unwrap();
        let _clones = (ends.0.try_clone().unwrap(), ends.1.try_clone().unwrap());
        let out = std::process::Command::new(fixture()).arg("count-fds").output().unwrap();
        assert_eq!(out.stdout, b"0\n1\n2\n");
    });
}

/// os_pipe: a child that got our own streams, also exchanged, leaves them open here and what they were.
#[test]
fn inherited_streams_stay_open_here() {
    isolated(|| {
        let own = || -> Vec<_> { open_fds().into_iter().filter(|(fd, _)| *fd <= 2).collect() };
        let before = own();
        role("exit").arg("0").run().unwrap();
        role("exit").arg("0").swap_stdout_stderr().run().unwrap();
        role("exit").arg("0").stdin(Redirect::inherit()).stdout_to_stderr().run().unwrap();
        assert_eq!(own(), before);
    });
}

/// sigchld, wait-timeout: waiting with a limit touches no disposition; SIGCHLD least of all.
#[test]
fn no_signal_handler_is_installed_for_waiting() {
    isolated(|| {
        let before = role("signals").inherit_signals(true).read().unwrap();
        let job = role("hang").stdout(Redirect::null()).spawn().unwrap();
        assert_eq!(job.wait_timeout(Duration::from_millis(1)).unwrap(), None);
        // SAFETY: the default action, which is what there is.
        let old = unsafe { signal(Signal::SIGCHLD, SigHandler::SigDfl) }.unwrap();
        assert!(matches!(old, SigHandler::SigDfl), "{old:?}");
        assert_eq!(role("signals").inherit_signals(true).read().unwrap(), before);
    });
}

/// Every stage of a pipeline has 0, 1 and 2 open and nothing else, beside an inheritable fd 7.
#[test]
fn stages_hold_0_1_and_2() {
    isolated(|| {
        let _fd = hostile_fd();
        let stage = || Cmd::sh("\"$1\" count-fds >&2; exec \"$1\" cat").args(["sh", fixture()]);
        let out = (stage() | stage() | stage()).stdin(Redirect::bytes("x")).output().unwrap();
        assert_eq!(out.stderr_str().unwrap().replace("0\n1\n2\n", "."), "...", "{}", out.stderr_lossy());
    });
}

/// With 0, 1 and 2 closed here, pipes between stages and captures still lead where they should.
#[test]
fn a_pipeline_works_with_0_1_and_2_closed() {
    isolated(|| {
        let (out, upper) = with_closed(&[0, 1, 2], || {
            let out = (role("out-err").arg("1") | role("cat")).output();
            (out, (role("cat") | role("upper")).stdin(Redirect::bytes("up")).read())
        });
        let out = out.unwrap();
        assert_eq!((out.stdout.to_str(), out.stderr.to_str()), (Ok("out 0\n"), Ok("err 0\n")));
        assert_eq!(upper.unwrap(), "UP");
    });
}

/// With SIGCHLD ignored in this process, the status is right or the error says that it was stolen; nothing hangs.
#[test]
fn an_ignored_sigchld_gives_the_status_or_says_stolen() {
    isolated(|| {
        // SAFETY: an ignored signal runs no code.
        let old = unsafe { signal(Signal::SIGCHLD, SigHandler::SigIgn) }.unwrap();
        let result = (role("echo").arg("text") | role("exit").arg("3")).output();
        let lines: Vec<_> = role("lines").arg("2").lines().unwrap().collect();
        // SAFETY: puts back what was.
        unsafe { signal(Signal::SIGCHLD, old) }.unwrap();
        let error = result.unwrap_err();
        match error.kind() {
            ErrorKind::Status => assert_eq!(error.status().unwrap().code(), Some(3)),
            kind => assert_eq!(kind, ErrorKind::StatusStolen),
        }
        assert_eq!((lines[0].as_deref().unwrap(), lines[1].as_deref().unwrap()), ("line 0", "line 1"));
        assert!(lines[2..].iter().all(|last| last.as_ref().unwrap_err().kind() == ErrorKind::StatusStolen));
    });
}

/// The iterator over lines ends once: the lines, the error, then nothing for ever.
#[test]
fn lines_of_a_failing_command_end_once_with_the_error() {
    isolated(|| {
        let mut lines = Cmd::sh("echo one; echo two; exit 4").lines().unwrap();
        assert_eq!(lines.next().unwrap().unwrap(), "one");
        assert_eq!(lines.next().unwrap().unwrap(), "two");
        let error = lines.next().unwrap().unwrap_err();
        assert_eq!((error.kind(), error.status().unwrap().code()), (ErrorKind::Status, Some(4)));
        assert!(lines.next().is_none() && lines.next().is_none());
    });
}

/// A helper thread that cannot be started is an error that names the step; the child it was for is gone.
#[test]
fn a_thread_that_cannot_start_is_an_error_and_leaves_no_child() {
    isolated(|| {
        // The stack that children start on is made now, while there is room.
        role("exit").arg("0").run().unwrap();
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let size = status.lines().find_map(|line| line.strip_prefix("VmSize:")).unwrap();
        let kib: u64 = size.trim().trim_end_matches(" kB").parse().unwrap();
        let (soft, hard) = getrlimit(Resource::RLIMIT_AS).unwrap();
        // Too little for a thread's stack of 2 MiB.
        setrlimit(Resource::RLIMIT_AS, (kib + 1024) * 1024, hard).unwrap();
        // With the old limit: the child, too, has to live.
        let limit = |cmd: Cmd| cmd.rlimit(pipewright::Resource::AddressSpace, soft, hard);
        let captured = limit(role("hang").stdout(Redirect::capture())).spawn();
        let fed = limit(role("hang").stdin(Redirect::from_reader(std::io::empty()))).output();
        setrlimit(Resource::RLIMIT_AS, soft, hard).unwrap();
        for error in [captured.unwrap_err(), fed.unwrap_err()] {
            assert_eq!((error.kind(), error.step()), (ErrorKind::Spawn, Some(Step::Thread)), "{error}");
        }
        assert_childless();
    });
}

/// Descriptors that run out anywhere on the way to a pipeline of three: an error that names a step, and no child left.
#[test]
fn descriptors_that_run_out_midway_are_an_error_and_leave_no_child() {
    isolated(|| {
        let pipeline = role("cat") | role("cat") | role("hang");
        let mut failures = 0;
        for spare in 0..8 {
            let Err(error) = spare_fds(spare, || pipeline.output()).map(drop) else { unreachable!("it hangs") };
            assert!(error.step().is_some(), "{error}");
            assert_eq!(error.raw_os_error(), Some(libc::EMFILE), "{error}");
            assert_childless();
            failures += 1;
            if error.stage() == Some(2) {
                break;
            }
        }
        assert!(failures > 2, "the shortage came at {failures} places");
    });
}

/// Every stage keeps its own status, by position, whatever the run's is.
#[test]
fn every_stage_keeps_its_status() {
    isolated(|| {
        let stages = role("exit").arg("1") | role("signal").arg("15") | role("exit").arg("0") | role("exit").arg("4");
        let out = stages.unchecked().output().unwrap();
        let codes: Vec<_> = out.stages.iter().map(|stage| (stage.status.code(), stage.status.signal())).collect();
        assert_eq!(codes, [(Some(1), None), (None, Some(15)), (Some(0), None), (Some(4), None)]);
        assert_eq!(out.status.code(), Some(4));
    });
}

/// A limit caps what is kept of output without end, and ends it; a limit that is to fail does.
#[test]
fn a_limit_caps_what_is_kept_of_endless_output() {
    isolated(|| {
        let out = role("yes").stdout_limit(Limit::Head(10)).output().unwrap();
        assert_eq!(out.stdout, "y\ny\ny\ny\ny\n");
        assert!(out.stdout.omitted() > 0);
        let error = role("yes").stdout_limit(Limit::Fail(10)).output().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LimitExceeded);
        assert_eq!(error.output().unwrap().stdout.len(), 10);
    });
}

/// argv[0] is the program as it was given, with and without a working directory or a search.
#[test]
fn argv0_is_the_program_as_it_was_given() {
    isolated(|| {
        let dir = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(fixture(), dir.path().join("tool")).unwrap();
        assert_eq!(role("arg0").read().unwrap(), fixture());
        assert_eq!(role("arg0").current_dir("/").read().unwrap(), fixture());
        assert_eq!(Cmd::new("./tool").arg("arg0").current_dir(dir.path()).read().unwrap(), "./tool");
        assert_eq!(Cmd::new("tool").arg("arg0").env("PATH", dir.path()).read().unwrap(), "tool");
    });
}
