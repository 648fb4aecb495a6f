//! Error texts and the files they are kept in.

use std::fmt::Write as _;

use tempfile::TempDir;

use crate::prelude::*;

const KEPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/errors");

/// Compares each text with its file, and tells of all that differ at the end.
pub(super) struct Texts {
    dir: TempDir,
    differences: String,
}

impl Texts {
    pub(super) fn new() -> Texts {
        let dir = tempfile::Builder::new().prefix("errors").tempdir().expect("a directory");
        Texts { dir, differences: String::new() }
    }

    /// A path in the directory that the texts call `DIR`.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A file in that directory.
    pub(super) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).expect("the file can be written");
        path
    }

    #[track_caller]
    pub(super) fn check<T>(&mut self, name: &str, result: Result<T, Error>) {
        let Err(error) = result else { panic!("{name} is no error") };
        self.check_with(name, &error, &[]);
    }

    /// As `check`, with more that varies from run to run: what it is, and what stands for it.
    pub(super) fn check_with(&mut self, name: &str, error: &Error, varying: &[(String, &str)]) {
        let text = self.steady(format!("{}\n\n{error}\n\n{error:#}\n", fields(error)), varying);
        let path = Path::new(KEPT).join(name).with_extension("txt");
        if std::env::var_os("PIPEWRIGHT_BLESS").is_some_and(|value| value == "1") {
            fs::write(&path, text).expect("the kept text can be written");
            return;
        }
        match fs::read_to_string(&path) {
            Ok(kept) if kept == text => {}
            Ok(kept) => write!(self.differences, "=== {name}: kept\n{kept}=== {name}: now\n{text}").expect("a string"),
            Err(error) => write!(self.differences, "=== {name}: {error}; now\n{text}").expect("a string"),
        }
    }

    #[track_caller]
    pub(super) fn finish(self) {
        let hint = "PIPEWRIGHT_BLESS=1 writes the texts as they are now";
        assert!(self.differences.is_empty(), "error texts changed ({hint}):\n{}", self.differences);
    }

    fn steady(&self, text: String, varying: &[(String, &str)]) -> String {
        let mut replace = vec![(self.dir.path().display().to_string(), "DIR"), (fixture().to_owned(), "HELPER")];
        // Where the path needs quotes.
        replace.push(("'HELPER'".into(), "HELPER"));
        replace.extend(varying.iter().cloned());
        // The words are those of the C library: here glibc's.
        let too_many = io::Error::from_raw_os_error(nix::libc::EMFILE).to_string();
        replace.push((too_many, "Too many open files (os error 24)"));
        replace.iter().fold(text, |text, (from, to)| text.replace(from, to))
    }
}

/// What a program gets to see.
fn fields(error: &Error) -> String {
    let mut fields = format!("{:?}", error.kind());
    if let (Some(stage), Some(label)) = (error.stage(), error.label()) {
        write!(fields, ", stage {stage} {label:?}").expect("a string");
    }
    if let Some(step) = error.step() {
        write!(fields, ", step {step:?}").expect("a string");
    }
    if let Some(errno) = error.raw_os_error() {
        write!(fields, ", errno {errno}").expect("a string");
    }
    if let Some(status) = error.status() {
        write!(fields, ", status {:?} {:?}", status.code(), status.signal()).expect("a string");
    }
    fields
}

/// The names of the kept texts.
pub(super) fn kept() -> Vec<String> {
    let entries = fs::read_dir(KEPT).expect("the kept texts");
    let name = |entry: io::Result<fs::DirEntry>| entry.expect("an entry").file_name().into_string().expect("text");
    let mut names: Vec<String> = entries.map(name).collect();
    names.sort();
    names
}
