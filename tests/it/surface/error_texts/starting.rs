//! Texts of runs that never began.

use std::os::unix::fs::PermissionsExt;

use super::helper;
use super::texts::Texts;
use crate::prelude::*;

#[test]
fn input_that_no_process_can_be_given_is_named() {
    isolated(|| {
        let mut texts = Texts::new();
        texts.check("empty-program", Cmd::new("").run());
        texts.check("nul-in-program", cmd!("ec\0ho").run());
        texts.check("nul-in-argument", cmd!("echo", "fine", "not\0fine").run());
        texts.check("nul-in-argument-of-a-stage", (cmd!("echo") | cmd!("cat", "-\0") | cmd!("wc")).run());
        texts.check("nul-in-arg0", cmd!("echo").arg0("e\0").run());
        texts.check("nul-in-value", cmd!("echo").env("TOKEN", "s3cr\0et").run());
        texts.check("nul-in-key", cmd!("echo").env("A\0B", "1").run());
        texts.check("nul-in-current-dir", cmd!("echo").current_dir("/t\0mp").run());
        texts.check("equals-in-key", cmd!("echo").env("LEVEL=3", "").run());
        texts.check("empty-key", cmd!("echo").env("", "1").run());
        texts.finish();
    });
}

#[test]
fn what_is_too_long_is_named() {
    isolated(|| {
        let mut texts = Texts::new();
        let long = "x".repeat(200_000);
        let cut = [(long.clone(), "xxx…")];
        let error = cmd!("echo", "short", &long).run().unwrap_err();
        texts.check_with("argument-too-long", &error, &cut);
        texts.check("variable-too-long", cmd!("echo").env("LONG", &long).run());
        // The sum depends on the environment, and is all that does.
        let error = cmd!("echo").args(vec!["x".repeat(100_000); 60]).run().unwrap_err();
        let text = error.to_string();
        let mut numbers = text.split(|c: char| !c.is_ascii_digit()).filter(|word| word.len() > 5);
        let sum = numbers.next().expect("the sum is said").to_owned();
        assert!(sum.parse::<u64>().is_ok_and(|sum| (6_000_000..7_000_000).contains(&sum)), "{text}");
        let limit = numbers.next().expect("the limit is said").to_owned();
        let command = " xxx".repeat(60);
        let varying = [(sum, "SUM"), (limit, "LIMIT"), ("x".repeat(100_000), "xxx"), (command, " xxx [60 times]")];
        texts.check_with("too-long-together", &error, &varying);
        texts.finish();
    });
}

#[test]
fn a_program_that_cannot_be_run_says_why() {
    isolated(|| {
        let mut texts = Texts::new();
        let executable = |name: &str, text: &str| {
            let path = texts.file(name, text);
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("ours");
            path
        };
        let no_shebang = executable("no-shebang", "echo hello\n");
        let bad_interpreter = executable("bad-interpreter", "#!/opt/python9/bin/python9 -u\n");
        let windows = executable("windows", "#!/bin/sh\r\necho hello\r\n");
        executable("here", "#!/bin/sh\n");
        let plain = texts.file("plain", "#!/bin/sh\n");
        let here = texts.path("");

        texts.check("missing-program", cmd!("no-such-program", "--help").run());
        let missing_in_the_middle = cmd!("echo", "hi") | cmd!("no-such-program") | cmd!("wc", "-l");
        texts.check("missing-program-of-a-stage", missing_in_the_middle.output());
        texts.check("missing-program-by-path", cmd!(texts.path("missing")).run());
        texts.check("missing-program-below-a-file", cmd!(plain.join("program")).run());
        texts.check("missing-program-in-current-dir", cmd!("./missing").current_dir(&here).run());
        texts.check("directory-as-program", cmd!("/").run());
        texts.check("not-executable", cmd!(&plain).run());
        texts.check("no-shebang", cmd!(no_shebang).run());
        texts.check("missing-interpreter", cmd!(bad_interpreter).run());
        texts.check("missing-interpreter-in-path", cmd!("bad-interpreter").env("PATH", &here).run());
        texts.check("windows-line-endings", cmd!(windows).run());
        texts.check("relative-path", cmd!("here").env("PATH", ":/bin").current_dir(&here).run());
        texts.check("which-missing", pipewright::which("no-such-program"));
        texts.check("which-missing-by-path", pipewright::which("./no-such-program"));
        texts.finish();
    });
}

#[test]
fn a_file_that_is_still_written_to_says_so() {
    isolated(|| {
        let mut texts = Texts::new();
        let busy = texts.path("busy");
        fs::copy(fixture(), &busy).expect("a copy");
        let writer = File::options().append(true).open(&busy).expect("the copy is ours");
        texts.check("text-busy", cmd!(&busy, "exit", "0").run());
        drop(writer);
        texts.finish();
    });
}

#[test]
fn a_directory_that_cannot_be_entered_is_named() {
    isolated(|| {
        let mut texts = Texts::new();
        let (missing, file) = (texts.path("missing"), texts.file("file", ""));
        texts.check("missing-current-dir", cmd!("echo", "hi").current_dir(&missing).run());
        let stages = (cmd!("echo") | cmd!("cat").label("the reader").current_dir(&missing)).run();
        texts.check("missing-current-dir-of-a-stage", stages);
        texts.check("file-as-current-dir", cmd!("echo", "hi").current_dir(&file).run());
        texts.finish();
    });
}

#[test]
fn a_redirection_that_cannot_be_opened_is_named() {
    isolated(|| {
        let mut texts = Texts::new();
        let (missing, deep) = (texts.path("missing"), texts.path("missing/file"));
        let dir = texts.path("");
        texts.check("stdin-file-missing", cmd!("cat").stdin(Redirect::file(&missing)).run());
        let stages = cmd!("echo") | cmd!("sort").stdout(Redirect::file(&deep));
        texts.check("stdout-file-below-missing", stages.run());
        texts.check("stderr-append-to-directory", cmd!("cat").stderr(Redirect::append(&dir)).run());
        let tee = Redirect::tee([Redirect::capture(), Redirect::file(&deep)]);
        texts.check("tee-file-below-missing", (cmd!("echo").stdout(tee) | cmd!("cat")).run());
        texts.finish();
    });
}

#[test]
fn a_conflict_names_both_sides() {
    isolated(|| {
        let mut texts = Texts::new();
        let second = Duration::from_secs(1);
        let (file, null) = (Path::new("/var/log/big"), Redirect::null);
        texts.check("stage-with-timeout", (cmd!("a") | cmd!("b").timeout(second)).run());
        let limited = cmd!("b").stdout_limit(pipewright::Limit::Head(1));
        texts.check("stage-with-limit", (cmd!("a") | limited | cmd!("c")).run());
        let nested = (cmd!("b") | cmd!("c")).timeout(second);
        texts.check("nested-pipeline-with-timeout", (cmd!("a") | nested).run());
        texts.check("stage-with-stdin", (cmd!("a") | cmd!("b").stdin(Redirect::file(file))).run());
        texts.check("stage-with-bytes", (cmd!("a") | cmd!("b").stdin(Redirect::bytes("xyz"))).run());
        texts.check("stage-with-stdout", (cmd!("a").stdout(null()) | cmd!("b")).run());
        let tee = Redirect::tee([Redirect::capture(), Redirect::piped()]);
        texts.check("piped-in-a-tee", cmd!("a").stdout(tee).run());
        texts.check("stage-with-stderr", cmd!("a").stderr(null()).pipe_stderr(cmd!("b")).run());
        texts.check("stdout-of-lines", cmd!("a").stdout(null()).lines());
        let grouped = cmd!("a").process_group(0).contain(Containment::Group);
        texts.check("contained-with-group", grouped.run());
        let session = (cmd!("a") | cmd!("b").new_session(true)).contain(Containment::Group);
        texts.check("contained-with-session", session.run());
        texts.check("stage-with-contain", (cmd!("a") | cmd!("b").contain(Containment::Session)).run());
        texts.check::<()>("exec-with-timeout", Err(cmd!("a").timeout(second).exec()));
        texts.check::<()>("exec-with-bytes", Err(cmd!("a").stdin(Redirect::bytes("x")).exec()));
        texts.finish();
    });
}

#[test]
fn what_was_used_up_is_named() {
    isolated(|| {
        let mut texts = Texts::new();
        let file = texts.file("input", "");
        let cat = helper("cat").stdin(Redirect::fd(File::open(file).expect("just written")));
        cat.output().expect("the first start");
        texts.check("one-shot-descriptor-again", cat.output());
        let cat = helper("cat").stdin(Redirect::from_reader(std::io::empty()));
        cat.output().expect("the first start");
        texts.check("one-shot-reader-again", cat.output());
        let stages = helper("echo") | helper("cat").stdout(Redirect::to_writer(std::io::sink()));
        stages.run().expect("the first start");
        texts.check("one-shot-writer-again", stages.run());
        texts.finish();
    });
}

#[test]
fn a_step_that_the_system_refuses_is_named() {
    isolated(|| {
        let mut texts = Texts::new();
        // This session has no group of that number, so `setpgid` gives EPERM.
        texts.check("refused-process-group", cmd!("echo", "hi").process_group(1).run());
        let null = helper("cat").stdin(Redirect::null());
        texts.check("no-descriptor-for-null", spare_fds(0, || null.run()));
        let stages: Pipeline = [helper("echo"), helper("cat"), helper("count")].into_iter().collect();
        texts.check("no-descriptor-for-a-pipe", spare_fds(0, || stages.run()));
        texts.finish();
    });
}

#[test]
fn a_thread_that_children_cannot_be_like_is_told_in_what() {
    isolated_with(Options { extra_threads: 1, ..Options::default() }, || {
        let mut texts = Texts::new();
        let echo = || cmd!("echo", "hi").kill_on_parent_death(true);
        echo().stdout(Redirect::null()).run().expect("it runs");
        let nicer = move || {
            // SAFETY: takes numbers; on Linux 0 is the calling thread.
            assert_eq!(unsafe { nix::libc::setpriority(nix::libc::PRIO_PROCESS, 0, 19) }, 0);
            echo().run()
        };
        texts.check("unlike-thread", std::thread::spawn(nicer).join().expect("no panic"));
        texts.finish();
    });
}
