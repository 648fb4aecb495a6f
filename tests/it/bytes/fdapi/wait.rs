//! Waiting with a deadline.

use pipewright::fd::{PollSet, wait_readable, wait_writable};

use crate::prelude::*;

const SHORT: Option<Duration> = Some(Duration::from_millis(30));

#[test]
fn a_deadline_that_passes_is_no_error_and_never_early() {
    isolated(|| {
        let (reader, writer) = pipe::kernel().expect("a pipe");
        let start = Instant::now();
        assert!(!within(SLACK, || wait_readable(&reader, SHORT)).expect("it can be waited for"));
        assert!(start.elapsed() >= Duration::from_millis(30));
        let mut set = PollSet::new();
        set.readable(&reader);
        let until = Instant::now() + Duration::from_millis(30);
        assert!(!within(SLACK, || set.wait_until(until)).expect("it can be waited for"));
        assert!(Instant::now() >= until);
        assert!(!set.wait_until(start).expect("it only looks"));
        drop(writer);
        assert!(set.wait_until(start).expect("it only looks"), "what is there is seen after the deadline too");
    });
}

#[test]
fn an_end_and_an_error_are_readiness() {
    isolated(|| {
        let (reader, writer) = pipe::kernel().expect("a pipe");
        drop(writer);
        assert!(wait_readable(&reader, None).expect("its end"));

        // A full pipe whose reader is gone reports an error and nothing else.
        let (reader, mut writer) = pipe::kernel().expect("a pipe");
        let room = pipewright::fd::capacity(&writer).expect("a pipe");
        writer.write_all(&vec![0; room]).expect("it fits");
        assert!(!wait_writable(&writer, Some(Duration::ZERO)).expect("it only looks"));
        drop(reader);
        assert!(wait_writable(&writer, None).expect("no reader"));
    });
}

#[test]
fn a_time_longer_than_the_clock_is_as_long_as_it_takes() {
    isolated(|| {
        let (mut reader, mut writer) = pipe::kernel().expect("a pipe");
        let (asked, answer) = std::sync::mpsc::channel();
        let late = std::thread::spawn(move || {
            answer.recv().expect("it is asked");
            writer.write_all(b"x").expect("it fits");
        });
        asked.send(()).expect("it listens");
        assert!(wait_readable(&reader, Some(Duration::MAX)).expect("a byte"));
        reader.read_exact(&mut [0]).expect("a byte");
        late.join().expect("no panic");
    });
}

extern "C" fn nothing(_: i32) {}

#[test]
fn signals_do_not_end_a_wait() {
    isolated(|| {
        let action = SigAction::new(SigHandler::Handler(nothing), SaFlags::empty(), SigSet::empty());
        // SAFETY: the handler does nothing.
        let before = unsafe { sigaction(Signal::SIGUSR1, &action) }.expect("it can be set");
        let (reader, mut writer) = pipe::kernel().expect("a pipe");
        let (process, waiter) = (std::process::id(), nix::unistd::gettid().as_raw());
        let storm = std::thread::spawn(move || {
            for _ in 0..count(2000, 100_000) {
                // SAFETY: takes numbers.
                let sent = unsafe { libc::syscall(libc::SYS_tgkill, process, waiter, libc::SIGUSR1) };
                assert_eq!(sent, 0);
            }
            writer.write_all(b"x").expect("it fits");
            writer
        });
        assert!(wait_readable(&reader, Some(Duration::from_secs(9))).expect("no error of the signals"));
        let writer = storm.join().expect("no panic");
        drop(writer);
        // SAFETY: as it was.
        unsafe { sigaction(Signal::SIGUSR1, &before) }.expect("it can be put back");
    });
}

#[test]
fn of_several_those_that_are_ready_are_told_each_time_anew() {
    isolated(|| {
        let pipes: Vec<_> = (0..5).map(|_| pipe::kernel().expect("a pipe")).collect();
        let mut set = PollSet::new();
        for (place, (reader, _)) in pipes.iter().enumerate() {
            assert_eq!(set.readable(reader), place);
        }
        assert!(!set.wait(SHORT).expect("nothing is ready"));
        assert_eq!(set.ready().count(), 0);
        for place in [3, 1] {
            (&pipes[place].1).write_all(b"x").expect("it fits");
        }
        assert!(set.wait(None).expect("two are ready"));
        assert_eq!(set.ready().collect::<Vec<_>>(), [1, 3]);
        assert!(set.is_ready(3) && !set.is_ready(0) && !set.is_ready(99));
        for place in [1, 3] {
            (&pipes[place].0).read_exact(&mut [0]).expect("a byte");
        }
        assert!(!set.wait(Some(Duration::ZERO)).expect("nothing is ready any more"));
        assert_eq!(set.ready().count(), 0);
        assert_eq!(set.writable(&pipes[0].1), 5);
        assert!(set.wait(None).expect("one can be written to"));
        assert_eq!(set.ready().collect::<Vec<_>>(), [5]);
        assert!(!PollSet::new().wait(SHORT).expect("nothing is no error"));
    });
}

#[test]
fn more_descriptors_than_the_limit_are_an_error() {
    isolated(|| {
        let (reader, _writer) = pipe::kernel().expect("a pipe");
        let mut set = PollSet::new();
        for _ in 0..257 {
            set.readable(&reader);
        }
        let error = spare_fds(0, || set.wait(None)).expect_err("256 is the limit");
        assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
    });
}
