//! The jobserver of a GNU make above us reaches the child that it is named to.

use crate::prelude::*;

fn told(makeflags: &str) -> String {
    role("count-fds").env("MAKEFLAGS", makeflags).read().expect("it runs")
}

fn with(fds: [i32; 2]) -> String {
    format!("0\n1\n2\n{}\n{}", fds[0], fds[1])
}

#[test]
fn an_open_jobserver_is_passed_on_whether_inheritable_or_not() {
    isolated(|| {
        let (reader, writer) = os_pipe::pipe().expect("a pipe");
        let fds = [reader.as_raw_fd(), writer.as_raw_fd()];
        let named = |option: &str| format!(" -j8 {option}={},{} -k", fds[0], fds[1]);
        assert_eq!(told(&named("--jobserver-auth")), with(fds));
        assert_eq!(told(&named("--jobserver-fds")), with(fds));
        let line = role("cat") | role("count-fds").env("MAKEFLAGS", named("--jobserver-auth")).stderr_to_stdout();
        assert_eq!(line.read().expect("it runs"), with(fds));
    });
}

#[test]
fn a_token_is_read_by_the_child_and_no_end_stays_open() {
    isolated(|| {
        let (reader, writer) = os_pipe::pipe().expect("a pipe");
        std::io::Write::write_all(&mut &writer, b"+").expect("it fits");
        let flags = format!("--jobserver-auth={},{}", reader.as_raw_fd(), writer.as_raw_fd());
        let say = role("say").args([&writer.as_raw_fd().to_string(), "-"]).env("MAKEFLAGS", &flags);
        say.run().expect("it has the writer");
        drop(writer);
        assert_eq!(std::io::read_to_string(reader).expect("its end"), "+-");
    });
}

#[test]
fn the_parents_own_makeflags_count_when_the_child_inherits_them() {
    isolated(|| {
        let (reader, writer) = os_pipe::pipe().expect("a pipe");
        let fds = [reader.as_raw_fd(), writer.as_raw_fd()];
        // SAFETY: no other thread of this process uses the environment now.
        unsafe { std::env::set_var("MAKEFLAGS", format!("--jobserver-auth={},{}", fds[0], fds[1])) };
        assert_eq!(role("count-fds").read().expect("it runs"), with(fds));
        for cmd in [role("count-fds").env_remove("MAKEFLAGS"), role("count-fds").env_clear()] {
            assert_eq!(cmd.read().expect("it runs"), "0\n1\n2");
        }
    });
}

#[test]
fn a_jobserver_that_is_closed_or_no_pipe_is_not_passed_on() {
    isolated(|| {
        let (reader, writer) = os_pipe::pipe().expect("a pipe");
        let file = File::open("/dev/null").expect("it opens");
        let (pipe, null) = (reader.as_raw_fd(), file.as_raw_fd());
        for (left, right) in [(null, pipe), (pipe, null), (null, null), (pipe, 250), (-2, -2), (pipe, 1), (0, pipe)] {
            assert_eq!(told(&format!("--jobserver-auth={left},{right}")), "0\n1\n2", "{left},{right}");
        }
        for flags in ["--jobserver-auth=fifo:/tmp/x", "--jobserver-auth=", "--jobserver-auth=x,y", "-j2", ""] {
            assert_eq!(told(flags), "0\n1\n2", "{flags}");
        }
        // A variable of another name may name a descriptor.
        let named = format!("--jobserver-auth={pipe},{}", writer.as_raw_fd());
        assert_eq!(role("count-fds").env("MFLAGS", named).read().expect("it runs"), "0\n1\n2");
    });
}

#[test]
fn a_jobserver_does_not_hinder_a_failure() {
    isolated(|| {
        let (reader, writer) = os_pipe::pipe().expect("a pipe");
        let flags = format!("--jobserver-auth={},{}", reader.as_raw_fd(), writer.as_raw_fd());
        let error = Cmd::new("/no/such/program").env("MAKEFLAGS", flags).run().expect_err("no program");
        assert_eq!(error.kind(), pipewright::ErrorKind::ProgramNotFound);
        drop(writer);
        assert_eq!(std::io::read_to_string(reader).expect("its end"), "");
    });
}

#[test]
fn a_jobserver_that_make_closed_is_not_this_processs_pipe() {
    isolated(|| {
        // As make 4.3 leaves it to a recipe that is not recursive: named, and closed. The next pipes get these numbers.
        let free: Vec<i32> = (3..).filter(|fd| !open_fds().contains_key(fd)).take(2).collect();
        let flags = format!(" -j --jobserver-auth={},{}", free[0], free[1]);
        // SAFETY: no other thread of this process reads or writes its environment.
        unsafe { std::env::set_var("MAKEFLAGS", &flags) };
        for _ in 0..2 {
            assert_eq!(role("count-fds").read().expect("it runs"), "0\n1\n2");
            let pair = (role("yes") | role("head")).read().expect("it ends");
            assert_eq!(pair, "y");
        }
        // Set by the caller, it is the caller's word; but an end of the run's own is none.
        let set = role("count-fds").env("MAKEFLAGS", flags.clone() + " ").read().expect("it runs");
        assert_eq!(set, "0\n1\n2");
    });
}
