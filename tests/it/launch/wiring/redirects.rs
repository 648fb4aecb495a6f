//! Whatever a stream can be redirected to, at numbers beyond the standard ones, with each verb.

use crate::prelude::*;

/// A child that writes this to its fd 3.
fn says(text: &str) -> Cmd {
    role("say").args(["3", text])
}

fn copies_fd_3() -> Cmd {
    role("fan").args(["3", "1"])
}

#[test]
fn a_further_input_comes_from_wherever_stdin_may() {
    isolated(|| {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("file");
        std::fs::write(&path, "text").expect("it can be written");
        let file = || File::open(&path).expect("it opens");
        let sources: [(&str, &str, Redirect<In>); 9] = [
            ("null", "", Redirect::null()),
            ("file", "text", Redirect::file(&path)),
            ("fd", "text", Redirect::fd(file())),
            ("shared", "text", Redirect::shared_fd(Arc::new(file().into()))),
            ("bytes", "text", Redirect::bytes("text")),
            ("document", "text", Redirect::here_document("text")),
            ("reader", "text", Redirect::from_reader(&b"text"[..])),
            ("readers", "text", Redirect::reader_with(|| &b"text"[..])),
            // No writer exists: it is empty.
            ("piped", "", Redirect::piped()),
        ];
        for (name, expected, source) in sources {
            let read = copies_fd_3().fd_in(3, source.clone()).read();
            assert_eq!(read.unwrap_or_else(|error| panic!("{name}: {error}")), expected, "{name}");
        }
    });
}

#[test]
fn a_further_output_goes_wherever_stdout_may() {
    isolated(|| {
        let dir = tempfile::tempdir().expect("a directory");
        let (path, log) = (dir.path().join("file"), dir.path().join("log"));
        says("emptied first").fd_out(3, Redirect::file(&path)).run().expect("it runs");
        says("new").fd_out(3, Redirect::file(&path)).run().expect("it runs");
        assert_eq!(std::fs::read_to_string(&path).expect("written"), "new");
        for _ in 0..2 {
            says("more").fd_out(3, Redirect::append(&log)).run().expect("it runs");
        }
        assert_eq!(std::fs::read_to_string(&log).expect("written"), "moremore");

        says("gone").fd_out(3, Redirect::null()).run().expect("it runs");
        let mut file = tempfile::tempfile().expect("a file");
        says("mine").fd_out(3, Redirect::fd(file.try_clone().expect("a copy"))).run().expect("it runs");
        let shared = Arc::new(file.try_clone().expect("a copy").into());
        says(" too").fd_out(3, Redirect::shared_fd(shared)).run().expect("it runs");
        file.rewind().expect("a file");
        let mut text = String::new();
        file.read_to_string(&mut text).expect("a file");
        assert_eq!(text, "mine too");

        let lines = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&lines);
        let each = Redirect::each_line(move |line: &[u8]| seen.lock().expect("no panic").push(line.to_vec()));
        says("a\nb\nc").fd_out(3, each).run().expect("it runs");
        assert_eq!(*lines.lock().expect("no panic"), [b"a", b"b", b"c"]);

        let (mut reader, writer) = os_pipe::pipe().expect("a pipe");
        says("by a writer").fd_out(3, Redirect::to_writer(writer)).run().expect("it runs");
        let mut text = String::new();
        reader.read_to_string(&mut text).expect("its end");
        assert_eq!(text, "by a writer");

        let tee = Redirect::tee([Redirect::capture(), Redirect::append(&log), Redirect::file(&path)]);
        let output = says("thrice").fd_out(3, tee).run().expect("it runs");
        assert_eq!(*output.fd(3).expect("captured"), "thrice");
        assert_eq!(std::fs::read_to_string(&path).expect("written"), "thrice");
        assert_eq!(std::fs::read_to_string(&log).expect("written"), "moremorethrice");
    });
}

#[test]
fn inheriting_a_further_number_is_refused_in_a_tee_too() {
    isolated(|| {
        // Descriptor 3 of this process must not be written to because of its number.
        let mut three = tempfile::tempfile().expect("a file");
        assert_eq!(three.as_raw_fd(), 3);
        let tee = Redirect::tee([Redirect::inherit(), Redirect::capture()]);
        let error = says("not there").fd_out(3, tee).run().expect_err("there is nothing to inherit");
        assert_eq!(error.kind(), pipewright::ErrorKind::Conflict, "{error}");
        assert!(error.to_string().contains("fd 3"), "{error}");
        three.rewind().expect("a file");
        let mut text = String::new();
        three.read_to_string(&mut text).expect("a file");
        assert_eq!(text, "");
        for cmd in [says("").fd_out(3, Redirect::inherit()), says("").fd_in(3, Redirect::inherit())] {
            assert_eq!(cmd.run().expect_err("nothing").kind(), pipewright::ErrorKind::Conflict);
        }
    });
}

#[test]
fn every_verb_serves_a_further_stream() {
    isolated(|| {
        let cmd = || role("say").args(["3", "three", "1", "one\n"]).stdout(Redirect::capture());
        let seen = |output: &Output| output.fd(3).map(|bytes| bytes.to_str().expect("text").to_owned());
        let three = Some("three".to_owned());
        assert_eq!(seen(&cmd().fd_out(3, Redirect::piped()).run().expect("run")), three);
        assert_eq!(seen(&cmd().fd_out(3, Redirect::piped()).output().expect("output")), three);
        let mut buffer = Vec::new();
        assert_eq!(seen(&cmd().fd_out(3, Redirect::piped()).output_into(&mut buffer).expect("output_into")), three);
        assert_eq!(buffer, b"one\n");
        assert!(cmd().fd_out(3, Redirect::piped()).status().expect("status").success());
        assert_eq!(cmd().fd_out(3, Redirect::piped()).read().expect("read"), "one");
        assert_eq!(cmd().fd_out(3, Redirect::piped()).read_bytes().expect("read_bytes"), b"one\n");
        assert_eq!(
            seen(&cmd().fd_out(3, Redirect::piped()).for_each_line(|_: &[u8]| ()).expect("for_each_line")),
            three
        );
        assert_eq!(seen(&cmd().fd_out(3, Redirect::capture()).spawn().expect("spawn").output().expect("ends")), three);

        let told = Arc::new(Mutex::new(Vec::new()));
        let each = |told: &Arc<Mutex<Vec<u8>>>| {
            let told = Arc::clone(told);
            Redirect::each_line(move |line: &[u8]| told.lock().expect("no panic").extend_from_slice(line))
        };
        let lines: Vec<String> =
            cmd().fd_out(3, each(&told)).lines().expect("lines").map(|l| l.expect("text")).collect();
        assert_eq!(lines, ["one"]);
        let mut text = String::new();
        cmd().fd_out(3, each(&told)).reader().expect("reader").read_to_string(&mut text).expect("its end");
        assert_eq!(text, "one\n");
        assert_eq!(*told.lock().expect("no panic"), b"threethree");
    });
}

#[test]
fn every_limit_holds_for_a_further_stream_alone() {
    isolated(|| {
        let cmd = || role("say").args(["3", "0123456789", "4", "0123456789", "1", "0123456789"]);
        let cmd = || cmd().fd_out(3, Redirect::piped()).fd_out(4, Redirect::piped());
        let limited = |limit| cmd().fd_limit(3, limit).output().expect("it runs");
        let head = limited(Limit::Head(4));
        assert_eq!((head.fd(3).expect("captured").len(), head.fd(4).expect("captured").len()), (4, 10));
        assert_eq!(head.stdout.len(), 10);
        assert_eq!(*head.fd(3).expect("captured"), "0123");
        assert_eq!(head.fd(3).expect("captured").omitted(), 6);
        let tail = limited(Limit::Tail(4));
        assert_eq!(*tail.fd(3).expect("captured"), "6789");
        let ends = limited(Limit::HeadTail { head: 2, tail: 3 });
        assert_eq!(*ends.fd(3).expect("captured"), "01789");
        let error = cmd().fd_limit(3, Limit::Fail(4)).output().expect_err("too much");
        assert_eq!(error.kind(), pipewright::ErrorKind::LimitExceeded);
        assert!(error.to_string().contains("more than 4 bytes to its fd 3"), "{error}");
        let kept = error.output().expect("what there was").fd(3).expect("captured");
        assert!(kept.len() <= 4, "{kept:?}");
        // Of a stream that only passes through it is no limit.
        cmd().fd_limit(1, Limit::Fail(1)).fd_limit(9, Limit::Fail(1)).output().expect("nothing to limit");
    });
}

#[test]
fn ends_are_taken_once_and_ends_that_are_not_taken_do_no_harm() {
    isolated(|| {
        let cmd = role("fan")
            .args(["3", "4", "1"])
            .fd_in(3, Redirect::piped())
            .fd_out(4, Redirect::piped())
            .stdout(Redirect::piped());
        let job = cmd.spawn().expect("it starts");
        assert!(job.take_fd_in(4).is_none() && job.take_fd_out(3).is_none() && job.take_fd_out(5).is_none());
        assert!(job.take_fd_in(0).is_none() && job.take_fd_out(1).is_none() && job.take_fd_out(-1).is_none());
        let mut to = job.take_fd_in(3).expect("piped");
        assert!(job.take_fd_in(3).is_none());
        to.write_all(b"x").expect("the child reads");
        drop(to);
        let mut text = String::new();
        job.take_fd_out(4).expect("piped").read_to_string(&mut text).expect("its end");
        assert_eq!(text, "x");
        assert!(job.wait().expect("it ends").success());

        // No end is taken: the input ends, the output is discarded, however much it is.
        let all = || {
            role("fan")
                .args(["0", "3", "4", "1"])
                .fd_out(3, Redirect::piped())
                .fd_out(4, Redirect::piped())
                .fd_in(5, Redirect::piped())
        };
        let all = || all().stdin(Redirect::bytes(vec![b'x'; 1 << 20])).stdout(Redirect::piped());
        assert!(all().spawn().expect("it starts").wait().expect("it ends").success());
        drop(all().spawn().expect("it starts"));
        let job = copies_fd_3().fd_in(3, Redirect::piped()).stdout(Redirect::null()).spawn().expect("it starts");
        assert!(within(SLACK * 5, || job.wait()).expect("it ends").success());
        assert_no_child();
    });
}

#[test]
fn an_end_that_is_dropped_breaks_the_childs_pipe() {
    isolated(|| {
        let job = role("fan")
            .args(["0", "3"])
            .fd_out(3, Redirect::piped())
            .stdin(Redirect::bytes(vec![b'x'; 1 << 20]))
            .spawn();
        let job = job.expect("it starts");
        drop(job.take_fd_out(3).expect("piped"));
        let status = within(SLACK * 5, || job.wait()).expect("it ends");
        assert_eq!(status.signal(), Some(nix::libc::SIGPIPE));
        // A child that does not read what it is fed is no failure.
        let output = role("exit").arg("0").fd_in(3, Redirect::bytes(vec![b'x'; 1 << 20])).run().expect("it runs");
        assert_eq!(output.stdin_taken, None);
    });
}

#[test]
fn a_source_that_fails_is_named_with_its_number() {
    isolated(|| {
        let broken = Redirect::from_reader(Reading(|_: &mut [u8]| Err(io::Error::other("no more"))));
        let line = role("cat").stdin(Redirect::null()) | copies_fd_3().fd_in(3, broken);
        let error = line.output().expect_err("it breaks");
        assert_eq!((error.kind(), error.stage()), (pipewright::ErrorKind::Io, Some(1)), "{error}");
        assert!(error.to_string().contains("fd 3"), "{error}");
        assert_eq!(Stream::Input(3).to_string(), "fd 3");
    });
}
