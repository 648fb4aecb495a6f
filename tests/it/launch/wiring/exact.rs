//! A mapped descriptor is what the child sees, no more and no less.

use nix::fcntl::OFlag;
use nix::sys::memfd::{MFdFlags, memfd_create};

use super::*;
use crate::prelude::*;

#[test]
fn offset_and_flags_are_those_of_the_description() {
    isolated(|| {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("log");
        std::fs::write(&path, "0123456789").expect("it can be written");
        let mut read = File::open(&path).expect("it opens");
        read.seek(SeekFrom::Start(4)).expect("it seeks");
        let append = File::options().append(true).open(&path).expect("it opens");
        let (pipe, writer) = os_pipe::pipe().expect("a pipe");
        fcntl(&pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).expect("it can be set");
        let states = [State::of(&read), State::of(&append), State::of(&pipe)];
        assert!(states[1].flags & OFlag::O_APPEND.bits() != 0 && states[2].flags & OFlag::O_NONBLOCK.bits() != 0);
        let seen = told(&reporting().map_fd(read, 3).map_fd(append, 4).map_fd(pipe, 5).run().expect("it runs"));
        assert_eq!([3, 4, 5].map(|number| seen[&number].clone()), states);
        assert_eq!(seen.len(), 6, "{seen:?}");
        drop(writer);
    });
}

#[test]
fn what_the_child_does_to_a_shared_description_is_seen_here() {
    isolated(|| {
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(b"one two three").expect("it can be written");
        file.seek(SeekFrom::Start(4)).expect("it seeks");
        let shared = Arc::new(OwnedFd::from(file.try_clone().expect("a copy")));
        let say = role("say").args(["9", "TWO"]).map_fd(shared, 9);
        say.run().expect("it runs");
        assert_eq!(file.stream_position().expect("a file"), 7);
        say.run().expect("it runs");
        file.rewind().expect("a file");
        let mut text = String::new();
        file.read_to_string(&mut text).expect("a file");
        assert_eq!(text, "one TWOTWOree");
        // And its flags are still the ones it had.
        assert_eq!(State::of(&file).flags & OFlag::O_NONBLOCK.bits(), 0);
    });
}

#[test]
fn every_kind_of_descriptor_can_be_handed_over() {
    isolated(|| {
        let directory = File::open("/").expect("it opens");
        let (socket, mut other) = UnixStream::pair().expect("a pair");
        let memory = memfd_create(c"wiring", MFdFlags::MFD_CLOEXEC).expect("a file in memory");
        let epoll = nix::sys::epoll::Epoll::new(nix::sys::epoll::EpollCreateFlags::EPOLL_CLOEXEC).expect("an epoll");
        let states =
            [State::of(&directory), State::of(&socket), State::of(&memory), State::of(&epoll.0), State::of(null())];
        let cmd = reporting().map_fd(directory, 20).map_fd(socket, 21).map_fd(memory, 22).map_fd(epoll.0, 23);
        let seen = told(&cmd.map_fd(null(), 24).run().expect("it runs"));
        assert_eq!([20, 21, 22, 23, 24].map(|number| seen[&number].clone()), states);
        // The child had the only copy.
        let mut end = Vec::new();
        other.read_to_end(&mut end).expect("its end");
        assert_eq!(end, b"");

        let (socket, mut other) = UnixStream::pair().expect("a pair");
        role("say").args(["3", "through a socket"]).map_fd(socket, 3).run().expect("it runs");
        let mut text = String::new();
        other.read_to_string(&mut text).expect("its end");
        assert_eq!(text, "through a socket");
    });
}

#[test]
fn what_the_child_gets_is_never_close_on_exec_and_the_original_stays_so() {
    isolated(|| {
        // One that is marked here, one that is not, each under its own number and under another.
        let (marked_fd, plain) = (Arc::new(OwnedFd::from(null())), Arc::new(OwnedFd::from(null())));
        pipewright::fd::set_cloexec(&plain, false).expect("it can be set");
        let cmd = reporting()
            .map_fd(Arc::clone(&marked_fd), marked_fd.as_raw_fd())
            .map_fd(Arc::clone(&plain), plain.as_raw_fd());
        let cmd = cmd.map_fd(Arc::clone(&marked_fd), 30).map_fd(Arc::clone(&plain), 31);
        let seen = told(&cmd.run().expect("it runs"));
        assert!(seen.values().all(|state| !state.cloexec), "{seen:?}");
        assert_eq!(seen.len(), 7, "{seen:?}");
        assert!(pipewright::fd::cloexec(&marked_fd).expect("open") && !pipewright::fd::cloexec(&plain).expect("open"));
    });
}

#[test]
fn nothing_else_reaches_the_child() {
    isolated(|| {
        let hostile = hostile_fd();
        let _more: Vec<OwnedFd> =
            (50..60).map(|least| pipewright::fd::dup_above(&hostile, least).expect("a copy")).collect();
        for number in [3, 6, 8, 55, 1000] {
            let seen = told(&reporting().map_fd(null(), number).fd_out(9, Redirect::piped()).run().expect("it runs"));
            let mut expected = vec![0, 1, 2, number, 9];
            expected.sort_unstable();
            assert_eq!(seen.into_keys().collect::<Vec<_>>(), expected);
        }
        // Told to, it gets what is inheritable besides; never an end of the run's own, and never a marked copy.
        let inheriting =
            reporting().inherit_fds(true).fd_out(9, Redirect::piped()).map_fd(null(), 3).fd_in(5, Redirect::bytes("x"));
        let seen = told(&inheriting.run().expect("it runs"));
        assert_eq!(seen.into_keys().collect::<Vec<_>>(), [0, 1, 2, 3, 5, 7, 9]);
        // A number of the map that was inheritable here is the map's.
        let file = marked(5);
        let seen = told(&reporting().inherit_fds(true).map_fd(Arc::clone(&file), 7).run().expect("it runs"));
        assert_eq!(seen[&7], State::of(&file));
    });
}

#[test]
fn a_jobserver_keeps_its_numbers_unless_they_are_given_away() {
    isolated(|| {
        let (reader, writer) = os_pipe::pipe().expect("a pipe");
        let numbers = [reader.as_raw_fd(), writer.as_raw_fd()];
        let flags = format!(" -j --jobserver-auth={},{}", numbers[0], numbers[1]);
        let file = marked(3);
        let seen = told(&reporting().env("MAKEFLAGS", &flags).map_fd(Arc::clone(&file), 30).run().expect("it runs"));
        assert_eq!((&seen[&numbers[0]], &seen[&30]), (&State::of(&reader), &State::of(&file)));
        let cmd = reporting().env("MAKEFLAGS", &flags).map_fd(Arc::clone(&file), numbers[0]);
        let seen = told(&cmd.run().expect("it runs"));
        assert_eq!(seen[&numbers[0]], State::of(&file));
        assert_eq!(seen[&numbers[1]], State::of(&writer));
    });
}

#[test]
fn a_limit_of_the_child_does_not_hinder_its_map() {
    isolated(|| {
        let cmd = reporting().rlimit(pipewright::Resource::OpenFiles, 60, 60).map_fd(null(), 59).map_fd(null(), 100);
        assert!(told(&cmd.run().expect("it runs")).contains_key(&100));
    });
}
