use proptest::prelude::*;

use crate::io::capture::{Capture, Limit, LimitExceeded};

fn chunks() -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..12)
}

fn limits() -> impl Strategy<Value = Limit> {
    let size = || prop_oneof![0..20_usize, 0..300_usize, Just(usize::MAX)];
    prop_oneof![
        Just(Limit::None),
        size().prop_map(Limit::Head),
        size().prop_map(Limit::Tail),
        (size(), size()).prop_map(|(head, tail)| Limit::HeadTail { head, tail }),
        size().prop_map(Limit::Fail),
    ]
}

/// The bytes kept of `all`, the offset where bytes are left out, and their number.
fn model(limit: Limit, all: &[u8]) -> (Vec<u8>, Option<usize>, u64) {
    let (head, tail) = match limit {
        Limit::None => (all.len(), 0),
        Limit::Head(n) | Limit::Fail(n) => (n, 0),
        Limit::Tail(n) => (0, n),
        Limit::HeadTail { head, tail } => (head, tail),
    };
    if all.len() <= head.saturating_add(tail) {
        return (all.to_vec(), None, 0);
    }
    let kept = [&all[..head], &all[all.len() - tail..]].concat();
    (kept, Some(head), (all.len() - head - tail) as u64)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    #[test]
    fn agrees_with_a_naive_model(
        limit in limits(),
        before in prop::collection::vec(any::<u8>(), 0..10),
        spare in 0..50_usize,
        chunks in chunks(),
    ) {
        let mut buffer = Vec::with_capacity(before.len() + spare);
        buffer.extend_from_slice(&before);
        let mut capture = Capture::into_buffer(limit, buffer);
        let mut all = Vec::new();
        for chunk in &chunks {
            all.extend_from_slice(chunk);
            let exceeded = match limit {
                Limit::Fail(limit) if all.len() > limit && !chunk.is_empty() => Err(LimitExceeded(limit)),
                _ => Ok(()),
            };
            prop_assert_eq!(capture.push(chunk), exceeded);
        }
        let (kept, omitted_at, omitted) = model(limit, &all);
        let captured = capture.finish();
        prop_assert!(captured.is_captured());
        prop_assert_eq!(captured.omitted(), omitted);
        prop_assert_eq!(captured.omitted_at(), omitted_at.map(|at| before.len() + at));
        prop_assert_eq!(captured.into_vec(), [before, kept].concat());
    }
}

#[test]
fn memory_is_bounded_by_the_limit() {
    for limit in [Limit::Head(1000), Limit::Tail(1000), Limit::HeadTail { head: 300, tail: 700 }, Limit::Fail(1000)] {
        let mut capture = Capture::new(limit);
        for size in [1, 3, 7, 900, 64, 5000, 1, 999, 1001, 1000] {
            // Past its limit, Fail says so each time.
            let _ = capture.push(&vec![b'x'; size]);
            assert!(capture.buffer.capacity() <= 1000, "{limit:?}: {}", capture.buffer.capacity());
        }
        assert_eq!(capture.finish().into_vec().capacity(), 1000, "{limit:?}");
    }
}

#[test]
fn a_callers_capacity_is_reused() {
    let mut buffer = Vec::with_capacity(100);
    buffer.extend_from_slice(b"old,");
    let at = buffer.as_ptr();
    let mut capture = Capture::into_buffer(Limit::Tail(4), buffer);
    capture.push(b"abcdefg").unwrap();
    let captured = capture.finish();
    assert_eq!((captured.omitted(), captured.omitted_at()), (3, Some(4)));
    let buffer = captured.into_vec();
    assert_eq!(buffer, b"old,defg");
    assert_eq!(buffer.as_ptr(), at);
}

#[test]
fn only_an_unlimited_capture_is_read_into_directly() {
    let mut capture = Capture::new(Limit::None);
    capture.direct(3).unwrap().extend_from_slice(b"abc");
    capture.push(b"def").unwrap();
    assert_eq!(capture.finish(), b"abcdef");
    assert!(Capture::new(Limit::Head(3)).direct(3).is_none());
}

#[test]
fn the_error_names_the_limit() {
    let error = Capture::new(Limit::Fail(2)).push(b"abc").unwrap_err();
    assert_eq!(error, LimitExceeded(2));
}
