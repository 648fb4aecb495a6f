use std::convert::Infallible;

use proptest::prelude::*;

use crate::io::lines::LineSplitter;

/// The lines according to `slice::split`; a newline ends a line, it does not begin one.
fn model(data: &[u8]) -> Vec<Vec<u8>> {
    let mut lines: Vec<Vec<u8>> = data.split(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect();
    if lines.last().is_some_and(Vec::is_empty) {
        lines.pop();
    }
    lines
}

fn data() -> impl Strategy<Value = Vec<u8>> {
    let bytes = prop::collection::vec(any::<u8>(), 0..150);
    bytes.prop_map(|mut bytes| {
        for byte in &mut bytes {
            match *byte {
                ..80 => *byte = b'\n',
                80..100 => *byte = b'\r',
                _ => {}
            }
        }
        bytes
    })
}

fn chunks(data: Vec<u8>, sizes: &[usize]) -> Vec<Vec<u8>> {
    let mut rest = &data[..];
    let mut chunks = Vec::new();
    for &size in sizes.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (chunk, behind) = rest.split_at(size.min(rest.len()));
        chunks.push(chunk.to_vec());
        rest = behind;
    }
    chunks
}

fn chunked() -> impl Strategy<Value = (Vec<u8>, Vec<Vec<u8>>)> {
    // A chunk of its own of size 0 is allowed; only zeros would not get anywhere.
    let sizes = prop::collection::vec(0..30_usize, 1..8).prop_filter("progress", |sizes| sizes.iter().any(|&n| n > 0));
    (data(), sizes).prop_map(|(data, sizes)| (data.clone(), chunks(data, &sizes)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn lines_do_not_depend_on_chunks((data, chunks) in chunked()) {
        let mut splitter = LineSplitter::default();
        let mut lines = Vec::new();
        let mut each = |line: &[u8]| {
            lines.push(line.to_vec());
            Ok::<_, Infallible>(())
        };
        for chunk in &chunks {
            splitter.push(chunk, &mut each).unwrap();
        }
        splitter.finish(&mut each).unwrap();
        splitter.finish(&mut each).unwrap();
        prop_assert_eq!(lines, model(&data));
    }

    #[test]
    fn each_line_comes_once_when_the_callback_fails((data, chunks) in chunked(), failing in any::<u64>()) {
        let mut splitter = LineSplitter::default();
        let mut lines = Vec::new();
        let mut each = |line: &[u8]| {
            lines.push(line.to_vec());
            if failing >> (lines.len() % 64) & 1 == 1 { Err(()) } else { Ok(()) }
        };
        for chunk in &chunks {
            let _ = splitter.push(chunk, &mut each);
        }
        while splitter.finish(&mut each).is_err() {}
        prop_assert_eq!(lines, model(&data));
    }
}

#[test]
fn a_line_within_a_chunk_is_not_copied() {
    let chunk = b"one\ntwo\nthr";
    let mut splitter = LineSplitter::default();
    let mut lent = Vec::new();
    splitter
        .push(chunk, |line| {
            lent.push((line.as_ptr(), line.len()));
            Ok::<_, Infallible>(())
        })
        .unwrap();
    assert_eq!(lent, [(chunk.as_ptr(), 3), (chunk[4..].as_ptr(), 3)]);
    assert_eq!(splitter.partial, b"thr");
}

#[test]
fn a_panic_in_the_callback_leaves_no_line_behind() {
    let mut splitter = LineSplitter::default();
    splitter.push(b"a", |_| Ok::<_, Infallible>(())).unwrap();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        splitter.push(b"b\nc", |_| -> Result<(), Infallible> { std::panic::resume_unwind(Box::new(())) })
    }));
    assert!(panicked.is_err());
    splitter.finish(|line| -> Result<(), Infallible> { panic!("delivered twice: {line:?}") }).unwrap();
}
