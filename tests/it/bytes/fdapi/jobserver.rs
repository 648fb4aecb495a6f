//! Tokens of a jobserver, make's and one's own.

use std::io::ErrorKind;
use std::sync::atomic::Ordering;

use nix::sys::stat::Mode;
use pipewright::fd::{Jobserver, JobserverError, wait_readable};

use crate::prelude::*;

/// Puts MAKEFLAGS into this process's environment, as a make above would have.
fn makeflags(flags: &str) {
    // SAFETY: no other thread of this process reads or writes its environment.
    unsafe { std::env::set_var("MAKEFLAGS", flags) };
}

fn auth(reader: &impl AsRawFd, writer: &impl AsRawFd) -> String {
    format!(" -j3 --jobserver-auth={},{}", reader.as_raw_fd(), writer.as_raw_fd())
}

fn has_make() -> bool {
    let found = pipewright::which("make").is_ok();
    if !found {
        skip("there is no make");
    }
    found
}

#[test]
fn a_token_of_makes_pipe_is_taken_and_the_same_byte_goes_back() {
    isolated(|| {
        let (mut reader, mut writer) = os_pipe::pipe().expect("a pipe");
        writer.write_all(b"x").expect("it fits");
        makeflags(&auth(&reader, &writer));
        let flags = || [fcntl(&reader, FcntlArg::F_GETFL), fcntl(&writer, FcntlArg::F_GETFL)];
        let before = flags();
        let server = Jobserver::from_env().expect("it is open").expect("it is named");
        assert_eq!(server.available().expect("a pipe"), 1);
        let token = server.try_acquire().expect("a pipe").expect("a token");
        assert!(server.try_acquire().expect("a pipe").is_none());
        assert_eq!(server.make_flags(), None, "children inherit what this process was told");
        assert_eq!(flags(), before, "make's own descriptions are as they were");
        token.release().expect("it fits");
        let mut byte = [0];
        reader.read_exact(&mut byte).expect("it is back");
        assert_eq!(&byte, b"x");
        assert!(server.try_acquire().expect("a pipe").is_none());
    });
}

#[test]
fn a_fifo_is_a_jobserver_too() {
    isolated(|| {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("GMfifo1");
        nix::unistd::mkfifo(&path, Mode::S_IRWXU).expect("a fifo");
        // As make holds it.
        let mut make = File::options().read(true).write(true).open(&path).expect("it opens");
        make.write_all(b"ab").expect("it fits");
        makeflags(&format!("-j3 --jobserver-auth=fifo:{}", path.display()));
        let server = Jobserver::from_env().expect("it is there").expect("it is named");
        let tokens = [server.acquire().expect("a token"), server.acquire().expect("a token")];
        assert!(server.acquire_timeout(Duration::from_millis(5)).expect("a fifo").is_none());
        drop(tokens);
        let mut bytes = [0; 2];
        make.read_exact(&mut bytes).expect("they are back");
        bytes.sort_unstable();
        assert_eq!(&bytes, b"ab");
    });
}

#[test]
fn no_make_above_is_no_error() {
    isolated(|| {
        makeflags(" -j2 -k --no-print-directory");
        assert!(Jobserver::from_env().expect("nothing is named").is_none());
    });
}

#[test]
fn a_jobserver_that_is_nonsense_is_told_in_makes_words() {
    isolated(|| {
        makeflags("-j --jobserver-auth=3,4 --jobserver-auth=nonsense");
        let error = Jobserver::from_env().expect_err("nonsense");
        assert!(matches!(&error, JobserverError::Malformed { auth, .. } if auth == "nonsense"), "{error:?}");
        assert!(error.to_string().contains("jobserver nonsense, which"), "{error}");
    });
}

#[test]
fn a_fifo_that_is_gone_or_none_is_an_error() {
    isolated(|| {
        let file = tempfile::NamedTempFile::new().expect("a file");
        makeflags(&format!("--jobserver-auth=fifo:{}", file.path().display()));
        let error = Jobserver::from_env().expect_err("a regular file");
        assert!(matches!(error, JobserverError::Malformed { .. }), "{error:?}");
        drop(file);
        let error = Jobserver::from_env().expect_err("it is gone");
        let JobserverError::Open { source, .. } = &error else { panic!("{error:?}") };
        assert_eq!(source.kind(), ErrorKind::NotFound);
    });
}

#[test]
fn a_jobserver_that_make_closed_is_never_another_pipe() {
    isolated(|| {
        // As make 4.3 leaves it to a recipe that is not recursive: named, and closed. The next pipes get these numbers.
        let free: Vec<i32> = (3..).filter(|fd| !open_fds().contains_key(fd)).take(2).collect();
        makeflags(&format!("-j --jobserver-auth={},{}", free[0], free[1]));
        let (reader, mut writer) = pipe::kernel().expect("a pipe");
        writer.write_all(b"+").expect("it fits");
        assert_eq!([reader.as_fd().as_raw_fd(), writer.as_fd().as_raw_fd()], free[..]);
        let error = Jobserver::from_env().expect_err("another pipe");
        assert!(matches!(&error, JobserverError::NotOpen { .. }), "{error:?}");
        assert!(error.to_string().contains("`+`"), "{error}");
        assert!(wait_readable(&reader, Some(Duration::ZERO)).expect("a pipe"), "its byte is still there");
    });
}

#[test]
fn a_jobserver_that_was_closed_later_is_not_what_has_its_numbers_now() {
    isolated(|| {
        let (reader, writer) = os_pipe::pipe().expect("a pipe");
        let fds = [reader.as_raw_fd(), writer.as_raw_fd()];
        makeflags(&auth(&reader, &writer));
        drop(Jobserver::from_env().expect("it is open").expect("it is named"));
        // The write end alone is another pipe's now.
        drop(writer);
        let other = pipe::kernel().expect("a pipe");
        let copies = [(); 2].map(|()| other.1.try_clone().expect("a copy"));
        let numbers: Vec<i32> = open_fds().into_keys().collect();
        assert!(numbers.contains(&fds[1]), "{numbers:?} {fds:?}");
        let error = Jobserver::from_env().expect_err("another pipe");
        assert!(matches!(&error, JobserverError::NotOpen { .. }), "{error:?}");
        drop((other, copies));
    });
}

#[test]
fn make_that_withholds_its_jobserver_is_told() {
    isolated(|| {
        makeflags("-j --jobserver-auth=-2,-2");
        let error = Jobserver::from_env().expect_err("make closed it");
        assert!(matches!(&error, JobserverError::NotOpen { auth, .. } if auth == "-2,-2"), "{error:?}");
    });
}

#[test]
fn a_wait_for_a_token_ends_in_time_or_with_one() {
    isolated(|| {
        let server = Jobserver::new(1).expect("a pipe");
        let token = server.acquire().expect("a token");
        let none = within(SLACK, || server.acquire_timeout(Duration::from_millis(30))).expect("a pipe");
        assert!(none.is_none());
        let (asked, answer) = std::sync::mpsc::channel();
        let other = server.clone();
        let waiter = std::thread::spawn(move || {
            asked.send(()).expect("it listens");
            other.acquire_timeout(Duration::MAX).expect("a pipe").is_some()
        });
        answer.recv().expect("it waits, or will at once");
        drop(token);
        assert!(waiter.join().expect("no panic"));
        assert_eq!(server.available().expect("a pipe"), 1);
    });
}

#[test]
fn no_more_run_at_once_than_there_are_tokens_and_none_is_lost() {
    isolated(|| {
        let server = Jobserver::new(3).expect("a pipe");
        let (running, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        all_at_once(&[(); 8], |()| {
            for round in 0..count(200, 10_000) {
                let token = match round % 2 {
                    0 => Some(server.acquire().expect("a token")),
                    _ => server.acquire_timeout(Duration::from_secs(9)).expect("a pipe"),
                };
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                std::thread::yield_now();
                running.fetch_sub(1, Ordering::SeqCst);
                drop(token.expect("in time"));
            }
        });
        assert!(most.into_inner() <= 3);
        assert_eq!(server.available().expect("a pipe"), 3);
    });
}

#[test]
fn a_panic_gives_the_token_back() {
    isolated(|| {
        let server = Jobserver::new(1).expect("a pipe");
        let token = server.acquire().expect("a token");
        let job = std::thread::spawn(move || {
            let _token = token;
            std::panic::resume_unwind(Box::new("on purpose"));
        });
        assert!(job.join().is_err());
        assert_eq!(server.available().expect("a pipe"), 1);
    });
}

#[test]
fn more_tokens_than_a_pipe_holds_are_refused_and_nothing_stays_open() {
    isolated(|| {
        let error = Jobserver::new(10_000_000).expect_err("too many");
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains("10000000 tokens"), "{error}");
        Jobserver::new(0).expect("none is a number too");
        for spare in 0..6 {
            let made = spare_fds(spare, || Jobserver::new(1).map(drop));
            assert_eq!(
                made.err().and_then(|error| error.raw_os_error()),
                (spare < 4).then_some(libc::EMFILE),
                "{spare}"
            );
        }
    });
}

/// A makefile whose six targets each say "start", wait for a byte of the fifo `gate`, and say "end".
fn six_targets(dir: &Path) -> Cmd {
    nix::unistd::mkfifo(&dir.join("gate"), Mode::S_IRWXU).expect("a fifo");
    let recipe = "\t@echo start; $(HELPER) take 1 < gate > /dev/null; echo end";
    std::fs::write(dir.join("Makefile"), format!("all: a b c d e f\na b c d e f:\n{recipe}\n")).expect("a file");
    cmd!("make").current_dir(dir).arg(format!("HELPER={}", fixture()))
}

/// Lets the six targets end one by one; the most that ran at once.
fn most_at_once(make: &Cmd, dir: &Path, wanted: usize) -> usize {
    let mut gate = File::options().read(true).write(true).open(dir.join("gate")).expect("it opens");
    let job = make.clone().stdout(Redirect::piped()).spawn().expect("it starts");
    let mut said = job.take_stdout().expect("it is there");
    let (mut running, mut most, mut ended, mut released) = (0, 0, 0, 0);
    while ended < 6 {
        match read_line(&mut said).as_str() {
            "start" => running += 1,
            "end" => (running, ended) = (running - 1, ended + 1),
            other => panic!("make said {other:?}"),
        }
        most = most.max(running);
        // One ends only when as many run as may: one too many would have the time to be seen.
        if released == ended && running == wanted.min(6 - ended) && ended < 6 {
            gate.write_all(b"x").expect("it fits");
            released += 1;
        }
    }
    assert!(job.wait().expect("it ends").success());
    most
}

#[test]
fn a_real_make_keeps_to_the_tokens_it_is_given() {
    isolated(|| {
        if !has_make() {
            return;
        }
        let dir = tempfile::tempdir().expect("a directory");
        let make = six_targets(dir.path());
        // Two tokens, and the one job that needs none.
        let server = Jobserver::new(2).expect("a pipe");
        let flags = server.make_flags().expect("it was made here");
        assert_eq!(most_at_once(&make.clone().env("MAKEFLAGS", &flags), dir.path(), 3), 3);
        assert_eq!(server.available().expect("a pipe"), 2, "make gave back what it took");
        // While one is taken here, there is one job less there.
        let token = server.acquire().expect("a token");
        assert_eq!(most_at_once(&make.env("MAKEFLAGS", &flags), dir.path(), 2), 2);
        drop(token);
        assert_eq!(server.available().expect("a pipe"), 2);
    });
}
