//! Much through many streams at once.

use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::bytes::PATIENT;
use crate::prelude::*;

const MUCH: usize = 64 << 20;

/// Counts, and sums up with the place of each byte.
#[derive(Clone, Default)]
struct Sum(Arc<AtomicU64>, Arc<AtomicU64>);

impl Write for Sum {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut at = self.0.load(Ordering::Relaxed);
        let mut sum = self.1.load(Ordering::Relaxed);
        for &byte in bytes {
            at += 1;
            sum = sum.wrapping_add(at * u64::from(byte));
        }
        self.0.store(at, Ordering::Relaxed);
        self.1.store(sum, Ordering::Relaxed);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Sum {
    fn get(&self) -> (u64, u64) {
        (self.0.load(Ordering::Relaxed), self.1.load(Ordering::Relaxed))
    }

    fn of(bytes: &[u8]) -> (u64, u64) {
        let mut sum = Sum::default();
        sum.write_all(bytes).expect("it counts");
        sum.get()
    }
}

fn pattern(len: usize) -> Vec<u8> {
    (0_u32..).flat_map(u32::to_le_bytes).take(len).collect()
}

#[test]
fn stdin_and_three_outputs_move_much_at_once() {
    isolated_with(PATIENT, || {
        let bytes = pattern(count(MUCH / 8, MUCH));
        let expected = Sum::of(&bytes);
        let fan = role("fan").args(["0", "1", "2", "3"]).fd_out(3, Redirect::piped()).stdin(Redirect::bytes(bytes));
        let output = fan.output().expect("it runs");
        assert_eq!(Sum::of(&output.stdout), expected);
        assert_eq!(Sum::of(&output.stderr), expected);
        assert_eq!(Sum::of(output.fd(3).expect("captured")), expected);
    });
}

#[test]
fn one_output_after_the_other_is_no_deadlock_either() {
    isolated_with(PATIENT, || {
        // All of fd 5 before the first byte of fd 4, and so on: reading them in another order would block for ever.
        let much = count(1 << 20, MUCH).to_string();
        let line = Cmd::sh(
            r#""$0" blocks "$1" >&5; "$0" blocks "$1" >&4; "$0" blocks "$1" >&2; "$0" blocks "$1" >&3; "$0" blocks "$1""#,
        );
        let line = line
            .arg(fixture())
            .arg(&much)
            .fd_out(3, Redirect::piped())
            .fd_out(4, Redirect::piped())
            .fd_out(5, Redirect::piped());
        let output = line.output().expect("it runs");
        let expected = much.parse::<usize>().expect("a number");
        let lens = [3, 4, 5].map(|number| output.fd(number).expect("captured").len());
        assert_eq!((output.stdout.len(), output.stderr.len(), lens), (expected, expected, [expected; 3]));
    });
}

#[test]
fn several_inputs_are_fed_at_once_whatever_is_read_first() {
    isolated_with(PATIENT, || {
        let bytes = pattern(count(1 << 20, MUCH));
        let expected = Sum::of(&bytes);
        let sums: [Sum; 2] = Default::default();
        let cat = paths().args(["/dev/fd/8", "/dev/fd/3", "/dev/fd/0"]).stdin(Redirect::bytes(bytes.clone()));
        let cat =
            cat.fd_in(3, Redirect::bytes(bytes.clone())).fd_in(8, Redirect::from_reader(std::io::Cursor::new(bytes)));
        let fan = role("fan").args(["0", "1", "6"]).fd_out(6, Redirect::to_writer(sums[1].clone()));
        let output = (cat | fan).stdout(Redirect::to_writer(sums[0].clone())).run().expect("it runs");
        assert_eq!(sums[0].get().0, 3 * expected.0);
        assert_eq!(sums[0].get(), sums[1].get());
        assert!(output.stdin_taken.is_some());
    });
}

#[test]
fn much_goes_through_taken_ends_and_arguments() {
    isolated_with(PATIENT, || {
        let much = count(4 << 20, MUCH);
        let job = paths()
            .arg_reader(role("blocks").arg(much.to_string()) | role("cat"))
            .stdout(Redirect::piped())
            .spawn()
            .expect("it starts");
        let mut out = job.take_stdout().expect("piped");
        let mut sum = Sum::default();
        let mut buffer = vec![0; 1 << 16];
        loop {
            let n = out.read(&mut buffer).expect("it reads");
            if n == 0 {
                break;
            }
            sum.write_all(&buffer[..n]).expect("it counts");
            progress();
        }
        assert_eq!(sum.get().0, much as u64);
        assert!(job.wait().expect("it ends").success());

        let line = role("blocks").arg(much.to_string())
            | role("tee-paths")
                .arg_writer(role("check-blocks"))
                .arg_writer(role("check-blocks"))
                .stdout(Redirect::null());
        assert_eq!(line.read().expect("it runs"), format!("{much}\n{much}"));
    });
}
