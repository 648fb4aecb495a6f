//! What subprocess's own suite checks of starting a program: its words, its environment, exec.
//!
//! | behaviour | test |
//! |---|---|
//! | 1 success, exit code | `an_exit_code_is_reported_as_it_is` |
//! | 2 a missing program is a spawn error, 3 without a zombie | `a_missing_program_is_no_status_127_and_leaves_no_zombie` |
//! | 4 empty argv | cannot be written: a command has a program; an empty name: `an_empty_program_is_refused` |
//! | 5 a NUL byte | `a_nul_byte_is_refused_and_named` |
//! | 6 odd arguments | `odd_arguments_arrive_byte_for_byte` |
//! | 7 printed line fed to a shell | `the_printed_line_means_the_same_words_to_a_shell` |
//! | 8 shell form verbatim | `a_shell_text_is_passed_verbatim` |
//! | 9 argv[0] override | `argv0_is_what_was_said` |
//! | 10, 11, 12, 15 pre_exec hooks | not offered: typed attributes, set by the library's own code in the child |
//! | 13 exec replaces the process | `exec_becomes_the_program_with_its_merge` |
//! | 14 exec with cwd and env | `exec_takes_directory_and_environment_along` |
//! | 16 exec refuses pipes and input data | `exec_refuses_what_needs_somebody_before_it_changes_anything` |
//! | 17 exec of what is missing | `exec_of_a_missing_program_returns_enoent` |
//! | 18 cleared environment | `a_cleared_environment_holds_what_was_set` |
//! | 19, 20 last value, bulk as singles | `a_variable_holds_its_last_value_set_singly_or_in_bulk` |
//! | 21 inherit, override, remove | `the_parents_variables_are_inherited_overridden_removed` |
//! | 22 cwd on a pipeline | `a_directory_on_a_pipeline_is_every_stages` |
//! | 23 display | `display_shows_what_is_set_and_hides_the_values` |

use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};
use pipewright::{Cmd, ErrorKind, Pipeline, Redirect, cmd, pipe};

use crate::harness::*;
use crate::support::{assert_childless, role};

/// Item 1: Success is success, and code N is code N.
#[test]
fn an_exit_code_is_reported_as_it_is() {
    isolated(|| {
        for code in [0, 1, 2, 127, 141, 255] {
            let status = role("exit").arg(code.to_string()).status().unwrap();
            assert_eq!((status.code(), status.signal()), (Some(code), None));
            assert_eq!(status.success(), code == 0);
        }
    });
}

/// Items 2, 3: A program that is not there is an error of starting, by every verb, and no zombie is left of the attempt.
#[test]
fn a_missing_program_is_no_status_127_and_leaves_no_zombie() {
    isolated(|| {
        for program in ["no-such-program-here", "/no/such/program"] {
            let cmd = cmd!(program).env("PATH", "/no/such/directory");
            let errors = [
                cmd.run().unwrap_err(),
                cmd.status().unwrap_err(),
                cmd.output().unwrap_err(),
                cmd.spawn().unwrap_err(),
                cmd.lines().unwrap_err(),
            ];
            assert_childless();
            for error in errors {
                assert_eq!((error.kind(), error.raw_os_error()), (ErrorKind::ProgramNotFound, Some(libc::ENOENT)));
                assert!(error.to_string().contains(program) && error.status().is_none(), "{error}");
                assert_eq!(std::io::Error::from(error).kind(), std::io::ErrorKind::NotFound);
            }
        }
    });
}

/// Item 4: An empty program name is refused before anything is started.
#[test]
fn an_empty_program_is_refused() {
    isolated(|| {
        let error = (role("hang") | cmd!("")).run().unwrap_err();
        assert_eq!((error.kind(), error.stage()), (ErrorKind::InvalidInput, Some(1)));
    });
}

/// Item 5: A NUL byte cannot be passed, and the error says where it is.
#[test]
fn a_nul_byte_is_refused_and_named() {
    isolated(|| {
        let table = [
            (cmd!("a\0b"), "program"),
            (role("echo").args(["fine", "a\0b"]), "argument 3"),
            (role("echo").arg0("a\0b"), "arg0"),
            (role("echo").env("A\0", "1"), "name"),
            (role("echo").env("KEY", "1\0"), "KEY"),
            (role("echo").current_dir("a\0b"), "directory"),
        ];
        for (cmd, place) in table {
            let error = cmd.run().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert!(error.to_string().contains(place), "{place}: {error}");
        }
    });
}

/// Arguments that a shell, a C library or a careless joiner would trip over.
fn odd_arguments() -> Vec<OsString> {
    let words = [
        "", " ", "a b", "'", "\"", "\\", "\\\\\\", "\\\"", "$HOME", "`x`", "*", "-n", "a\nb", "\t", "~", "é", "#", "!",
        "a=b",
    ];
    let bytes: &[&[u8]] = &[b"\xff\xfe", b"a\x80", b"\x01\x7f\x1b[0m"];
    words.iter().map(OsString::from).chain(bytes.iter().map(|word| OsStr::from_bytes(word).to_owned())).collect()
}

/// What the `args` role says for these words.
fn as_said(words: &[OsString]) -> Vec<u8> {
    words.iter().flat_map(|word| [word.as_bytes(), b"\0"].concat()).collect()
}

/// Item 6: Arguments arrive byte for byte; an empty one is one.
#[test]
fn odd_arguments_arrive_byte_for_byte() {
    isolated(|| {
        let words = odd_arguments();
        assert_eq!(role("args").args(&words).read_bytes().unwrap(), as_said(&words));
        let words: Vec<OsString> = (1..=255).map(|byte| OsStr::from_bytes(&[byte]).to_owned()).collect();
        assert_eq!(role("args").args(&words).read_bytes().unwrap(), as_said(&words));
    });
}

/// Item 7: The line that `Display` gives means the same to a shell, when it is text; and so does a pipeline's.
#[test]
fn the_printed_line_means_the_same_words_to_a_shell() {
    isolated(|| {
        let words: Vec<OsString> = odd_arguments().into_iter().filter(|word| word.to_str().is_some()).collect();
        let cmd = role("args").args(&words);
        assert_eq!(Cmd::sh(cmd.to_string()).read_bytes().unwrap(), as_said(&words));
        let pipeline = cmd | role("cat");
        assert_eq!(Cmd::sh(pipeline.to_string()).read_bytes().unwrap(), as_said(&words));
    });
}

/// Item 8: A shell gets its text as it is, quotes and all.
#[test]
fn a_shell_text_is_passed_verbatim() {
    isolated(|| {
        assert_eq!(Cmd::sh(r#"printf '%s|' "a  b" 'c"d' e\ f"#).read().unwrap(), "a  b|c\"d|e f|");
    });
}

/// Item 9: argv[0] can be another than the program's name.
#[test]
fn argv0_is_what_was_said() {
    isolated(|| {
        assert_eq!(role("arg0").arg0("another name").read().unwrap(), "another name");
        assert_eq!(role("arg0").arg0("").read().unwrap(), "");
    });
}

/// Runs `exec` in a fork of this process: what it wrote to its stdout and stderr by way of `to`, and how it ended. 99 when exec came back.
fn exec_in_a_fork(make: impl FnOnce(Redirect) -> Cmd) -> (String, WaitStatus) {
    let (mut reader, writer) = pipe::kernel().unwrap();
    let cmd = make(Redirect::fd(writer.try_clone().unwrap()));
    // SAFETY: the other thread of this process only waits, so no lock is held that the child might need.
    match unsafe { fork() }.unwrap() {
        ForkResult::Child => {
            let errno = cmd.exec().raw_os_error().unwrap_or(0);
            let _ = nix::unistd::write(&writer, format!("exec came back: {errno}").as_bytes());
            // SAFETY: ends the process, which is the fork.
            unsafe { libc::_exit(99) }
        }
        ForkResult::Parent { child } => {
            drop((writer, cmd));
            let mut said = String::new();
            reader.read_to_string(&mut said).unwrap();
            (said, waitpid(child, None).unwrap())
        }
    }
}

#[track_caller]
fn assert_exited(status: WaitStatus, expected: i32) {
    assert!(matches!(status, WaitStatus::Exited(_, code) if code == expected), "{status:?}");
}

/// Item 13: `exec` replaces the process: the program's output, with its merge, and the program's exit code.
#[test]
fn exec_becomes_the_program_with_its_merge() {
    isolated(|| {
        let (said, status) = exec_in_a_fork(|to| role("out-err").arg("1").stdout(to).stderr_to_stdout());
        assert_eq!(said, "out 0\nerr 0\n");
        assert_exited(status, 0);
        let (said, status) = exec_in_a_fork(|to| role("fail-with").args(["6", "gone"]).stderr(to));
        assert_eq!(said, "gone\n");
        assert_exited(status, 6);
    });
}

/// Item 14: `exec` goes to the working directory and sets the environment.
#[test]
fn exec_takes_directory_and_environment_along() {
    isolated(|| {
        let (said, status) = exec_in_a_fork(|to| role("cwd").current_dir("/").stdout(to));
        assert_eq!(said, "/\n");
        assert_exited(status, 0);
        let (said, _) = exec_in_a_fork(|to| role("env").env_clear().env("ONE", "1").stdout(to));
        assert_eq!(said, "ONE=1\0");
    });
}

/// Item 16: `exec` refuses what would need somebody here, before it changes anything: a pipe, input data, a timeout.
#[test]
fn exec_refuses_what_needs_somebody_before_it_changes_anything() {
    isolated(|| {
        let before = open_fds();
        let role = || role("exit").arg("0").current_dir("/");
        let cwd = std::env::current_dir().unwrap();
        for cmd in [
            role().stdin(Redirect::piped()),
            role().stdin(Redirect::bytes("data")),
            role().stdout(Redirect::capture()),
            role().stderr(Redirect::each_line(|_| ())),
            role().timeout(Duration::from_secs(1)),
        ] {
            assert_eq!(cmd.exec().kind(), ErrorKind::Conflict, "{cmd}");
        }
        assert_eq!(open_fds(), before);
        assert_eq!(std::env::current_dir().unwrap(), cwd);
    });
}

/// Item 17: `exec` of a path or a bare name that is not there returns, with ENOENT.
#[test]
fn exec_of_a_missing_program_returns_enoent() {
    isolated(|| {
        for program in ["/no/such/program", "no-such-program-here"] {
            let (said, status) = exec_in_a_fork(|_| cmd!(program));
            assert_eq!(said, format!("exec came back: {}", libc::ENOENT));
            assert_exited(status, 99);
        }
    });
}

/// The entries of the environment that a child of this builder has.
fn environment(cmd: Cmd) -> Vec<String> {
    let text = String::from_utf8(cmd.read_bytes().unwrap()).unwrap();
    text.split_terminator('\0').map(String::from).collect()
}

/// Item 18: A cleared environment is empty; with one variable it holds that one.
#[test]
fn a_cleared_environment_holds_what_was_set() {
    isolated(|| {
        assert_eq!(environment(role("env").env_clear()), [""; 0]);
        assert_eq!(environment(role("env").env_clear().env("ONE", "1")), ["ONE=1"]);
        assert_eq!(environment(role("env").env_clear().env("ONE", "")), ["ONE="]);
    });
}

/// Items 19, 20: The last value counts, and many at once are as many singles.
#[test]
fn a_variable_holds_its_last_value_set_singly_or_in_bulk() {
    isolated(|| {
        let clear = || role("env").env_clear();
        assert_eq!(environment(clear().env("A", "1").env("A", "2")), ["A=2"]);
        let pairs = [("A", "1"), ("B", "2"), ("A", "3")];
        let singly = pairs.iter().fold(clear(), |cmd, (key, value)| cmd.env(key, value));
        assert_eq!(environment(clear().envs(pairs)), ["A=3", "B=2"]);
        assert_eq!(environment(clear().envs(pairs)), environment(singly));
    });
}

/// Item 21: What the parent has is inherited, and can be overridden or removed; the parent's own stays.
#[test]
fn the_parents_variables_are_inherited_overridden_removed() {
    isolated(|| {
        const KEY: &str = "PIPEWRIGHT_ISOLATED_TEST";
        let own = std::env::var(KEY).unwrap();
        let value = |cmd: Cmd| -> Option<String> {
            environment(cmd).iter().find_map(|entry| entry.strip_prefix(KEY)?.strip_prefix('=').map(String::from))
        };
        assert_eq!(value(role("env")), Some(own.clone()));
        assert_eq!(value(role("env").env(KEY, "other")).as_deref(), Some("other"));
        assert_eq!(value(role("env").env_remove(KEY)), None);
        assert_eq!(value(role("env").env_remove(KEY).env(KEY, "back")).as_deref(), Some("back"));
        assert_eq!(std::env::var(KEY).unwrap(), own);
    });
}

/// Item 22: A pipeline's working directory is every present stage's that has none, also of a collected one.
#[test]
fn a_directory_on_a_pipeline_is_every_stages() {
    isolated(|| {
        let stage = || Cmd::sh("pwd >&2; pwd");
        let built = (stage() | stage()).current_dir("/").output().unwrap();
        let collected = [stage(), stage()].into_iter().collect::<Pipeline>().current_dir("/").output().unwrap();
        assert_eq!((&built.stderr, &built.stdout), (&collected.stderr, &collected.stdout));
        assert_eq!(built.stderr, "/\n/\n");
        let own = (stage().current_dir("/dev") | role("cat")).current_dir("/").output().unwrap();
        assert_eq!((&own.stdout[..], &own.stderr[..]), (&b"/dev\n"[..], &b"/dev\n"[..]));
    });
}

/// Item 23: `Display` quotes words, shows which variables are set and which removed, and joins stages with a bar. (Values are not shown.)
#[test]
fn display_shows_what_is_set_and_hides_the_values() {
    isolated(|| {
        let cmd = cmd!("prog", "a b").env("SET", "value").env_remove("GONE");
        assert_eq!(cmd.to_string(), r#"env -u GONE SET="${SET:?}" prog 'a b'"#);
        assert_eq!(cmd!("prog").env_clear().to_string(), "env -i prog");
        assert_eq!((cmd!("a") | cmd!("b", "c") | cmd!("d")).to_string(), "a | b c | d");
    });
}
