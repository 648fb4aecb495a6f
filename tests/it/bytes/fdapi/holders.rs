//! Which processes hold the write end of a pipe.

use nix::sys::stat::Mode;
use pipewright::fd::{self, Holder, HolderSearch};

use crate::prelude::*;

/// Enough on any machine.
fn search() -> HolderSearch {
    HolderSearch::new().budget(Duration::from_secs(8))
}

fn ids(found: &[Holder]) -> Vec<(u32, i32)> {
    found.iter().map(|holder| (holder.pid, holder.fd)).collect()
}

#[test]
fn a_child_that_holds_the_write_end_is_named_and_one_that_reads_is_not() {
    isolated(|| {
        let (reader, writer) = pipe::kernel().expect("a pipe");
        let copy = writer.try_clone().expect("a copy");
        let hang = || role("hang").stdout(Redirect::piped());
        let both = role("hang").stdout(Redirect::fd(writer)).stderr(Redirect::fd(copy)).spawn().expect("it starts");
        let reads = hang().stdin(Redirect::fd(reader.try_clone().expect("a copy"))).spawn().expect("it starts");
        assert_eq!(read_line(&reader), "ready");
        assert_eq!(read_line(reads.take_stdout().expect("it is there")), "ready");

        let holders = search().run(&reader).expect("it can be looked for");
        let pid = both.pids()[0];
        assert_eq!(ids(&holders.found), [(pid, 1), (pid, 2)]);
        assert!(holders.found.iter().all(|holder| holder.name == "pipewright-fixt"), "{holders:?}");
        assert_eq!(holders.complete, holders.hidden == 0);

        both.kill().expect("it can be killed");
        both.wait().expect("it ends");
        assert_eq!(search().run(&reader).expect("it can be looked for").found, []);
        reads.kill().expect("it can be killed");
        reads.wait().expect("it ends");
    });
}

#[test]
fn a_grandchild_that_outlives_its_parent_is_found() {
    isolated(|| {
        let (reader, writer) = pipe::kernel().expect("a pipe");
        let run = role("fork-and-hold").arg("60000").stdout(Redirect::fd(writer)).stderr(Redirect::null());
        run.stdin(Redirect::null()).run().expect("it runs");
        let pid = read_line(&reader);
        let holders = search().run(&reader).expect("it can be looked for");
        assert_eq!(ids(&holders.found), [(pid.parse().expect("a pid"), 1)]);
        kill_stranger(&pid);
    });
}

#[test]
fn a_holder_whose_first_thread_has_ended_is_found() {
    isolated(|| {
        let (reader, writer) = pipe::kernel().expect("a pipe");
        let job = role("headless").stdout(Redirect::fd(writer)).spawn().expect("it starts");
        assert_eq!(read_line(&reader), "ready");
        let holders = search().run(&reader).expect("it can be looked for");
        assert_eq!(ids(&holders.found), [(job.pids()[0], 1)]);
        job.kill().expect("it can be killed");
        job.wait().expect("it ends");
    });
}

#[test]
fn this_process_counts_when_asked_for() {
    isolated(|| {
        let (reader, writer) = pipe::kernel().expect("a pipe");
        assert_eq!(search().run(&reader).expect("it can be looked for").found, []);
        // More than are looked at between two looks at the clock.
        let copies: Vec<_> = (0..200).map(|_| fd::dup_above(&writer, 300).expect("a copy")).collect();
        let own = search().own_process(true);
        let mut expected: Vec<_> = copies.iter().map(AsRawFd::as_raw_fd).collect();
        expected.push(writer.as_fd().as_raw_fd());
        expected.sort_unstable();
        let pid = std::process::id();
        for end in [reader.as_fd(), writer.as_fd()] {
            let found = own.run(end).expect("it can be looked for").found;
            assert_eq!(ids(&found), expected.iter().map(|&fd| (pid, fd)).collect::<Vec<_>>());
        }
    });
}

#[test]
fn a_fifo_has_holders_too() {
    isolated(|| {
        let dir = tempfile::tempdir().expect("a directory");
        let [path, other] = ["fifo", "other"].map(|name| dir.path().join(name));
        for path in [&path, &other] {
            nix::unistd::mkfifo(path, Mode::S_IRWXU).expect("a fifo");
        }
        let both = |path| File::options().read(true).write(true).open(path).expect("it opens");
        let (ours, _strange) = (both(&path), both(&other));
        let reader = File::open(&path).expect("it opens");
        let found = search().own_process(true).run(&reader).expect("it can be looked for").found;
        assert_eq!(ids(&found), [(std::process::id(), ours.as_raw_fd())]);
    });
}

#[test]
fn the_time_to_look_is_bounded() {
    isolated(|| {
        let (reader, _writer) = pipe::kernel().expect("a pipe");
        let holders = HolderSearch::new().budget(Duration::ZERO).run(&reader).expect("no time is no error");
        assert!(holders.found.is_empty() && !holders.complete);
        within(Duration::from_millis(500) + SLACK, || fd::holders(&reader)).expect("it can be looked for");
    });
}

#[test]
fn one_descriptor_is_enough_to_look_with_and_none_is_an_error() {
    isolated(|| {
        let (reader, writer) = pipe::kernel().expect("a pipe");
        let job = role("hang").stdout(Redirect::fd(writer)).spawn().expect("it starts");
        assert_eq!(read_line(&reader), "ready");
        let error = spare_fds(0, || search().run(&reader)).expect_err("nothing to look with");
        assert_eq!(error.raw_os_error(), Some(libc::EMFILE));
        for spare in 1..4 {
            let holders = spare_fds(spare, || search().run(&reader)).expect("it can be looked for");
            assert_eq!(ids(&holders.found), [(job.pids()[0], 1)], "with {spare}");
            assert_eq!(holders.found[0].name, "pipewright-fixt");
        }
        job.kill().expect("it can be killed");
        job.wait().expect("it ends");
    });
}

#[test]
fn processes_that_hide_are_counted() {
    isolated(|| {
        if !nix::unistd::geteuid().is_root() {
            return skip("only root can start a process that another user cannot look at");
        }
        let (reader, writer) = pipe::kernel().expect("a pipe");
        let job = role("hang").stdout(Redirect::fd(writer)).spawn().expect("it starts");
        assert_eq!(read_line(&reader), "ready");
        // The look is without permission: the thread's own credentials count.
        let nobody = 65534;
        let reader = OwnedFd::from(reader);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                // SAFETY: changes the credentials of this thread alone, which ends here.
                let left = unsafe { libc::syscall(libc::SYS_setresuid, nobody, nobody, nobody) };
                assert_eq!(left, 0, "root may become any user");
                let holders = search().run(&reader).expect("what cannot be seen is no error");
                assert!(holders.found.is_empty() && holders.hidden > 0 && !holders.complete, "{holders:?}");
            });
        });
        job.kill().expect("it can be killed");
        job.wait().expect("it ends");
    });
}
