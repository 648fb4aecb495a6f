//! A real build, by the cargo that runs this.

use super::{cook, output};
use crate::prelude::*;

/// A build says nothing here while it runs, and the machine may be busy.
fn patient() -> Options {
    Options { patience: Duration::from_secs(60), ..Options::default() }
}

#[test]
fn capture_build_has_warnings_and_results_in_order() {
    isolated_with(patient(), || {
        cook("capture_build", |example| {
            let out = output(&example);
            let log = out.stdout_str().expect("text");
            // From stderr, stderr, stdout, stdout.
            let marks =
                ["|    Compiling tiny ", "| warning: unused variable", "| test adds_up ... ok", "| test result: ok."];
            let places = marks.map(|mark| log.find(mark).unwrap_or_else(|| panic!("no {mark:?} in\n{log}")));
            assert!(places.is_sorted(), "{log}");
            let (captured, summary) = log.trim_end().rsplit_once('\n').expect("two parts");
            assert!(captured.lines().all(|line| line.starts_with("| ")), "{log}");
            let expected = format!("{} lines; cargo exited with code 0 after ", captured.lines().count());
            assert!(summary.starts_with(&expected), "{summary}");
        });
    });
}
