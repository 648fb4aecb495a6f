//! The texts of an error.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;

use super::kind::ErrorKind;
use super::report::{Facts, Inner, StageName, Words};
use crate::io::captured::Captured;
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
        let text = match &self.0.facts.stage {
            Some(stage) if self.0.facts.kind.prevents_start() => {
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
        let Inner { facts, secrets, .. } = self;
        let Facts { kind, what, source, words, .. } = &**facts;
        let what = match words {
            // A panic's text.
            Words::Callers { cut } if *kind == ErrorKind::Panic => secrets.redact_callers(what, *cut),
            _ => what.clone(),
        };
        let mut parts = Vec::new();
        parts.extend((!what.is_empty()).then(|| one_line(what.as_bytes())));
        parts.extend(source.as_ref().and_then(|source| match words {
            Words::InWhat => None,
            Words::Systems => Some(one_line(source.to_string().as_bytes())),
            Words::Callers { cut } => Some(one_line(secrets.redact_callers(&source.to_string(), *cut).as_bytes())),
        }));
        parts
    }

    /// The step, where the short text has no better words for what failed.
    fn telling_step(&self) -> Option<Step> {
        self.facts.step.filter(|_| self.facts.kind == ErrorKind::Spawn)
    }
}

impl fmt::Display for Full<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { facts, command, notes, .. } = self.0;
        let Facts { output, step, source, words, .. } = &**facts;
        Short(self.0).fmt(f)?;
        if let (Some(step), None) = (step, self.0.telling_step()) {
            write!(f, "\n  failed at: {step}")?;
            if let Some(source) = source.as_ref().filter(|_| *words == Words::InWhat) {
                write!(f, ": {}", one_line(source.to_string().as_bytes()))?;
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
        write_tail(f, &output.stderr)
    }
}

/// At most so many bytes of a text, cut between characters.
fn head_of(text: &str, bytes: usize) -> &str {
    let end = (0..=bytes.min(text.len())).rev().find(|&end| text.is_char_boundary(end));
    &text[..end.unwrap_or(0)]
}

fn write_tail(f: &mut fmt::Formatter<'_>, stderr: &Captured) -> fmt::Result {
    if stderr.is_empty() {
        return Ok(());
    }
    let (tail, whole) = stderr_tail(stderr);
    f.write_str(if whole { "\n  stderr:" } else { "\n  stderr, its last lines:" })?;
    for line in tail.split('\n') {
        write!(f, "\n    {line}")?;
    }
    Ok(())
}

/// The last lines of a captured stderr as they may be shown, and whether that is all of it.
pub(super) fn stderr_tail(stderr: &Captured) -> (String, bool) {
    let body = stderr.strip_suffix(b"\n").unwrap_or(stderr);
    let by_lines = memchr::memrchr_iter(b'\n', body).nth(TAIL_LINES - 1).map_or(0, |newline| newline + 1);
    let start = by_lines.max(body.len().saturating_sub(TAIL_BYTES));
    let shown = stderr.redacted(start..body.len());
    // A tab harms nobody.
    let columns: Vec<String> = shown.split(|&byte| byte == b'\t').map(escape_text).collect();
    (columns.join("\t"), start == 0)
}

/// Text that cannot break out of its line, whatever is in it.
fn one_line(text: &[u8]) -> String {
    escape_text(text).replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_ends_between_characters() {
        assert_eq!(head_of("aé", 3), "aé");
        assert_eq!(head_of("aé", 2), "a");
        assert_eq!(head_of("", 2), "");
    }

    #[test]
    fn the_tail_is_cut_at_a_line() {
        let text: String = (0..30).map(|n| format!("line {n}\n")).collect();
        let (tail, whole) = stderr_tail(&Captured::from_bytes(text.into_bytes()));
        assert!(!whole && tail.starts_with("line 10\n") && tail.ends_with("line 29"));
        let short = Captured::from_bytes(b"one\ttwo\x1b\n".to_vec());
        assert_eq!(stderr_tail(&short), ("one\ttwo\\x1b".to_owned(), true));
    }
}
