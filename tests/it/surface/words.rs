//! `cmd!` and the builder: what becomes which argument.

use std::borrow::Cow;
use std::ffi::OsString;

use crate::prelude::*;

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
            PathBuf::from(fixture()),
            OsStr::new("args"),
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
            Cow::<OsStr>::Borrowed(OsStr::new("cow of the system's")),
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
                "cow of the system's",
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

#[test]
fn pipelines_are_collected_from_pipelines_too() {
    isolated(|| {
        let pair = || cmd!(fixture(), "cat") | cmd!(fixture(), "upper");
        let all: Pipeline = [cmd!(fixture(), "echo", "a").into(), pair(), pair()].into_iter().collect();
        let output = all.output().unwrap();
        assert_eq!(output.stdout, "A\n");
        assert_eq!(output.stages.len(), 5);
    });
}

#[test]
fn a_secret_variable_is_hidden_whatever_its_length() {
    isolated(|| {
        let tell = |cmd: Cmd| format!("{:#}", cmd.args(["1", "pin 4711 of 47"]).output().unwrap_err());
        let shown = tell(cmd!(fixture(), "fail-with").env("PIN", "47"));
        assert!(shown.contains("pin 4711 of 47"), "{shown}");
        let text = format!("{:#}", cmd!(fixture(), "fail-with", "1").secret_env("PIN", "47").output().unwrap_err());
        assert!(!text.contains("=47") && text.contains("PIN=\"${PIN:?}\""), "{text}");
        let said = Cmd::sh("echo pin $PIN >&2; exit 1").secret_env("PIN", "47").output().unwrap_err();
        assert_eq!(said.stderr_tail().unwrap(), "pin ***");
    });
}
