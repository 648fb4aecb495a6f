//! A terminal of the test's own: what its keys do, and which process group may read it.

use nix::unistd::{getpgrp, tcgetpgrp};
use pipewright::forward;

use super::{Told, in_part, part, say_pids};
use crate::prelude::*;

const LONG: Duration = Duration::from_secs(15);

/// A command at a terminal of its own, with its keyboard. What is echoed is thrown away.
fn at_terminal(cmd: Cmd) -> (Told, File) {
    let pty = openpty(None, None).expect("a terminal");
    let told = Told::by(cmd.controlling_tty(true).stdin(Redirect::fd(pty.slave)));
    let keyboard = File::from(pty.master);
    let mut screen = keyboard.try_clone().expect("a descriptor");
    // Ends when the last descriptor of the terminal is closed.
    std::thread::spawn(move || while screen.read(&mut [0; 1024]).is_ok_and(|n| n > 0) {});
    (told, keyboard)
}

fn press(mut keyboard: &File, keys: &str) {
    keyboard.write_all(keys.as_bytes()).expect("the terminal is there");
}

/// Whether this process's group has the terminal.
fn have_terminal() -> bool {
    tcgetpgrp(std::io::stdin()).expect("a terminal") == getpgrp()
}

#[test]
fn ctrl_c_and_a_hangup_reach_a_run_in_a_group_of_its_own() {
    isolated(|| {
        if part("run") {
            let _forwarding = forward::signals().expect("it is installed");
            let hang = role("hang").stdin(Redirect::null()).stdout(Redirect::null()).contain(Containment::Group);
            let job = hang.forward_signals(true).grace(Duration::from_secs(60)).spawn().expect("it starts");
            say_pids("run ", &job);
            let _ = job.wait();
            return;
        }
        let (mut told, keyboard) = at_terminal(in_part("run"));
        let pids = told.pids_after("run ");
        press(&keyboard, "\x03");
        assert_eq!(within(LONG, || told.job.wait()).expect("a status").signal(), Some(Signal::SIGINT as i32));
        assert_eq!(process_state(pids[0]), None);

        let pty = openpty(None, None).expect("a terminal");
        let mut told = Told::by(in_part("run").controlling_tty(true).stdin(Redirect::fd(pty.slave)));
        let pids = told.pids_after("run ");
        drop(pty.master);
        assert_eq!(within(LONG, || told.job.wait()).expect("a status").signal(), Some(Signal::SIGHUP as i32));
        assert_eq!(process_state(pids[0]), None);
    });
}

#[test]
fn ctrl_c_reaches_a_run_in_the_own_group_once() {
    isolated(|| {
        if part("run") {
            let _forwarding = forward::signals().expect("it is installed").keep_running(true);
            let plan = [(0, Duration::from_millis(300)), (Signal::SIGTERM as i32, LONG)];
            let counts = role("count-ints").stdin(Redirect::null()).forward_signals(true).shutdown_plan(plan);
            let ready = |line: &[u8]| println!("said {}", String::from_utf8_lossy(line));
            let error = counts.stdout(Redirect::each_line(ready)).run().expect_err("it was ended");
            assert_eq!(error.kind(), ErrorKind::Interrupted, "{error}");
            return;
        }
        let (mut told, keyboard) = at_terminal(in_part("run"));
        assert_eq!(told.after("said "), "ready");
        press(&keyboard, "\x03");
        assert_eq!(told.after("said "), "1");
        assert!(within(LONG, || told.job.wait()).expect("a status").success());
    });
}

#[test]
fn one_that_reads_the_terminal_from_the_background_is_reported() {
    isolated(|| {
        if part("run") {
            let reads = || role("cat").stdin(Redirect::inherit());
            let error = within(LONG, || reads().contain(Containment::Group).read()).expect_err("it was stopped");
            assert_eq!((error.kind(), error.stage()), (ErrorKind::Stopped, Some(0)), "{error:?}");
            let text = error.to_string();
            assert!(
                text.ends_with(
                    "` was stopped by SIGTTIN: it reads the terminal from the background; `foreground(true)` hands it over"
                ),
                "{text}"
            );
            let own = within(LONG, || reads().process_group(0).label("reader").run()).expect_err("it was stopped");
            assert!(own.to_string().starts_with("`reader` "), "{own}");
            let job = reads().contain(Containment::Group).spawn().expect("it starts");
            assert_eq!(within(LONG, || job.wait()).expect_err("it was stopped").kind(), ErrorKind::Stopped);
            return;
        }
        let (told, _keyboard) = at_terminal(in_part("run"));
        assert!(within(LONG * 2, || told.job.wait()).expect("a status").success());
    });
}

#[test]
fn a_run_in_the_foreground_has_the_terminal_and_gives_it_back() {
    isolated(|| {
        if part("run") {
            println!("reads it");
            let line = within(LONG, || role("head").stdin(Redirect::inherit()).foreground(true).read());
            assert_eq!(line.expect("it may read"), "typed");
            assert!(have_terminal(), "after a good end");
            let both = role("head").stdin(Redirect::inherit()) | role("cat");
            let job = both.stdout(Redirect::capture()).foreground(true).spawn().expect("it starts");
            println!("reads again");
            assert_eq!(within(LONG, || job.output()).expect("the group may").stdout, "more\n");
            assert!(have_terminal(), "after a pipeline");

            let missing = (role("hang") | Cmd::new("/no/such/program")).foreground(true).run();
            assert_eq!(missing.expect_err("no program").kind(), ErrorKind::ProgramNotFound);
            assert!(have_terminal(), "after a start that failed");
            let hang = || role("hang").stdout(Redirect::null()).foreground(true);
            let late = hang().timeout(Duration::from_millis(50)).run();
            assert_eq!(late.expect_err("its time passes").kind(), ErrorKind::Timeout);
            assert!(have_terminal(), "after a timeout");
            let job = hang().spawn().expect("it starts");
            assert!(!have_terminal(), "it is lent");
            drop(job);
            assert!(have_terminal(), "after a drop");
            return;
        }
        let (mut told, keyboard) = at_terminal(in_part("run"));
        told.after("reads it");
        press(&keyboard, "typed\n");
        told.after("reads again");
        press(&keyboard, "more\n");
        let status = within(LONG * 2, || told.job.wait()).expect("a status");
        assert!(status.success(), "{}", std::io::read_to_string(&mut told.lines).expect("text"));
    });
}

#[test]
fn a_start_that_fails_late_and_a_watchdog_leave_the_terminal_where_it_belongs() {
    // What makes children that die with this process stays.
    isolated_with(Options { extra_threads: 1, ..Options::default() }, || {
        if part("run") {
            let error = cmd!("/no/such/editor").foreground(true).run().expect_err("it is not there");
            assert_eq!(error.kind(), ErrorKind::ProgramNotFound);
            assert!(have_terminal(), "the child had it already");
            // The group has another leader then.
            println!("reads it");
            let bound = role("head").stdin(Redirect::inherit()).foreground(true).kill_on_parent_death(true);
            assert_eq!(within(LONG, || bound.read()).expect("it may read"), "typed");
            assert!(have_terminal(), "after a good end");
            // A process that learns of the end can read.
            println!("reads again");
            let head = role("head").stdin(Redirect::inherit()).stdout(Redirect::null()).foreground(true);
            let job = head.spawn().expect("it starts");
            for event in job.events() {
                let over = matches!(event.kind, EventKind::Finished { .. });
                assert!(!over || have_terminal(), "over, and the terminal is not back");
            }
            return;
        }
        let (mut told, keyboard) = at_terminal(in_part("run"));
        for (line, keys) in [("reads it", "typed\n"), ("reads again", "more\n")] {
            told.after(line);
            press(&keyboard, keys);
        }
        assert!(within(LONG * 2, || told.job.wait()).expect("a status").success());
    });
}

#[test]
fn ctrl_c_in_the_foreground_is_the_runs_alone() {
    isolated(|| {
        if part("run") {
            let job = role("hang").stdout(Redirect::piped()).foreground(true).spawn().expect("it starts");
            println!("{} now", read_line(job.take_stdout().expect("piped")));
            assert_eq!(job.wait().expect("a status").signal(), Some(Signal::SIGINT as i32));
            assert!(have_terminal());
            return;
        }
        let (mut told, keyboard) = at_terminal(in_part("run"));
        told.after("ready");
        press(&keyboard, "\x03");
        assert!(within(LONG, || told.job.wait()).expect("a status").success());
    });
}

/// Under a shell, which alone can tell that a program was stopped and put it into the foreground again.
#[test]
fn ctrl_z_stops_this_process_with_the_run_and_fg_continues_both() {
    isolated(|| {
        for forwards in ["", "yes"] {
            if part("run") {
                let forwards = std::env::var("FORWARDS").expect("set") == "yes";
                let _forwarding = forwards.then(|| forward::signals().expect("it is installed"));
                let cat = role("cat").stdin(Redirect::inherit()).stdout(Redirect::piped()).foreground(true);
                let job = cat.forward_signals(forwards).spawn().expect("it starts");
                say_pids("run ", &job);
                println!("said {}", read_line(job.take_stdout().expect("piped")));
                job.send_signal(Signal::SIGTERM as i32).expect("it is there");
                assert_eq!(job.wait().expect("a status").signal(), Some(Signal::SIGTERM as i32));
                assert!(have_terminal());
                return;
            }
            let exe = std::env::current_exe().expect("the path of the test binary");
            let mut words = vec!["sh".into(), exe.into_os_string()];
            words.extend(std::env::args_os().skip(1));
            // `sh -m -c TEXT sh PROGRAM ARGUMENT..`
            let text = "\"$@\"; echo \"stopped $?\"; fg >/dev/null; echo \"ended $?\"";
            let shell = Cmd::new("/bin/sh").args(["-m", "-c", text]).args(words);
            let (mut told, keyboard) = at_terminal(shell.env(PART, "run").env("FORWARDS", forwards));
            let run = told.pids_after("run ");
            press(&keyboard, "\x1a");
            let code: i32 = told.after("stopped ").parse().expect("a code");
            assert_eq!(code, 128 + Signal::SIGTSTP as i32, "as the shell saw it");
            // `fg` has come since.
            press(&keyboard, "typed\n");
            assert_eq!(told.after("said "), "typed");
            assert_eq!(told.after("ended "), "0");
            assert!(within(LONG, || told.job.wait()).expect("a status").success());
            assert_eq!(process_state(run[0]), None);
        }
    });
}

#[test]
fn a_run_that_goes_without_a_terminal_is_left_alone() {
    isolated(|| {
        // A session without one.
        if part("run") {
            let out = role("cat").stdin(Redirect::inherit()).foreground(true).read();
            assert_eq!(out.expect("there is nothing to lend"), "");
            return;
        }
        let job = in_part("run").new_session(true).stdin(Redirect::null()).stdout(Redirect::null());
        assert!(job.status().expect("a status").success());
    });
}

#[test]
fn the_terminal_and_another_container_are_a_conflict() {
    isolated(|| {
        for contain in [Containment::Session, Containment::Cgroup("/sys/fs/cgroup".into())] {
            let error = role("cat").contain(contain).foreground(true).run().expect_err("it cannot be");
            assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
            assert!(error.to_string().contains("`foreground`") && error.to_string().contains("`contain`"), "{error}");
        }
        let error = role("cat").new_session(true).foreground(true).run().expect_err("it cannot be");
        assert!(error.to_string().contains("`foreground` (Group)"), "{error}");
        assert!(role("exit").arg("0").contain(Containment::Group).foreground(true).run().is_ok());
    });
}
