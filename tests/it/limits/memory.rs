//! Memory is bounded by what was asked for, not by what flows.

use crate::bytes::PATIENT;
use crate::prelude::*;

/// About a MiB, in whole lines.
const UNIT: usize = 1_048_000;
/// What the largest amount in use may grow by, for pages that were not touched before.
const SLACK_KIB: usize = 2048;

/// Runs `flow` with a little first, so that everything is in place, and then with much: the peak stays.
#[track_caller]
fn stays_small(what: &str, flow: impl Fn(usize)) {
    flow(2 * UNIT);
    let before = peak_rss_kib();
    flow(count(32, 1024) * UNIT);
    // The kernel sums its counters up now and then, so the peak may even seem to fall.
    let grown = peak_rss_kib().saturating_sub(before);
    assert!(grown < SLACK_KIB, "{what}: {grown} KiB more");
    progress();
}

/// Writes this many bytes in lines of 1000.
fn lines(bytes: usize) -> Cmd {
    cmd!(fixture(), "records", "x", (bytes / 1000).to_string(), "1000")
}

#[test]
fn lines_are_not_kept() {
    isolated_with(PATIENT, || {
        let each = || Redirect::each_line(|line: &[u8]| assert_eq!(line.len(), 999));
        stays_small("each_line", |bytes| drop(lines(bytes).stdout(each()).run().expect("it runs")));
        stays_small("for_each_line", |bytes| drop(lines(bytes).for_each_line(|_| ()).expect("it runs")));
        stays_small("lines", |bytes| {
            assert_eq!(lines(bytes).lines().expect("it starts").filter(Result::is_ok).count(), bytes / 1000);
        });
        stays_small("lines beside a thread", |bytes| {
            let cmd = lines(bytes).stderr(Redirect::capture());
            assert_eq!(cmd.lines_bytes().expect("it starts").filter(Result::is_ok).count(), bytes / 1000);
        });
    });
}

#[test]
fn what_is_passed_on_is_not_kept() {
    isolated_with(PATIENT, || {
        let null = || Redirect::file("/dev/null");
        stays_small("a writer", |bytes| {
            drop(lines(bytes).stdout(Redirect::to_writer(io::sink())).run().expect("it runs"));
        });
        stays_small("a tee", |bytes| {
            let tee = Redirect::tee([null(), Redirect::null(), Redirect::to_writer(io::sink())]);
            drop(lines(bytes).stdout(tee).run().expect("it runs"));
        });
        stays_small("a tee in the middle", |bytes| {
            let two = lines(bytes).stdout(Redirect::tee([null()])) | cmd!(fixture(), "count");
            assert_eq!(two.read().expect("it runs"), bytes.to_string());
        });
        stays_small("a reader", |bytes| {
            let mut reader = lines(bytes).reader().expect("it starts");
            assert_eq!(std::io::copy(&mut reader, &mut io::sink()).expect("it ends well"), bytes as u64);
        });
        stays_small("untaken", |bytes| {
            let job = lines(bytes).stdout(Redirect::piped()).spawn().expect("it starts");
            assert!(job.wait().expect("it ends").success());
        });
        stays_small("fed", |bytes| {
            let feed = Redirect::from_reader(std::io::repeat(0).take(bytes as u64));
            assert_eq!(cmd!(fixture(), "count").stdin(feed).read().expect("it runs"), bytes.to_string());
        });
    });
}

#[test]
fn a_limit_bounds_what_a_capture_takes() {
    isolated_with(PATIENT, || {
        let keep = 10_000;
        for limit in [Limit::Head(keep), Limit::Tail(keep), Limit::HeadTail { head: keep / 2, tail: keep / 2 }] {
            stays_small(&format!("{limit:?}"), |bytes| {
                let output = lines(bytes).stdout_limit(limit).output().expect("it runs");
                assert_eq!(output.stdout.len(), keep);
                let tee = Redirect::tee([Redirect::capture(), Redirect::null()]);
                let output = lines(bytes).stdout(tee).stdout_limit(limit).run().expect("it runs");
                assert_eq!(output.stdout.len(), keep);
            });
        }
        stays_small("Fail", |bytes| {
            let error = lines(bytes).stdout_limit(Limit::Fail(keep)).output().expect_err("it is more");
            assert_eq!(error.output().expect("the head").stdout.len(), keep);
        });
    });
}
