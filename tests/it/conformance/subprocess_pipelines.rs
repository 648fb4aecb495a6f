//! What subprocess's own suite checks of pipelines.
//!
//! | behaviour | test |
//! |---|---|
//! | 80 two, three, more stages; builder equals operator | `operator_builder_and_iterator_are_the_same` |
//! | 81 composing two pipelines | `two_pipelines_joined_are_one` |
//! | 82 data into the first, out of the last | `stdin_is_the_firsts_and_stdout_the_lasts` |
//! | 83 from an iterator: none, one, many | `operator_builder_and_iterator_are_the_same`, `an_empty_pipeline_…` |
//! | 84 a pipeline of one | `a_pipeline_of_one_is_the_command` |
//! | 85, 87 empty: handle, pids | `an_empty_pipeline_is_a_job_that_succeeded` |
//! | 86 empty: run, read, output, timeouts | `an_empty_pipeline_succeeds_by_every_verb` |
//! | 88 everybody's stderr merged, in a file, in a capture | `stderr_of_all_stages_goes_to_one_place` |
//! | 89 a merge survives capture | `a_merge_in_a_pipeline_survives_capture` |
//! | 90 both outputs captured | `stderr_of_all_stages_goes_to_one_place` |
//! | 91 a job has the pipes that were asked for | `a_job_has_the_ends_that_were_asked_for` |
//! | 92 first or last program missing | `a_missing_stage_is_an_error_at_its_place` |
//! | 93 stdin of the first, stdout of the last preset | `ends_may_be_set_on_the_stages_and_the_pipelines_word_counts` |
//! | 93 … and in the middle | `a_stages_own_end_where_a_pipe_goes_is_a_conflict` |
//! | 94 process groups | `stages_may_join_a_group_and_end_by_one_signal` |
//! | 95 checked looks at the last stage | every stage counts; the last alone if asked: `the_policy_says_which_stages_count` |
//! | 96 detached; timeouts | `a_detached_pipeline_lives_on`, `a_timeout_ends_every_stage` |

use std::fs;
use std::io::{Read, Write};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use pipewright::{Cmd, ErrorKind, Job, Pipeline, Redirect, StatusPolicy, cmd};

use crate::harness::*;
use crate::support::{assert_childless, role, within};

const SOON: Duration = Duration::from_secs(5);

/// Notes its number on stderr and passes its stdin on with a mark.
fn mark(number: u32) -> Cmd {
    Cmd::sh("echo \"$1\" >&2; read line; echo \"$line$1\"").args(["sh".to_string(), number.to_string()])
}

/// Items 80, 83: The operator, the method and an iterator make the same pipeline, of two, of three, of many.
#[test]
fn operator_builder_and_iterator_are_the_same() {
    isolated(|| {
        let input = || Redirect::bytes("x\n");
        assert_eq!((mark(1) | mark(2)).stdin(input()).read().unwrap(), "x12");
        let operator = mark(1) | mark(2) | mark(3);
        let method = mark(1).pipe(mark(2)).pipe(mark(3));
        let collected: Pipeline = (1..4).map(mark).collect();
        for pipeline in [operator, method, collected] {
            assert_eq!(pipeline.to_string(), (mark(1) | mark(2) | mark(3)).to_string());
            assert_eq!(pipeline.stdin(input()).read().unwrap(), "x123");
        }
        let many: Pipeline = (0..20).map(|_| role("cat")).collect();
        assert_eq!(many.stdin(input()).read().unwrap(), "x");
    });
}

/// Item 81: Two pipelines joined are one with the stages of both; what the left one said of its stages stays said. (subprocess drops it.)
#[test]
fn two_pipelines_joined_are_one() {
    isolated(|| {
        let left = (mark(1) | mark(2)).stdin(Redirect::bytes("x\n")).stderr(Redirect::null());
        let right = mark(3) | mark(4);
        let out = (left | right).output().unwrap();
        assert_eq!(out.stdout, "x1234\n");
        let mut said: Vec<&str> = out.stderr_str().unwrap().lines().collect();
        said.sort_unstable();
        assert_eq!(said, ["3", "4"]);
        // What concerns a whole run has no place on a part of it, and is not dropped in silence.
        let timed = (mark(1) | mark(2)).timeout(SOON) | mark(3);
        assert_eq!(timed.run().unwrap_err().kind(), ErrorKind::Conflict);
        let timed = mark(1) | (mark(2) | mark(3)).timeout(SOON);
        assert_eq!(timed.run().unwrap_err().kind(), ErrorKind::Conflict);
    });
}

/// Item 82: A pipeline's stdin is the first stage's, its stdout the last's; bytes and live pipes alike.
#[test]
fn stdin_is_the_firsts_and_stdout_the_lasts() {
    isolated(|| {
        let fed = (role("cat") | role("upper")).stdin(Redirect::bytes("fed"));
        assert_eq!(fed.read().unwrap(), "FED");
        let live = (role("cat-slow").arg("1") | role("upper")).stdin(Redirect::piped()).stdout(Redirect::piped());
        let job = live.stderr(Redirect::piped()).spawn().unwrap();
        let mut stdin = job.take_stdin().unwrap();
        let stdout = job.take_stdout().unwrap();
        stdin.write_all(b"live\n").unwrap();
        assert_eq!(read_line(&stdout), "LIVE");
        drop(stdin);
        let mut rest = String::new();
        job.take_stderr().unwrap().read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "");
        assert!(job.wait().unwrap().success());
    });
}

/// Item 84: A pipeline of one stage is that command, settings and data included.
#[test]
fn a_pipeline_of_one_is_the_command() {
    isolated(|| {
        let one: Pipeline = [role("upper")].into_iter().collect();
        assert_eq!(one.stdin(Redirect::bytes("alone")).read().unwrap(), "ALONE");
        let timed = Pipeline::from(role("hang").timeout(Duration::from_millis(50)).stdout(Redirect::null()));
        let error = timed.run().unwrap_err();
        assert_eq!((error.kind(), error.stage()), (ErrorKind::Timeout, Some(0)));
    });
}

fn empty() -> Pipeline {
    std::iter::empty::<Cmd>().collect()
}

/// Items 85, 87: An empty pipeline starts, is over with status 0, can be signalled, ended and detached; it has no pids.
#[test]
fn an_empty_pipeline_is_a_job_that_succeeded() {
    isolated(|| {
        let job = empty().spawn().unwrap();
        assert!(job.try_wait().unwrap().unwrap().success());
        assert!(job.wait().unwrap().success());
        assert!(job.wait_timeout(Duration::ZERO).unwrap().unwrap().success());
        job.terminate().unwrap();
        assert_eq!(job.kill().unwrap().killed, [0; 0]);
        job.shutdown(Duration::ZERO).unwrap();
        assert_eq!(job.pids(), [0; 0]);
        assert!(job.processes().is_empty());
        assert!(job.take_stdin().is_none() && job.take_stdout().is_none());
        assert!(job.output().unwrap().status.success());
        empty().spawn().unwrap().detach();
        drop(empty().spawn().unwrap());
    });
}

/// Item 86: By every verb, with a timeout or without, an empty pipeline succeeds and gives nothing.
#[test]
fn an_empty_pipeline_succeeds_by_every_verb() {
    isolated(|| {
        for pipeline in [empty(), Pipeline::default(), empty() | empty(), empty().timeout(Duration::from_secs(60))] {
            assert!(pipeline.run().unwrap().status.success());
            assert!(pipeline.status().unwrap().success());
            let out = pipeline.output().unwrap();
            assert!(out.status.success() && out.stdout.is_empty() && out.stderr.is_empty() && out.stages.is_empty());
            assert_eq!(pipeline.read().unwrap(), "");
            assert_eq!(pipeline.read_bytes().unwrap(), b"");
            assert!(pipeline.lines().unwrap().next().is_none());
            let mut lines = 0;
            pipeline.for_each_line(|_| lines += 1).unwrap();
            assert_eq!(lines, 0);
            assert_eq!(pipeline.reader().unwrap().read(&mut [0; 8]).unwrap(), 0);
            assert_eq!(pipeline.to_string(), "");
        }
        // Beside stages, it adds none.
        assert_eq!((empty() | role("upper") | empty()).stdin(Redirect::bytes("x")).read().unwrap(), "X");
    });
}

/// Items 88, 90: stderr of all stages: into stdout, into one file, into one capture that holds everybody's words.
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
        assert_eq!(out.stdout, "x123\n");
        assert_eq!(sorted(&out.stderr), ["1", "2", "3"]);

        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("noise");
        let out = three().stderr(Redirect::file(&path)).output().unwrap();
        assert!(!out.stderr.is_captured());
        assert_eq!(sorted(&fs::read(path).unwrap()), ["1", "2", "3"]);

        // Into stdout: each stage's noise is the next one's input, or, from the last, the run's output.
        let merged = (role("say").args(["2", "noise "]) | role("fill-stderr").arg("2")).stderr_to_stdout();
        assert_eq!(merged.read().unwrap(), "eenoise ");
        let both = role("out-err").arg("1").pipe_both(role("cat"));
        assert_eq!(both.read().unwrap(), "out 0\nerr 0");
    });
}

/// Item 89: A stage's merge stays a merge when the rest of stderr is captured; so does a stage's own stderr. (subprocess captures it.)
#[test]
fn a_merge_in_a_pipeline_survives_capture() {
    isolated(|| {
        let merged = role("out-err").arg("1").stderr_to_stdout() | role("fill-stderr").arg("3");
        let out = merged.output().unwrap();
        assert_eq!((&out.stdout[..], &out.stderr[..]), (&b"out 0\nerr 0\n"[..], &b"eee"[..]));
        let silenced = role("out-err").arg("1").stderr(Redirect::null()) | role("fill-stderr").arg("3");
        let out = silenced.output().unwrap();
        assert_eq!((&out.stdout[..], &out.stderr[..]), (&b"out 0\n"[..], &b"eee"[..]));
    });
}

/// Item 91: A started pipeline has the ends that were asked for, and no others; what was captured is in its output.
#[test]
fn a_job_has_the_ends_that_were_asked_for() {
    isolated(|| {
        let two = || role("cat") | role("cat");
        let ends = |job: &Job| [job.take_stdin().is_some(), job.take_stdout().is_some(), job.take_stderr().is_some()];
        assert_eq!(ends(&two().stdin(Redirect::null()).spawn().unwrap()), [false; 3]);
        assert_eq!(ends(&two().stdin(Redirect::piped()).spawn().unwrap()), [true, false, false]);
        let all = two().stdin(Redirect::piped()).stdout(Redirect::piped());
        assert_eq!(ends(&all.spawn().unwrap()), [true, true, false]);
        let out = two().stdin(Redirect::bytes("x")).stdout(Redirect::capture()).spawn().unwrap().output().unwrap();
        assert_eq!(out.stdout, "x");
        assert!(!out.stderr.is_captured());
    });
}

/// Item 92: A missing program, in whatever place, is an error with that place; nothing of the others is left.
#[test]
fn a_missing_stage_is_an_error_at_its_place() {
    isolated(|| {
        for missing in 0..3 {
            let stage = |n| if n == missing { cmd!("/no/such/program") } else { role("hang") };
            let error = within(SOON, || (0..3).map(stage).collect::<Pipeline>().output().unwrap_err());
            assert_eq!((error.kind(), error.stage()), (ErrorKind::ProgramNotFound, Some(missing)));
            assert!(error.to_string().contains(&format!("stage {missing} of 3")), "{error}");
            assert_childless();
        }
    });
}

/// Item 93: stdin may be set on the first stage and stdout on the last; a later word of the pipeline's replaces it. (subprocess refuses both.)
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

/// Item 93: A redirection where a pipe goes is a conflict that names both, before anything is started; a `tee` is none.
#[test]
fn a_stages_own_end_where_a_pipe_goes_is_a_conflict() {
    isolated(|| {
        let right = role("hang") | role("cat").stdin(Redirect::bytes("data"));
        let left = role("cat").stdout(Redirect::null()) | role("hang");
        for (pipeline, stage, words) in [(right, 1, "stdin"), (left, 0, "stdout")] {
            let error = pipeline.output().unwrap_err();
            assert_eq!((error.kind(), error.stage()), (ErrorKind::Conflict, Some(stage)));
            assert!(error.to_string().contains(words), "{error}");
        }
        let tee = role("echo").arg("both").stdout(Redirect::tee([Redirect::capture()])) | role("upper");
        let out = tee.stderr(Redirect::null()).stdout(Redirect::null()).output().unwrap();
        assert_eq!(out.stdout, "both\n");
    });
}

/// Item 94: Stages may be put into a group, and one signal to it ends them all. (subprocess refuses it on a stage.)
#[test]
fn stages_may_join_a_group_and_end_by_one_signal() {
    isolated(|| {
        let leader = role("hang").process_group(0).stdout(Redirect::null()).spawn().unwrap();
        let group = leader.pids()[0] as i32;
        let member = || role("hang").process_group(group);
        let job = (member() | member()).stdout(Redirect::null()).spawn().unwrap();
        killpg(Pid::from_raw(group), Signal::SIGTERM).unwrap();
        assert_eq!(leader.wait().unwrap().signal(), Some(libc::SIGTERM));
        for process in job.processes() {
            assert_eq!(process.wait().unwrap().signal(), Some(libc::SIGTERM));
        }
    });
}

/// Item 95: Any failed stage is an error; with the policy `Last`, the last one alone, as subprocess has it; with `Strict` a SIGPIPE too.
#[test]
fn the_policy_says_which_stages_count() {
    isolated(|| {
        let (yes, no) = (|| role("exit").arg("0"), || role("exit").arg("1"));
        assert_eq!((no() | yes()).run().unwrap_err().stage(), Some(0));
        assert_eq!((yes() | no()).run().unwrap_err().stage(), Some(1));
        assert!((no() | yes()).status_policy(StatusPolicy::Last).run().is_ok());
        assert!((yes() | no()).status_policy(StatusPolicy::Last).run().is_err());
        let stopped = role("yes") | yes();
        assert!(stopped.run().is_ok());
        let strict = stopped.status_policy(StatusPolicy::Strict).run().unwrap_err();
        assert_eq!(strict.status().unwrap().signal(), Some(libc::SIGPIPE));
    });
}

/// Item 96: A detached pipeline lives on, and ends without a zombie.
#[test]
fn a_detached_pipeline_lives_on() {
    isolated(|| {
        let (out, to) = pipewright::pipe::kernel().unwrap();
        let (from, mut input) = pipewright::pipe::kernel().unwrap();
        let pipeline = (role("cat") | role("upper")).stdin(Redirect::fd(from)).stdout(Redirect::fd(to));
        within(SOON, || pipeline.spawn().unwrap().detach());
        input.write_all(b"alive\n").unwrap();
        assert_eq!(read_line(&out), "ALIVE");
        drop(input);
        assert_eq!(read_line(&out), "");
    });
}

/// Item 96: A timeout of a pipeline ends every stage, by `run`, `output` and a job alike.
#[test]
fn a_timeout_ends_every_stage() {
    isolated(|| {
        let slow = (role("hang") | role("hang")).stdout(Redirect::null()).timeout(Duration::from_millis(500));
        for error in [
            within(SOON, || slow.run().unwrap_err()),
            within(SOON, || slow.output().unwrap_err()),
            within(SOON, || slow.spawn().unwrap().wait().unwrap_err()),
        ] {
            assert_eq!(error.kind(), ErrorKind::Timeout);
            let stages = &error.output().unwrap().stages;
            assert!(stages.iter().all(|stage| stage.status.signal() == Some(libc::SIGTERM)), "{stages:?}");
            assert_childless();
        }
    });
}
