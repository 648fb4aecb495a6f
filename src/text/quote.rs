//! Bytes as text that is safe to show: a word quoted for the shell, and output escaped for a terminal.

use std::borrow::Cow;
use std::fmt::Write;

#[cfg(test)]
mod tests;

/// A word for any POSIX shell to read back as exactly `bytes` (which hold no NUL).
///
/// Plain words stay as they are and other text goes between single quotes, newlines and tabs included: a script of several
/// lines is best read as several lines. What a terminal would act on or could not show (other controls, format characters
/// such as the bidirectional ones, bytes that are not UTF-8) is written as an octal escape in a command substitution.
pub(crate) fn quote(bytes: &[u8]) -> Cow<'_, str> {
    match plain(bytes) {
        // `=ls` is a path to zsh.
        Some(word) if !word.starts_with('=') => Cow::Borrowed(word),
        _ => Cow::Owned(quoted(bytes)),
    }
}

/// Like [`quote`], for the place of the program, where `a=b` would be an assignment and `if` a keyword.
pub(crate) fn quote_program(bytes: &[u8]) -> Cow<'_, str> {
    match plain(bytes) {
        Some(word) if !word.contains('=') && !KEYWORDS.contains(&word) => Cow::Borrowed(word),
        _ => Cow::Owned(quoted(bytes)),
    }
}

/// Captured text, for an error message: newlines stay, other controls and format characters become `\xNN` or `\u{…}`,
/// bytes that are not UTF-8 `\xNN`. For reading, not for reading back: a backslash stays too.
pub(crate) fn escape_text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c == '\n' || is_printable(c) {
                text.push(c);
            } else if c.is_ascii() {
                push_escape(&mut text, format_args!("\\x{:02x}", u32::from(c)));
            } else {
                push_escape(&mut text, format_args!("{}", c.escape_unicode()));
            }
        }
        for byte in chunk.invalid() {
            push_escape(&mut text, format_args!("\\x{byte:02x}"));
        }
    }
    text
}

/// The plain-looking words that mean something else where a program is expected: POSIX's, and those of bash, ksh and zsh.
const KEYWORDS: &[&str] = &[
    "case",
    "coproc",
    "do",
    "done",
    "elif",
    "else",
    "end",
    "esac",
    "fi",
    "for",
    "foreach",
    "function",
    "if",
    "in",
    "namespace",
    "nocorrect",
    "repeat",
    "select",
    "then",
    "time",
    "until",
    "while",
];

/// The word, if no shell sees more in it than its characters. A leading `~` is not among them.
fn plain(bytes: &[u8]) -> Option<&str> {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_./:=@%+,-".contains(byte);
    if bytes.is_empty() || !bytes.iter().all(is_plain) {
        return None;
    }
    std::str::from_utf8(bytes).ok()
}

fn quoted(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "''".into();
    }
    let mut quoter = Quoter { word: String::with_capacity(bytes.len() + 2), part: Part::Bare };
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if matches!(c, '\n' | '\t') || is_printable(c) {
                quoter.text(c);
            } else {
                quoter.octal(c.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
        quoter.octal(chunk.invalid());
    }
    quoter.finish()
}

struct Quoter {
    word: String,
    part: Part,
}

/// The part of the word that is being written, still without its end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Bare,
    /// `'…`
    Single,
    /// `"$(printf '…`, octal escapes only.
    Printf,
}

impl Quoter {
    fn text(&mut self, c: char) {
        if c != '\'' {
            self.enter(Part::Single);
            self.word.push(c);
        } else {
            self.enter(Part::Bare);
            self.word.push_str("\\'");
        }
    }

    /// All three digits, so that one that follows is not taken for a part of the escape.
    fn octal(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.enter(Part::Printf);
        for byte in bytes {
            push_escape(&mut self.word, format_args!("\\{byte:03o}"));
        }
    }

    fn enter(&mut self, part: Part) {
        if self.part == part {
            return;
        }
        self.word.push_str(match self.part {
            Part::Bare => "",
            Part::Single => "'",
            Part::Printf => "')\"",
        });
        self.word.push_str(match part {
            Part::Bare => "",
            Part::Single => "'",
            Part::Printf => "\"$(printf '",
        });
        self.part = part;
    }

    fn finish(mut self) -> String {
        self.enter(Part::Bare);
        self.word
    }
}

fn push_escape(text: &mut String, escape: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = text.write_fmt(escape);
}

/// Whether `c` shows as itself: no control, no format character, no blank but the space, nothing unassigned.
fn is_printable(c: char) -> bool {
    if c.is_ascii() {
        return c == ' ' || c.is_ascii_graphic();
    }
    // std knows, but tells only through its escapes. Those of a `str` leave combining marks alone, except at its start.
    let mut pair = String::from("a");
    pair.push(c);
    pair.escape_debug().nth(1) == Some(c)
}
