//! The texts of an error.

use std::fmt;

use super::{Inner, StageName};
use crate::cmd::quote::escape_text;
use crate::output::Output;

/// One line: who, what.
pub(super) struct Short<'a>(pub(super) &'a Inner);

/// All that is known.
pub(super) struct Full<'a>(pub(super) &'a Inner);

/// How much of a captured stderr is shown.
const TAIL_LINES: usize = 20;
const TAIL_BYTES: usize = 4096;

impl fmt::Display for StageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", one_line(self.label.as_bytes()))?;
        if self.count > 1 { write!(f, " (stage {} of {})", self.index, self.count) } else { Ok(()) }
    }
}

impl fmt::Display for Short<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { what, stage, source, step, .. } = self.0;
        // It may name files, and a file's name may hold anything.
        let what = one_line(what.as_bytes());
        match (stage, step) {
            (Some(stage), Some(step)) => write!(f, "cannot start {stage}: {step}: {what}")?,
            (Some(stage), None) => write!(f, "{stage} {what}")?,
            (None, _) => f.write_str(&what)?,
        }
        match source {
            Some(source) => write!(f, ": {}", one_line(source.to_string().as_bytes())),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Full<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { command, output, secrets, notes, .. } = self.0;
        Short(self.0).fmt(f)?;
        if let Some(command) = command {
            write!(f, "\n  command: {command}")?;
        }
        for note in notes {
            write!(f, "\n  note: {note}")?;
        }
        let Some(output) = output else { return Ok(()) };
        if output.stages.len() > 1 {
            for (index, stage) in output.stages.iter().enumerate() {
                write!(f, "\n  stage {index}: `{}` {}", one_line(stage.label.as_bytes()), stage.status)?;
            }
        }
        if let Some(leak) = &output.leaked {
            let streams: Vec<String> = leak.streams.iter().map(ToString::to_string).collect();
            write!(f, "\n  still held by another process: {}", streams.join(", "))?;
        }
        if output.stdout.is_captured() {
            write!(f, "\n  stdout: {} bytes captured", output.stdout.len())?;
        }
        write_tail(f, output, secrets)
    }
}

fn write_tail(f: &mut fmt::Formatter<'_>, output: &Output, secrets: &[Vec<u8>]) -> fmt::Result {
    if output.stderr.is_empty() {
        return Ok(());
    }
    // Hidden before it is cut: a cut through a secret would leave a piece of it.
    let hidden = hide(&output.stderr, secrets);
    let (tail, whole) = tail_of(&hidden);
    f.write_str(if whole { "\n  stderr:" } else { "\n  stderr, its last lines:" })?;
    for line in escape_text(tail).lines() {
        write!(f, "\n    {line}")?;
    }
    Ok(())
}

/// The last lines, and whether that is all.
fn tail_of(text: &[u8]) -> (&[u8], bool) {
    let body = text.strip_suffix(b"\n").unwrap_or(text);
    let by_lines = memchr::memrchr_iter(b'\n', body).nth(TAIL_LINES - 1).map_or(0, |newline| newline + 1);
    let start = by_lines.max(body.len().saturating_sub(TAIL_BYTES));
    (&body[start..], start == 0)
}

/// `text` with every occurrence of a secret replaced. The longest first, so that one secret inside another leaves no rest.
pub(super) fn hide(text: &[u8], secrets: &[Vec<u8>]) -> Vec<u8> {
    let mut secrets: Vec<&[u8]> = secrets.iter().map(Vec::as_slice).filter(|secret| !secret.is_empty()).collect();
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        match secrets.iter().find(|secret| text[at..].starts_with(secret)) {
            Some(secret) => {
                out.extend_from_slice(b"***");
                at += secret.len();
            }
            None => {
                out.push(text[at]);
                at += 1;
            }
        }
    }
    out
}

/// Text that cannot break out of its line, whatever is in it.
fn one_line(text: &[u8]) -> String {
    escape_text(text).replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_hidden_the_longest_first() {
        let secrets = [b"pass".to_vec(), b"password1".to_vec(), Vec::new()];
        assert_eq!(hide(b"a password1 b pass c", &secrets), b"a *** b *** c");
        assert_eq!(hide(b"", &secrets), b"");
    }

    #[test]
    fn the_tail_is_cut_at_a_line() {
        let text: String = (0..30).map(|n| format!("line {n}\n")).collect();
        let (tail, whole) = tail_of(text.as_bytes());
        assert!(!whole && tail.starts_with(b"line 10\n") && tail.ends_with(b"line 29"));
        assert_eq!(tail_of(b"one\n"), (&b"one"[..], true));
    }
}
