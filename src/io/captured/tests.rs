use crate::io::captured::Captured;

fn text(text: &str) -> Captured {
    Captured::from_bytes(text.into())
}

#[test]
fn not_captured_is_not_empty() {
    let nothing = Captured::not_captured();
    let empty = text("");
    assert!(!nothing.is_captured() && empty.is_captured());
    assert!(nothing.is_empty() && empty.is_empty());
    assert_ne!(nothing, empty);
    let no_bytes: &[u8] = &[];
    assert!(empty == *no_bytes && nothing != *no_bytes);
    assert_ne!(nothing, String::new());
    assert_eq!(nothing.into_vec(), b"");
}

#[test]
fn compares_with_bytes_and_text() {
    let captured = text("ab");
    assert_eq!(captured, *b"ab".as_slice());
    assert_eq!(captured, b"ab".as_slice());
    assert_eq!(captured, *b"ab");
    assert_eq!(captured, b"ab");
    assert_eq!(captured, b"ab".to_vec());
    assert_eq!(captured, *"ab");
    assert_eq!(captured, "ab");
    assert_eq!(captured, String::from("ab"));
    assert_ne!(captured, "abc");
}

#[test]
fn converts() {
    let captured = Captured::from_bytes(b"a\xff".to_vec());
    assert!(captured.to_str().is_err());
    assert_eq!(captured.to_string_lossy(), "a\u{fffd}");
    assert_eq!(captured.as_ref(), b"a\xff");
    assert_eq!(Vec::from(captured), b"a\xff");
    assert_eq!(text("é").to_str(), Ok("é"));
}

#[test]
fn debug_is_escaped_and_short() {
    assert_eq!(format!("{:?}", Captured::not_captured()), "Captured(not captured)");
    assert_eq!(format!("{:?}", text("a\n\u{1b}[m\"")), r#"Captured("a\n\u{1b}[m\"")"#);
    assert_eq!(format!("{:?}", text(&"x".repeat(256))), format!("Captured(\"{}\")", "x".repeat(256)));
    assert_eq!(format!("{:?}", text(&"x".repeat(300))), format!("Captured(\"{}…\" 300 bytes)", "x".repeat(256)));
    // A character that lies across the cut is left out whole.
    assert_eq!(
        format!("{:?}", text(&format!("x{}", "€".repeat(100)))),
        format!("Captured(\"x{}…\" 301 bytes)", "€".repeat(85))
    );
    assert_eq!(
        format!("{:?}", text(&format!("xx{}", "€".repeat(100)))),
        format!("Captured(\"xx{}…\" 302 bytes)", "€".repeat(84))
    );
    assert_eq!(format!("{:?}", Captured::with_omission(b"abcd".to_vec(), 2, 7)), "Captured(\"abcd\", 7 omitted at 2)");
    let continuations = format!("{:?}", Captured::from_bytes(vec![0x80; 300]));
    assert!(continuations.ends_with("…\" 300 bytes)"), "{continuations}");
}
