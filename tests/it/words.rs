//! `cmd!` and the builder: what becomes which argument.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use pipewright::{Cmd, cmd};

use crate::harness::{fixture, isolated};

/// The arguments as the child sees them.
fn seen(cmd: Cmd) -> Vec<String> {
    let bytes = cmd.read_bytes().unwrap();
    let words = bytes.split(|&byte| byte == 0).map(|word| String::from_utf8(word.to_vec()).unwrap());
    let mut words: Vec<String> = words.collect();
    // Each argument is closed by a NUL, so what lies behind the last one is empty.
    assert_eq!(words.pop().as_deref(), Some(""));
    words
}

#[test]
fn every_kind_of_string_is_one_argument() {
    isolated(|| {
        let owned = String::from("two words");
        let path = PathBuf::from("a/b c");
        let os = OsString::from("os");
        let cow: Cow<'_, str> = Cow::Borrowed("cow");
        let words = cmd!(
            fixture(),
            "args",
            "literal",
            owned.clone(),
            &owned,
            owned.as_str(),
            path.clone(),
            &path,
            path.as_path(),
            Path::new("p"),
            os.clone(),
            os.as_os_str(),
            OsStr::new(""),
            &*cow,
            format!("{}-{}", 1, 2),
        );
        assert_eq!(
            seen(words),
            [
                "literal",
                "two words",
                "two words",
                "two words",
                "a/b c",
                "a/b c",
                "a/b c",
                "p",
                "os",
                "os",
                "",
                "cow",
                "1-2"
            ]
        );
    });
}

#[test]
fn a_spread_takes_anything_that_iterates() {
    isolated(|| {
        let list = vec!["a".to_owned(), "b c".to_owned()];
        let none: Option<&str> = None;
        let words = cmd!(
            fixture(),
            "args",
            ["x", "y"]..,
            &list..,
            list.iter().map(|word| word.to_uppercase())..,
            Some("one")..,
            none..,
            list..,
            "end"
        );
        assert_eq!(seen(words), ["x", "y", "a", "b c", "A", "B C", "one", "a", "b c", "end"]);
    });
}

#[test]
fn no_word_is_ever_split_or_expanded() {
    isolated(|| {
        let odd =
            ["", " ", "  a ", "'", "\"", "\\", "$HOME", "`id`", "*", "~", "a\nb", "-n", "{a,b}", "\t", "=", ";", "&&"];
        assert_eq!(seen(cmd!(fixture(), "args", odd..)), odd);
        assert_eq!(seen(Cmd::new(fixture()).arg("args").args(odd)), odd);
    });
}

#[test]
fn a_program_alone_and_a_trailing_comma_are_fine() {
    isolated(|| {
        assert!(cmd!("true").run().unwrap().status.success());
        assert!(cmd!("true",).run().unwrap().status.success());
    });
}
