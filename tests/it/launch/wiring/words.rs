//! What is shown of it: the command as a line, and the plan.

use super::*;
use crate::prelude::*;

#[test]
fn arguments_are_shown_as_some_shells_write_them() {
    isolated(|| {
        let cmd = Cmd::new("diff")
            .arg_reader(Cmd::new("sort").arg("a b") | Cmd::new("uniq"))
            .arg("-")
            .arg_writer(Cmd::new("gzip"));
        assert_eq!(cmd.to_string(), "diff <(sort 'a b' | uniq) - >(gzip)");
        let nested = Cmd::new("cat").arg_reader(cmd.arg_fd(null()));
        assert_eq!(nested.to_string(), "cat <(diff <(sort 'a b' | uniq) - >(gzip) \"${FD:?}\")");
        let secret = Cmd::new("cat").arg_reader(Cmd::new("login").secret_arg("hunter2").env("TOKEN", "t0k3n"));
        let shown = format!("{secret} {secret:?} {}", secret.dry_run().expect("nothing is wrong"));
        assert!(!shown.contains("hunter2") && !shown.contains("t0k3n"), "{shown}");
    });
}

#[test]
fn the_line_does_what_the_command_does_when_a_shell_has_it() {
    isolated(|| {
        let Ok(bash) = pipewright::which("bash") else { return skip("there is no bash") };
        let inner = |text: &str| role("echo").arg(text) | role("upper");
        let cmd = paths().arg_reader(inner("it's")).arg_reader(inner("so"));
        let line = cmd.to_string();
        assert_eq!(Cmd::new(bash).args(["-c", &line]).read().expect("bash runs it"), cmd.read().expect("it runs"));
    });
}

#[test]
fn further_streams_are_shown_as_far_as_a_shell_has_them() {
    isolated(|| {
        let cmd =
            Cmd::new("a").fd_in(3, Redirect::file("in")).fd_out(4, Redirect::file("o ut")).fd_out(5, Redirect::null());
        let cmd = cmd
            .fd_out(6, Redirect::append("log"))
            .fd_in(7, Redirect::null())
            .map_fd(null(), 8)
            .fd_out(9, Redirect::piped());
        assert_eq!(cmd.to_string(), "a 3< in 4> 'o ut' 5> /dev/null 6>> log 7< /dev/null");
        // A shell swaps by way of 3, and has 3 all the same.
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("three");
        let swapped = role("say").args(["1", "one", "2", "two", "3", "three"]).swap_stdout_stderr();
        let line = swapped.fd_out(3, Redirect::file(&path)).to_string();
        let out = Cmd::sh(line).output().expect("the shell runs it");
        assert_eq!((out.stdout_str(), out.stderr_str()), (Ok("two"), Ok("one")));
        assert_eq!(std::fs::read_to_string(&path).expect("written"), "three");
    });
}

#[test]
fn the_plan_says_which_number_leads_where() {
    isolated(|| {
        let cmd = Cmd::new("diff")
            .arg_reader(Cmd::new("sort") | Cmd::new("uniq"))
            .arg_fd(null())
            .fd_out(3, Redirect::piped());
        let cmd = cmd.fd_in(4, Redirect::here_document("text")).map_fd(marked(1), 5);
        let plan = cmd.dry_run().expect("nothing is wrong").to_string();
        for line in [
            "run: 3 stages, no timeout",
            "stage 0: diff <(sort | uniq) \"${FD:?}\"",
            "  fd 3    pipe ",
            "  fd 4    a file in memory with 4 bytes",
            "  fd 5    shared descriptor",
            "  fd 63   pipe 0",
            "  fd 62   one-shot descriptor",
            "stage 1: sort",
            "  stdin   /dev/null",
            "pipe 0: stage 2 (stdout) -> stage 0 (fd 63)",
        ] {
            assert!(plan.contains(line), "{line}\n{plan}");
        }
        assert!(!plan.contains("note:"), "{plan}");
    });
}

#[test]
fn a_number_that_is_named_is_noted_only_when_the_child_does_not_get_it() {
    isolated(|| {
        let named = || Cmd::new("cat").arg("/dev/fd/5");
        let notes =
            |cmd: Cmd| cmd.dry_run().expect("nothing is wrong").to_string().matches("note: descriptor 5").count();
        assert_eq!(notes(named()), 1);
        assert_eq!(notes(named().map_fd(null(), 6)), 1);
        assert_eq!(notes(named().map_fd(null(), 5)), 0);
        assert_eq!(notes(named().fd_in(5, Redirect::bytes("x"))), 0);
        let error = role("cat-paths").arg("/dev/fd/9").arg_reader(role("echo")).output().expect_err("there is no 9");
        let text = format!("{error:#}");
        assert!(text.contains("descriptor 9 is named") && !text.contains("descriptor 63"), "{text}");
    });
}
