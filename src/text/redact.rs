//! Texts without the secrets that are in them.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use memchr::memmem::Finder;

#[cfg(test)]
mod tests;

/// What stands for a secret.
const STARS: &[u8] = b"***";

/// A line of a secret counts as a secret from this many bytes on, and a list of its bytes as numbers does too.
const LINE: usize = 8;
/// A run of letters and digits counts as a secret from this many on, because every kind of quoting leaves it as it is. A shorter one may be an
/// ordinary word.
const RUN: usize = 16;

/// A piece at the end of the caller's text, which is seldom cut, has at least this many bytes: a shorter one is usually an accident.
const PIECE: usize = 4;

/// Where bytes are missing in a text, in order, and how long a piece of a secret beside them is at least.
struct Cuts<'a> {
    at: &'a [usize],
    least: usize,
}

/// Texts that nothing rendered may hold: a plan's secret arguments, and the values that its builders gave to variables.
#[derive(Clone, Default)]
pub(crate) struct Secrets(Option<Arc<[Vec<u8>]>>);

impl FromIterator<Vec<u8>> for Secrets {
    fn from_iter<I: IntoIterator<Item = Vec<u8>>>(secrets: I) -> Secrets {
        let secrets: Vec<Vec<u8>> = secrets.into_iter().filter(|secret| !secret.is_empty()).collect();
        Secrets((!secrets.is_empty()).then(|| Arc::from(secrets)))
    }
}

impl Secrets {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// What a text shows of each secret that it holds: the bytes, or what quoting makes of them.
    fn forms(&self) -> Vec<Vec<u8>> {
        let mut forms: Vec<Vec<u8>> = Vec::new();
        for secret in self.0.iter().flat_map(|secrets| secrets.iter()) {
            let lossy = String::from_utf8_lossy(secret);
            let (quoted, numbers) = (format!("{lossy:?}"), format!("{secret:?}"));
            forms.extend([
                secret.clone(),
                lossy.as_bytes().to_vec(),
                quoted.as_bytes()[1..quoted.len() - 1].to_vec(),
                secret.escape_ascii().to_string().into_bytes(),
            ]);
            if secret.len() >= LINE {
                forms.push(numbers.as_bytes()[1..numbers.len() - 1].to_vec());
            }
            forms.extend(secret.split(|&byte| byte == b'\n').filter(|line| line.len() >= LINE).map(<[u8]>::to_vec));
            let runs = secret.split(|byte| !byte.is_ascii_alphanumeric());
            forms.extend(runs.filter(|run| run.len() >= RUN).map(<[u8]>::to_vec));
        }
        forms.sort_unstable();
        forms.dedup();
        forms.retain(|form| !form.is_empty());
        forms
    }

    /// A text of the caller's, redacted. One made from a line that was `cut` may have a piece of a secret at its end, or inside the
    /// quotes there.
    pub(crate) fn redact_callers(&self, text: &str, cut: bool) -> String {
        let end = [text.trim_end_matches(['"', '\'', '`', ')', ']', '}', char::REPLACEMENT_CHARACTER]).len()];
        let cuts = Cuts { at: if cut { &end } else { &[] }, least: PIECE };
        let redacted = self.redact_with(text.as_bytes(), 0..text.len(), &cuts);
        String::from_utf8_lossy(&redacted).into_owned()
    }

    /// A part of the text, redacted. At `cuts`, in order, bytes are missing: the pieces of a secret that reach them are hidden, too.
    ///
    /// What covers a byte hides it, so that of secrets that overlap nothing is left; and one that reaches over an end of the part
    /// is seen, since the text around it is looked at.
    pub(crate) fn redact_part(&self, text: &[u8], part: Range<usize>, cuts: &[usize]) -> Vec<u8> {
        self.redact_with(text, part, &Cuts { at: cuts, least: 1 })
    }

    fn redact_with(&self, text: &[u8], part: Range<usize>, cuts: &Cuts<'_>) -> Vec<u8> {
        if self.is_empty() {
            return text[part].to_vec();
        }
        let forms = self.forms();
        let longest = forms.iter().map(Vec::len).max().unwrap_or(0);
        let around = part.start.saturating_sub(longest)..text.len().min(part.end + longest);
        let (text, first) = (&text[around.clone()], part.start - around.start);
        let near = cuts.at.iter().filter(|&&cut| around.start <= cut && cut <= around.end);
        let near: Vec<usize> = near.map(|cut| cut - around.start).collect();
        let mut hidden = vec![false; text.len()];
        for form in &forms {
            hide_whole(text, form, &mut hidden);
            hide_pieces(text, form, &Cuts { at: &near, ..*cuts }, &mut hidden);
        }
        let mut shown = Vec::with_capacity(part.len());
        for at in first..first + part.len() {
            match hidden[at] {
                false => shown.push(text[at]),
                true if at > first && hidden[at - 1] => {}
                true => shown.extend_from_slice(STARS),
            }
        }
        shown
    }
}

/// Marks every occurrence, also those that overlap.
fn hide_whole(text: &[u8], form: &[u8], hidden: &mut [bool]) {
    let finder = Finder::new(form);
    let (mut from, mut marked) = (0, 0);
    while let Some(found) = finder.find(&text[from..]) {
        let (start, end) = (from + found, from + found + form.len());
        hidden[start.max(marked)..end].fill(true);
        (from, marked) = (start + 1, end);
    }
}

/// Marks what reaches a cut of a text: the longest head of the form before it, and the longest tail of it behind. All that is between
/// two cuts may be the middle of one.
fn hide_pieces(text: &[u8], form: &[u8], cuts: &Cuts<'_>, hidden: &mut [bool]) {
    // The longest of a length that a piece may have and its text has.
    let longest = |text: &[u8], fits: &dyn Fn(usize) -> bool| {
        (cuts.least..form.len().min(text.len() + 1)).rev().find(|&length| fits(length)).unwrap_or(0)
    };
    let mut start = 0;
    for (index, &cut) in cuts.at.iter().enumerate() {
        let next = cuts.at.get(index + 1).copied();
        let (before, behind) = (&text[start..cut], &text[cut..next.unwrap_or(text.len())]);
        let head = longest(before, &|length| before.ends_with(&form[..length]));
        let tail = longest(behind, &|length| behind.starts_with(&form[form.len() - length..]));
        hidden[cut - head..cut + tail].fill(true);
        if next.is_some() && Finder::new(behind).find(form).is_some() {
            hidden[cut..cut + behind.len()].fill(true);
        }
        start = cut;
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets")
    }
}
