//! Every kind of redirect does what it says.

use crate::prelude::*;

#[test]
fn files_are_read_made_emptied_and_appended_to() {
    isolated(|| {
        let dir = tempfile::tempdir().expect("a directory");
        let [from, to, log] = ["from", "to", "log"].map(|name| dir.path().join(name));
        fs::write(&from, "input").expect("a file");
        fs::write(&to, "something longer that was there before").expect("a file");
        let copy = cmd!(fixture(), "upper").stdin(Redirect::file(&from)).stdout(Redirect::file(&to));
        let append = cmd!(fixture(), "say", "1", "o", "2", "e").stdout(Redirect::append(&log)).stderr_to_stdout();
        for round in 1..=3 {
            copy.run().expect("it copies");
            assert_eq!(fs::read_to_string(&to).expect("it is there"), "INPUT");
            append.run().expect("it appends");
            assert_eq!(fs::read_to_string(&log).expect("it is there"), "oe".repeat(round));
        }
    });
}

#[test]
fn two_streams_into_one_file_do_not_overwrite_each_other() {
    isolated(|| {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("both");
        let to = || Redirect::file(&file);
        cmd!(fixture(), "out-err", "100").stdout(to()).stderr(to()).run().expect("it runs");
        let expected: String = (0..100).map(|i| format!("out {i}\nerr {i}\n")).collect();
        assert_eq!(fs::read_to_string(&file).expect("it is there"), expected);
    });
}

#[test]
fn null_reads_as_the_end_and_takes_everything() {
    isolated(|| {
        assert_eq!(cmd!(fixture(), "count").stdin(Redirect::null()).read().expect("it ends"), "0");
        let output = cmd!(fixture(), "both", "300000").stdout(Redirect::null()).stderr(Redirect::null()).output();
        let output = output.expect("it ends");
        assert!(!output.stdout.is_captured() && !output.stderr.is_captured());
        assert_ne!(output.stdout, "", "what was not captured is not empty");
        assert_eq!(cmd!(fixture(), "echo", "x").stdout(Redirect::null()).read().expect("it ends"), "");
    });
}

#[test]
fn descriptors_are_passed_on() {
    isolated(|| {
        let (mut reader, writer) = pipe::kernel().expect("a pipe");
        let this = File::open(file!()).expect("this file");
        cmd!(fixture(), "take", "50").stdin(Redirect::fd(this)).stdout(Redirect::fd(writer)).run().expect("it runs");
        let mut text = Vec::new();
        reader.read_to_end(&mut text).expect("its end comes");
        assert_eq!(text, fs::read(file!()).expect("this file")[..50]);
    });
}

#[test]
fn a_shared_descriptor_serves_many_starts_and_keeps_its_offset() {
    isolated(|| {
        let mut file = tempfile::tempfile().expect("a file");
        let shared: Arc<OwnedFd> = Arc::new(file.try_clone().expect("a second handle").into());
        let cmd = cmd!(fixture(), "echo", "line").stdout(Redirect::shared_fd(Arc::clone(&shared)));
        for _ in 0..3 {
            cmd.run().expect("it runs");
        }
        let input: Arc<OwnedFd> = Arc::new(File::open(file!()).expect("this file").into());
        let take = cmd!(fixture(), "take", "10").stdin(Redirect::shared_fd(input));
        let parts: Vec<Vec<u8>> = (0..3).map(|_| take.read_bytes().expect("it runs")).collect();
        assert_eq!(parts.concat(), fs::read(file!()).expect("this file")[..30]);
        drop(cmd);
        assert_eq!(Arc::strong_count(&shared), 1, "nothing else holds it");
        let mut text = String::new();
        std::io::Seek::rewind(&mut file).expect("it is a file");
        file.read_to_string(&mut text).expect("it is text");
        assert_eq!(text, "line\nline\nline\n");
    });
}

#[test]
fn bytes_feed_any_number_of_starts() {
    isolated(|| {
        for size in [0, 1, 65_535, 65_536, 65_537, 1_000_000] {
            let bytes: Vec<u8> = (0..=250).cycle().take(size).collect();
            let cmd = cmd!(fixture(), "cat").stdin(Redirect::bytes(bytes.clone()));
            for cmd in [&cmd, &cmd.clone(), &cmd] {
                let output = cmd.output().expect("it copies");
                assert!(output.stdout == bytes, "{size} bytes");
                assert_eq!(output.stdin_taken, Some(size as u64));
            }
        }
        assert_eq!(cmd!(fixture(), "cat").output().expect("it ends").stdin_taken, None);
    });
}

/// Gives its bytes in pieces of one to seven, with interruptions between.
struct Crumbs(std::vec::IntoIter<u8>, usize);

impl Crumbs {
    fn new(bytes: Vec<u8>) -> Crumbs {
        Crumbs(bytes.into_iter(), 0)
    }
}

impl Read for Crumbs {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.1 += 1;
        if self.1 % 3 == 0 {
            return Err(std::io::ErrorKind::Interrupted.into());
        }
        let mut read = 0;
        for (place, byte) in buffer.iter_mut().take(self.1 % 7 + 1).zip(&mut self.0) {
            *place = byte;
            read += 1;
        }
        Ok(read)
    }
}

#[test]
fn a_reader_feeds_to_its_end() {
    isolated(|| {
        let bytes: Vec<u8> = (0..=255).cycle().take(100_001).collect();
        let once = cmd!(fixture(), "cat").stdin(Redirect::from_reader(Crumbs::new(bytes.clone())));
        let output = once.output().expect("it copies");
        assert!(output.stdout == bytes);
        assert_eq!(output.stdin_taken, Some(100_001));
        let again = bytes.clone();
        let often = cmd!(fixture(), "cat").stdin(Redirect::reader_with(move || Crumbs::new(again.clone())));
        for cmd in [&often, &often.clone(), &often] {
            assert!(cmd.read_bytes().expect("it copies") == bytes);
        }
    });
}

#[test]
fn a_writer_gets_every_byte_before_the_verb_returns() {
    isolated(|| {
        for verb in 0..3 {
            let (out, err) = (Sheet::default(), Sheet::default());
            let cmd = cmd!(fixture(), "both", "300000");
            let cmd = cmd.stdout(Redirect::to_writer(out.clone())).stderr(Redirect::to_writer(err.clone()));
            match verb {
                0 => drop(cmd.run().expect("it runs")),
                1 => drop(cmd.output().expect("it runs")),
                _ => drop(cmd.spawn().expect("it starts").wait().expect("it ends")),
            }
            assert!(out.bytes() == vec![b'o'; 300_000] && err.bytes() == vec![b'e'; 300_000]);
        }
    });
}

#[test]
fn a_writer_that_takes_little_at_a_time_gets_all_and_is_flushed() {
    struct Slow(Sheet, Sheet);
    impl std::io::Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.write(&bytes[..bytes.len().min(999)])
        }
        fn flush(&mut self) -> std::io::Result<()> {
            self.1.write_all(b"flushed")
        }
    }
    isolated(|| {
        let (sheet, flushed) = (Sheet::default(), Sheet::default());
        let to = Redirect::to_writer(Slow(sheet.clone(), flushed.clone()));
        cmd!(fixture(), "blocks", "200000").stdout(to).run().expect("it runs");
        assert_eq!(sheet.bytes().len(), 200_000);
        assert_eq!(flushed.bytes(), b"flushed");
    });
}

#[test]
fn each_line_is_called_for_every_line_and_for_a_rest() {
    isolated(|| {
        for (text, lines) in [("a\n\nb\r\nc", "a||b\r|c|"), ("\n", "|"), ("", ""), ("no end", "no end|")] {
            let (out, err) = (Sheet::default(), Sheet::default());
            let cmd = cmd!(fixture(), "say", "1", text, "2", text).stdout(Redirect::each_line(out.lines()));
            let cmd = cmd.stderr(Redirect::each_line(err.lines()));
            cmd.run().expect("it runs");
            assert_eq!((out.bytes(), err.bytes()), (lines.into(), lines.into()), "{text:?}");
            // Not one-shot: it goes on where it was.
            cmd.spawn().expect("it starts").wait().expect("it ends");
            assert_eq!(out.bytes(), lines.repeat(2).as_bytes(), "{text:?}");
        }
    });
}

#[test]
fn a_line_longer_than_any_buffer_is_one_line() {
    isolated(|| {
        let long = vec![b'x'; 1_000_000];
        let input = [&long[..], b"\nshort\n", &long, b"\n"].concat();
        let mut lengths = Vec::new();
        let cmd = cmd!(fixture(), "cat").stdin(Redirect::bytes(input));
        cmd.for_each_line(|line| lengths.push(line.len())).expect("it runs");
        assert_eq!(lengths, [1_000_000, 5, 1_000_000]);
        let lines = cmd.lines().expect("it starts").map(|line| line.expect("text").len());
        assert_eq!(lines.collect::<Vec<_>>(), lengths);
    });
}
