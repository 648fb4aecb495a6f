//! What duct's own suite checks of commands, pipelines and redirections.
//!
//! | behaviour | test |
//! |---|---|
//! | 1 output equals argument, trailing comma, call without arguments | `words_of_the_macro_arrive_as_arguments` |
//! | 2 a shell text runs through `/bin/sh -c` | `a_shell_text_runs_through_bin_sh` |
//! | 3 two jobs at once | `duct_handles` |
//! | 4 a failing command is an error | `a_bad_exit_is_a_typed_error_with_code_and_output` |
//! | 5 unchecked left, good right | `an_unchecked_left_stage_keeps_its_status_and_the_right_output` |
//! | 6 precedence of statuses in a pipe | `the_rightmost_checked_failure_decides_then_the_rightmost_unchecked` |
//! | 7 data through a pipe, an error on either side | `data_flows_and_a_failure_on_either_side_is_an_error` |
//! | 8 nested pipes, an endless writer on the left | `nested_pipelines_are_one_pipeline`, `an_endless_writer_ends_with_its_reader` |
//! | 9 kill of a pipeline; 11, 12 wait and try_wait | `duct_handles` |
//! | 10 spawn failure on the left, on the right | `a_missing_left_program_starts_nothing`, `a_missing_right_program_leaves_no_left_one` |
//! | 13 stdin bytes, also to a child that never reads | `bytes_reach_the_child_and_may_stay_unread` |
//! | 14 stderr to a given pipe | `a_given_pipe_ends_with_the_run_though_the_builder_lives` |
//! | 15 null for all three | `three_times_null_reads_nothing` |
//! | 16 stdin and stdout by path | `streams_by_path` |
//! | 17 merges in both directions, both at once | `merges_follow_the_redirected_target`, `both_merges_at_once_change_places` |
//! | 18 stdin by open file, borrowed and owned types | `an_open_file_is_a_stdin`, `every_kind_of_text_and_path_is_a_word` |
//! | 19 both streams captured apart | `both_streams_are_captured_apart` |
//! | 20 working directory, relative program | `a_relative_program_is_meant_from_the_childs_directory` |
//! | 21 a path of one component | `a_single_component_is_a_name_for_path_also_as_a_path` |
//! | 22 environment | `variables_set_removed_and_cleared`, `a_cleared_stage_hides_the_pipelines_variables` |
//! | 23 hooks before spawn | not offered: typed attributes instead; their order is the library's |
//! | 24 to 32 | `duct_handles` |

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pipewright::{Cmd, ErrorKind, Redirect, cmd, pipe};

use crate::harness::*;
use crate::support::{assert_childless, role, within};

/// Item 1: Every word of `cmd!` is one argument; a trailing comma and no words at all are fine.
#[test]
fn words_of_the_macro_arrive_as_arguments() {
    isolated(|| {
        assert_eq!(cmd!(fixture(), "echo", "two words", "x",).read().unwrap(), "two words x");
        // No role: the helper says that it was used wrongly.
        assert_eq!(cmd!(fixture()).stderr(Redirect::null()).status().unwrap().code(), Some(64));
        assert_eq!(cmd!(fixture(),).stderr(Redirect::null()).status().unwrap().code(), Some(64));
    });
}

/// Item 2: `Cmd::sh` is `/bin/sh -c`.
#[test]
fn a_shell_text_runs_through_bin_sh() {
    isolated(|| {
        assert_eq!(Cmd::sh("a=4; echo \"$((a + 1))\" \"$0\"").arg("name").read().unwrap(), "5 name");
        assert_eq!(Cmd::sh("exit 7").status().unwrap().code(), Some(7));
    });
}

/// Item 4: A bad exit is an error of a kind of its own, with the code, the words for it, and what was captured.
#[test]
fn a_bad_exit_is_a_typed_error_with_code_and_output() {
    isolated(|| {
        let error = role("fail-with").args(["3", "oops"]).output().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Status);
        assert_eq!(error.status().unwrap().code(), Some(3));
        assert_eq!(error.output().unwrap().stderr, "oops\n");
        assert!(error.to_string().contains("exited with code 3"), "{error}");
        assert!(error.to_string().contains(fixture()), "{error}");
    });
}

/// Item 5: An unchecked left stage does not fail the run; its status is the run's, and the right one's output is whole.
#[test]
fn an_unchecked_left_stage_keeps_its_status_and_the_right_output() {
    isolated(|| {
        let left = Cmd::sh("echo data; exit 1").unchecked();
        let out = (left | role("cat")).output().unwrap();
        assert_eq!(out.status.code(), Some(1));
        assert_eq!(out.stdout, "data\n");
        assert!(out.stages[1].status.success());
    });
}

/// Item 6: Right over left among the checked, then right over left among the unchecked, then the last.
#[test]
fn the_rightmost_checked_failure_decides_then_the_rightmost_unchecked() {
    isolated(|| {
        let stage = |(code, unchecked): (i32, bool)| {
            let stage = role("exit").arg(code.to_string());
            if unchecked { stage.unchecked() } else { stage }
        };
        let table = [
            // left, right, the run's code, whether it is an error
            ((1, false), (2, false), 2, true),
            ((1, false), (2, true), 1, true),
            ((1, true), (2, false), 2, true),
            ((1, true), (2, true), 2, false),
            ((1, true), (0, false), 1, false),
            ((1, false), (0, false), 1, true),
            ((0, false), (2, false), 2, true),
            ((0, false), (2, true), 2, false),
            ((0, false), (0, false), 0, false),
        ];
        for (left, right, code, is_error) in table {
            let result = (stage(left) | stage(right)).output();
            assert_eq!(result.is_err(), is_error, "{left:?} | {right:?}");
            let status = result.map_or_else(|error| error.output().unwrap().status, |out| out.status);
            assert_eq!(status.code(), Some(code), "{left:?} | {right:?}");
        }
    });
}

/// Item 7: What the left stage writes the right one reads; a failure of either is the run's, and names the stage.
#[test]
fn data_flows_and_a_failure_on_either_side_is_an_error() {
    isolated(|| {
        assert_eq!((role("echo").arg("through") | role("upper")).read().unwrap(), "THROUGH");
        let left = (role("exit").arg("1") | role("cat")).read().unwrap_err();
        assert_eq!((left.kind(), left.stage()), (ErrorKind::Status, Some(0)));
        let right = (role("echo").arg("x") | role("exit").arg("1")).read().unwrap_err();
        assert_eq!((right.kind(), right.stage()), (ErrorKind::Status, Some(1)));
    });
}

/// Item 8: Pipelines nest on either side, and are flat then.
#[test]
fn nested_pipelines_are_one_pipeline() {
    isolated(|| {
        let inner = role("cat") | role("upper");
        let out = (role("echo").arg("deep") | (inner | (role("cat") | role("cat")))).output().unwrap();
        assert_eq!(out.stdout, "DEEP\n");
        assert_eq!(out.stages.len(), 5);
    });
}

/// Item 8: An endless writer gets SIGPIPE when its reader is gone, and that is no failure. (duct counts it as one.)
#[test]
fn an_endless_writer_ends_with_its_reader() {
    isolated(|| {
        let out = (role("yes") | Cmd::sh("read line; echo \"got $line\"")).output().unwrap();
        assert_eq!(out.stdout, "got y\n");
        assert!(out.status.success());
        assert_eq!(out.stages[0].status.signal(), Some(libc::SIGPIPE));
    });
}

/// Item 10: When the left program is missing, nothing is started. (No bare `io::Error`, but its kind, its stage and its name.)
#[test]
fn a_missing_left_program_starts_nothing() {
    isolated(|| {
        let (mut reader, writer) = pipe::kernel().unwrap();
        let right = role("say").args(["1", "I ran"]).stdout(Redirect::fd(writer));
        let error = (cmd!("/no/such/program") | right).spawn().unwrap_err();
        assert_eq!((error.kind(), error.stage()), (ErrorKind::ProgramNotFound, Some(0)));
        assert_eq!(error.program(), Some(OsStr::new("/no/such/program")));
        assert_eq!(error.raw_os_error(), Some(libc::ENOENT));
        assert_childless();
        let mut said = String::new();
        reader.read_to_string(&mut said).unwrap();
        assert_eq!(said, "");
    });
}

/// Item 10: When the right program is missing, the error comes at once, and the left one is gone by then. (duct leaves it running.)
#[test]
fn a_missing_right_program_leaves_no_left_one() {
    isolated(|| {
        let pipeline = role("hang") | cmd!("/no/such/program");
        let error = within(Duration::from_secs(5), || pipeline.spawn().unwrap_err());
        assert_eq!((error.kind(), error.stage()), (ErrorKind::ProgramNotFound, Some(1)));
        assert_childless();
    });
}

/// Item 13: Bytes for stdin arrive; a child that reads none of a megabyte is no error, and the result says how much was taken.
#[test]
fn bytes_reach_the_child_and_may_stay_unread() {
    isolated(|| {
        assert_eq!(role("upper").stdin(Redirect::bytes("text")).read().unwrap(), "TEXT");
        let out = role("exit").arg("0").stdin(Redirect::bytes(vec![b'x'; 1 << 20])).run().unwrap();
        assert!(out.stdin_taken.unwrap() < 1 << 20);
    });
}

/// Item 14: A pipe given as stderr is closed here when the run is over, though the builder that held it lives on.
#[test]
fn a_given_pipe_ends_with_the_run_though_the_builder_lives() {
    isolated(|| {
        let (mut reader, writer) = pipe::kernel().unwrap();
        let cmd = role("say").args(["2", "noise"]).stderr(Redirect::fd(writer));
        cmd.run().unwrap();
        let mut said = String::new();
        reader.read_to_string(&mut said).unwrap();
        assert_eq!(said, "noise");
        assert_eq!(cmd.run().unwrap_err().kind(), ErrorKind::AlreadyUsed);
    });
}

/// Item 15: With all three null, nothing is read, which for `output` is "not captured" rather than "empty".
#[test]
fn three_times_null_reads_nothing() {
    isolated(|| {
        let cmd = cmd!(fixture(), "out-err", "1").stdin(Redirect::null());
        let cmd = cmd.stdout(Redirect::null()).stderr(Redirect::null());
        assert_eq!(cmd.read().unwrap(), "");
        let out = cmd.output().unwrap();
        assert!(!out.stdout.is_captured() && !out.stderr.is_captured());
        assert_eq!(role("count").stdin(Redirect::null()).read().unwrap(), "0");
    });
}

/// Item 16: Paths as stdin and stdout; what went to a file was not captured.
#[test]
fn streams_by_path() {
    isolated(|| {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        fs::write(&from, "words").unwrap();
        fs::write(&to, "what was there is emptied first").unwrap();
        let out = role("upper").stdin(Redirect::file(&from)).stdout(Redirect::file(&to)).output().unwrap();
        assert!(!out.stdout.is_captured());
        assert_eq!(fs::read_to_string(&to).unwrap(), "WORDS");
    });
}

/// Item 17: A merge goes where the other stream was sent, whatever the order of the calls. (duct's order of calls matters.)
#[test]
fn merges_follow_the_redirected_target() {
    isolated(|| {
        let both = || cmd!(fixture(), "out-err", "1");
        assert_eq!(both().stderr_to_stdout().read().unwrap(), "out 0\nerr 0");
        for out in [
            both().stderr_to_stdout().stdout(Redirect::capture()).run().unwrap(),
            both().stdout(Redirect::capture()).stderr_to_stdout().run().unwrap(),
        ] {
            assert_eq!(out.stdout, "out 0\nerr 0\n");
            assert!(!out.stderr.is_captured());
        }
        let out = both().stdout_to_stderr().output().unwrap();
        assert_eq!(out.stderr, "out 0\nerr 0\n");
        assert!(out.stdout.is_empty());
    });
}

/// Item 17: Both merges at once exchange the two.
#[test]
fn both_merges_at_once_change_places() {
    isolated(|| {
        let swapped = cmd!(fixture(), "out-err", "1").stderr_to_stdout().stdout_to_stderr().output().unwrap();
        assert_eq!(swapped.stdout, "err 0\n");
        assert_eq!(swapped.stderr, "out 0\n");
        let named = cmd!(fixture(), "out-err", "1").swap_stdout_stderr().output().unwrap();
        assert_eq!((&named.stdout, &named.stderr), (&swapped.stdout, &swapped.stderr));
    });
}

/// Item 18: An open file is a stdin, from where it stands.
#[test]
fn an_open_file_is_a_stdin() {
    isolated(|| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, "xrest").unwrap();
        let mut file = File::open(&path).unwrap();
        file.read_exact(&mut [0]).unwrap();
        assert_eq!(role("cat").stdin(Redirect::fd(file)).read().unwrap(), "rest");
    });
}

/// Item 18: Programs, words, keys and paths are anything that is text for the system, borrowed or owned.
#[test]
fn every_kind_of_text_and_path_is_a_word() {
    isolated(|| {
        let string = String::from("b");
        let words = cmd!(
            PathBuf::from(fixture()),
            OsStr::new("echo"),
            "a",
            &string,
            string.clone(),
            Path::new("c"),
            &PathBuf::from("d"),
            OsString::from("e"),
            Cow::<OsStr>::Borrowed(OsStr::new("f")),
            ["g", "h"]..,
            Some("i")..,
            None::<&str>..,
        );
        assert_eq!(words.read().unwrap(), "a b b c d e f g h i");
        assert_eq!(Cmd::new(String::from(fixture())).arg("echo").args(vec![string]).read().unwrap(), "b");
    });
}

/// Item 19: stdout and stderr are captured apart, each in its order.
#[test]
fn both_streams_are_captured_apart() {
    isolated(|| {
        let out = role("out-err").arg("2").output().unwrap();
        assert_eq!(out.stdout, "out 0\nout 1\n");
        assert_eq!(out.stderr, "err 0\nerr 1\n");
    });
}

/// Item 20: `./tool` with a working directory is meant from there, as `cd dir && ./tool`, and stays `./tool` for the program.
/// (duct means it from the parent's directory, and makes its name absolute.)
#[test]
fn a_relative_program_is_meant_from_the_childs_directory() {
    isolated(|| {
        let dir = tempfile::tempdir().unwrap();
        let (here, there) = (dir.path().join("here"), dir.path().join("there"));
        fs::create_dir(&here).unwrap();
        fs::create_dir(&there).unwrap();
        symlink(fixture(), there.join("tool")).unwrap();
        symlink(fixture(), here.join("other")).unwrap();
        std::env::set_current_dir(&here).unwrap();
        let tool = Cmd::new("./tool").current_dir(&there);
        assert_eq!(tool.clone().arg("cwd").read().unwrap(), there.canonicalize().unwrap().to_str().unwrap());
        assert_eq!(tool.arg("arg0").read().unwrap(), "./tool");
        let error = Cmd::new("./other").current_dir(&there).run().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ProgramNotFound);
        assert_eq!(std::env::current_dir().unwrap(), here.canonicalize().unwrap());
    });
}

/// Item 21: A single component is a name for PATH to find, given as a `Path` too; the file beside us is run as `./tool` alone. (duct runs the file.)
#[test]
fn a_single_component_is_a_name_for_path_also_as_a_path() {
    isolated(|| {
        let dir = tempfile::tempdir().unwrap();
        let (here, bin) = (dir.path().join("here"), dir.path().join("bin"));
        fs::create_dir(&here).unwrap();
        fs::create_dir(&bin).unwrap();
        symlink(fixture(), here.join("tool")).unwrap();
        std::env::set_current_dir(&here).unwrap();
        let tool = Cmd::new(Path::new("tool")).arg("echo").arg("ran").env("PATH", &bin);
        assert_eq!(tool.run().unwrap_err().kind(), ErrorKind::ProgramNotFound);
        assert_eq!(Cmd::new(Path::new("./tool")).arg("echo").arg("local").read().unwrap(), "local");
        symlink(fixture(), bin.join("tool")).unwrap();
        assert_eq!(tool.read().unwrap(), "ran");
    });
}

/// What the child's environment holds.
fn environment(cmd: &Cmd) -> Vec<String> {
    let bytes = cmd.clone().arg("env").read_bytes().unwrap();
    let entries = bytes.split(|&byte| byte == 0).filter(|entry| !entry.is_empty());
    entries.map(|entry| String::from_utf8_lossy(entry).into_owned()).collect()
}

/// Item 22: Variables are inherited, set, removed and cleared. Of two calls the last one counts. (With duct, the first.)
#[test]
fn variables_set_removed_and_cleared() {
    isolated(|| {
        let helper = Cmd::new(fixture());
        let has = |cmd: Cmd, entry: &str| environment(&cmd).iter().any(|found| found.starts_with(entry));
        assert!(has(helper.clone(), "PIPEWRIGHT_ISOLATED_TEST="));
        assert!(!has(helper.clone().env_remove("PIPEWRIGHT_ISOLATED_TEST"), "PIPEWRIGHT_ISOLATED_TEST="));
        assert!(has(helper.clone().env("A", "1").env("A", "2"), "A=2"));
        assert_eq!(environment(&helper.clone().env("A", "1").env_clear()), [""; 0]);
        // Names differ by case.
        assert_eq!(environment(&helper.env_clear().env("a", "1").env("A", "2")), ["A=2", "a=1"]);
    });
}

/// Item 22: A stage that clears its environment hides the parent's variables and the pipeline's.
#[test]
fn a_cleared_stage_hides_the_pipelines_variables() {
    isolated(|| {
        let clear = role("env").env_clear().env("OWN", "1");
        assert_eq!((clear | role("cat")).env("OUTER", "2").read().unwrap(), "OWN=1\0");
        let plain = role("env").env_only(["OUTER"]);
        assert_eq!((plain | role("cat")).env("OUTER", "2").read().unwrap(), "OUTER=2\0");
    });
}
