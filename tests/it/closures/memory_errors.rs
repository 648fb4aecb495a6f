//! What a closure reads when the closure before it failed: an error with kind and source, never an end.

use std::error::Error as StdError;

use super::*;
use crate::prelude::*;

/// The error itself and all below it.
fn chain<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

/// What the second of two closures read: bytes, and how its reading ended.
fn seen_behind(bad: Stage) -> (Vec<u8>, io::Result<()>, Error) {
    let (tell, told) = channel();
    let look = Stage::from_fn_once(move |input, _| {
        let mut bytes = Vec::new();
        let result = input.read_to_end(&mut bytes).map(drop);
        // And again: it stays what it was.
        if let Err(first) = &result {
            let second = input.read(&mut [0]).expect_err("not an end, later");
            assert_eq!((second.kind(), second.to_string()), (first.kind(), first.to_string()));
        }
        tell.send((bytes, result)).expect("the test waits");
        Ok(())
    });
    let error = (bad | look).run().expect_err("the first fails");
    assert_eq!(error.stage(), Some(0), "{error:?}");
    let (bytes, result) = told.recv().expect("it ran");
    (bytes, result, error)
}

#[test]
fn the_next_closure_gets_all_bytes_and_then_the_error_with_kind_and_source() {
    isolated(|| {
        for kind in [io::ErrorKind::PermissionDenied, io::ErrorKind::UnexpectedEof, io::ErrorKind::InvalidData] {
            let bad = Stage::from_fn(move |_, output| {
                output.write_all(b"so far")?;
                Err(io::Error::new(kind, Own(7)).into())
            });
            let (bytes, result, _) = seen_behind(bad);
            let error = result.expect_err("not an end");
            assert_eq!((bytes.as_slice(), error.kind()), (&b"so far"[..], kind), "{error:?}");
            assert!(error.to_string().contains("the caller's own, number 7"), "{error}");
            let own = |error: &&(dyn StdError + 'static)| {
                let io = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
                io.is_some_and(|inner| inner.downcast_ref() == Some(&Own(7))) || error.downcast_ref() == Some(&Own(7))
            };
            assert!(chain(&error).any(|error| own(&error)), "{error:?}");
        }
    });
}

#[test]
fn an_error_of_any_type_is_the_source_and_an_errno_is_found_in_the_chain() {
    isolated(|| {
        let (_, result, run) = seen_behind(Stage::from_fn(|_, _| Err(Own(7).into())));
        let error = result.expect_err("not an end");
        assert_eq!(error.kind(), io::ErrorKind::Other);
        assert!(chain(&error).any(|error| error.downcast_ref() == Some(&Own(7))), "{error:?}");
        assert_eq!(run.source().and_then(|source| source.downcast_ref()), Some(&Own(7)));

        let full = || io::Error::from_raw_os_error(libc::ENOSPC);
        let (_, result, run) = seen_behind(Stage::from_fn(move |_, _| Err(full().into())));
        let error = result.expect_err("not an end");
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        let errno = |error: &(dyn StdError + 'static)| error.downcast_ref::<io::Error>()?.raw_os_error();
        assert_eq!(chain(&error).find_map(errno), Some(libc::ENOSPC), "{error:?}");
        assert_eq!(run.raw_os_error(), Some(libc::ENOSPC));
    });
}

#[test]
fn an_interrupted_error_does_not_make_the_next_closure_read_for_ever() {
    isolated(|| {
        let bad = || Stage::from_fn(|_, _| Err(io::Error::from(io::ErrorKind::Interrupted).into()));
        let (_, result, _) = seen_behind(bad());
        assert_ne!(result.expect_err("not an end").kind(), io::ErrorKind::Interrupted);
        (bad() | copy() | role("cat")).run().expect_err("it comes back");
    });
}

#[test]
fn the_next_closure_gets_a_panics_text() {
    isolated(|| {
        let (bytes, result, _) = seen_behind(Stage::from_fn(|_, output| {
            output.write_all(b"so far")?;
            panic!("so it goes");
        }));
        let error = result.expect_err("not an end");
        assert_eq!(bytes, b"so far");
        assert!(error.to_string().contains("panicked: so it goes"), "{error}");
    });
}

#[test]
fn methods_of_buf_read_give_the_error_too_and_no_half_line_as_a_whole_one() {
    isolated(|| {
        let bad = Stage::from_fn(|_, output| {
            output.write_all(b"one\nhal")?;
            Err(Own(7).into())
        });
        let notes = Notes::default();
        let noting = notes.clone();
        let look = Stage::from_fn(move |input, _| {
            for line in input.lines() {
                noting.add(line.as_deref().unwrap_or("error"));
                line?;
            }
            Ok(())
        });
        let error = (bad | look).run().expect_err("it fails");
        assert_eq!((error.stage(), notes.take()), (Some(0), vec!["one".to_owned(), "error".to_owned()]));
    });
}

#[test]
fn an_error_goes_on_through_closures_that_pass_it_on_and_the_first_is_blamed() {
    isolated(|| {
        let notes = Notes::default();
        let bad = Stage::from_fn(|_, _| Err(Own(7).into())).label("root");
        let error = (bad | copy() | copy() | noting(&notes)).output().expect_err("it fails");
        assert_eq!((error.kind(), error.stage(), error.label()), (ErrorKind::Closure, Some(0), Some("root")));
        let notes = notes.take();
        assert!(notes[0].contains("the caller's own, number 7"), "{notes:?}");
        let stages = &error.output().expect("it ran").stages;
        assert!(stages.iter().all(|stage| stage.status.code() == Some(1)), "{stages:?}");
        assert!(stages.iter().all(|stage| stage.error.is_some()), "{stages:?}");
    });
}

#[test]
fn a_process_between_two_closures_turns_the_error_into_an_end() {
    isolated(|| {
        let notes = Notes::default();
        let bad = Stage::from_fn(|_, _| Err(Own(7).into()));
        let error = (bad | role("cat") | noting(&notes)).run().expect_err("it fails");
        assert_eq!((error.stage(), notes.take()), (Some(0), vec!["end".to_owned()]));
    });
}
