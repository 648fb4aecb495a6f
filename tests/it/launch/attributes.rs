//! The typed attributes of a child, each seen from inside it, and the step that is named when one is refused.

use nix::unistd::{getpgrp, getsid};
use pipewright::Resource;

use crate::prelude::*;

/// "pid ppid pgid sid" of a child.
fn ids(cmd: Cmd) -> [i32; 4] {
    let told = cmd.read().expect("it runs");
    let ids: Vec<i32> = told.split(' ').map(|id| id.parse().expect("a number")).collect();
    ids.try_into().expect("four")
}

fn own() -> (i32, i32) {
    (getpgrp().as_raw(), getsid(None).expect("a session").as_raw())
}

#[test]
fn a_child_is_in_this_group_and_session_unless_told_otherwise() {
    isolated(|| {
        let (group, session) = own();
        let [pid, parent, its_group, its_session] = ids(role("ids"));
        assert_eq!((parent, its_group, its_session), (std::process::id() as i32, group, session));
        assert_ne!(pid, its_group);
    });
}

#[test]
fn a_process_group_is_made_or_joined() {
    isolated(|| {
        let (_, session) = own();
        let [pid, _, group, its_session] = ids(role("ids").process_group(0));
        assert_eq!((group, its_session), (pid, session));
        let leader = role("hang").stdout(Redirect::null()).process_group(0).spawn().expect("it starts");
        let group = leader.pids()[0] as i32;
        assert_eq!(ids(role("ids").process_group(group))[2], group);
        drop(leader);
        let error = role("ids").process_group(group).run().expect_err("its leader is gone");
        assert_eq!((error.kind(), error.step()), (ErrorKind::Spawn, Some(Step::ProcessGroup)), "{error:?}");
        assert_eq!(error.raw_os_error(), Some(libc::EPERM));
    });
}

#[test]
fn a_new_session_is_led_by_the_child() {
    isolated(|| {
        let [pid, _, group, session] = ids(role("ids").new_session(true));
        assert_eq!((group, session), (pid, pid));
        assert_eq!(ids(role("ids").new_session(true).new_session(false))[3], own().1);
        assert_eq!(ids(role("ids").controlling_tty(true).controlling_tty(false))[3], own().1);
    });
}

#[test]
fn the_terminal_on_stdin_becomes_the_controlling_one() {
    isolated(|| {
        let pty = openpty(None, None).expect("a terminal");
        let master = pty.master;
        let of_master = || {
            // SAFETY: a descriptor that lives through the call.
            unsafe { libc::tcgetsid(master.as_raw_fd()) }
        };
        let fd = Arc::new(pty.slave);
        let hang = role("hang").stdin(Redirect::shared_fd(Arc::clone(&fd))).stdout(Redirect::null());
        let job = hang.clone().new_session(true).spawn().expect("it starts");
        assert_eq!(of_master(), -1, "no session controls it yet");
        drop(job);
        let job = hang.clone().controlling_tty(true).spawn().expect("it starts");
        let pid = job.pids()[0] as i32;
        assert_eq!((of_master(), getsid(Some(Pid::from_raw(pid)))), (pid, Ok(Pid::from_raw(pid))));
        // The keyboard's Ctrl-C now reaches it: the terminal is told to send it to the session's group.
        let mut keyboard = std::fs::File::from(master.try_clone().expect("a copy"));
        keyboard.write_all(b"\x03").expect("the terminal takes it");
        assert_eq!(job.wait().expect("it ends").signal(), Some(libc::SIGINT));
    });
}

#[test]
fn all_three_streams_may_be_the_terminal() {
    isolated(|| {
        let pty = openpty(None, None).expect("a terminal");
        let (master, slave) = (pty.master, Arc::new(pty.slave));
        let stream = || Arc::clone(&slave);
        let cmd = role("isatty").stdin(Redirect::shared_fd(stream())).stdout(Redirect::shared_fd(stream()));
        cmd.stderr_to_stdout().controlling_tty(true).run().expect("it runs");
        let mut told = [0; 7];
        std::fs::File::from(master).read_exact(&mut told).expect("it was told");
        assert_eq!(&told, b"1 1 1\r\n");
    });
}

#[test]
fn a_stdin_that_is_no_terminal_is_refused() {
    isolated(|| {
        let error = role("hang").stdin(Redirect::null()).controlling_tty(true).run().expect_err("no terminal");
        assert_eq!((error.kind(), error.step()), (ErrorKind::Spawn, Some(Step::ControllingTty)), "{error:?}");
        assert_eq!(error.raw_os_error(), Some(libc::ENOTTY));
    });
}

#[test]
fn the_umask_is_the_childs_alone() {
    isolated(|| {
        let before = role("umask").read().expect("it runs");
        assert_eq!(role("umask").umask(0o027).read().expect("it runs"), "0027");
        assert_eq!(role("umask").umask(0o027).umask(0).read().expect("it runs"), "0000");
        assert_eq!(role("umask").read().expect("it runs"), before);
    });
}

#[test]
fn resource_limits_are_the_childs_alone() {
    isolated(|| {
        let kinds = [
            (Resource::AddressSpace, "as", 1 << 40),
            (Resource::Core, "core", 0),
            (Resource::Cpu, "cpu", 1000),
            (Resource::FileSize, "fsize", 1 << 30),
            (Resource::OpenFiles, "nofile", 77),
            (Resource::Stack, "stack", 1 << 20),
        ];
        for (resource, name, value) in kinds {
            let tell = || role("rlimit").arg(name);
            let before = tell().read().expect("it runs");
            let told = tell().rlimit(resource, value, value).read().expect("it runs");
            assert_eq!(told, format!("{value} {value}"));
            let told = tell().rlimit(resource, 0, 0).rlimit(resource, value, value).read().expect("it runs");
            assert_eq!(told, format!("{value} {value}"), "the last call counts");
            assert_eq!(tell().read().expect("it runs"), before);
        }
        let error = role("cat").rlimit(Resource::OpenFiles, 20, 10).run().expect_err("soft above hard");
        assert_eq!((error.kind(), error.step()), (ErrorKind::Spawn, Some(Step::Rlimit)), "{error:?}");
        assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
    });
}

#[test]
fn a_limit_on_open_files_does_not_get_in_the_way_of_the_redirections() {
    isolated(|| {
        let line = role("cat").stdin(Redirect::bytes("through")) | role("cat").stderr_to_stdout();
        // One more than the streams: the loader of the program opens its libraries.
        let line = line | role("upper").rlimit(Resource::OpenFiles, 4, 4);
        assert_eq!(line.read().expect("it runs"), "THROUGH");
    });
}

#[test]
fn the_nice_value_is_set() {
    isolated(|| {
        let own: i32 = role("nice").read().expect("it runs").parse().expect("a number");
        assert_eq!(role("nice").nice(19).read().expect("it runs"), "19");
        assert_eq!(role("nice").nice(own.max(11)).read().expect("it runs"), own.max(11).to_string());
        assert_eq!(role("nice").read().expect("it runs"), own.to_string());
    });
}

#[test]
fn arg0_is_what_the_program_sees_and_not_what_runs() {
    isolated(|| {
        assert_eq!(role("arg0").read().expect("it runs"), fixture());
        assert_eq!(role("arg0").arg0("-another name").read().expect("it runs"), "-another name");
        assert_eq!(role("arg0").arg0("").read().expect("it runs"), "");
        let dir = tempfile::tempdir().expect("a directory");
        std::os::unix::fs::symlink(fixture(), dir.path().join("tool")).expect("a link");
        let found = Cmd::new("tool").arg("arg0").env("PATH", dir.path());
        assert_eq!(found.read().expect("it runs"), "tool", "as it was given, not as it was found");
        let beside = Cmd::new("./tool").arg("arg0").current_dir(dir.path());
        assert_eq!(beside.read().expect("it runs"), "./tool");
        let error = Cmd::new("no-such-program").arg0("sh").run().expect_err("it is not in PATH");
        assert_eq!(error.kind(), ErrorKind::ProgramNotFound);
    });
}

#[test]
fn attributes_do_not_hinder_each_other() {
    isolated(|| {
        let all = |name: &str| {
            role(name).new_session(true).umask(0o077).nice(5).rlimit(Resource::Core, 0, 0).current_dir("/").arg0("all")
        };
        assert_eq!(all("umask").read().expect("it runs"), "0077");
        assert_eq!(all("nice").read().expect("it runs"), "5");
        assert_eq!(all("rlimit").arg("core").read().expect("it runs"), "0 0");
        assert_eq!(all("cwd").read().expect("it runs"), "/");
        assert_eq!(all("arg0").read().expect("it runs"), "all");
        assert_eq!(all("count-fds").read().expect("it runs"), "0\n1\n2");
        let [pid, _, group, session] = ids(all("ids"));
        assert_eq!((group, session), (pid, pid));
        // A group leader cannot become a session leader's group again: it is one by then.
        let error = role("ids").new_session(true).process_group(getpgrp().as_raw()).run().expect_err("another session");
        assert_eq!(error.step(), Some(Step::ProcessGroup), "{error:?}");
    });
}
