//! Nothing deadlocks, at no capacity of the pipes and in no order of waiting.

use std::sync::mpsc::Receiver;

use super::PATIENT;
use crate::prelude::*;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// Copies, and makes more noise on stderr than a pipe holds.
fn noisy_cat() -> Cmd {
    cmd!(fixture(), "fill-stderr", NOISE.to_string())
}

const NOISE: usize = 300_000;

#[test]
fn three_noisy_copies_deliver_everything_at_any_capacity() {
    isolated_with(PATIENT, || {
        let size = count(4, 256) * MIB;
        for capacity in [4 * KIB, 8 * KIB, 64 * KIB] {
            let copies = cmd!(fixture(), "blocks", size.to_string()) | noisy_cat() | noisy_cat() | noisy_cat();
            let checked = (copies | cmd!(fixture(), "check-blocks")).pipe_capacity(capacity);
            let output = checked.output().expect("it ends");
            assert_eq!(output.stdout, format!("{size}\n"));
            assert!(output.stderr == vec![b'e'; 3 * NOISE], "{} bytes of noise", output.stderr.len());
            progress();
        }
    });
}

#[test]
fn all_three_streams_move_at_once_at_any_capacity() {
    isolated(|| {
        let input: Vec<u8> = (0..=255).cycle().take(count(2, 64) * MIB + 1).collect();
        for capacity in [4 * KIB, 8 * KIB, 64 * KIB] {
            let three = noisy_cat() | noisy_cat() | noisy_cat();
            let three = three.stdin(Redirect::bytes(input.clone())).pipe_capacity(capacity);
            let output = three.output().expect("it ends");
            assert!(output.stdout == input && output.stderr.len() == 3 * NOISE);
            assert_eq!(output.stdin_taken, Some(input.len() as u64));
            progress();
            // Behind a handle the run's thread does it.
            let job = three.stdout(Redirect::capture()).spawn().expect("it starts");
            assert!(job.output().expect("it ends").stdout == input);
            progress();
        }
    });
}

#[test]
fn a_wanted_capacity_is_what_every_pipe_keeps() {
    isolated(|| {
        if !cfg!(target_os = "linux") {
            return skip("a pipe's capacity can only be asked for on Linux");
        }
        let bytes = 4 * MIB;
        let asks =
            |fd: &str| cmd!(fixture(), "pipe-size", fd, bytes.to_string()).stdin(Redirect::bytes(vec![0; bytes]));
        for capacity in [4 * KIB, 8 * KIB, 128 * KIB] {
            for fd in ["0", "1"] {
                let output = asks(fd).pipe_capacity(capacity).output().expect("it runs");
                assert_eq!(output.stderr_lossy().trim(), capacity.to_string(), "fd {fd}, however busy it is");
            }
            let linked = (asks("1") | cmd!(fixture(), "cat")).pipe_capacity(capacity).output().expect("it runs");
            assert_eq!(linked.stderr_lossy().trim(), capacity.to_string(), "between stages");
        }
        let grown = asks("1").output().expect("it runs");
        let grown: usize = grown.stderr_lossy().trim().parse().expect("a number");
        assert!(grown > 64 * KIB, "a busy pipe is grown unless a capacity was set: {grown}");
    });
}

#[test]
fn a_child_that_never_reads_delays_no_output() {
    isolated(|| {
        let much = || Redirect::bytes(vec![b'x'; 8 * MIB]);
        let output = cmd!(fixture(), "both", "300000").stdin(much()).output().expect("it ends");
        assert_eq!((output.stdout.len(), output.stderr.len()), (300_000, 300_000));
        assert!(output.stdin_taken.is_some_and(|taken| taken < 8 << 20), "{:?}", output.stdin_taken);

        let first = cmd!(fixture(), "both", "300000").stdin(much());
        let output = (first | noisy_cat()).output().expect("it ends");
        assert_eq!((output.stdout.len(), output.stderr.len()), (300_000, 300_000 + NOISE));

        // Neither reads nor ends: it can still be heard, and ended.
        let hang = cmd!(fixture(), "hang").stdin(much()).stdout(Redirect::piped());
        let job = hang.spawn().expect("it starts");
        assert_eq!(read_line(job.take_stdout().expect("piped")), "ready");
        job.terminate().expect("it can be asked");
        assert_eq!(job.wait().expect("it ends").signal(), Some(nix::libc::SIGTERM));
    });
}

/// Reads what it is sent; its end comes when the sender is gone.
struct Mail(Receiver<Vec<u8>>);

impl Read for Mail {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let Ok(piece) = self.0.recv() else { return Ok(0) };
        buffer[..piece.len()].copy_from_slice(&piece);
        Ok(piece.len())
    }
}

#[test]
fn a_reader_that_blocks_delays_neither_the_outputs_nor_the_end() {
    isolated(|| {
        let (send, mail) = channel();
        // It blocks until the run is over, and longer.
        let cmd = cmd!(fixture(), "both", "300000").stdin(Redirect::from_reader(Mail(mail)));
        let output = cmd.output().expect("it ends without its stdin");
        assert_eq!((output.stdout.len(), output.stderr.len()), (300_000, 300_000));
        assert_eq!(output.stdin_taken, Some(0));
        drop(send);
    });
}

#[test]
fn what_a_blocked_reader_gave_before_is_counted() {
    isolated(|| {
        let (send, mail) = channel();
        send.send(b"12345".to_vec()).expect("it will be read");
        let cmd = cmd!(fixture(), "take", "5").stdin(Redirect::from_reader(Mail(mail)));
        let output = cmd.output().expect("it has what it wants");
        assert_eq!(output.stdout, "12345");
        assert_eq!(output.stdin_taken, Some(5), "the reader still blocks, but the child took so much");
        drop(send);
    });
}

#[test]
fn a_reader_may_wait_for_what_the_child_says_to_its_last_piece() {
    isolated(|| {
        let (send, mail) = channel();
        send.send(b"0\n".to_vec()).expect("it will be read");
        let mut rounds = 0;
        let mut send = Some(send);
        let answer = |line: &[u8]| {
            assert_eq!(line, rounds.to_string().as_bytes());
            rounds += 1;
            match &send {
                Some(to) if rounds < 100 => to.send(format!("{rounds}\n").into_bytes()).expect("it reads"),
                _ => send = None,
            }
        };
        cmd!(fixture(), "cat").stdin(Redirect::from_reader(Mail(mail))).for_each_line(answer).expect("it ends");
        assert_eq!(rounds, 100);
    });
}

#[test]
fn a_slow_writer_and_a_slow_callback_lose_nothing() {
    isolated(|| {
        /// Takes a piece only when it is given leave, one byte for each.
        struct OnLeave(pipe::PipeReader, usize);
        impl std::io::Write for OnLeave {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                self.0.read_exact(&mut [0])?;
                self.1 += bytes.len();
                Ok(bytes.len())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                assert_eq!(self.1, 300_000);
                Ok(())
            }
        }
        let (leave, mut give) = pipe::kernel().expect("a pipe");
        let to = Redirect::to_writer(OnLeave(leave, 0));
        let job = cmd!(fixture(), "blocks", "300000").stdout(to).spawn().expect("it starts");
        assert!(job.try_wait().expect("no failure").is_none(), "without leave nothing moves");
        std::io::Write::write_all(&mut give, &[0; 10_000]).expect("they fit");
        assert!(job.wait().expect("it ends").success());
    });
}

/// Three jobs that each would fill a pipe if only another one were waited for, linked where they can be.
fn three_jobs() -> [Job; 3] {
    let (reader, writer) = pipe::kernel().expect("a pipe");
    let source = cmd!(fixture(), "blocks", "1000000").stdout(Redirect::fd(writer)).stderr(Redirect::piped());
    let sink = cmd!(fixture(), "cat").stdin(Redirect::fd(reader)).stdout(Redirect::piped());
    let apart = noisy_cat().stdin(Redirect::bytes(vec![0; MIB])).stdout(Redirect::capture()).stderr(Redirect::piped());
    [source, sink, apart].map(|cmd| cmd.spawn().expect("it starts"))
}

#[test]
fn jobs_may_be_waited_for_by_threads_in_any_order() {
    isolated(|| {
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            // All of them at once, begun in this order.
            let jobs = three_jobs();
            std::thread::scope(|scope| {
                let waits = order.map(|index| {
                    let job = &jobs[index];
                    scope.spawn(move || job.wait())
                });
                for wait in waits {
                    assert!(wait.join().expect("no panic").expect("it ends").success());
                }
            });
        }
    });
}

#[test]
fn jobs_that_do_not_hang_together_may_be_waited_for_in_any_order() {
    isolated(|| {
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let both = || cmd!(fixture(), "both", "300000");
            let jobs = [
                both().stdout(Redirect::piped()).stderr(Redirect::piped()),
                both().stdin(Redirect::piped()).stdout(Redirect::capture()).stderr(Redirect::capture()),
                noisy_cat().stdin(Redirect::bytes(vec![0; MIB])).stdout(Redirect::piped()).stderr(Redirect::null()),
            ];
            let jobs = jobs.map(|cmd| cmd.spawn().expect("it starts"));
            for index in order {
                assert!(jobs[index].wait().expect("it ends").success(), "{order:?}");
            }
        }
    });
}
