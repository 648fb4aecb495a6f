//! Stops and continues, many a second, while bytes move.

use std::sync::atomic::AtomicU64;

use nix::poll::{PollTimeout, poll};
use pipewright::forward;

use super::{Told, in_part, part};
use crate::prelude::*;

/// The pause between two signals, in milliseconds. It sets a rate and orders nothing.
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

fn value(at: u64) -> u8 {
    (at ^ (at >> 8) ^ (at >> 16)) as u8
}

#[test]
fn stops_and_continues_at_1_khz_over_a_copy_of_five_stages_change_no_byte_and_are_no_exits() {
    isolated(|| {
        let (over, checked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let copy: Pipeline = (0..5).map(|_| role("cat")).collect();
        let (is_over, count, mut next) = (Arc::clone(&over), Arc::clone(&checked), 0);
        let source = Reading(move |buffer: &mut [u8]| {
            let length = if is_over.load(SeqCst) { 0 } else { buffer.len() };
            buffer[..length].iter_mut().zip(next..).for_each(|(byte, at)| *byte = value(at));
            next += length as u64;
            Ok(length)
        });
        let checker = Writing(move |bytes: &[u8]| {
            let begin = count.fetch_add(bytes.len() as u64, SeqCst);
            bytes.iter().zip(begin..).for_each(|(byte, at)| assert_eq!(*byte, value(at), "at byte {at}"));
            Ok(bytes.len())
        });
        let copy = copy.stdin(Redirect::from_reader(source)).stdout(Redirect::to_writer(checker));
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
