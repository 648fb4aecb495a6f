//! A large capture: its memory is made ready some MiB ahead, and no further.

use crate::prelude::*;

const MIB: usize = 1024 * 1024;
const AHEAD: usize = 2 * MIB;

fn blocks(size: usize) -> Cmd {
    role("blocks").arg(size.to_string())
}

/// How much memory each call made ready, and whether the system did it.
fn calls(log: &str) -> Vec<(usize, bool)> {
    let call = |line: &str| {
        let (_, rest) = line.split_once("madvise(")?;
        // A strace that is older than the advice has its number.
        let asked = rest.contains("MADV_POPULATE_WRITE") || rest.contains("0x17");
        let length = asked.then(|| rest.split(", ").nth(1)?.parse().ok())??;
        Some((length, !rest.contains("= -1")))
    };
    log.lines().filter_map(call).collect()
}

#[test]
fn memory_is_made_ready_for_much_that_is_new_and_for_nothing_else() {
    isolated(|| {
        const SIZE: usize = 16 * MIB;
        match std::env::var(PART).as_deref() {
            Ok("much" | "refused") => {
                let output = blocks(SIZE).output().expect("it ends");
                let mut numbers = output.stdout.chunks(8).zip(0_u64..);
                assert!(output.stdout.len() == SIZE && numbers.all(|(bytes, number)| bytes == number.to_le_bytes()));
                return;
            }
            Ok("little") => return assert_eq!(blocks(MIB).output().expect("it ends").stdout.len(), MIB),
            Ok("reused") => {
                let mut buffer = Vec::with_capacity(SIZE + MIB);
                blocks(SIZE).output_into(&mut buffer).expect("it ends");
                return assert_eq!(buffer.len(), SIZE);
            }
            _ => {}
        }
        if !cfg!(target_os = "linux") || !can_trace() {
            return skip("no strace here, or it may not trace");
        }
        let much = calls(&traced("much", &["trace=madvise"]));
        if much.iter().any(|(_, done)| !done) {
            return skip("the kernel is older than 5.14");
        }
        let total: usize = much.iter().map(|(length, _)| length).sum();
        assert!(much.iter().all(|(length, _)| *length <= AHEAD), "{much:?}");
        assert!((SIZE / 2..=SIZE).contains(&total), "{much:?}");
        for part in ["little", "reused"] {
            assert_eq!(calls(&traced(part, &["trace=madvise"])), [], "{part}");
            progress();
        }
        let refused = traced("refused", &["trace=madvise", "inject=madvise:error=EINVAL"]);
        assert_eq!(calls(&refused).len(), 1, "one refusal is enough: {refused}");
    });
}

#[test]
fn a_large_capture_takes_little_more_memory_than_it_holds() {
    isolated(|| {
        const SIZE: usize = 33 * MIB;
        let before = peak_rss_kib();
        let output = blocks(SIZE).output().expect("it ends");
        assert_eq!(output.stdout.len(), SIZE);
        let more = (peak_rss_kib() - before) * 1024 - SIZE;
        assert!(more < AHEAD + 3 * MIB, "{more} bytes more");
    });
}
