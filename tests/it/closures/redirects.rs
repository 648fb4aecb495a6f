//! Where a closure's input may come from, and its output go to.

use std::io::Cursor;

use super::*;
use crate::prelude::*;

/// A reading end with the text in it, and its end behind.
fn filled(text: &str) -> OwnedFd {
    let (reader, mut writer) = pipe::kernel().expect("a pipe");
    writer.write_all(text.as_bytes()).expect("it fits");
    reader.into()
}

/// What a first closure reads, seen by a closure and by a process behind it.
#[track_caller]
fn reads(what: &str, line: impl Fn() -> Pipeline, expected: &str) {
    assert_eq!(line().read().expect(what), expected, "{what}");
    assert_eq!((line() | role("cat")).read().expect(what), expected, "{what}, then a process");
    assert_eq!((line() | copy()).read().expect(what), expected, "{what}, then a closure");
}

#[test]
fn a_closure_reads_from_every_kind_of_stdin() {
    isolated(|| {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("in");
        fs::write(&file, "filed").expect("a file");
        let first = |from| alone(copy()).stdin(from);
        reads("null", || first(Redirect::null()), "");
        reads("unset", || alone(copy()), "");
        reads("inherited, which is null here", || first(Redirect::inherit()), "");
        reads("file", || first(Redirect::file(&file)), "filed");
        reads("bytes", || first(Redirect::bytes("bytes")), "bytes");
        reads("from_reader", || first(Redirect::from_reader(Cursor::new("once"))), "once");
        reads("reader_with", || first(Redirect::reader_with(|| Cursor::new("made"))), "made");
        reads("fd", || first(Redirect::fd(filled("through an fd"))), "through an fd");
        let shared = || Arc::new(filled("through a shared fd"));
        reads("shared_fd", || first(Redirect::shared_fd(shared())), "through a shared fd");
    });
}

#[test]
fn a_closure_reads_a_stdin_that_is_taken_and_one_that_is_inherited() {
    isolated(|| {
        let job = (copy() | role("cat")).stdin(Redirect::piped()).stdout(Redirect::piped()).spawn().expect("it starts");
        let (mut stdin, mut stdout) = (job.take_stdin().expect("piped"), job.take_stdout().expect("piped"));
        for line in ["one", "two"] {
            writeln!(stdin, "{line}").expect("it reads");
            assert_eq!(read_line(&mut stdout), line, "nothing is kept back");
        }
        drop(stdin);
        assert!(job.wait().expect("it ends").success());

        let saved = io::stdin().as_fd().try_clone_to_owned().expect("a copy");
        nix::unistd::dup2_stdin(filled("our own stdin")).expect("it can be put there");
        let output = alone(copy()).stdout(Redirect::capture()).run();
        nix::unistd::dup2_stdin(&saved).expect("it can be put back");
        assert_eq!(output.expect("it runs").stdout, "our own stdin");
    });
}

#[test]
fn a_big_stdin_comes_whole_and_one_that_is_not_read_is_no_error() {
    isolated(|| {
        let bytes: Vec<u8> = (0..=255).cycle().take(3_000_000).collect();
        let line = (copy() | role("cat")).stdin(Redirect::bytes(bytes.clone()));
        assert!(line.read_bytes().expect("it runs") == bytes);
        let idle = Stage::from_fn(|_, _| Ok(()));
        let output = alone(idle).stdin(Redirect::bytes(bytes)).output().expect("reading is not required");
        assert!(output.stdin_taken.is_some_and(|taken| taken < 3_000_000), "{output:?}");
        let endless = || Redirect::reader_with(|| io::repeat(b'x'));
        assert_eq!(alone(head()).stdin(Redirect::bytes("x\ny\n")).read().expect("it runs"), "x");
        alone(Stage::from_fn(|_, _| Ok(()))).stdin(endless()).output().expect("reading is not required");
    });
}

/// Runs a line that says "text" to this place under `run`, with a closure last.
fn send(to: Redirect<Out>) -> pipewright::Output {
    let output = (role("say").args(["1", "text"]) | copy()).stdout(to.clone()).run();
    output.unwrap_or_else(|error| panic!("{to:?}: {error:?}"))
}

#[test]
fn a_closure_writes_to_every_kind_of_stdout() {
    isolated(|| {
        let dir = tempfile::tempdir().expect("a directory");
        let [file, log, fd] = ["file", "log", "fd"].map(|name| dir.path().join(name));
        for round in 1..=2 {
            assert!(!send(Redirect::null()).stdout.is_captured());
            send(Redirect::file(&file));
            assert_eq!(fs::read_to_string(&file).expect("made"), "text");
            send(Redirect::append(&log));
            assert_eq!(fs::read_to_string(&log).expect("made"), "text".repeat(round));
            send(Redirect::fd(File::create(&fd).expect("a file")));
            assert_eq!(fs::read_to_string(&fd).expect("made"), "text");
            let (mut reader, writer) = pipe::kernel().expect("a pipe");
            send(Redirect::shared_fd(Arc::new(writer.into())));
            let mut text = String::new();
            reader.read_to_string(&mut text).expect("no other writer is open");
            assert_eq!(text, "text");
            assert_eq!(send(Redirect::capture()).stdout, "text");
            send(Redirect::piped());
            let (sheet, lines) = (Sheet::default(), Sheet::default());
            send(Redirect::to_writer(sheet.clone()));
            assert_eq!(sheet.bytes(), b"text");
            send(Redirect::each_line(lines.lines()));
            assert_eq!(lines.bytes(), b"text|");
            let (sheet, lines) = (Sheet::default(), Sheet::default());
            let tee = [Redirect::capture(), Redirect::to_writer(sheet.clone()), Redirect::each_line(lines.lines())];
            let tee = tee.into_iter().chain([Redirect::file(&file), Redirect::null()]);
            assert_eq!(send(Redirect::tee(tee)).stdout, "text");
            assert_eq!((sheet.bytes(), lines.bytes()), (b"text".to_vec(), b"text|".to_vec()));
            assert_eq!(fs::read_to_string(&file).expect("made"), "text");
        }
    });
}

#[test]
fn a_closure_writes_to_this_process_own_stdout_and_flags_stay_as_they_are() {
    isolated(|| {
        let (mut reader, writer) = pipe::kernel().expect("a pipe");
        let saved = io::stdout().as_fd().try_clone_to_owned().expect("a copy");
        nix::unistd::dup2_stdout(&writer).expect("it can be put there");
        drop(writer);
        let results = [alone(say("unset ")).run(), alone(say("inherited")).stdout(Redirect::inherit()).output()];
        let flags = nix::fcntl::fcntl(io::stdout(), nix::fcntl::FcntlArg::F_GETFL).expect("flags");
        nix::unistd::dup2_stdout(&saved).expect("it can be put back");
        for result in results {
            result.expect("it runs");
        }
        let mut text = String::new();
        reader.read_to_string(&mut text).expect("its end");
        assert_eq!(text, "unset inherited");
        assert_eq!(flags & nix::libc::O_NONBLOCK, 0, "a shared description");
    });
}

#[test]
fn an_end_of_the_wrong_direction_is_an_error_and_no_bytes_go_that_way() {
    isolated(|| {
        let (reader, mut writer) = pipe::kernel().expect("a pipe");
        let wrong = Arc::new(OwnedFd::from(reader));
        let error =
            alone(say("x")).stdout(Redirect::shared_fd(Arc::clone(&wrong))).run().expect_err("no writing there");
        assert_eq!(error.raw_os_error(), Some(libc::EBADF), "{error:?}");
        let tee = Redirect::tee([Redirect::shared_fd(Arc::clone(&wrong)), Redirect::capture()]);
        role("echo").arg("x").stdout(tee).run().expect_err("nor for a process");
        writer.write_all(b"only this").expect("it fits");
        let both = Arc::new(OwnedFd::from(writer));
        let error = alone(copy()).stdin(Redirect::shared_fd(Arc::clone(&both))).output().expect_err("no reading there");
        assert_eq!(error.raw_os_error(), Some(libc::EBADF), "{error:?}");
        drop(both);
        assert_eq!(alone(copy()).stdin(Redirect::shared_fd(wrong)).read().expect("it runs"), "only this");
    });
}

#[test]
fn a_terminals_master_is_written_and_read_itself() {
    isolated(|| {
        let pty = nix::pty::openpty(None, None).expect("a terminal");
        let (master, slave) = (Arc::new(pty.master), pty.slave);
        alone(say("to the slave\n")).stdout(Redirect::shared_fd(Arc::clone(&master))).run().expect("it runs");
        assert_eq!(read_line(File::from(slave.try_clone().expect("a copy"))), "to the slave");
        let tee = Redirect::tee([Redirect::shared_fd(Arc::clone(&master)), Redirect::capture()]);
        role("echo").arg("again").stdout(tee).run().expect("it runs");
        assert_eq!(read_line(File::from(slave.try_clone().expect("a copy"))), "again");
        let line = alone(head()).stdin(Redirect::shared_fd(master));
        // What was written was echoed back.
        assert_eq!(line.timeout(Duration::from_secs(8)).read().expect("it runs"), "to the slave\r");
        drop(slave);
    });
}

#[test]
fn limits_count_a_closures_output_too() {
    isolated(|| {
        let error = alone(yes()).stdout_limit(Limit::Fail(1000)).output().expect_err("it is endless");
        assert_eq!((error.kind(), error.stage()), (pipewright::ErrorKind::LimitExceeded, Some(0)), "{error:?}");
        assert_eq!(error.output().expect("it ran").stdout.len(), 1000);
        let output = alone(yes()).stdout_limit(Limit::Head(3)).output().expect("the last may be broken by us");
        assert_eq!(output.stdout, "y\ny");
        assert_eq!(output.stages[0].status.signal(), Some(libc::SIGPIPE));
        let tail = (role("lines").arg("1000") | copy()).stdout_limit(Limit::Tail(9));
        assert_eq!(tail.read().expect("it runs"), "line 999");
    });
}

#[test]
fn an_output_that_a_process_shares_with_a_closure_gets_both() {
    isolated(|| {
        // The process's stdout and the closure's are both the run's.
        let line = || role("say").args(["2", "err", "1", "out"]).pipe_stderr(upper());
        let read = line().read().expect("it runs");
        assert!(["outERR", "ERR\nout"].contains(&read.as_str()), "{read}");
        let dir = tempfile::tempdir().expect("a directory");
        let log = dir.path().join("log");
        let to = || Redirect::append(&log);
        let first = role("say").args(["2", "err", "1", "out"]).stdout(to());
        first.pipe_stderr(upper()).stdout(to()).run().expect("it runs");
        let text = fs::read_to_string(&log).expect("made");
        assert!(["outERR\n", "ERR\nout"].contains(&text.as_str()), "{text}");
    });
}

#[test]
fn closures_are_right_with_standard_streams_closed() {
    isolated(|| {
        for closed in [&[0][..], &[1], &[2], &[0, 1], &[0, 2], &[1, 2], &[0, 1, 2]] {
            with_closed(closed, || {
                let line = || say("a\n") | role("cat") | copy() | upper() | role("cat") | copy();
                assert_eq!(line().read().expect("it runs"), "A");
                let shared = role("say").args(["2", "err", "1", "out"]).pipe_stderr(upper());
                assert_eq!(shared.read().expect("it runs").len(), 6);
                assert_eq!((copy() | role("cat")).stdin(Redirect::bytes("fed")).read().expect("it runs"), "fed");
                let inherits = alone(copy()).stdin(Redirect::inherit()).stdout(Redirect::inherit());
                inherits.run().expect("a closed one is /dev/null");
                alone(say("to nothing")).run().expect("it runs");
                let mut lines = line().lines().expect("it starts");
                assert_eq!(lines.next().expect("one").expect("a line"), "A");
                assert!(lines.next().is_none());
            });
            progress();
        }
    });
}
