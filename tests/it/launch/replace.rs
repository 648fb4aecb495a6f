//! `exec`: this process becomes the program.

use std::process::Output;

use crate::prelude::*;

/// Stands between the words of libtest and those of the program.
const MARK: &str = "\n--- here it becomes ---\n";

fn part() -> Option<String> {
    std::env::var(PART).ok()
}

/// Becomes the command; the failure, if it did not, is what the process says instead.
fn become_it(cmd: &Cmd) {
    print!("{MARK}");
    std::io::stdout().flush().expect("it can be written");
    let error = cmd.exec();
    println!("{:?} {:?} {}", error.kind(), error.step(), error.raw_os_error().unwrap_or(0));
}

/// What this test's body says from the mark on when it is started once more as `part`.
fn again(part: &str) -> (String, Output) {
    let mut test = Command::new(std::env::current_exe().expect("the path of the test binary"));
    test.args(std::env::args_os().skip(1)).env(PART, part).stdin(Stdio::null());
    let output = test.output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = said.split_once(MARK).map(|(_, said)| said.to_string());
    (said.unwrap_or_else(|| panic!("no mark: {output:?}")), output)
}

#[test]
fn the_program_takes_this_processs_place() {
    isolated(|| {
        if let Some(part) = part() {
            return become_it(&match part.as_str() {
                "ids" => role("ids"),
                "exit" => role("exit").arg("7"),
                "args" => role("args").args(["a", "b c"]).arg0("z"),
                "cwd" => role("cwd").current_dir("/"),
                "fds" => role("count-fds"),
                "env" => role("env").env_only(["NOTHING"]).env("A", "B"),
                "umask" => role("umask").umask(0o31),
                "stdin" => role("cat").stdin(Redirect::file(file!())),
                "signals" => role("signals"),
                "null" => role("say").args(["1", "lost", "2", "told"]).stdout(Redirect::null()),
                "merged" => role("say").args(["2", "both"]).stderr_to_stdout(),
                other => panic!("no part {other}"),
            });
        }
        let mut child = Command::new(std::env::current_exe().expect("the path of the test binary"));
        child.args(std::env::args_os().skip(1)).env(PART, "ids").stdout(Stdio::piped());
        let child = child.spawn().expect("it starts");
        let pid = child.id();
        let output = child.wait_with_output().expect("it ends");
        let said = String::from_utf8(output.stdout).expect("it is text");
        let (_, said) = said.split_once(MARK).expect("the mark");
        assert!(said.starts_with(&format!("{pid} {} ", std::process::id())), "{said}");

        assert_eq!(again("exit").1.status.code(), Some(7));
        assert_eq!(again("args").0, "a\0b c\0");
        assert_eq!(again("cwd").0, "/\n");
        assert_eq!(again("fds").0, "0\n1\n2\n");
        assert_eq!(again("env").0, "A=B\0");
        assert_eq!(again("umask").0, "0031\n");
        assert_eq!(again("stdin").0, std::fs::read_to_string(file!()).expect("this file"));
        let (said, output) = again("null");
        assert_eq!((said.as_str(), &output.stderr[..]), ("", &b"told"[..]));
        assert_eq!(again("merged").0, "both");
        let (said, _) = again("signals");
        assert!(said.contains("SigBlk 0000000000000000\n") && said.contains("SigCgt 0000000000000000\n"), "{said}");
        assert!(said.contains("SigIgn 0000000000000000\n"), "{said}");
    });
}

#[test]
fn a_failed_exec_comes_back_with_an_error_and_everything_still_open() {
    isolated(|| {
        // What the Rust runtime catches may be the default afterwards; the end check would say so.
        let default = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
        let caught = [Signal::SIGSEGV, Signal::SIGBUS].map(|signal| {
            // SAFETY: the default runs no code.
            (signal, unsafe { sigaction(signal, &default) }.expect("it can be set"))
        });
        let before = open_fds();
        for (cmd, kind, step, errno) in [
            (Cmd::new("/no/such/program"), ErrorKind::ProgramNotFound, Step::Exec, libc::ENOENT),
            (role("cat").current_dir("/no/such/directory"), ErrorKind::CurrentDir, Step::Chdir, libc::ENOENT),
            (role("cat").stdin(Redirect::file("/no/such/file")), ErrorKind::Redirect, Step::Open, libc::ENOENT),
        ] {
            let signals = role("signals").inherit_signals(true).read().expect("it runs");
            let error = cmd.inherit_signals(true).exec();
            assert_eq!((error.kind(), error.step(), error.stage()), (kind, Some(step), Some(0)), "{error:?}");
            assert_eq!(error.raw_os_error(), Some(errno));
            assert_no_new_fd(&before);
            assert_eq!(role("signals").inherit_signals(true).read().expect("it runs"), signals);
        }
        for (signal, action) in caught {
            // SAFETY: puts back what was there.
            unsafe { sigaction(signal, &action) }.expect("it can be put back");
        }
    });
}

#[test]
fn settings_that_need_a_waiting_process_are_a_conflict_and_change_nothing() {
    isolated(|| {
        let before = open_fds();
        for (cmd, word) in [
            (role("cat").timeout(std::time::Duration::from_secs(1)), "timeout"),
            (role("cat").stdin(Redirect::bytes("x")), "pipe"),
            (role("cat").stdout(Redirect::capture()), "pipe"),
            (role("cat").stdout(Redirect::piped()), "pipe"),
            (role("cat").stderr(Redirect::each_line(|_: &[u8]| ())), "pipe"),
        ] {
            let error = cmd.exec();
            assert_eq!(error.kind(), ErrorKind::Conflict, "{error:?}");
            assert!(error.to_string().contains(word), "{error}");
        }
        let error = role("cat").arg("\0").exec();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert_no_new_fd(&before);
    });
}
