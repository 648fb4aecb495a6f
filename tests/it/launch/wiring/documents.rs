//! Documents: bytes that a child can seek in; and a descriptor as stdin.

use super::*;
use crate::bytes::PATIENT;
use crate::prelude::*;

#[test]
fn a_document_can_be_sought_and_is_at_its_start_for_each_run() {
    isolated(|| {
        let cmd = reporting().stdin(Redirect::here_document("0123456789"));
        for _ in 0..2 {
            let seen = told(&cmd.run().expect("it runs"));
            assert_eq!(seen[&0].offset, 0);
        }
        // What one run reads or writes of it is not gone for the next.
        let spoil = Cmd::sh("read line; printf spoiled >&0; cat").stdin(Redirect::here_document("one\ntwo\n"));
        let first = spoil.clone().unchecked().output().expect("it runs").stdout;
        assert_eq!(spoil.unchecked().output().expect("it runs").stdout.to_string_lossy(), first.to_string_lossy());
    });
}

#[test]
fn each_reader_of_one_run_has_the_document_to_itself() {
    isolated(|| {
        let document = Redirect::here_document("text\n");
        let copy = role("fan").args(["3", "1"]).fd_in(3, document.clone()).fd_in(4, document.clone());
        let second = paths().args(["/dev/fd/0", "/dev/fd/3"]).fd_in(3, document.clone());
        assert_eq!((copy | second).read().expect("it runs"), "text\ntext");
        let one = role("cat").stdin(document);
        let both = paths().arg_reader(one.clone()).arg_reader(one);
        assert_eq!(both.read().expect("it runs"), "text\ntext");
    });
}

#[test]
fn a_document_beyond_the_limit_for_files_is_an_error_and_not_the_end_of_this_process() {
    isolated(|| {
        use nix::sys::resource::{Resource, setrlimit};
        setrlimit(Resource::RLIMIT_FSIZE, 1000, 1000).expect("a limit can be lowered");
        let cat = |size: usize| role("count").stdin(Redirect::here_document(vec![b'x'; size])).read();
        assert_eq!(cat(1000).expect("it fits"), "1000");
        let error = cat(1001).expect_err("it does not fit");
        assert_eq!(error.raw_os_error(), Some(libc::EFBIG), "{error:?}");
    });
}

#[test]
fn a_document_may_be_empty_or_large() {
    isolated_with(PATIENT, || {
        let cat = |bytes: Vec<u8>| role("count").stdin(Redirect::here_document(bytes));
        assert_eq!(cat(Vec::new()).read().expect("it runs"), "0");
        let size = 64 << 20;
        assert_eq!(cat(vec![b'x'; size]).read().expect("it runs"), size.to_string());
        // It is no pipe that this process feeds, so a child that does not read ends as well.
        let output = role("exit").arg("0").stdin(Redirect::here_document(vec![b'x'; size])).output().expect("it runs");
        assert_eq!(output.stdin_taken, None);
    });
}

#[test]
fn what_is_shown_of_a_plan_has_no_byte_of_a_document() {
    isolated(|| {
        let plan = role("cat").stdin(Redirect::here_document("its text")).dry_run().expect("a plan");
        for text in [plan.to_string(), format!("{plan:?}")] {
            assert!(text.contains("a file in memory with 8 bytes"), "{text}");
            assert!(!text.contains("its text") && !text.contains("105, 116, 115"), "{text}");
        }
    });
}

#[test]
fn a_descriptor_as_stdin_is_read_from_where_it_stands() {
    isolated(|| {
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(b"skipped, read").expect("it can be written");
        file.seek(SeekFrom::Start(9)).expect("a file");
        let cat = role("cat").stdin(file);
        assert_eq!(cat.read().expect("it runs"), "read");
        let again = cat.read().expect_err("it was used");
        assert_eq!(again.kind(), pipewright::ErrorKind::AlreadyUsed);
        assert!(again.to_string().contains("stdin"), "{again}");
    });
}
