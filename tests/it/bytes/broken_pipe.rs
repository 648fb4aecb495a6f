//! A child that stops reading is no failure, whatever the host does about SIGPIPE.

use std::io::ErrorKind as IoKind;

use nix::sys::signal::raise;

use crate::prelude::*;

const MIB: usize = 1024 * 1024;

/// More than any pipe of the library holds, in bytes.
const PIPES: u64 = MIB as u64;

#[test]
fn much_for_a_child_that_reads_nothing_is_no_error() {
    isolated(|| {
        whatever_sigpipe_does(|| {
            for (size, runs) in [(MIB, count(30, 10_000)), (64 * MIB, count(2, 10_000))] {
                let cmd = cmd!(fixture(), "exit", "0").stdin(Redirect::bytes(vec![b'x'; size]));
                let cmd = cmd.timeout(Duration::from_secs(60));
                for run in 0..runs {
                    let output = cmd.output().expect("it ends well");
                    let taken = output.stdin_taken.expect("it was fed");
                    assert!(taken < (size as u64).min(PIPES), "{taken} of {size}");
                    if run % 100 == 0 {
                        progress();
                    }
                }
            }
        });
    });
}

#[test]
fn a_write_that_is_cut_short_by_the_last_reader_tells_what_it_wrote() {
    isolated(|| {
        whatever_sigpipe_does(|| {
            let (mut reader, mut writer) = pipe::kernel().expect("a pipe");
            // A byte that can be read means that the write has begun, and it cannot end: it is longer than the pipe.
            let gone = std::thread::spawn(move || reader.read_exact(&mut [0]).map(|()| drop(reader)));
            let written = writer.write(&vec![b'x'; 2 * MIB]).expect("a part of it");
            gone.join().expect("no panic").expect("a byte");
            assert!(written > 0 && written < 2 * MIB, "{written}");
            assert_eq!(writer.write(b"x").unwrap_err().kind(), IoKind::BrokenPipe);
        });
    });
}

#[test]
fn a_pipeline_that_stops_reading_at_any_stage_is_no_error() {
    isolated(|| {
        whatever_sigpipe_does(|| {
            for stop in 0..3 {
                let stage = |index| match index == stop {
                    true => cmd!(fixture(), "take", "3"),
                    false => cmd!(fixture(), "cat"),
                };
                let three = (stage(0) | stage(1) | stage(2)).stdin(Redirect::bytes(vec![b'x'; 16 * MIB]));
                for _ in 0..count(5, 1000) {
                    assert_eq!(three.read().expect("it ends well"), "xxx");
                    progress();
                }
                let job = three.clone().stdout(Redirect::capture()).spawn().expect("it starts");
                assert_eq!(job.output().expect("it ends well").stdout, "xxx");
            }
        });
    });
}

#[test]
fn a_reader_whose_child_stops_reading_is_no_error() {
    isolated(|| {
        whatever_sigpipe_does(|| {
            let endless = Redirect::reader_with(|| std::io::repeat(b'x'));
            let cmd = cmd!(fixture(), "take", "200000").stdin(endless);
            for _ in 0..count(10, 1000) {
                let output = cmd.output().expect("it ends well");
                assert_eq!(output.stdout.len(), 200_000);
                progress();
                let taken = output.stdin_taken.expect("it was fed");
                assert!((200_000..200_000 + PIPES).contains(&taken), "{taken}");
            }
        });
    });
}

#[test]
fn what_is_taken_is_counted() {
    isolated(|| {
        let bytes = || Redirect::bytes(vec![b'x'; 300_000]);
        let taken = |cmd: pipewright::Cmd| cmd.output().expect("it ends well").stdin_taken;
        assert_eq!(taken(cmd!(fixture(), "count").stdin(bytes())), Some(300_000));
        let some = taken(cmd!(fixture(), "take", "100000").stdin(bytes().clone())).expect("it was fed");
        assert!((100_000..=300_000).contains(&some), "{some}");
        assert_eq!(taken(cmd!(fixture(), "count").stdin(Redirect::bytes(""))), Some(0));
        assert_eq!(taken(cmd!(fixture(), "count").stdin(Redirect::null())), None);
    });
}

#[test]
fn every_write_end_of_the_library_survives_its_reader() {
    isolated(|| {
        whatever_sigpipe_does(|| {
            // A taken stdin.
            let job = cmd!(fixture(), "exit", "0").stdin(Redirect::piped()).spawn().expect("it starts");
            let mut stdin = job.take_stdin().expect("piped");
            assert!(job.wait().expect("it ends").success());
            assert_eq!(stdin.write_all(b"x").expect_err("no reader").kind(), IoKind::BrokenPipe);
            // The relay behind a tee.
            let tee = Redirect::tee([Redirect::capture()]);
            let two = cmd!(fixture(), "blocks", "500000").stdout(tee) | cmd!(fixture(), "exit", "0");
            assert_eq!(two.stdout(Redirect::null()).run().expect("it ends well").stdout.len(), 500_000);
            // A descriptor of the caller's in a tee: there it is the caller's failure, and an error.
            let (reader, writer) = pipe::kernel().expect("a pipe");
            drop(reader);
            let tee = Redirect::tee([Redirect::null(), Redirect::fd(writer)]);
            let error = cmd!(fixture(), "echo", "x").stdout(tee).run().expect_err("no reader");
            assert_eq!(
                (error.kind(), error.io_error().map(std::io::Error::kind)),
                (ErrorKind::Io, Some(IoKind::BrokenPipe))
            );
        });
    });
}

#[test]
fn a_sigpipe_that_was_pending_before_stays_pending() {
    isolated(|| {
        whatever_sigpipe_does(|| {
            let ours = SigSet::from(Signal::SIGPIPE);
            let before = ours.thread_swap_mask(nix::sys::signal::SigmaskHow::SIG_BLOCK).expect("it can be blocked");
            raise(Signal::SIGPIPE).expect("it can be raised");
            let is_pending = || {
                let status = std::fs::read_to_string("/proc/thread-self/status").expect("it can be read");
                let pending = status.lines().find_map(|line| line.strip_prefix("SigPnd:\t")).expect("it is there");
                u64::from_str_radix(pending, 16).expect("a set") >> (Signal::SIGPIPE as i32 - 1) & 1 == 1
            };
            let was = is_pending();
            let cmd = cmd!(fixture(), "exit", "0").stdin(Redirect::bytes(vec![0; 4 * MIB]));
            cmd.output().expect("it ends well");
            assert_eq!(is_pending(), was);
            if was {
                ours.wait().expect("it is pending");
            }
            before.thread_set_mask().expect("it was so before");
        });
    });
}
