//! A program that is still open for writing (ETXTBSY).

use std::fs::OpenOptions;

use crate::prelude::*;

/// Each start makes a child that for a moment holds a copy of every file the other threads are writing.
#[test]
fn programs_that_were_just_written_start() {
    isolated(|| {
        let directory = tempfile::tempdir().expect("a directory");
        thread::scope(|scope| {
            for thread in 0..16 {
                let directory = directory.path();
                scope.spawn(move || {
                    for n in 0..count(10, 1000) {
                        let path = teller(directory, &format!("{thread}-{n}"));
                        let told = Cmd::new(&path).read().expect("it runs");
                        assert_eq!(told, path.display().to_string());
                        std::fs::remove_file(path).expect("it can be removed");
                        progress();
                    }
                });
            }
        });
    });
}

#[test]
fn a_program_that_stays_open_for_writing_is_an_error_in_time() {
    isolated(|| {
        let directory = tempfile::tempdir().expect("a directory");
        let path = teller(directory.path(), "busy");
        let writer = OpenOptions::new().append(true).open(&path).expect("it can be opened");
        let limit = Duration::from_secs(1) * count(10, 1) as u32;
        let error = within(limit, || (role("yes") | Cmd::new(&path)).run()).expect_err("it is busy");
        assert_eq!((error.kind(), error.step(), error.stage()), (ErrorKind::TextBusy, Some(Step::Exec), Some(1)));
        assert_eq!(error.raw_os_error(), Some(libc::ETXTBSY));
        assert!(error.to_string().contains("busy is open for writing"), "{error}");
        assert_no_child();

        // A deadline cuts the trying short.
        let error = Cmd::new(&path).timeout(Duration::from_millis(1)).run().expect_err("it is busy");
        assert!(matches!(error.kind(), ErrorKind::TextBusy | ErrorKind::Timeout), "{error:?}");
        drop(writer);
        assert_eq!(Cmd::new(&path).read().expect("it runs"), path.display().to_string());
    });
}

#[test]
fn a_writer_that_lets_go_in_time_is_waited_for() {
    isolated(|| {
        let directory = tempfile::tempdir().expect("a directory");
        let path = teller(directory.path(), "busy");
        let writer = OpenOptions::new().append(true).open(&path).expect("it can be opened");
        let told = thread::scope(|scope| {
            let run = scope.spawn(|| Cmd::new(&path).read());
            // The run has begun to try when a child of this process has come and gone; whether it has is no matter.
            thread::yield_now();
            drop(writer);
            run.join().expect("no panic")
        });
        assert_eq!(told.expect("it runs"), path.display().to_string());
    });
}
