//! Errors that ride to the other side.

use std::error::Error;
use std::io::ErrorKind;

use super::{each_kind, join, start, take};
use crate::prelude::*;

#[derive(Debug, PartialEq, thiserror::Error)]
#[error("the root")]
struct Root;

#[derive(Debug, PartialEq, thiserror::Error)]
#[error("a thing of ours, number {0}")]
struct Ours(u32, #[source] Root);

/// What readers get of a writer's error, and writers of a reader's; checked to be the same each time.
fn carried(error: impl Fn() -> Box<dyn Error + Send + Sync>, check: impl Fn(io::Error)) {
    each_kind(|mut reader, writer| {
        writer.close_with_error(error());
        for _ in 0..2 {
            check(reader.read(&mut [0; 8]).expect_err("the writer's error"));
            check(reader.clone().read(&mut [0; 8]).expect_err("the writer's error"));
        }
    });
    each_kind(|reader, mut writer| {
        reader.close_with_error(error());
        for _ in 0..2 {
            check(writer.write(b"x").expect_err("the reader's error"));
            check(writer.clone().write(b"x").expect_err("the reader's error"));
        }
    });
}

#[test]
fn a_typed_error_arrives_as_the_source_and_reads_the_same() {
    isolated(|| {
        carried(
            || Ours(7, Root).into(),
            |error| {
                assert_eq!((error.kind(), &*error.to_string()), (ErrorKind::Other, "a thing of ours, number 7"));
                let source = error.source().expect("the original");
                assert_eq!(source.downcast_ref(), Some(&Ours(7, Root)));
                assert_eq!(source.source().and_then(|root| root.downcast_ref()), Some(&Root));
            },
        );
        carried(|| "only words".into(), |error| assert_eq!(error.to_string(), "only words"));
    });
}

#[test]
fn an_io_error_keeps_its_kind() {
    isolated(|| {
        let custom = || io::Error::new(ErrorKind::InvalidData, Ours(1, Root)).into();
        carried(custom, |error| {
            assert_eq!((error.kind(), &*error.to_string()), (ErrorKind::InvalidData, "a thing of ours, number 1"));
            let original = error.source().and_then(|source| source.downcast_ref::<io::Error>()).expect("the original");
            let inner = original.get_ref().expect("ours is in it");
            assert_eq!(inner.downcast_ref(), Some(&Ours(1, Root)));
            let behind = original.source().expect("what is behind ours");
            assert_eq!(behind.downcast_ref(), Some(&Root));
        });
        let boxed: fn() -> Box<dyn Error + Send + Sync> = || Box::new(io::Error::from_raw_os_error(28));
        carried(boxed, |error| {
            assert_eq!((error.raw_os_error(), error.kind()), (Some(28), ErrorKind::StorageFull));
        });
        carried(
            || io::Error::from(ErrorKind::PermissionDenied).into(),
            |error| {
                assert!(error.get_ref().is_none() && error.raw_os_error().is_none());
                assert_eq!(error.kind(), ErrorKind::PermissionDenied);
            },
        );
        // One of std's own, whose text is neither the kind's nor in a box.
        let fixed = || io::empty().read_exact(&mut [0]).expect_err("too short");
        carried(
            || fixed().into(),
            |error| {
                assert_eq!((error.kind(), error.to_string()), (ErrorKind::UnexpectedEof, fixed().to_string()));
            },
        );
    });
}

#[test]
fn an_interruption_is_not_repeated_for_ever() {
    isolated(|| {
        let interrupted: [fn() -> io::Error; 2] =
            [|| ErrorKind::Interrupted.into(), || io::Error::from_raw_os_error(4)];
        for original in interrupted {
            let (mut reader, writer) = pipe::memory();
            writer.close_with_error(original());
            let error = reader.read_to_end(&mut Vec::new()).expect_err("it is an error");
            assert_eq!((error.kind(), error.to_string()), (ErrorKind::Other, original().to_string()));
            let source = error.source().and_then(|source| source.downcast_ref::<io::Error>());
            assert_eq!(source.map(io::Error::kind), Some(ErrorKind::Interrupted));
        }
    });
}

#[test]
fn the_first_error_of_a_side_stays() {
    isolated(|| {
        each_kind(|mut reader, writer| {
            writer.close_with_error("first");
            writer.close_with_error("second");
            writer.close();
            drop(writer);
            assert_eq!(reader.read(&mut [0]).expect_err("an error").to_string(), "first");
        });
        each_kind(|mut reader, writer| {
            writer.close();
            writer.close_with_error("too late");
            assert_eq!(reader.read(&mut [0]).expect("a clean end"), 0);
        });
        each_kind(|reader, mut writer| {
            reader.close_with_error("first");
            reader.close_with_error("second");
            reader.close();
            drop(reader);
            assert_eq!(writer.write(b"x").expect_err("an error").to_string(), "first");
        });
    });
}

#[test]
fn readers_get_what_was_written_before_the_error() {
    isolated(|| {
        each_kind(|mut reader, mut writer| {
            let write = start(move || {
                writer.write_all(b"before").expect("it is read");
                writer.close_with_error(Ours(2, Root));
            });
            let mut seen = Vec::new();
            let error = reader.read_to_end(&mut seen).expect_err("no clean end");
            assert_eq!(seen, b"before");
            assert_eq!(error.source().and_then(|source| source.downcast_ref()), Some(&Ours(2, Root)));
            join(write);
        });
    });
}

#[test]
fn a_blocked_call_gets_the_error_of_the_other_side() {
    isolated(|| {
        each_kind(|mut reader, writer| {
            let read = start(move || reader.read(&mut [0; 8]).expect_err("no bytes").to_string());
            writer.close_with_error("why");
            assert_eq!(join(read), "why");
        });
        let (mut reader, mut writer) = pipe::memory();
        let write = start(move || (writer.write(b"0123"), writer.write_all(b"x").expect_err("no reader").to_string()));
        assert_eq!(take(&mut reader, 1), b"0");
        reader.close_with_error("why");
        let (part, after) = join(write);
        assert_eq!((part.expect("a part was read"), &*after), (1, "why"));
    });
}

#[test]
fn an_error_goes_through_pipe_after_pipe() {
    isolated(|| {
        let mut error: Box<dyn Error + Send + Sync> = Box::new(Ours(3, Root));
        for _ in 0..3 {
            let (mut reader, writer) = pipe::memory();
            writer.close_with_error(error);
            error = reader.read(&mut [0]).expect_err("an error").into();
        }
        assert_eq!(error.to_string(), "a thing of ours, number 3");
        let mut source = error.source();
        let mut depth = 0;
        while let Some(error) = source.filter(|error| error.downcast_ref() != Some(&Ours(3, Root))) {
            (source, depth) = (error.source(), depth + 1);
        }
        assert!(source.is_some() && depth == 2, "found at {depth}: {source:?}");
    });
}
