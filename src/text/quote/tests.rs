use std::process::Command;

use proptest::prelude::*;

use super::{escape_text, quote, quote_program};

/// What a shell makes of the quoted words.
fn read_back(shell: &str, words: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut script = String::from("printf '%s\\0' first");
    for word in words {
        script.push(' ');
        script.push_str(&quote(word));
    }
    let output = Command::new(shell).args(["-c", &script]).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{shell}: {output:?}");
    let printed = output.stdout.strip_suffix(b"\0").unwrap();
    printed.split(|&byte| byte == 0).skip(1).map(<[u8]>::to_vec).collect()
}

fn check(words: &[Vec<u8>]) {
    for word in words {
        let quoted = quote(word);
        assert!(quoted.chars().all(|c| matches!(c, '\n' | '\t') || !c.is_control()), "{quoted:?}");
    }
    // `sh` is the one that counts; the others where the system has them.
    for shell in ["sh", "dash", "bash", "ksh", "mksh", "zsh", "yash"] {
        if shell != "sh" && Command::new(shell).args(["-c", ":"]).output().is_err() {
            continue;
        }
        let read = read_back(shell, words);
        for (read, word) in read.iter().zip(words) {
            assert_eq!(read, word, "{shell}: {}", quote(word));
        }
        assert_eq!(read.len(), words.len());
    }
}

fn word() -> impl Strategy<Value = Vec<u8>> {
    let shell_text = prop::sample::select(br#"'"\$`!*?[]{}()<>|&;#~=^% -ab01"#.to_vec());
    let newlines = prop_oneof![3 => Just(b'\n'), 1 => shell_text.clone(), 1 => 1..=255_u8];
    prop_oneof![
        prop::collection::vec(1..=255_u8, 0..12),
        prop::collection::vec(shell_text, 0..12),
        prop::collection::vec(newlines, 0..8),
        any::<String>().prop_map(|text| text.replace('\0', "").into_bytes()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn the_shell_reads_the_same_bytes(words in prop::collection::vec(word(), 40)) {
        check(&words);
    }
}

#[test]
fn every_byte_in_every_place() {
    for bytes in (1..=255_u8).collect::<Vec<_>>().chunks(64) {
        let alone = bytes.iter().map(|&byte| vec![byte]);
        let between = bytes.iter().map(|&byte| vec![b'1', byte, b'1']);
        let after_newline = bytes.iter().map(|&byte| vec![b'\n', byte, b'\n']);
        check(&alone.chain(between).chain(after_newline).collect::<Vec<_>>());
    }
}

#[test]
fn quotes_as_little_as_it_can() {
    for (word, quoted) in [
        ("plain-1.2_x/y:z@h,50%+", "plain-1.2_x/y:z@h,50%+"),
        ("--key=value", "--key=value"),
        ("a=b", "a=b"),
        ("if", "if"),
        ("=ls", "'=ls'"),
        ("", "''"),
        ("two words", "'two words'"),
        ("~", "'~'"),
        ("$HOME", "'$HOME'"),
        ("it's", r"'it'\''s'"),
        ("''", r"\'\'"),
        ("é 中 🦀 e\u{301}", "'é 中 🦀 e\u{301}'"),
        ("\t", "'\t'"),
        ("a\u{1b}[31mb", r#"'a'"$(printf '\033')"'[31mb'"#),
        ("a\u{202e}b", r#"'a'"$(printf '\342\200\256')"'b'"#),
        ("a\nb\n", "'a\nb\n'"),
        ("\n'x", "'\n'\\''x'"),
        ("\r\n", "\"$(printf '\\015')\"'\n'"),
    ] {
        assert_eq!(quote(word.as_bytes()), quoted);
        check(&[word.into()]);
    }
    assert_eq!(quote(b"\xff1"), r#""$(printf '\377')"'1'"#);
    // No argument holds a NUL, but the error that says so shows it.
    assert_eq!(quote(b"a\0"), r#"'a'"$(printf '\000')""#);
}

#[test]
fn a_program_is_neither_assignment_nor_keyword() {
    assert_eq!(quote_program(b"a=b"), "'a=b'");
    assert_eq!(quote_program(b"if"), "'if'");
    assert_eq!(quote_program(b"my prog"), "'my prog'");
    assert_eq!(quote_program(b"/bin/ls"), "/bin/ls");
}

#[test]
fn text_is_escaped_for_reading() {
    assert_eq!(escape_text(b"ok: a\\b\n\x1b[1m\t\r\n"), "ok: a\\b\n\\x1b[1m\\x09\\x0d\n");
    assert_eq!(escape_text("é \u{85}\u{202e}\u{7f}".as_bytes()), "é \\u{85}\\u{202e}\\x7f");
    assert_eq!(escape_text(b"a\xff\xe2\x82z"), "a\\xff\\xe2\\x82z");
    assert_eq!(escape_text(b""), "");
}

proptest! {
    #[test]
    fn escaped_text_holds_no_control(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        prop_assert!(escape_text(&bytes).chars().all(|c| c == '\n' || !c.is_control()));
    }
}
