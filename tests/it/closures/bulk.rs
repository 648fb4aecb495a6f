//! Much through closures, and in tiny pieces.

use std::fmt::Write as _;
use std::os::fd::FromRawFd;

use super::*;
use crate::bytes::PATIENT;
use crate::prelude::*;

/// FNV-1a: enough to tell one stream from another.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Sum(u64, u64);

impl Sum {
    fn of(chunks: impl FnOnce(&mut dyn FnMut(&[u8]))) -> Sum {
        let mut sum = Sum(0, 0xcbf2_9ce4_8422_2325);
        chunks(&mut |chunk| {
            for &byte in chunk {
                sum.1 = (sum.1 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
            sum.0 += chunk.len() as u64;
        });
        sum
    }
}

#[test]
fn bulk_through_processes_and_closures_is_identical() {
    isolated_with(PATIENT, || {
        let bytes = count(16, 256) << 20;
        let flow = |bytes: usize| {
            let first = role("blocks").arg(bytes.to_string()) | copy() | role("cat");
            let line = first | copy() | copy() | role("check-blocks") | copy();
            assert_eq!(line.read().expect("it runs"), bytes.to_string());
            progress();
        };
        flow(4 << 20);
        let before = peak_rss_kib();
        flow(bytes);
        let grown = peak_rss_kib().saturating_sub(before);
        assert!(grown < 4096, "{grown} KiB more");
    });
}

#[test]
fn what_closures_hash_on_the_way_is_the_same_everywhere() {
    isolated_with(PATIENT, || {
        let blocks = (count(2, 64) << 20) as u64;
        let sums = Arc::new(Mutex::new(Vec::new()));
        let hash = || {
            let sums = Arc::clone(&sums);
            Stage::from_fn(move |input, output| {
                let mut result = Ok(());
                let sum = Sum::of(|each| {
                    let mut buffer = vec![0; 10_000];
                    result = loop {
                        match input.read(&mut buffer) {
                            Ok(0) => break Ok(()),
                            Ok(read) => {
                                each(&buffer[..read]);
                                if let Err(error) = output.write_all(&buffer[..read]) {
                                    break Err(error);
                                }
                            }
                            Err(error) => break Err(error),
                        }
                    };
                });
                sums.lock().expect("no panic").push(sum);
                Ok(result?)
            })
        };
        for capacity in [None, Some(0), Some(1), Some(4096), Some(1 << 20)] {
            let bytes = if capacity.is_some_and(|bytes| bytes < 4096) { blocks / 64 } else { blocks };
            let line = role("blocks").arg(bytes.to_string()) | hash() | hash() | role("cat") | hash() | role("count");
            let line = match capacity {
                Some(bytes) => line.pipe_capacity(bytes),
                None => line,
            };
            assert_eq!(line.read().expect("it runs"), bytes.to_string(), "{capacity:?}");
            let sums = std::mem::take(&mut *sums.lock().expect("no panic"));
            assert_eq!(sums.len(), 3);
            assert!(sums[0].0 == bytes && sums.iter().all(|sum| *sum == sums[0]), "{capacity:?}: {sums:?}");
            progress();
        }
    });
}

#[test]
fn an_absurd_capacity_is_a_wish_for_pipes_in_memory_too() {
    isolated(|| {
        for capacity in [usize::MAX, isize::MAX as usize, 1 << 40] {
            let line = (say("text") | copy() | role("cat") | copy()).pipe_capacity(capacity);
            assert_eq!(line.read().expect("a wish"), "text");
        }
    });
}

#[test]
fn tiny_writes_and_reads_lose_nothing() {
    isolated(|| {
        let bytes = count(20_000, 1_000_000);
        let drips = Stage::from_fn(move |_, output| {
            for n in 0..bytes {
                output.write_all(&[n as u8])?;
                assert_eq!(output.write(&[])?, 0);
            }
            Ok(())
        });
        let sips = || {
            Stage::from_fn(|input, output| {
                let mut buffer = Vec::new();
                loop {
                    let mut byte = [0];
                    assert_eq!(input.read(&mut [])?, 0);
                    if input.read(&mut byte)? == 0 {
                        break;
                    }
                    buffer.push(byte[0]);
                    if let Some(&next) = input.fill_buf()?.first() {
                        buffer.push(next);
                        input.consume(1);
                    }
                }
                Ok(output.write_all(&buffer)?)
            })
        };
        let expected: Vec<u8> = (0..bytes).map(|n| n as u8).collect();
        assert!((drips.clone() | sips()).read_bytes().expect("in memory") == expected);
        assert!((drips.clone() | role("cat") | sips()).read_bytes().expect("through the kernel") == expected);
        assert!((drips | copy().label("relay") | role("cat") | copy()).read_bytes().expect("mixed") == expected);
    });
}

#[test]
fn one_write_macro_is_one_write() {
    isolated(|| {
        // A socket that keeps records shows where each write ended.
        let mut pair = [-1; 2];
        // SAFETY: two ints to fill.
        let made =
            unsafe { libc::socketpair(libc::AF_UNIX, libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC, 0, pair.as_mut_ptr()) };
        assert_eq!(made, 0, "a pair");
        // SAFETY: just made, and owned here alone.
        let ours = unsafe { OwnedFd::from_raw_fd(pair[0]) };
        // SAFETY: just made, and owned here alone.
        let theirs = unsafe { OwnedFd::from_raw_fd(pair[1]) };
        let pieces = Stage::from_fn(|_, output| {
            let two = "two";
            writeln!(output, "{}-{two}-{:?}", 1, [3, 4])?;
            write!(output, "plain")?;
            writeln!(output, "{:>100}", "wide")?;
            Ok(())
        });
        alone(pieces).stdout(Redirect::fd(theirs)).run().expect("it runs");
        let mut records = Vec::new();
        loop {
            let mut record = [0; 4096];
            let read = nix::unistd::read(&ours, &mut record).expect("a record, or the end");
            if read == 0 {
                break;
            }
            records.push(String::from_utf8_lossy(&record[..read]).into_owned());
        }
        let mut wide = String::new();
        writeln!(wide, "{:>100}", "wide").expect("memory");
        assert_eq!(records, ["1-two-[3, 4]\n".to_owned(), "plain".to_owned(), wide]);
    });
}

#[test]
fn one_write_macro_may_be_longer_than_any_buffer() {
    isolated(|| {
        let stage = Stage::from_fn(|_, output| {
            let wide = "x".repeat(300_000);
            write!(output, "{wide}{}", 1)?;
            Ok(write!(output, "{}", 2)?)
        });
        for line in [alone(stage.clone()), stage.clone() | copy(), stage | role("cat")] {
            assert_eq!(line.read().expect("it runs"), "x".repeat(300_000) + "12");
        }
    });
}
