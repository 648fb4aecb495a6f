//! What was measured to go wrong in other libraries, and must not here.
//!
//! | defect there | test |
//! |---|---|
//! | duct: the first of two calls counts | `of_two_calls_the_last_counts` |
//! | duct: a file that cannot be opened is not named | `a_redirection_that_cannot_be_opened_is_named` |
//! | duct: a given descriptor stays open as long as the builder | `duct::a_given_pipe_ends_with_the_run_though_the_builder_lives` |
//! | duct: `read` trims every newline | `read_cuts_one_newline` |
//! | duct: output that is no text is lost | `output_that_is_no_text_is_kept_in_the_error` |
//! | duct: errors without program, code or output; a left stage left running | `duct` |
//! | duct: a wait of `Duration::MAX` panics | `the_longest_wait_and_timeout_mean_for_ever` |
//! | duct: the exit is hidden while a grandchild holds a pipe | `duct_handles::a_grandchild_on_a_captured_stderr_…` |
//! | duct: a reader repeats its error, so `lines` never end | `subprocess_feeding::reads_after_the_end_…`, `duct_kin::lines_of_a_failing_…` |
//! | duct: the end of a stream is seen after the exit alone | `the_end_of_a_taken_stream_is_seen_while_the_child_lives` |
//! | duct: a dropped reader leaves a zombie | `a_dropped_reader_or_iterator_leaves_nothing` |
//! | duct: SIGCHLD ignored breaks `run`; a thread that fails to start panics | `duct_kin` |
//! | duct: `dir` changes argv[0]; env changes cost a fork | `duct_kin::argv0_…`; the fork: by system-call trace |
//! | subprocess 1: a timeout that waits for the child, output lost | `a_timeout_bounds_children_that_refuse_to_end` |
//! | subprocess 2: POLLERR alone taken for a timeout | `a_closed_stdin_under_a_large_feed_is_no_error_and_no_timeout` |
//! | subprocess 3: no timeout while data comes, or while a reader blocks | `a_timeout_holds_under_constant_data`, `a_timeout_holds_while_a_reader_blocks` |
//! | subprocess 4: a failing start with stderr pending hangs | `a_failing_start_does_not_wait_for_pending_output` |
//! | subprocess 5: a failing start waits for earlier stages | `duct::a_missing_right_program_leaves_no_left_one` |
//! | subprocess 6, assert_cmd, xshell: a grandchild on the pipe keeps capture and timeout | `a_grandchild_on_the_pipe_bounds_nothing` |
//! | subprocess: PATH of the parent; EACCES masked | `duct::a_single_component_…`; `a_forbidden_candidate_is_not_masked_by_missing_ones` |
//! | subprocess: environment as of the builder | `the_environment_is_read_at_the_start` |
//! | subprocess: ignored signals inherited | `an_ignored_signal_is_not_the_childs` (HUP, INT, QUIT are kept ignored, for nohup) |
//! | subprocess: a signal stops at the first refusal | `an_ended_stage_does_not_keep_a_signal_from_the_others` (root is refused nothing) |
//! | subprocess: `Pipeline \| Pipeline` drops settings; a stage's stderr ignored; a limit like an end | `subprocess_pipelines`, `subprocess_feeding` |
//! | cmd_lib: a middle stage's stderr blocks | `a_middle_stage_may_write_much_stderr` |
//! | cmd_lib: empty arguments dropped; wrong stage named; SIGPIPE a failure | `subprocess_spawn`, `duct` |
//! | xshell: `env_clear` without effect | `subprocess_spawn::a_cleared_environment_holds_what_was_set` |
//! | xshell: the deadline starts with the builder | `a_timeout_starts_with_the_verb` |
//! | process-wrap: one wait reaps another's child | `a_wait_reaps_its_own_child_alone` |
//! | assert_cmd, snapbox: unread stdin defeats the timeout | `a_timeout_holds_while_stdin_is_not_read` |
//! | cargo-util: stdin written before anything is read; insta-cmd: EPIPE panics | `subprocess_feeding::much_in_out_and_err_…`, `duct` |
//! | wait-timeout, std: a full pipe that nobody reads holds up the wait | `waiting_drains_what_nobody_took` |
//! | std, os_pipe: an end that is forgotten here keeps a child waiting | `waiting_closes_a_stdin_that_nobody_took` |
//! | gag and kin: capture of this process's own stdout | not in this part of the library |

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

use nix::sys::signal::{SigHandler, Signal, signal};
use pipewright::{Cmd, ErrorKind, Redirect, Stream, cmd, pipe};

use crate::harness::*;
use crate::support::{assert_childless, kill_stranger, role, timed_out_after, within};

/// Far less than what a blocked call would take, far more than a busy machine needs.
const SOON: Duration = Duration::from_secs(6);
const SHORT: Duration = Duration::from_millis(100);

/// Of two calls that set the same thing, the last one counts.
#[test]
fn of_two_calls_the_last_counts() {
    isolated(|| {
        assert_eq!(Cmd::sh("echo $A").env("A", "1").env("A", "2").read().unwrap(), "2");
        assert_eq!(role("cwd").current_dir("/dev").current_dir("/").read().unwrap(), "/");
        let out = role("echo").arg("x").stdout(Redirect::null()).stdout(Redirect::capture()).run().unwrap();
        assert_eq!(out.stdout, "x\n");
        let (_, writer) = pipe::kernel().unwrap();
        let refused = role("cat").stdin(Redirect::bytes("1")).stdin(Redirect::bytes("2")).stdout(Redirect::fd(writer));
        assert_eq!(refused.stdout(Redirect::capture()).run().unwrap().stdout, "2");
    });
}

/// A file that cannot be opened is named, with its stream and its stage, and nothing was started.
#[test]
fn a_redirection_that_cannot_be_opened_is_named() {
    isolated(|| {
        let path = "/no/such/directory/file";
        let table = [
            (role("hang") | role("cat").stdout(Redirect::file(path)), "stdout", 1),
            (role("cat").stdin(Redirect::file(path)) | role("hang"), "stdin", 0),
            (role("hang").stderr(Redirect::append(path)) | role("hang"), "stderr", 0),
        ];
        for (pipeline, stream, stage) in table {
            let error = pipeline.run().unwrap_err();
            assert_eq!((error.kind(), error.stage()), (ErrorKind::Redirect, Some(stage)));
            assert_eq!(error.raw_os_error(), Some(libc::ENOENT));
            let text = error.to_string();
            assert!(text.contains(path) && text.contains(stream), "{text}");
        }
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

/// Output that is no text is an error of `read` that holds the bytes; of `lines`, for that line.
#[test]
fn output_that_is_no_text_is_kept_in_the_error() {
    isolated(|| {
        let cat = role("cat").stdin(Redirect::bytes(b"one\n\xff\xfe\nthree\n"));
        let error = cat.read().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotUtf8);
        assert_eq!(error.output().unwrap().stdout, b"one\n\xff\xfe\nthree\n");
        let lines: Vec<_> = cat.lines().unwrap().map(|line| line.map_err(|error| error.kind())).collect();
        assert_eq!(lines, [Ok("one".into()), Err(ErrorKind::NotUtf8), Ok("three".into())]);
    });
}

/// The longest duration there is means for ever; it neither panics nor wraps.
#[test]
fn the_longest_wait_and_timeout_mean_for_ever() {
    isolated(|| {
        let cmd = role("exit").arg("0").timeout(Duration::MAX).grace(Duration::MAX).eof_grace(Duration::MAX);
        assert!(cmd.output().unwrap().status.success());
        let job = cmd.spawn().unwrap();
        assert!(job.wait_timeout(Duration::MAX).unwrap().unwrap().success());
        assert!(job.processes()[0].wait_timeout(Duration::MAX).unwrap().unwrap().success());
        role("exit").arg("0").spawn().unwrap().shutdown(Duration::MAX).unwrap();
    });
}

/// A child that closes its stdout early: its end is seen at once by who took the stream. (`reader` and `lines` check the exit at their end,
/// so they wait for it.)
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

/// A reader or an iterator that is dropped half-way leaves neither process nor zombie, with a thread behind it or without.
#[test]
fn a_dropped_reader_or_iterator_leaves_nothing() {
    isolated(|| {
        for cmd in [role("yes"), role("yes").timeout(Duration::from_secs(60)), role("yes").stderr(Redirect::capture())]
        {
            let mut reader = cmd.reader().unwrap();
            reader.read_exact(&mut [0; 4]).unwrap();
            within(SOON, || drop(reader));
            assert_childless();
            let mut lines = cmd.lines().unwrap();
            assert_eq!(lines.next().unwrap().unwrap(), "y");
            within(SOON, || drop(lines));
            assert_childless();
        }
    });
}

/// A timeout bounds what ignores TERM, what writes without end and what stops itself; what was written by then is in the error.
#[test]
fn a_timeout_bounds_children_that_refuse_to_end() {
    isolated(|| {
        for (name, head) in
            [("ignore-term", "ready\n"), ("stubborn-yes", "y\n"), ("stop-self", ""), ("hang", "ready\n")]
        {
            let cmd = |timeout| role(name).timeout(timeout).grace(SHORT);
            let error = timed_out_after(cmd, |out| out.stdout.starts_with(head.as_bytes()));
            assert_eq!(error.kind(), ErrorKind::Timeout, "{name}");
            let silent = cmd(SHORT).stdout(Redirect::null());
            assert_eq!(within(SOON, || silent.run().unwrap_err()).kind(), ErrorKind::Timeout, "{name}");
            assert_childless();
        }
    });
}

/// A child that closes its stdin under more than a pipe holds: no error, no timeout; how much it took is known.
#[test]
fn a_closed_stdin_under_a_large_feed_is_no_error_and_no_timeout() {
    isolated(|| {
        let input = || Redirect::bytes(vec![0; 1 << 20]);
        let job = role("close-stdin-hang").stdin(input()).stdout(Redirect::piped()).spawn().unwrap();
        assert_eq!(read_line(job.take_stdout().unwrap()), "ready");
        assert_eq!(job.wait_timeout(SHORT).unwrap(), None);
        job.kill().unwrap();
        assert_eq!(job.wait().unwrap().signal(), Some(libc::SIGKILL));
        let out = role("exit").arg("0").stdin(input()).timeout(Duration::from_secs(60)).output().unwrap();
        assert!(out.stdin_taken.unwrap() < 1 << 20);
    });
}

/// A timeout holds while there is always data: into a slow sink, a line callback, a discarded stream.
#[test]
fn a_timeout_holds_under_constant_data() {
    struct Slow;
    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            std::thread::sleep(Duration::from_millis(2));
            Ok(bytes.len().min(512))
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    isolated(|| {
        let yes = || role("yes").timeout(3 * SHORT);
        for error in [
            within(SOON, || yes().stdout(Redirect::to_writer(Slow)).run().unwrap_err()),
            within(SOON, || yes().stdout(Redirect::tee([Redirect::to_writer(Slow)])).run().unwrap_err()),
            within(SOON, || yes().for_each_line(|_| ()).unwrap_err()),
            within(SOON, || yes().stdout(Redirect::piped()).run().unwrap_err()),
            within(SOON, || yes().lines().unwrap().find_map(Result::err).unwrap()),
        ] {
            assert_eq!(error.kind(), ErrorKind::Timeout);
        }
    });
}

/// A timeout holds while the caller's reader, the source of stdin, is blocked.
#[test]
fn a_timeout_holds_while_a_reader_blocks() {
    isolated(|| {
        let (source, writer) = pipe::kernel().unwrap();
        let cmd = role("cat").stdin(Redirect::from_reader(source)).timeout(SHORT);
        assert_eq!(within(SOON, || cmd.output().unwrap_err()).kind(), ErrorKind::Timeout);
        // Its thread ends with its read.
        drop(writer);
    });
}

/// When a later program is missing, nothing waits for what the started ones have written, or for themselves.
#[test]
fn a_failing_start_does_not_wait_for_pending_output() {
    isolated(|| {
        for noisy in [role("stubborn-yes").stdout_to_stderr(), role("ignore-term"), role("stubborn-yes")] {
            let pipeline = noisy | cmd!("/no/such/program");
            let error = within(SOON, || pipeline.output().unwrap_err());
            assert_eq!(error.kind(), ErrorKind::ProgramNotFound);
            assert_childless();
        }
    });
}

/// A process that was left behind on the captured pipe: `eof_grace` takes what is there and says who holds what; a timeout holds; `run` never waited.
#[test]
fn a_grandchild_on_the_pipe_bounds_nothing() {
    isolated(|| {
        let hold = || role("fork-and-hold").arg("50000");
        let out = within(SOON, || hold().eof_grace(SHORT).output().unwrap());
        assert_eq!(out.leaked.unwrap().streams, [Stream::Stdout, Stream::Stderr]);
        kill_stranger(out.stdout.to_str().unwrap());
        let error = timed_out_after(|timeout| hold().timeout(timeout), |out| out.stdout.ends_with(b"\n"));
        assert_eq!(error.kind(), ErrorKind::Timeout);
        kill_stranger(error.output().unwrap().stdout.to_str().unwrap());
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pid");
        within(SOON, || hold().stdout(Redirect::file(&path)).run().unwrap());
        kill_stranger(&fs::read_to_string(path).unwrap());
    });
}

/// A file in PATH that may not be run does not hide a later one that may, and is the error when there is none.
#[test]
fn a_forbidden_candidate_is_not_masked_by_missing_ones() {
    isolated(|| {
        let dir = tempfile::tempdir().unwrap();
        let [forbidden, missing, good] = ["forbidden", "missing", "good"].map(|name| dir.path().join(name));
        for dir in [&forbidden, &missing, &good] {
            fs::create_dir(dir).unwrap();
        }
        fs::write(forbidden.join("tool"), "not executable").unwrap();
        symlink(fixture(), good.join("tool")).unwrap();
        let tool = |dirs: &[&std::path::PathBuf]| {
            let path = std::env::join_paths(dirs).unwrap();
            Cmd::new("tool").args(["echo", "ran"]).env("PATH", path).read()
        };
        let error = tool(&[&forbidden, &missing]).unwrap_err();
        assert_eq!((error.kind(), error.raw_os_error()), (ErrorKind::NotExecutable, Some(libc::EACCES)));
        assert_eq!(tool(&[&forbidden, &missing, &good]).unwrap(), "ran");
        assert_eq!(tool(&[&missing]).unwrap_err().kind(), ErrorKind::ProgramNotFound);
    });
}

/// The environment is what this process has when the run starts, not when the builder was made.
#[test]
fn the_environment_is_read_at_the_start() {
    isolated(|| {
        let cmd = Cmd::sh("echo $LATE $OWN").env("OWN", "own");
        // SAFETY: no other thread of this process reads the environment meanwhile.
        unsafe { std::env::set_var("LATE", "late") };
        assert_eq!(cmd.read().unwrap(), "late own");
    });
}

/// A signal that this process ignores is not ignored by its child; an INT is, as under nohup.
#[test]
fn an_ignored_signal_is_not_the_childs() {
    isolated(|| {
        let ignored = [Signal::SIGUSR1, Signal::SIGTERM, Signal::SIGINT];
        // SAFETY: an ignored signal runs no code.
        let old = ignored.map(|number| unsafe { signal(number, SigHandler::SigIgn) }.unwrap());
        let said = role("signals").read();
        for (number, old) in ignored.into_iter().zip(old) {
            // SAFETY: puts back what was.
            unsafe { signal(number, old) }.unwrap();
        }
        let said = said.unwrap();
        let set = said.lines().find_map(|line| line.strip_prefix("SigIgn ")).unwrap();
        assert_eq!(u64::from_str_radix(set, 16).unwrap(), 1 << (libc::SIGINT - 1), "{said}");
    });
}

/// A stage that has ended, or was waited for, does not keep a signal from the stages after it.
#[test]
fn an_ended_stage_does_not_keep_a_signal_from_the_others() {
    isolated(|| {
        for signal in [libc::SIGTERM, libc::SIGKILL] {
            let job = (role("exit").arg("0") | role("hang")).stdout(Redirect::null()).spawn().unwrap();
            job.processes()[0].wait().unwrap();
            job.send_signal(signal).unwrap();
            assert_eq!(job.wait().unwrap().signal(), Some(signal));
        }
    });
}

/// A stage in the middle may write any amount to stderr, captured or taken line by line.
#[test]
fn a_middle_stage_may_write_much_stderr() {
    isolated(|| {
        const SIZE: usize = 1 << 20;
        let noisy = role("echo").arg("data") | role("fill-stderr").arg(SIZE.to_string()) | role("cat");
        let out = noisy.output().unwrap();
        assert_eq!((&out.stdout[..], out.stderr.len()), (&b"data\n"[..], SIZE));
        let lines: Vec<_> = noisy.stderr(Redirect::capture()).lines().unwrap().collect::<Result<_, _>>().unwrap();
        assert_eq!(lines, ["data"]);
    });
}

/// A timeout is counted from the verb, each time anew.
#[test]
fn a_timeout_starts_with_the_verb() {
    isolated(|| {
        let timeout = Duration::from_millis(700);
        let cmd = role("sleep").arg("10").timeout(timeout);
        let start = Instant::now();
        while start.elapsed() < timeout {
            cmd.run().unwrap();
            progress();
        }
        cmd.run().unwrap();
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

/// A timeout holds while more stdin than a pipe holds is not read.
#[test]
fn a_timeout_holds_while_stdin_is_not_read() {
    isolated(|| {
        let input = Redirect::bytes(vec![0; 1 << 20]);
        let hang = role("hang").stdin(input);
        let error = timed_out_after(|timeout| hang.clone().timeout(timeout), |_| true);
        assert_eq!(error.kind(), ErrorKind::Timeout);
        assert!(error.output().unwrap().stdin_taken.unwrap() < 1 << 20);
    });
}

/// Waiting, with a limit or without, drains piped outputs that nobody took; so a full pipe holds up no wait.
#[test]
fn waiting_drains_what_nobody_took() {
    isolated(|| {
        let both = || {
            let both = role("both").arg("500000").stdout(Redirect::piped()).stderr(Redirect::piped());
            both.spawn().unwrap()
        };
        assert!(both().wait().unwrap().success());
        assert!(both().wait_timeout(Duration::from_secs(60)).unwrap().unwrap().success());
        assert!(both().output().unwrap().status.success());
        assert!(role("both").arg("500000").stdout(Redirect::piped()).stderr_to_stdout().status().unwrap().success());
    });
}

/// Waiting closes a piped stdin that nobody took, so that no child waits for input that cannot come; a mere look leaves it to be taken.
#[test]
fn waiting_closes_a_stdin_that_nobody_took() {
    isolated(|| {
        let cat = || role("cat").stdin(Redirect::piped()).stdout(Redirect::capture()).spawn().unwrap();
        let looked_at = cat();
        assert_eq!(looked_at.try_wait().unwrap(), None);
        assert!(looked_at.take_stdin().is_some());
        assert!(cat().wait().unwrap().success());
        assert!(cat().wait_timeout(Duration::from_secs(60)).unwrap().unwrap().success());
        assert_eq!(cat().output().unwrap().stdout, "");
        assert_eq!(role("count").stdin(Redirect::piped()).read().unwrap(), "0");
    });
}
