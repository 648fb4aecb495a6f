//! Stops and continues, many a second, while bytes move.

use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

use nix::poll::{PollTimeout, poll};
use nix::sys::signal::Signal;
use pipewright::{Pipeline, Redirect, forward};

use super::{Told, in_part, part};
use crate::harness::*;
use crate::support::*;

/// The time between two signals at this rate a second; it orders nothing.
const MILLISECOND: u16 = 1;

fn for_a_while(mut each: impl FnMut()) {
    let start = Instant::now();
    let while_ = Duration::from_millis(count(400, 10_000) as u64);
    let mut tick = Instant::now();
    while start.elapsed() < while_ {
        each();
        let _ = poll(&mut [], PollTimeout::from(MILLISECOND));
        if tick.elapsed() > Duration::from_secs(1) {
            progress();
            tick = Instant::now();
        }
    }
}

/// The bytes of a counter, until it is told to end.
struct Counter {
    at: u64,
    over: Arc<AtomicBool>,
}

impl Read for Counter {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.over.load(SeqCst) {
            return Ok(0);
        }
        for byte in buffer.iter_mut() {
            *byte = value(self.at);
            self.at += 1;
        }
        Ok(buffer.len())
    }
}

fn value(at: u64) -> u8 {
    (at ^ (at >> 8) ^ (at >> 16)) as u8
}

/// Sees that they are the same, and counts them.
struct Checker(Arc<AtomicU64>);

impl Write for Checker {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let at = self.0.load(SeqCst);
        for (byte, at) in bytes.iter().zip(at..) {
            assert_eq!(*byte, value(at), "at byte {at}");
        }
        self.0.store(at + bytes.len() as u64, SeqCst);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn stops_and_continues_at_1_khz_over_a_copy_of_five_stages_change_no_byte_and_are_no_exits() {
    isolated(|| {
        let (over, checked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let copy: Pipeline = (0..5).map(|_| role("cat")).collect();
        let source = Counter { at: 0, over: Arc::clone(&over) };
        let copy = copy.stdin(Redirect::from_reader(source)).stdout(Redirect::to_writer(Checker(Arc::clone(&checked))));
        let job = copy.spawn().expect("it starts");
        let mut stops = 0;
        for_a_while(|| {
            let signal = if stops % 2 == 0 { Signal::SIGSTOP } else { Signal::SIGCONT };
            stops += 1;
            job.send_signal(signal as i32).expect("they are there");
            assert_eq!(job.try_wait().expect("a stop is no failure"), None, "a stop is no exit");
        });
        over.store(true, SeqCst);
        job.send_signal(Signal::SIGCONT as i32).expect("they are there");
        let output = job.output().expect("five good ends");
        assert!(output.stages.iter().all(|stage| stage.status.success()), "{output:?}");
        let bytes = checked.load(SeqCst);
        assert!(bytes > 1 << 20, "{bytes} bytes in {stops} signals");
    });
}

#[test]
fn stops_and_continues_of_this_process_change_no_byte_either() {
    isolated(|| {
        let bytes = count(16, 64) << 20;
        if part("copy") {
            let _forwarding = forward::signals().expect("it is installed");
            let copy: Pipeline = (0..4).map(|_| role("cat")).collect();
            println!("copying now");
            let copied = ((role("blocks").arg(bytes.to_string()) | copy) | role("check-blocks"))
                .timeout(Duration::from_secs(60))
                .forward_signals(true)
                .read();
            println!("copied {}", copied.expect("it comes through"));
            return;
        }
        let mut told = Told::by(in_part("copy"));
        told.after("copying");
        let mut on = false;
        for_a_while(|| {
            if told.job.try_wait().expect("no error").is_none() {
                told.send(if on { Signal::SIGCONT } else { Signal::SIGTSTP });
            }
            on = !on;
        });
        // The last word; one stop may be on its way yet.
        while told.job.try_wait().expect("no error").is_none() {
            told.send(Signal::SIGCONT);
            let _ = poll(&mut [], PollTimeout::from(20_u16));
        }
        assert_eq!(told.after("copied "), bytes.to_string());
        assert!(told.job.wait().expect("a status").success());
    });
}
