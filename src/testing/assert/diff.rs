//! Two texts, line by line.

use crate::text::escape_text;

/// Lines around a difference that are shown.
const CONTEXT: usize = 3;
/// The most lines that are shown.
const SHOWN: usize = 80;
/// The most pairs of lines that are compared: beyond, all that lies between the first and the last difference is shown as different.
const PAIRS: usize = 1 << 20;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Side {
    Both,
    Expected,
    Found,
}

/// What differs: `-` begins a line that was expected, `+` one that was found.
pub(super) fn diff(expected: &[u8], found: &[u8]) -> String {
    let (expected, found) = (lines(expected), lines(found));
    let all = aligned(&expected, &found);
    let differs: Vec<usize> = (0..all.len()).filter(|&at| all[at].0 != Side::Both).collect();
    let is_near = |at: usize| {
        let next = differs.partition_point(|&other| other + CONTEXT < at);
        differs.get(next).is_some_and(|&other| other <= at + CONTEXT)
    };
    let mut shown = Vec::new();
    let mut skipped = false;
    for (at, (side, line)) in all.iter().enumerate() {
        if !is_near(at) {
            skipped = true;
            continue;
        }
        if std::mem::take(&mut skipped) {
            shown.push("  …".to_owned());
        }
        let sign = match side {
            Side::Both => ' ',
            Side::Expected => '-',
            Side::Found => '+',
        };
        shown.push(format!("{sign} {}", one_line(line)));
    }
    if shown.len() > SHOWN {
        let rest = shown.len() - SHOWN;
        shown.truncate(SHOWN);
        shown.push(format!("  … {rest} more lines"));
    }
    shown.join("\n")
}

fn lines(text: &[u8]) -> Vec<&[u8]> {
    text.split_inclusive(|&byte| byte == b'\n').collect()
}

/// A line to be read; whether it has a newline may be all the difference.
fn one_line(line: &[u8]) -> String {
    match line.strip_suffix(b"\n") {
        Some(line) => escape_text(line),
        None => format!("{} (no newline)", escape_text(line)),
    }
}

/// The lines of both, with the longest common subsequence taken for common.
fn aligned<'t>(expected: &[&'t [u8]], found: &[&'t [u8]]) -> Vec<(Side, &'t [u8])> {
    let start = expected.iter().zip(found).take_while(|(a, b)| a == b).count();
    let (expected_rest, found_rest) = (&expected[start..], &found[start..]);
    let end = expected_rest.iter().rev().zip(found_rest.iter().rev()).take_while(|(a, b)| a == b).count();
    let (expected_middle, found_middle) =
        (&expected_rest[..expected_rest.len() - end], &found_rest[..found_rest.len() - end]);
    let common = |lines: &[&'t [u8]]| lines.iter().map(|&line| (Side::Both, line)).collect::<Vec<_>>();
    let mut all = common(&expected[..start]);
    all.extend(middle(expected_middle, found_middle));
    all.extend(common(&expected_rest[expected_rest.len() - end..]));
    all
}

fn middle<'t>(a: &[&'t [u8]], b: &[&'t [u8]]) -> Vec<(Side, &'t [u8])> {
    let mut all = Vec::with_capacity(a.len() + b.len());
    let (mut i, mut j) = (0, 0);
    if a.len().saturating_mul(b.len()) <= PAIRS {
        // longest[i][j]: the longest common subsequence of a[i..] and b[j..].
        let mut longest = vec![vec![0_u32; b.len() + 1]; a.len() + 1];
        for i in (0..a.len()).rev() {
            for j in (0..b.len()).rev() {
                longest[i][j] =
                    if a[i] == b[j] { longest[i + 1][j + 1] + 1 } else { longest[i + 1][j].max(longest[i][j + 1]) };
            }
        }
        while i < a.len() && j < b.len() {
            if a[i] == b[j] {
                all.push((Side::Both, a[i]));
                (i, j) = (i + 1, j + 1);
            } else if longest[i + 1][j] >= longest[i][j + 1] {
                all.push((Side::Expected, a[i]));
                i += 1;
            } else {
                all.push((Side::Found, b[j]));
                j += 1;
            }
        }
    }
    all.extend(a[i..].iter().map(|&line| (Side::Expected, line)));
    all.extend(b[j..].iter().map(|&line| (Side::Found, line)));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_of(text: &str) -> String {
        text.split(' ').map(|word| format!("{word}\n")).collect()
    }

    #[track_caller]
    fn assert_diff(expected: &str, found: &str, difference: &str) {
        assert_eq!(diff(lines_of(expected).as_bytes(), lines_of(found).as_bytes()), difference.replace('/', "\n"));
    }

    #[test]
    fn the_fewest_lines_differ() {
        assert_diff("a b c", "a x c", "  a/- b/+ x/  c");
        assert_diff("a b c", "a c", "  a/- b/  c");
        assert_diff("a c", "a b c", "  a/+ b/  c");
        assert_diff("a b c a b b a", "c b a b a c", "- a/- b/  c/- a/  b/+ a/  b/  a/+ c");
        assert_diff("1 2 3 4 5 6 7 8 9", "1 2 3 4 x 6 7 8 9", "  …/  2/  3/  4/- 5/+ x/  6/  7/  8");
    }

    #[test]
    fn a_missing_newline_and_a_control_are_seen() {
        assert_eq!(diff(b"a\n", b"a"), "- a\n+ a (no newline)");
        assert_eq!(diff(b"", b"\x1b[1m\xff\n"), "+ \\x1b[1m\\xff");
    }

    #[test]
    fn a_long_difference_is_cut() {
        let many = |word: &str| format!("{word}\n").repeat(2000);
        let text = diff(many("a").as_bytes(), many("b").as_bytes());
        assert_eq!(text.lines().count(), SHOWN + 1);
        assert!(text.ends_with("… 3920 more lines"));
    }
}
