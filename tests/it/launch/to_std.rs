//! A command as `std::process::Command`: all of it, or a refusal.

use pipewright::Resource;

use crate::prelude::*;

fn converted(cmd: Cmd) -> Command {
    Command::try_from(cmd).expect("std can hold it")
}

fn stdout(cmd: Cmd) -> String {
    let output = converted(cmd).output().expect("it runs");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("it is text")
}

#[test]
fn what_std_has_a_word_for_is_carried_over() {
    isolated(|| {
        assert_eq!(stdout(role("args").args(["a", "b c", ""])), "a\0b c\0\0");
        assert_eq!(stdout(role("arg0").arg0("other")), "other\n");
        assert_eq!(stdout(role("cwd").current_dir("/")), "/\n");
        assert_eq!(stdout(role("env").env("X", "0").env_clear().env("A", "1").env("B", "2").env_remove("A")), "B=2\0");
        let ids = stdout(role("ids").process_group(0));
        let ids: Vec<&str> = ids.trim().split(' ').collect();
        assert_eq!(ids[0], ids[2]);

        let made = tempfile::tempdir().expect("a directory");
        let (input, output) = (made.path().join("in"), made.path().join("out"));
        std::fs::write(&input, "from a file").expect("it can be written");
        let cmd = role("upper").stdin(Redirect::file(&input)).stdout(Redirect::file(&output));
        assert!(converted(cmd).status().expect("it runs").success());
        let cmd = role("echo").arg("more").stdout(Redirect::append(&output)).stderr(Redirect::null());
        assert!(converted(cmd).status().expect("it runs").success());
        assert_eq!(std::fs::read_to_string(&output).expect("it is there"), "FROM A FILEmore\n");

        let (reader, writer) = os_pipe::pipe().expect("a pipe");
        let cmd = role("echo").arg("through").stdout(Redirect::fd(writer));
        assert!(converted(cmd).status().expect("it runs").success());
        assert_eq!(std::io::read_to_string(reader).expect("its end"), "through\n");

        let cmd = role("cat").stdin(Redirect::piped()).stdout(Redirect::piped());
        let mut child = converted(cmd).spawn().expect("it starts");
        child.stdin.take().expect("piped").write_all(b"fed").expect("it reads");
        assert_eq!(child.wait_with_output().expect("it ends").stdout, b"fed");
    });
}

#[test]
fn what_std_has_no_word_for_is_refused_by_name() {
    isolated(|| {
        let second = std::time::Duration::from_secs(1);
        let cases = [
            (role("cat").stderr_to_stdout(), "stderr_to_stdout"),
            (role("cat").stdout_to_stderr(), "stdout_to_stderr"),
            (role("cat").new_session(true), "new_session"),
            (role("cat").secret_arg("hidden"), "secret_arg"),
            (role("cat").controlling_tty(true), "controlling_tty"),
            (role("cat").umask(0), "umask"),
            (role("cat").rlimit(Resource::Core, 0, 0), "rlimit"),
            (role("cat").nice(1), "nice"),
            (role("cat").groups([1]), "groups"),
            (role("cat").kill_on_parent_death(true), "kill_on_parent_death"),
            (role("cat").inherit_signals(true), "inherit_signals"),
            (role("cat").allow_codes([1]), "allow_codes"),
            (role("cat").env_only(["PATH"]), "env_only"),
            (role("cat").timeout(second), "timeout"),
            (role("cat").stdout_limit(pipewright::Limit::Head(1)), "stdout_limit"),
            (role("cat").stdin(Redirect::bytes("x")), "1 byte"),
            (role("cat").stdout(Redirect::each_line(|_: &[u8]| ())), "line callback"),
            (role("cat").stdout(Redirect::tee([Redirect::capture(), Redirect::null()])), "tee of"),
        ];
        for (cmd, word) in cases {
            let error = Command::try_from(cmd).expect_err("it is refused");
            assert_eq!(error.kind(), ErrorKind::Conflict, "{word}");
            assert!(error.to_string().contains(word), "{error}");
            assert!(!format!("{error:?}").contains("hidden"), "{error:?}");
        }
    });
}

#[test]
fn what_cannot_be_opened_or_was_used_is_refused() {
    isolated(|| {
        for to in [Redirect::file("/no/such/directory/file"), Redirect::append("/no/such/directory/file")] {
            let error = Command::try_from(role("cat").stdout(to)).expect_err("it cannot be opened");
            assert_eq!((error.kind(), error.raw_os_error()), (ErrorKind::Redirect, Some(2)), "{error}");
            assert!(error.to_string().contains("/no/such/directory/file"), "{error}");
        }
        let once = role("cat").stdin(Redirect::fd(std::fs::File::open("/dev/null").expect("it can be opened")));
        assert!(converted(once.clone()).status().expect("it runs").success());
        assert_eq!(Command::try_from(once).expect_err("it is gone").kind(), ErrorKind::AlreadyUsed);
    });
}

#[test]
fn what_a_refused_or_converted_command_held_is_closed_with_it() {
    isolated(|| {
        let before = open_fds();
        for refused in [true, false] {
            let (reader, writer) = os_pipe::pipe().expect("a pipe");
            let cmd = role("cat").stdout(Redirect::fd(writer));
            let result = Command::try_from(if refused { cmd.umask(0) } else { cmd });
            assert_eq!(result.is_err(), refused);
            drop(result);
            assert_eq!(std::io::read_to_string(reader).expect("its end"), "");
        }
        assert_no_new_fd(&before);
    });
}
