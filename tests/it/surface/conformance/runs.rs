//! Runs, jobs and pipelines.

use std::sync::atomic::Ordering;

use nix::sys::resource::Resource;
use nix::sys::signal::signal;

use crate::prelude::*;

/// Far less than a blocked call would take, far more than a busy machine needs.
const SOON: Duration = Duration::from_secs(6);

/// Notes its number on stderr and passes its stdin on with a mark.
fn mark(number: u32) -> Cmd {
    Cmd::sh("echo \"$1\" >&2; read line; echo \"$line$1\"").args(["sh".to_string(), number.to_string()])
}

/// The operator, the method and an iterator make the same pipeline; pipelines nest, and keep what was set on them. (subprocess drops it.)
#[test]
fn operator_method_and_iterator_make_the_same_pipeline() {
    isolated(|| {
        let input = || Redirect::bytes("x\n");
        let operator = mark(1) | mark(2) | mark(3);
        let nested = mark(1) | (mark(2) | mark(3));
        let method = mark(1).pipe(mark(2)).pipe(mark(3));
        let collected: Pipeline = (1..4).map(mark).collect();
        for pipeline in [operator, nested, method, collected] {
            assert_eq!(pipeline.to_string(), (mark(1) | mark(2) | mark(3)).to_string());
            let out = pipeline.stdin(input()).output().unwrap();
            assert_eq!((out.stdout.to_str(), out.stages.len()), (Ok("x123\n"), 3));
        }
        let one: Pipeline = [role("upper")].into_iter().collect();
        assert_eq!(one.stdin(input()).read().unwrap(), "X");
        let many: Pipeline = (0..20).map(|_| role("cat")).collect();
        assert_eq!(many.stdin(input()).read().unwrap(), "x");

        let quiet = (mark(1) | mark(2)).stdin(input()).stderr(Redirect::null());
        let out = (quiet | (mark(3) | mark(4))).output().unwrap();
        assert_eq!(out.stdout, "x1234\n");
        let mut said: Vec<&str> = out.stderr_str().unwrap().lines().collect();
        said.sort_unstable();
        assert_eq!(said, ["3", "4"]);
    });
}

fn empty() -> Pipeline {
    std::iter::empty::<Cmd>().collect()
}

/// An empty pipeline starts, is over with status 0, can be signalled, ended and detached; it has no pids.
#[test]
fn an_empty_pipeline_is_a_job_that_succeeded() {
    isolated(|| {
        let job = empty().spawn().unwrap();
        assert!(job.try_wait().unwrap().unwrap().success());
        assert!(job.wait().unwrap().success());
        assert!(job.wait_timeout(Duration::ZERO).unwrap().unwrap().success());
        job.terminate().unwrap();
        assert_eq!(job.kill().unwrap().signalled, [0; 0]);
        job.shutdown(Duration::ZERO).unwrap();
        assert!(job.pids().is_empty() && job.processes().is_empty());
        assert!(job.take_stdin().is_none() && job.take_stdout().is_none());
        let out = job.output().unwrap();
        assert!(out.status.success() && out.stages.is_empty());
        empty().spawn().unwrap().detach();
        drop(empty().spawn().unwrap());
        assert_eq!((empty() | empty()).timeout(SOON).to_string(), "");
        // Beside stages, it adds none.
        assert_eq!((empty() | role("upper") | empty()).stdin(Redirect::bytes("x")).read().unwrap(), "X");
    });
}

/// stderr of all stages: into one capture, one file, or stdout; what a stage said of its own stays. (subprocess captures that, too.)
#[test]
fn stderr_of_all_stages_goes_to_one_place() {
    isolated(|| {
        let sorted = |text: &[u8]| {
            let text = String::from_utf8(text.to_vec()).unwrap();
            let mut lines: Vec<String> = text.lines().map(String::from).collect();
            lines.sort();
            lines
        };
        let three = || (mark(1) | mark(2) | mark(3)).stdin(Redirect::bytes("x\n"));
        let out = three().output().unwrap();
        assert_eq!(
            (out.stdout.to_str(), sorted(&out.stderr)),
            (Ok("x123\n"), vec!["1".into(), "2".into(), "3".into()])
        );
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("noise");
        let out = three().stderr(Redirect::file(&path)).output().unwrap();
        assert!(!out.stderr.is_captured());
        assert_eq!(sorted(&fs::read(path).unwrap()), ["1", "2", "3"]);
        // Into stdout: each stage's noise is the next one's input, or, from the last, the run's output.
        let merged = (role("say").args(["2", "noise "]) | role("fill-stderr").arg("2")).stderr_to_stdout();
        assert_eq!(merged.read().unwrap(), "eenoise ");
        for (own, passed) in [
            (role("out-err").arg("1").stderr_to_stdout(), "out 0\nerr 0\n"),
            (role("out-err").arg("1").stderr(Redirect::null()), "out 0\n"),
        ] {
            let out = (own | role("fill-stderr").arg("3")).output().unwrap();
            assert_eq!((out.stdout.to_str(), out.stderr.to_str()), (Ok(passed), Ok("eee")));
        }
    });
}

/// stdin may be set on the first stage and stdout on the last; the pipeline's later word replaces it. (subprocess refuses both.)
#[test]
fn ends_may_be_set_on_the_stages_and_the_pipelines_word_counts() {
    isolated(|| {
        let first = || role("cat").stdin(Redirect::bytes("stage"));
        assert_eq!((first() | role("upper")).read().unwrap(), "STAGE");
        assert_eq!((first() | role("upper")).stdin(Redirect::bytes("pipeline")).read().unwrap(), "PIPELINE");
        let out = (first() | role("upper").stdout(Redirect::null())).output().unwrap();
        assert!(!out.stdout.is_captured());
    });
}

/// Of two calls that set the same thing, the last one counts; a descriptor that was replaced is not used up.
#[test]
fn of_two_calls_the_last_counts() {
    isolated(|| {
        assert_eq!(role("cwd").current_dir("/dev").current_dir("/").read().unwrap(), "/");
        let (_, writer) = pipe::kernel().unwrap();
        let given = Redirect::fd(writer);
        let cmd = role("cat").stdin(Redirect::bytes("1")).stdin(Redirect::bytes("2")).stdout(given.clone());
        assert_eq!(cmd.stdout(Redirect::capture()).run().unwrap().stdout, "2");
        assert!(role("exit").arg("0").stdout(given).run().is_ok());
    });
}

/// `read` cuts one newline, the last, and nothing else.
#[test]
fn read_cuts_one_newline() {
    isolated(|| {
        for (said, read) in [("a\n\n", "a\n"), ("a\r\n", "a\r"), ("a \n", "a "), ("\n", ""), ("a", "a"), ("\na", "\na")]
        {
            assert_eq!(role("say").args(["1", said]).read().unwrap(), read);
            assert_eq!(role("say").args(["1", said]).read_bytes().unwrap(), said.as_bytes());
        }
    });
}

/// The job of a reader runs while its child is blocked on a full pipe, has one pid for each stage, and was waited for at the end.
#[test]
fn a_reader_has_its_job_until_its_end() {
    isolated(|| {
        let mut reader = (role("cat") | (role("cat") | role("blocks").arg("1000000"))).reader().unwrap();
        let job = reader.job().unwrap();
        assert_eq!((job.pids().len(), job.try_wait().unwrap()), (3, None));
        assert_eq!(io::copy(&mut reader, &mut io::sink()).unwrap(), 1_000_000);
        assert!(reader.job().is_none());
        assert_childless();
        let job = role("ids").stdout(Redirect::piped()).spawn().unwrap();
        let ids = read_line(job.take_stdout().unwrap());
        assert_eq!(job.pids(), [ids.split(' ').next().unwrap().parse::<u32>().unwrap()]);
        job.wait().unwrap();
        assert_eq!(job.pids(), [job.processes()[0].pid()], "also after the end");
    });
}

/// A reader gives no more than it is asked for; asked for nothing it gives nothing, and that is no end.
#[test]
fn a_reader_gives_as_much_as_it_is_asked_for() {
    isolated(|| {
        let mut reader = role("say").args(["1", "hello"]).reader().unwrap();
        let mut buffer = [0; 2];
        let mut sizes = Vec::new();
        for _ in 0..4 {
            assert_eq!(reader.read(&mut []).unwrap(), 0);
            sizes.push(reader.read(&mut buffer).unwrap());
        }
        assert_eq!(sizes, [2, 2, 1, 0]);
        let mut reader = role("blocks").arg("40000").reader().unwrap();
        let mut all = Vec::new();
        for size in [100, 1_000, 10_000, 8_900] {
            let mut part = vec![0; size];
            reader.read_exact(&mut part).unwrap();
            all.extend(part);
        }
        assert_eq!(reader.read_to_end(&mut all).unwrap(), 20_000);
        assert!(all == role("blocks").arg("40000").read_bytes().unwrap());
    });
}

/// A wait with no time sees an exit that was; a status that the handle learns late is the same.
#[test]
fn an_exit_that_was_is_seen_without_time_and_late() {
    isolated(|| {
        for by_job in [false, true] {
            let job = role("exit").arg("1").spawn().unwrap();
            if is_portable() {
                // A thread of the library's reaps it; that it did is all there is to see.
                job.processes()[0].wait().unwrap();
            } else {
                let child = Id::Pid(Pid::from_raw(job.pids()[0] as i32));
                waitid(child, WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT).expect("it is our child");
            }
            let status = match by_job {
                true => job.wait_timeout(Duration::ZERO).unwrap(),
                false => job.processes()[0].wait_timeout(Duration::ZERO).unwrap(),
            };
            assert_eq!(status.unwrap().code(), Some(1));
            assert_eq!(job.wait().unwrap().code(), Some(1));
            assert_eq!(job.try_wait().unwrap().unwrap().code(), Some(1));
        }
    });
}

/// A kill between the exit and the wait is no error, and the status is the exit's.
#[test]
fn a_kill_between_the_exit_and_the_wait_changes_nothing() {
    isolated(|| {
        let job = role("exit").arg("5").stdout(Redirect::piped()).spawn().unwrap();
        // The end of its output: it is exiting, and its status has not been collected.
        assert_eq!(read_line(job.take_stdout().unwrap()), "");
        assert_eq!(job.kill().unwrap().survivors, []);
        assert_eq!(job.wait().unwrap().code(), Some(5));
        assert_eq!(job.kill().unwrap().survivors, []);
    });
}

/// A signal reaches every stage, also from another thread, and also behind a stage that has ended.
#[test]
fn a_signal_reaches_every_stage_also_behind_one_that_has_ended() {
    isolated(|| {
        for signal in [libc::SIGUSR1, libc::SIGTERM, libc::SIGKILL, 40] {
            let stages = role("exit").arg("0") | role("hang") | role("hang");
            let job = stages.stdin(Redirect::null()).stdout(Redirect::null()).spawn().unwrap();
            job.processes()[0].wait().unwrap();
            thread::scope(|scope| {
                scope.spawn(|| job.send_signal(signal).unwrap());
            });
            assert_eq!(job.wait().unwrap().signal(), Some(signal));
            assert!(job.processes()[1..].iter().all(|process| process.wait().unwrap().signal() == Some(signal)));
        }
    });
}

/// Waiting for one job reaps its own child, also where both are of one group.
#[test]
fn a_wait_reaps_its_own_child_alone() {
    isolated(|| {
        let leader = role("hang").process_group(0).stdout(Redirect::null()).spawn().unwrap();
        let group = leader.pids()[0] as i32;
        let member = role("exit").arg("7").process_group(group).spawn().unwrap();
        leader.kill().unwrap();
        leader.wait().unwrap();
        assert_eq!(member.wait().unwrap().code(), Some(7));
    });
}

/// While a grandchild holds a captured stderr, or a stdin that is fed, the run is not over, and a wait keeps its limit; but the child's own
/// exit is known. (duct withholds the status.)
#[test]
fn a_grandchild_on_a_pipe_keeps_the_run_open_but_no_wait_from_its_limit() {
    isolated(|| {
        let hold = || role("fork-and-hold").arg("50000").stdout(Redirect::piped());
        let fed = hold().stdin(Redirect::bytes(vec![0; 1 << 20]));
        for cmd in [hold().stderr(Redirect::capture()), fed] {
            let job = cmd.spawn().unwrap();
            let grandchild = read_line(job.take_stdout().unwrap());
            assert!(job.processes()[0].wait().unwrap().success());
            assert_eq!(within(SOON, || job.wait_timeout(Duration::from_millis(50)).unwrap()), None);
            assert_eq!(job.try_wait().unwrap(), None);
            kill_stranger(&grandchild);
            assert!(job.wait().unwrap().success());
        }
    });
}

/// A grandchild that holds no stream of the run is not waited for.
#[test]
fn a_grandchild_on_no_pipe_of_the_run_is_not_waited_for() {
    isolated(|| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pid");
        let hold = role("fork-and-hold").arg("50000").stdout(Redirect::file(&path)).stderr(Redirect::null());
        for verb in [Cmd::run, Cmd::output] {
            within(SOON, || verb(&hold).unwrap());
            kill_stranger(&fs::read_to_string(&path).unwrap());
        }
    });
}

/// A child that closes its stdout early: the taken stream ends at once. (`reader` and `lines` check the exit at their end, so they wait for it.)
#[test]
fn the_end_of_a_taken_stream_is_seen_while_the_child_lives() {
    isolated(|| {
        let cmd = role("close-stdout-then-wait").stdin(Redirect::piped()).stdout(Redirect::piped());
        let job = cmd.stderr(Redirect::null()).spawn().unwrap();
        let stdin = job.take_stdin().unwrap();
        assert_eq!(job.take_stdout().unwrap().read(&mut [0]).unwrap(), 0);
        assert_eq!(job.try_wait().unwrap(), None);
        drop(stdin);
        assert!(job.wait().unwrap().success());
    });
}

/// A child that closes its stdin under more than a pipe holds, and lives on: no error, no timeout.
#[test]
fn a_closed_stdin_under_a_large_feed_is_no_error_and_no_timeout() {
    isolated(|| {
        let input = Redirect::bytes(vec![0; 1 << 20]);
        let job = role("close-stdin-hang").stdin(input).stdout(Redirect::piped()).spawn().unwrap();
        assert_eq!(read_line(job.take_stdout().unwrap()), "ready");
        assert_eq!(job.wait_timeout(Duration::from_millis(50)).unwrap(), None);
        job.kill().unwrap();
        assert_eq!(job.wait().unwrap().signal(), Some(libc::SIGKILL));
    });
}

/// A timeout is counted from the verb, each time anew.
#[test]
fn a_timeout_starts_with_the_verb() {
    isolated(|| {
        let timeout = Duration::from_millis(700);
        let cmd = role("sleep").arg("100").timeout(timeout);
        let start = Instant::now();
        while start.elapsed() < timeout {
            cmd.run().unwrap();
        }
        cmd.run().unwrap();
    });
}

/// Waiting with a limit changes no disposition, SIGCHLD's least of all.
#[test]
fn no_signal_handler_is_installed_for_waiting() {
    isolated(|| {
        let job = role("hang").stdout(Redirect::null()).spawn().unwrap();
        assert_eq!(job.wait_timeout(Duration::from_millis(1)).unwrap(), None);
        // SAFETY: the default action, which is what there is.
        let old = unsafe { signal(Signal::SIGCHLD, SigHandler::SigDfl) }.unwrap();
        assert!(matches!(old, SigHandler::SigDfl), "{old:?}");
    });
}

/// A helper thread that cannot be started is an error that names the step; the child it was for is gone.
#[test]
fn a_thread_that_cannot_start_is_an_error_and_leaves_no_child() {
    isolated(|| {
        // The stack that children start on is made now, while there is room.
        role("exit").arg("0").run().unwrap();
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let size = status.lines().find_map(|line| line.strip_prefix("VmSize:")).unwrap();
        let kib: u64 = size.trim().trim_end_matches(" kB").parse().unwrap();
        let (soft, hard) = getrlimit(Resource::RLIMIT_AS).unwrap();
        // Too little for a thread's stack of 2 MiB.
        setrlimit(Resource::RLIMIT_AS, ((kib + 1024) * 1024) as libc::rlim_t, hard).unwrap();
        // With the old limit: the child, too, has to live.
        let limit = |cmd: Cmd| cmd.rlimit(pipewright::Resource::AddressSpace, wide(soft), wide(hard));
        let captured = limit(role("hang").stdout(Redirect::capture())).spawn();
        let fed = limit(role("hang").stdin(Redirect::from_reader(io::empty()))).output();
        setrlimit(Resource::RLIMIT_AS, soft, hard).unwrap();
        for error in [captured.unwrap_err(), fed.unwrap_err()] {
            assert_eq!((error.kind(), error.step()), (ErrorKind::Spawn, Some(Step::Thread)), "{error}");
        }
        assert_childless();
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
            for _ in 0..count(3, 200) {
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
