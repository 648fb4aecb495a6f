//! What subprocess's own suite checks of feeding, reading, capturing and streaming.
//!
//! | behaviour | test |
//! |---|---|
//! | 37 input alone, stdout to a file | `fed_bytes_arrive_in_a_file` |
//! | 38 each choice of streams | `every_choice_of_streams_works` |
//! | 39 empty input, empty output | `nothing_in_is_the_end_and_nothing_out_is_empty` |
//! | 40, 41 much in both directions and stderr, long lines | `much_in_out_and_err_at_once_does_not_block`, `a_very_long_line_is_one_line` |
//! | 42 a lazy reader | `a_lazy_reader_is_passed_on_whole` |
//! | 43 interleaved writes | `interleaved_writes_end_up_whole_and_apart` |
//! | 44 output of a failing child, of one that exits at once | `a_failing_child_still_yields_its_output` |
//! | 45 an exit without reading stdin | `duct::bytes_reach_the_child_and_may_stay_unread` |
//! | 46 time limit keeps what was read, 47 zero limit | `a_timeout_keeps_what_came_before_it`, `a_zero_timeout_times_out` |
//! | 48 reading on after a timeout | `a_wait_that_ran_out_loses_nothing_of_the_output` |
//! | 49, 50, 51, 53 reading so many bytes at a time | `a_reader_gives_as_much_as_it_is_asked_for` |
//! | 52 a size limit over both outputs | each has its own: `each_output_has_its_own_limit` |
//! | 54 after the end | `reads_after_the_end_are_empty_every_time` |
//! | 55 input of the builder by every way of reading, 61 refused | `preset_input_is_fed_by_every_verb` (no verb refuses it) |
//! | 56, 57 capture of each stream | `output_captures_what_is_not_sent_elsewhere` |
//! | 58 kinds of input | `every_kind_of_bytes_is_an_input` |
//! | 59 run with input | `run_feeds_and_drains_what_is_piped` |
//! | 60 streams | `streams_in_out_and_err_move_data` |
//! | 62 checked and unchecked | `output_checks_unless_unchecked` |

use std::fs;
use std::io::{self, Read, Write};
use std::time::Duration;

use pipewright::{Cmd, ErrorKind, Limit, Output, Redirect};

use crate::harness::*;
use crate::support::{role, timed_out_after, within};

/// Item 37: Fed bytes go through the child into a file.
#[test]
fn fed_bytes_arrive_in_a_file() {
    isolated(|| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let out = role("upper").stdin(Redirect::bytes("fed")).stdout(Redirect::file(&path)).run().unwrap();
        assert_eq!(fs::read_to_string(path).unwrap(), "FED");
        assert_eq!(out.stdin_taken, Some(3));
    });
}

/// Item 38: stdin, stdout and stderr, each ours or not, in all eight ways; each byte ends up where it was sent.
#[test]
fn every_choice_of_streams_works() {
    isolated(|| {
        for choice in 0..8 {
            let [input, output, error] = [1, 2, 4].map(|bit| choice & bit != 0);
            let cmd = role("fill-stderr").arg("3");
            let cmd = cmd.stdin(if input { Redirect::bytes("in") } else { Redirect::null() });
            let cmd = cmd.stdout(if output { Redirect::capture() } else { Redirect::null() });
            let out = cmd.stderr(if error { Redirect::capture() } else { Redirect::null() }).run().unwrap();
            assert_eq!((out.stdout.is_captured(), out.stderr.is_captured()), (output, error));
            assert_eq!(&out.stdout[..], if input && output { &b"in"[..] } else { b"" }, "{choice}");
            assert_eq!(&out.stderr[..], if error { &b"eee"[..] } else { b"" }, "{choice}");
            assert_eq!(out.stdin_taken, input.then_some(2));
        }
    });
}

/// Item 39: Empty input is the end of file at once; empty output is captured and empty.
#[test]
fn nothing_in_is_the_end_and_nothing_out_is_empty() {
    isolated(|| {
        assert_eq!(role("count").stdin(Redirect::bytes("")).read().unwrap(), "0");
        let out = role("exit").arg("0").output().unwrap();
        assert_eq!(out.stdout, "");
        assert_eq!(out.stderr, "");
    });
}

/// Items 40, 41: A megabyte in, a megabyte out and as much on stderr, written before anything is read, all at once.
#[test]
fn much_in_out_and_err_at_once_does_not_block() {
    isolated(|| {
        const SIZE: usize = 1 << 20;
        let input: Vec<u8> = (0..SIZE).map(|n| (n * 7) as u8).collect();
        let cmd = role("fill-stderr").arg(SIZE.to_string()).stdin(Redirect::bytes(input.clone()));
        // By the caller's thread, and by the job's.
        let job = cmd.clone().stdout(Redirect::capture()).stderr(Redirect::capture()).spawn().unwrap();
        for out in [cmd.output().unwrap(), job.output().unwrap()] {
            assert!(out.stdout == input);
            assert_eq!(out.stderr.len(), SIZE);
        }
    });
}

/// Item 41: A line of three megabytes is one line, for every way of taking lines.
#[test]
fn a_very_long_line_is_one_line() {
    isolated(|| {
        const SIZE: usize = 3 << 20;
        let cmd = role("cat").stdin(Redirect::bytes([vec![b'x'; SIZE], b"\nend".to_vec()].concat()));
        let lines: Vec<String> = cmd.lines().unwrap().collect::<Result<_, _>>().unwrap();
        assert_eq!(lines.iter().map(String::len).collect::<Vec<_>>(), [SIZE, 3]);
        let mut lengths = Vec::new();
        cmd.for_each_line(|line| lengths.push(line.len())).unwrap();
        assert_eq!(lengths, [SIZE, 3]);
    });
}

/// Item 42: Five megabytes from a reader that gives odd little pieces arrive whole, from either kind of reader.
#[test]
fn a_lazy_reader_is_passed_on_whole() {
    struct Lazy(u32);
    impl Read for Lazy {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let size = buffer.len().min(7_001).min(5_000_000 - self.0 as usize);
            for byte in &mut buffer[..size] {
                *byte = (self.0 >> 3) as u8;
                self.0 += 1;
            }
            Ok(size)
        }
    }
    isolated(|| {
        let expected: Vec<u8> = (0..5_000_000_u32).map(|n| (n >> 3) as u8).collect();
        assert!(role("cat").stdin(Redirect::from_reader(Lazy(0))).read_bytes().unwrap() == expected);
        let again = role("cat").stdin(Redirect::reader_with(|| Lazy(0)));
        assert!(again.read_bytes().unwrap() == expected);
        assert_eq!(again.output().unwrap().stdin_taken, Some(5_000_000));
    });
}

/// Item 43: Writes in turn to both outputs are whole, and apart, in their captures.
#[test]
fn interleaved_writes_end_up_whole_and_apart() {
    isolated(|| {
        let out = role("both").arg("300000").output().unwrap();
        assert!(out.stdout == vec![b'o'; 300_000] && out.stderr == vec![b'e'; 300_000]);
    });
}

/// Item 44: A child that fails still yields what it wrote, in the error; one that exits at once yields nothing, without an error.
#[test]
fn a_failing_child_still_yields_its_output() {
    isolated(|| {
        let error = Cmd::sh("echo out; echo err >&2; exit 1").output().unwrap_err();
        let out = error.into_output().unwrap();
        assert_eq!((&out.stdout[..], &out.stderr[..]), (&b"out\n"[..], &b"err\n"[..]));
        assert_eq!(role("exit").arg("0").read().unwrap(), "");
    });
}

/// Item 46: A timeout is an error of its kind, and holds what was written before, from both streams.
#[test]
fn a_timeout_keeps_what_came_before_it() {
    isolated(|| {
        let hang = Cmd::sh("echo err >&2; exec \"$1\" hang").args(["sh", fixture()]).grace(Duration::ZERO);
        let both = |out: &Output| out.stdout == "ready\n" && out.stderr == "err\n";
        let error = timed_out_after(|timeout| hang.clone().timeout(timeout), both);
        assert_eq!(error.kind(), ErrorKind::Timeout);
    });
}

/// Item 47: A timeout of zero is over at once, for a child that says nothing and for one that never stops.
#[test]
fn a_zero_timeout_times_out() {
    isolated(|| {
        for name in ["cat", "yes"] {
            let cmd = role(name).timeout(Duration::ZERO);
            assert_eq!(within(Duration::from_secs(5), || cmd.output().unwrap_err()).kind(), ErrorKind::Timeout);
        }
    });
}

/// Item 48: A wait that ran out loses nothing: a later one, and the output, have all of it.
#[test]
fn a_wait_that_ran_out_loses_nothing_of_the_output() {
    isolated(|| {
        let job = role("cat").stdin(Redirect::piped()).stdout(Redirect::capture()).spawn().unwrap();
        let mut stdin = job.take_stdin().unwrap();
        for part in ["one ", "two ", "three"] {
            stdin.write_all(part.as_bytes()).unwrap();
            assert_eq!(job.wait_timeout(Duration::from_millis(5)).unwrap(), None);
        }
        drop(stdin);
        assert_eq!(job.output().unwrap().stdout, "one two three");
    });
}

/// Items 49, 50, 51, 53: A reader gives no more than it is asked for, in pieces of any size; the rest stays to be read; asked for nothing it
/// gives nothing, and that is no end.
#[test]
fn a_reader_gives_as_much_as_it_is_asked_for() {
    isolated(|| {
        let mut reader = role("say").args(["1", "hello"]).reader().unwrap();
        let mut buffer = [0; 2];
        let mut sizes = Vec::new();
        for _ in 0..4 {
            assert_eq!(reader.read(&mut []).unwrap(), 0);
            sizes.push(reader.read(&mut buffer).unwrap());
        }
        assert_eq!(sizes, [2, 2, 1, 0]);

        let mut reader = role("blocks").arg("40000").reader().unwrap();
        let mut all = Vec::new();
        for size in [100, 1_000, 10_000, 8_900] {
            let mut part = vec![0; size];
            reader.read_exact(&mut part).unwrap();
            all.extend(part);
        }
        assert_eq!(reader.read_to_end(&mut all).unwrap(), 20_000);
        assert!(all == role("blocks").arg("40000").read_bytes().unwrap());
    });
}

/// Item 52: Each captured output has a limit of its own, and says what was left out.
#[test]
fn each_output_has_its_own_limit() {
    isolated(|| {
        let limits = |cmd: Cmd| cmd.stdout_limit(Limit::HeadTail { head: 1, tail: 2 }).stderr_limit(Limit::Tail(3));
        let out = limits(role("say").args(["1", "abcdef", "2", "uvwxyz"])).output().unwrap();
        assert_eq!((&out.stdout[..], &out.stderr[..]), (&b"aef"[..], &b"xyz"[..]));
        assert_eq!((out.stdout.omitted(), out.stderr.omitted()), (3, 3));
        let whole = limits(role("say").args(["1", "abc", "2", "xyz"])).output().unwrap();
        assert_eq!((whole.stdout.omitted(), whole.stderr.omitted()), (0, 0));
    });
}

/// Item 54: After the end, reads give nothing, every time.
#[test]
fn reads_after_the_end_are_empty_every_time() {
    isolated(|| {
        let mut reader = role("echo").arg("x").reader().unwrap();
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        for _ in 0..3 {
            assert_eq!(reader.read(&mut [0; 8]).unwrap(), 0);
        }
        // A bad status is an error once, not at every read.
        let mut reader = role("exit").arg("3").reader().unwrap();
        let error = reader.read(&mut [0; 8]).unwrap_err();
        let inner = error.get_ref().unwrap().downcast_ref::<pipewright::Error>().unwrap();
        assert_eq!(inner.status().unwrap().code(), Some(3));
        assert_eq!(reader.read(&mut [0; 8]).unwrap(), 0);
    });
}

/// Items 55, 61: Input that the builder holds is fed whatever the way of reading, more of it than a pipe holds. (subprocess refuses it for streams.)
#[test]
fn preset_input_is_fed_by_every_verb() {
    isolated(|| {
        const LINES: usize = 100_000;
        let cmd = role("cat").stdin(Redirect::bytes("line\n".repeat(LINES)));
        assert_eq!(cmd.output().unwrap().stdout.len(), 5 * LINES);
        assert_eq!(cmd.read().unwrap().len(), 5 * LINES - 1);
        assert_eq!(cmd.lines().unwrap().map(|line| line.unwrap().len()).sum::<usize>(), 4 * LINES);
        let mut count = 0;
        cmd.for_each_line(|_| count += 1).unwrap();
        assert_eq!(count, LINES);
        assert_eq!(io::copy(&mut cmd.reader().unwrap(), &mut io::sink()).unwrap(), 5 * LINES as u64);
        let job = cmd.stdout(Redirect::piped()).spawn().unwrap();
        assert_eq!(io::copy(&mut job.take_stdout().unwrap(), &mut io::sink()).unwrap(), 5 * LINES as u64);
        assert!(job.wait().unwrap().success());
    });
}

/// Items 56, 57: `output` captures both; one that was sent elsewhere is not captured, and does not stop the other from being so.
#[test]
fn output_captures_what_is_not_sent_elsewhere() {
    isolated(|| {
        let both = || role("out-err").arg("1");
        let out = both().output().unwrap();
        assert_eq!((&out.stdout[..], &out.stderr[..]), (&b"out 0\n"[..], &b"err 0\n"[..]));
        for elsewhere in [Redirect::null(), Redirect::inherit()] {
            let out = both().stderr(elsewhere.clone()).output().unwrap();
            assert_eq!(out.stdout, "out 0\n");
            assert!(!out.stderr.is_captured());
            let out = both().stdout(elsewhere).output().unwrap();
            assert_eq!(out.stderr, "err 0\n");
            assert!(!out.stdout.is_captured());
        }
        // Left unset, `read` leaves stderr to this process.
        assert_eq!(both().read().unwrap(), "out 0");
    });
}

/// Item 58: Text, owned and borrowed, vectors, slices, arrays and boxes are inputs.
#[test]
fn every_kind_of_bytes_is_an_input() {
    isolated(|| {
        let fed = |input| role("cat").stdin(input).read().unwrap();
        let inputs = [
            Redirect::bytes("abc"),
            Redirect::bytes(String::from("abc")),
            Redirect::bytes(b"abc"),
            Redirect::bytes(*b"abc"),
            Redirect::bytes(&b"abc"[..]),
            Redirect::bytes(b"abc".to_vec()),
            Redirect::bytes(b"abc".to_vec().into_boxed_slice()),
            Redirect::from_reader(&b"abc"[..]),
        ];
        for input in inputs {
            assert_eq!(fed(input), "abc");
        }
    });
}

/// Item 59: `run` feeds the input, and drains outputs that are piped and that nobody can take.
#[test]
fn run_feeds_and_drains_what_is_piped() {
    isolated(|| {
        let cmd = role("fill-stderr").arg("300000").stdin(Redirect::bytes(vec![0; 300_000]));
        let out = cmd.stdout(Redirect::piped()).stderr(Redirect::piped()).run().unwrap();
        assert!(!out.stdout.is_captured() && !out.stderr.is_captured());
        assert_eq!(out.stdin_taken, Some(300_000));
    });
}

/// Item 60: Streams of a live job move data in, out and on stderr.
#[test]
fn streams_in_out_and_err_move_data() {
    isolated(|| {
        let cmd = Cmd::sh("while read line; do echo \"out $line\"; echo \"err $line\" >&2; done");
        let cmd = cmd.stdin(Redirect::piped()).stdout(Redirect::piped()).stderr(Redirect::piped());
        let job = cmd.spawn().unwrap();
        let mut stdin = job.take_stdin().unwrap();
        let (stdout, stderr) = (job.take_stdout().unwrap(), job.take_stderr().unwrap());
        for n in 0..3 {
            writeln!(stdin, "{n}").unwrap();
            assert_eq!(read_line(&stdout), format!("out {n}"));
            assert_eq!(read_line(&stderr), format!("err {n}"));
        }
        drop(stdin);
        assert!(job.wait().unwrap().success());
    });
}

/// Item 62: `run`, `read` and `output` are Ok on zero and an error on anything else; `status` and `unchecked` have it as data.
#[test]
fn output_checks_unless_unchecked() {
    isolated(|| {
        let exit = |code: &str| role("exit").arg(code);
        assert!(exit("0").run().is_ok() && exit("0").output().is_ok() && exit("0").read().is_ok());
        for error in [exit("1").run().unwrap_err(), exit("1").output().unwrap_err(), exit("1").read().unwrap_err()] {
            assert_eq!(error.kind(), ErrorKind::Status);
        }
        assert_eq!(exit("1").status().unwrap().code(), Some(1));
        assert_eq!(exit("1").unchecked().run().unwrap().status.code(), Some(1));
        assert_eq!(exit("1").allow_codes([1]).output().unwrap().status.code(), Some(1));
        assert!(exit("2").allow_codes([1]).output().is_err());
    });
}
