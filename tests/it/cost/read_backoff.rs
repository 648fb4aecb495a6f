//! Tiny writes gather in the pipe when their bytes are needed only at the end.

use crate::prelude::*;

/// Makes `count` writes of 20 bytes.
fn tiny(count: usize) -> Cmd {
    role("records").args(["x", &count.to_string(), "20"])
}

const MANY: usize = 3000;
/// Fewer writes than make a reader pause.
const FEW: usize = 4;

/// Each part with its run, and whether the run's reads pause.
const PARTS: [(&str, fn(), bool); 7] = [
    ("captured alone", captured_alone, true),
    ("captured, two streams", captured_apart, true),
    ("captured, limited", captured_limited, true),
    ("said little", said_little, false),
    ("lent", lent, false),
    ("read", read, false),
    ("shown to a file too", shown, false),
];

fn captured_alone() {
    assert_eq!(tiny(MANY).read_bytes().expect("it ends").len(), MANY * 20);
}

fn captured_apart() {
    let output = role("out-err").arg(MANY.to_string()).output().expect("it ends");
    let lines = |bytes: &[u8]| bytes.iter().filter(|byte| **byte == b'\n').count();
    assert_eq!((lines(&output.stdout), lines(&output.stderr)), (MANY, MANY));
}

fn captured_limited() {
    let output = tiny(MANY).stdout_limit(pipewright::Limit::Tail(40)).output().expect("it ends");
    assert_eq!(output.stdout.len(), 40);
}

fn said_little() {
    assert_eq!(tiny(FEW).output().expect("it ends").stdout.len(), FEW * 20);
}

fn lent() {
    let mut lines = 0;
    let count = |_: &[u8]| -> Result<(), Own> {
        lines += 1;
        Ok(())
    };
    tiny(MANY).for_each_line(count).expect("it ends");
    assert_eq!(lines, MANY);
}

fn read() {
    assert_eq!(tiny(MANY).lines().expect("it starts").count(), MANY);
}

fn shown() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let tee = Redirect::tee([Redirect::capture(), Redirect::file(file.path())]);
    assert_eq!(tiny(MANY).stdout(tee).output().expect("it ends").stdout.len(), MANY * 20);
}

/// How often a wait of a tenth of a millisecond or less was begun.
fn pauses(log: &str) -> usize {
    let time = |line: &str| -> Option<u64> {
        let (_, rest) = line.split_once("{tv_sec=0, tv_nsec=")?;
        rest.split('}').next()?.parse().ok()
    };
    log.lines().filter_map(time).filter(|nanos| (1..=100_000).contains(nanos)).count()
}

#[test]
fn tiny_writes_gather_only_where_nothing_sees_them_before_the_end() {
    isolated(|| {
        if let Ok(part) = std::env::var(PART) {
            let (_, run, _) = PARTS.into_iter().find(|(name, ..)| *name == part).expect("a part");
            return run();
        }
        if !cfg!(target_os = "linux") {
            return skip("a wait shorter than a millisecond needs Linux");
        }
        if !can_trace() {
            return skip("no strace here, or it may not trace");
        }
        for (part, _, wanted) in PARTS {
            let pauses = pauses(&traced(part, &["trace=ppoll"]));
            assert_eq!(pauses > 0, wanted, "{part}: {pauses} pauses");
            progress();
        }
    });
}
