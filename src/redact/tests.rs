use super::*;

fn secrets(texts: &[&str]) -> Secrets {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

fn redact(secrets: &Secrets, text: &str) -> String {
    String::from_utf8(secrets.redact(text.as_bytes())).unwrap()
}

#[test]
fn what_is_inside_another_secret_or_overlaps_it_leaves_no_rest() {
    let nested = secrets(&["pass", "password1", ""]);
    assert_eq!(redact(&nested, "a password1 b pass c"), "a *** b *** c");
    assert_eq!(redact(&nested, ""), "");
    assert_eq!(redact(&secrets(&["abc", "cde"]), "1 abcde 2 abc"), "1 *** 2 ***");
    assert_eq!(redact(&secrets(&["aba"]), "xababax"), "x***x");
    assert_eq!(redact(&Secrets::default(), "all of it"), "all of it");
}

#[test]
fn a_part_shows_no_piece_of_a_secret_that_reaches_over_its_end() {
    let secrets = secrets(&["0123456789"]);
    let text = b"xyz0123456789 end";
    for start in 3..13 {
        assert_eq!(secrets.redact_part(text, start..17, &[]), b"*** end");
        assert_eq!(secrets.redact_part(text, 0..start + 1, &[]), b"xyz***");
    }
    assert_eq!(secrets.redact_part(text, 13..17, &[]), b" end");
}

#[test]
fn a_piece_that_reaches_a_cut_is_hidden_and_no_other() {
    let secrets = secrets(&["secret"]);
    let part = |text: &str, cuts: &[usize]| {
        String::from_utf8(secrets.redact_part(text.as_bytes(), 0..text.len(), cuts)).unwrap()
    };
    assert_eq!(part("ret x sec", &[]), "ret x sec");
    assert_eq!(part("ret x sec", &[0, 9]), "*** x ***");
    assert_eq!(part("a sec b", &[7]), "a sec b");
    assert_eq!(part("a seret b", &[4]), "a *** b");
    assert_eq!(part("cre", &[0, 3]), "***");
    assert_eq!(part("cre", &[0]), "cre");
    assert_eq!(part("crex", &[0, 4]), "crex");
    assert_eq!(part("", &[0]), "");
}

#[test]
fn quoting_hides_no_secret() {
    let secret = "it's \"a\"\tsecret\n0123456789abcdefg=";
    let secrets = secrets(&[secret]);
    let bytes = secret.as_bytes();
    for shown in [format!("{secret:?}"), format!("{bytes:?}"), bytes.escape_ascii().to_string()] {
        let shown = redact(&secrets, &format!("<{shown}>"));
        assert!(shown.len() < 10 && shown.contains("***"), "{shown}");
    }
    assert_eq!(redact(&secrets, "'0123456789abcdefg%3D'"), "'***%3D'");
}
