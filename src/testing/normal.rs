//! Output that is the same on each run: for snapshots.

use std::path::Path;

/// Makes of output what does not depend on where and when it was made, for tools that compare with a snapshot.
///
/// Longer texts are replaced before shorter ones, whatever the order of calls, so that a directory inside of another keeps its own name.
///
/// ```
/// use pipewright::{cmd, testing::Normalize};
/// let here = std::env::current_dir()?;
/// let out = cmd!("echo", here.join("src/lib.rs"), "built in 1.53s at 2026-01-31 23:59:59").output()?;
/// let text = Normalize::new().path(&here, "[HERE]").times().apply(&out.stdout);
/// assert_eq!(text, "[HERE]/src/lib.rs built in [TIME] at [TIME]\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
#[must_use = "nothing changes before `apply`"]
pub struct Normalize {
    replaced: Vec<(String, String)>,
    times: bool,
}

impl Normalize {
    /// Replaces nothing yet.
    ///
    /// ```
    /// assert_eq!(pipewright::testing::Normalize::new().apply("3 ms"), "3 ms");
    /// ```
    pub fn new() -> Normalize {
        Normalize::default()
    }

    /// Puts `name` in the place of a path, also of the form that it has without symbolic links.
    ///
    /// ```
    /// use pipewright::testing::Normalize;
    /// assert_eq!(Normalize::new().path("/tmp/x1", "[DIR]").apply("/tmp/x1/a"), "[DIR]/a");
    /// ```
    pub fn path(self, path: impl AsRef<Path>, name: impl Into<String>) -> Normalize {
        let (path, name) = (path.as_ref(), name.into());
        // A path that does not exist has one form.
        let resolved = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        self.text(resolved.to_string_lossy(), name.clone()).text(path.to_string_lossy(), name)
    }

    /// Puts `name` in the place of a text; an empty text is nowhere.
    ///
    /// ```
    /// use pipewright::testing::Normalize;
    /// assert_eq!(Normalize::new().text("4711", "[PID]").apply("process 4711"), "process [PID]");
    /// ```
    pub fn text(mut self, text: impl Into<String>, name: impl Into<String>) -> Normalize {
        self.replaced.push((text.into(), name.into()));
        self
    }

    /// Puts `[TIME]` in the place of times: `2026-01-31T23:59:59Z`, `2026-01-31`, `23:59:59.5`, `1.53s`, `12 ms`, `1h 2m 3s`.
    ///
    /// ```
    /// use pipewright::testing::Normalize;
    /// assert_eq!(Normalize::new().times().apply("12 ms, 1m30s, v1.2.3"), "[TIME], [TIME], v1.2.3");
    /// ```
    pub fn times(mut self) -> Normalize {
        self.times = true;
        self
    }

    /// The output, normalized; with U+FFFD for what is not UTF-8.
    ///
    /// ```
    /// let out = pipewright::cmd!("printf", "text").output()?;
    /// assert_eq!(pipewright::testing::Normalize::new().apply(&out.stdout), "text");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    #[must_use]
    pub fn apply(&self, output: impl AsRef<[u8]>) -> String {
        let text = String::from_utf8_lossy(output.as_ref());
        let mut wanted: Vec<&(String, String)> = self.replaced.iter().filter(|(text, _)| !text.is_empty()).collect();
        wanted.sort_by_key(|(text, _)| std::cmp::Reverse(text.len()));
        let mut normal = String::with_capacity(text.len());
        let mut rest = &*text;
        let mut before = None;
        while let Some(next) = rest.chars().next() {
            let time = || (self.times && !before.is_some_and(is_word)).then(|| time(rest)).flatten();
            let (length, name) = match wanted.iter().find(|(text, _)| rest.starts_with(text.as_str())) {
                Some((text, name)) => (text.len(), name.as_str()),
                None => match time() {
                    Some(length) => (length, "[TIME]"),
                    None => (next.len_utf8(), &rest[..next.len_utf8()]),
                },
            };
            normal.push_str(name);
            before = rest[..length].chars().next_back();
            rest = &rest[length..];
        }
        normal
    }
}

/// What a time is not a part of: `v1.5s`, `a3s`.
fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | ':')
}

/// The length of the time that the text begins with.
fn time(text: &str) -> Option<usize> {
    let mut at = Reader { text, at: 0 };
    let found = at.date() || at.clock() || at.span();
    let ends = !text[at.at..].starts_with(|c: char| c.is_alphanumeric() || c == '_');
    (found && ends).then_some(at.at)
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    /// All or nothing.
    fn all(&mut self, read: impl FnOnce(&mut Self) -> bool) -> bool {
        let before = self.at;
        let found = read(self);
        if !found {
            self.at = before;
        }
        found
    }

    fn digits(&mut self, least: usize, most: usize) -> bool {
        let count = self.rest().bytes().take_while(u8::is_ascii_digit).count();
        let fits = (least..=most).contains(&count);
        self.at += if fits { count } else { 0 };
        fits
    }

    fn one_of(&mut self, words: &[&str]) -> bool {
        let found = words.iter().find(|word| self.rest().starts_with(**word));
        self.at += found.map_or(0, |word| word.len());
        found.is_some()
    }

    /// Reads the word if it is there.
    fn maybe(&mut self, word: &str) -> &mut Self {
        self.one_of(&[word]);
        self
    }

    fn fraction(&mut self) {
        self.all(|r| r.one_of(&["."]) && r.digits(1, 12));
    }

    fn clock(&mut self) -> bool {
        let found =
            self.all(|r| r.digits(1, 2) && r.one_of(&[":"]) && r.digits(2, 2) && r.one_of(&[":"]) && r.digits(2, 2));
        if found {
            self.fraction();
            let _ = self.one_of(&["Z"])
                || self.all(|r| r.one_of(&["+", "-"]) && r.digits(2, 2) && r.one_of(&[":"]) && r.digits(2, 2))
                || self.all(|r| r.one_of(&["+", "-"]) && r.digits(4, 4));
        }
        found
    }

    fn date(&mut self) -> bool {
        let found =
            self.all(|r| r.digits(4, 4) && r.one_of(&["-"]) && r.digits(2, 2) && r.one_of(&["-"]) && r.digits(2, 2));
        if found {
            self.all(|r| r.one_of(&["T", " "]) && r.clock());
        }
        found
    }

    /// A span of time, of one part or, from hours or minutes down, of several.
    fn span(&mut self) -> bool {
        let mut parts = 0;
        let mut found = false;
        while self.all(|r| r.maybe(if parts == 0 { "" } else { " " }).digits(1, 12)) {
            self.fraction();
            let small = |r: &mut Self| {
                r.maybe(" ");
                r.one_of(&["ns", "µs", "μs", "us", "ms", "seconds", "second", "secs", "sec", "s"])
            };
            parts += 1;
            if self.all(small) {
                found = true;
                break;
            }
            if !self.one_of(&["h", "m"]) {
                found = false;
                break;
            }
            found = parts > 1;
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_and_nothing_else() {
        let times = |text: &str| Normalize::new().times().apply(text);
        for time in [
            "1s",
            "1.5s",
            "12 ms",
            "3µs",
            "250ns",
            "2 seconds",
            "1m30s",
            "1h 2m 3s",
            "23:59:59",
            "1:02:03.25",
            "2026-01-31",
            "2026-01-31 23:59:59",
            "2026-01-31T23:59:59.123Z",
            "2026-01-31T23:59:59+02:00",
            "2026-01-31T23:59:59-0330",
        ] {
            assert_eq!(times(time), "[TIME]", "{time}");
            assert_eq!(times(&format!("in {time}, or so")), "in [TIME], or so");
        }
        for other in
            ["", "1", "3 stages", "v1.5s", "a3s", "1sx", "12", "1.2.3", "10m", "0x3s", "12345-01-01", "3 m", "s", "µs"]
        {
            assert_eq!(times(other), other);
        }
    }

    #[test]
    fn the_longest_text_is_replaced_first() {
        let normal = Normalize::new().text("/a", "[A]").text("/a/b", "[B]").text("", "never");
        assert_eq!(normal.apply("/a/b/c /a/c"), "[B]/c [A]/c");
        assert_eq!(normal.apply(b"\xff/a"), "\u{fffd}[A]");
    }
}
