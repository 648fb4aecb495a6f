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

#[test]
fn capture_build_has_the_log_of_a_build_that_fails() {
    isolated_with(patient(), || {
        let broken = tempfile::tempdir().expect("a directory");
        let write = |name, text| fs::write(broken.path().join(name), text).expect("a file");
        write(
            "Cargo.toml",
            "[package]\nname = \"broken\"\nedition = \"2024\"\n[lib]\npath = \"lib.rs\"\n[workspace]\n",
        );
        write("lib.rs", "fn broken() -> u8 { \"text\" }\n");
        cook("capture_build", |example| {
            let error = example.arg(broken.path()).output().unwrap_err();
            assert_eq!(error.status().and_then(|status| status.code()), Some(1));
            let output = error.output().expect("its output");
            let log = output.stdout_str().expect("text");
            assert!(log.contains("| error[E0308]: mismatched types\n"), "{log}");
            assert!(log.contains(" lines; cargo exited with code 101 after "), "{log}");
            assert_eq!(output.stderr, "");
        });
    });
}
