//! The texts of an error.

use std::error::Error as StdError;
use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use super::{ErrorKind, Inner, StageName};
use crate::output::Output;
use crate::setup_step::Step;
use crate::text::escape_text;

/// One line: who, what.
pub(super) struct Short<'a>(pub(super) &'a Inner);

/// All that is known.
pub(super) struct Full<'a>(pub(super) &'a Inner);

/// How much of a captured stderr is shown.
const TAIL_LINES: usize = 20;
const TAIL_BYTES: usize = 4096;
/// How much of a command line is shown.
const COMMAND_BYTES: usize = 4096;

impl fmt::Display for StageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", one_line(self.label.as_bytes()))?;
        let program = self.program.as_deref().unwrap_or(OsStr::new("closure"));
        let labelled = program != self.label.as_str();
        match (labelled.then(|| one_line(program.as_bytes())), self.count) {
            (None, ..=1) => Ok(()),
            (None, count) => write!(f, " (stage {} of {count})", self.index),
            (Some(program), ..=1) => write!(f, " ({program})"),
            (Some(program), count) => write!(f, " ({program}, stage {} of {count})", self.index),
        }
    }
}

/// "cannot start `cut` (stage 1 of 3): no such program in PATH"; and of a stage that
/// ran, "`cut` (stage 1 of 3) exited with code 1".
impl fmt::Display for Short<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let happened = self.0.happened();
        let text = match &self.0.stage {
            Some(stage) if self.0.kind.prevents_start() => {
                let step = self.0.telling_step().map(|step| step.to_string());
                let parts = [format!("cannot start {stage}")].into_iter().chain(step);
                parts.chain(happened).collect::<Vec<_>>().join(": ")
            }
            Some(stage) => format!("{stage} {}", happened.join(": ")),
            None => happened.join(": "),
        };
        f.write_str(&text)
    }
}

impl Inner {
    /// What happened, and what it came from.
    fn happened(&self) -> Vec<String> {
        let Inner { kind, what, source, says_all, secrets, .. } = self;
        // A panic's text is the caller's, and may hold anything.
        let hidden =
            if *kind == ErrorKind::Panic { hide(what.as_bytes(), 0, secrets) } else { what.clone().into_bytes() };
        let mut parts = Vec::new();
        parts.extend((!what.is_empty()).then(|| one_line(&hidden)));
        parts.extend(source.as_ref().filter(|_| !says_all).map(|source| one_line_of(source, secrets)));
        parts
    }

    /// The step, where the short text has no better words for what failed.
    fn telling_step(&self) -> Option<Step> {
        self.step.filter(|_| self.kind == ErrorKind::Spawn)
    }
}

impl fmt::Display for Full<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { command, output, secrets, notes, step, source, says_all, .. } = self.0;
        Short(self.0).fmt(f)?;
        if let (Some(step), None) = (step, self.0.telling_step()) {
            write!(f, "\n  failed at: {step}")?;
            if let Some(source) = source.as_ref().filter(|_| *says_all) {
                write!(f, ": {}", one_line_of(source, secrets))?;
            }
        }
        if let Some(command) = command {
            let shown = head_of(command, COMMAND_BYTES);
            write!(f, "\n  command: {shown}")?;
            if shown.len() < command.len() {
                write!(f, "… ({} bytes more)", command.len() - shown.len())?;
            }
        }
        for note in notes {
            write!(f, "\n  note: {note}")?;
        }
        let Some(output) = output else { return Ok(()) };
        if output.stages.len() > 1 {
            for (index, stage) in output.stages.iter().enumerate() {
                write!(f, "\n  stage {index}: `{}` ", one_line(stage.label.as_bytes()))?;
                match &stage.error {
                    Some(error) => f.write_str(&error.0.happened().join(": "))?,
                    None => write!(f, "{}", stage.status)?,
                }
            }
        }
        if let Some(leak) = &output.leaked {
            let streams: Vec<String> = leak.streams.iter().map(ToString::to_string).collect();
            let by = leak.held_by("another process");
            match streams.join(", ").as_str() {
                "" => write!(f, "\n  between stages or elsewhere: {by}")?,
                held => write!(f, "\n  {held}: {by}")?,
            }
        }
        if output.stdout.is_captured() {
            let bytes = output.stdout.len();
            write!(f, "\n  stdout: {bytes} byte{} captured", if bytes == 1 { "" } else { "s" })?;
        }
        write_tail(f, output, secrets)
    }
}

/// At most so many bytes of a text, cut between characters.
fn head_of(text: &str, bytes: usize) -> &str {
    let end = (0..=bytes.min(text.len())).rev().find(|&end| text.is_char_boundary(end));
    &text[..end.unwrap_or(0)]
}

fn write_tail(f: &mut fmt::Formatter<'_>, output: &Output, secrets: &[Vec<u8>]) -> fmt::Result {
    if output.stderr.is_empty() {
        return Ok(());
    }
    let (tail, whole) = stderr_tail(&output.stderr, secrets);
    f.write_str(if whole { "\n  stderr:" } else { "\n  stderr, its last lines:" })?;
    for line in tail.split('\n') {
        write!(f, "\n    {line}")?;
    }
    Ok(())
}

/// The last lines of a captured stderr as they may be shown, and whether that is all of it.
pub(super) fn stderr_tail(text: &[u8], secrets: &[Vec<u8>]) -> (String, bool) {
    let body = text.strip_suffix(b"\n").unwrap_or(text);
    let by_lines = memchr::memrchr_iter(b'\n', body).nth(TAIL_LINES - 1).map_or(0, |newline| newline + 1);
    let start = by_lines.max(body.len().saturating_sub(TAIL_BYTES));
    let shown = hide(body, start, secrets);
    // A tab harms nobody.
    let columns: Vec<String> = shown.split(|&byte| byte == b'\t').map(escape_text).collect();
    (columns.join("\t"), start == 0)
}

/// What is to be shown of `text`, from `start` on, with every occurrence of a secret replaced: the longest first, so that one secret
/// inside another leaves no rest. A secret that begins before `start` and reaches beyond is replaced, too.
pub(crate) fn hide(text: &[u8], start: usize, secrets: &[Vec<u8>]) -> Vec<u8> {
    let mut secrets: Vec<&[u8]> = secrets.iter().map(Vec::as_slice).filter(|secret| !secret.is_empty()).collect();
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    let mut out = Vec::with_capacity(text.len() - start);
    let mut at = start.saturating_sub(secrets.first().map_or(0, |longest| longest.len()));
    while at < text.len() {
        match secrets.iter().find(|secret| text[at..].starts_with(secret)) {
            Some(secret) => {
                at += secret.len();
                if at > start {
                    out.extend_from_slice(b"***");
                }
            }
            None => {
                if at >= start {
                    out.push(text[at]);
                }
                at += 1;
            }
        }
    }
    out
}

/// A source's text, which may be the caller's and hold anything.
fn one_line_of(source: &Arc<dyn StdError + Send + Sync>, secrets: &[Vec<u8>]) -> String {
    one_line(&hide(source.to_string().as_bytes(), 0, secrets))
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
        assert_eq!(hide(b"a password1 b pass c", 0, &secrets), b"a *** b *** c");
        assert_eq!(hide(b"", 0, &secrets), b"");
    }

    #[test]
    fn a_cut_through_a_secret_leaves_no_piece_of_it() {
        let secrets = [b"0123456789".to_vec()];
        for start in 3..13 {
            assert_eq!(hide(b"xyz0123456789 end", start, &secrets), b"*** end");
        }
        assert_eq!(hide(b"xyz0123456789 end", 13, &secrets), b" end");
    }

    #[test]
    fn a_head_ends_between_characters() {
        assert_eq!(head_of("aé", 3), "aé");
        assert_eq!(head_of("aé", 2), "a");
        assert_eq!(head_of("", 2), "");
    }

    #[test]
    fn the_tail_is_cut_at_a_line() {
        let text: String = (0..30).map(|n| format!("line {n}\n")).collect();
        let (tail, whole) = stderr_tail(text.as_bytes(), &[]);
        assert!(!whole && tail.starts_with("line 10\n") && tail.ends_with("line 29"));
        assert_eq!(stderr_tail(b"one\ttwo\x1b\n", &[]), ("one\ttwo\\x1b".to_owned(), true));
    }
}
