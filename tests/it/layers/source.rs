//! Rust source as far as the rules need it: without comments, literals and test code, as words,
//! as the paths it names.

/// The text with comments and the insides of literals blanked; every line stays where it is.
pub(super) fn code(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = match chars[at] {
            '/' if chars.get(at + 1) == Some(&'/') => line_end(&chars, at),
            '/' if chars.get(at + 1) == Some(&'*') => comment_end(&chars, at),
            '"' => string_end(&chars, at),
            'r' if !follows_word(&chars, at) => raw_string_end(&chars, at),
            'b' | 'c' if !follows_word(&chars, at) && chars.get(at + 1) == Some(&'r') => {
                // The prefix is blanked with the rest; a plain word is left alone.
                let end = raw_string_end(&chars, at + 1);
                if end == at + 1 { at } else { end }
            }
            '\'' => char_end(&chars, at),
            _ => at,
        };
        if end == at {
            out.push(chars[at]);
            at += 1;
        } else {
            out.extend(chars[at..end].iter().map(|&c| if c == '\n' { '\n' } else { ' ' }));
            at = end;
        }
    }
    out
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn follows_word(chars: &[char], at: usize) -> bool {
    at > 0 && is_word(chars[at - 1])
}

fn line_end(chars: &[char], at: usize) -> usize {
    chars[at..].iter().position(|&c| c == '\n').map_or(chars.len(), |n| at + n)
}

fn comment_end(chars: &[char], mut at: usize) -> usize {
    let mut depth = 0;
    while at < chars.len() {
        match (chars[at], chars.get(at + 1)) {
            ('/', Some('*')) => depth += 1,
            ('*', Some('/')) => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
        if depth == 0 {
            break;
        }
    }
    at
}

fn string_end(chars: &[char], at: usize) -> usize {
    let mut end = at + 1;
    while end < chars.len() && chars[end] != '"' {
        end += if chars[end] == '\\' { 2 } else { 1 };
    }
    (end + 1).min(chars.len())
}

/// `at` itself when no raw string starts there.
fn raw_string_end(chars: &[char], at: usize) -> usize {
    let hashes = chars[at + 1..].iter().take_while(|&&c| c == '#').count();
    let open = at + 1 + hashes;
    if chars.get(open) != Some(&'"') {
        return at;
    }
    let closes =
        |&end: &usize| chars[end] == '"' && chars[end + 1..].iter().take_while(|&&c| c == '#').count() >= hashes;
    (open + 1..chars.len()).find(closes).map_or(chars.len(), |end| end + 1 + hashes)
}

/// `at` itself when this is a lifetime.
fn char_end(chars: &[char], at: usize) -> usize {
    if chars.get(at + 1) == Some(&'\\') {
        let close = chars.iter().skip(at + 3).position(|&c| c == '\'');
        return close.map_or(chars.len(), |n| at + 3 + n + 1);
    }
    if chars.get(at + 2) == Some(&'\'') { at + 3 } else { at }
}

/// A word, `::`, or one other character.
pub(super) struct Token<'t> {
    pub(super) text: &'t str,
    pub(super) line: usize,
}

pub(super) fn tokens(code: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    for (index, mut rest) in code.lines().enumerate() {
        loop {
            rest = rest.trim_start();
            let Some(first) = rest.chars().next() else {
                break;
            };
            let length = if is_word(first) {
                rest.find(|c| !is_word(c)).unwrap_or(rest.len())
            } else if rest.starts_with("::") {
                2
            } else {
                first.len_utf8()
            };
            found.push(Token { text: &rest[..length], line: index + 1 });
            rest = &rest[length..];
        }
    }
    found
}

/// The tokens without the items under `#[cfg(test)]`, and the names of the modules among those
/// items that are files of their own.
pub(super) fn without_tests<'t>(tokens: Vec<Token<'t>>) -> (Vec<Token<'t>>, Vec<&'t str>) {
    let mut files = Vec::new();
    let mut kept = Vec::new();
    let mut rest = tokens.into_iter().peekable();
    let mut recent: Vec<&str> = Vec::new();
    while let Some(token) = rest.next() {
        recent.push(token.text);
        kept.push(token);
        let is_test = recent.ends_with(&["#", "[", "cfg", "(", "test", ")", "]"])
            || recent.ends_with(&["#", "[", "cfg", "(", "all", "(", "test", ","]);
        if !is_test {
            continue;
        }
        let mut item = Vec::new();
        let mut depth: usize = if recent.last() == Some(&",") { 3 } else { 0 };
        while let Some(next) = rest.peek().map(|next| next.text) {
            let closes = matches!(next, ")" | "]" | "}");
            if closes && depth == 0 {
                break;
            }
            depth = depth + usize::from(matches!(next, "(" | "[" | "{")) - usize::from(closes);
            item.push(next);
            rest.next();
            if depth == 0 && matches!(next, ";" | "}") {
                break;
            }
        }
        if let [.., "mod", name, ";"] = item[..] {
            files.push(name);
        }
    }
    (kept, files)
}

/// A path that starts at `crate`, `self` or `super`, as seen from the root of the crate.
#[derive(Debug, PartialEq)]
pub(super) struct Named {
    pub(super) path: Vec<String>,
    pub(super) line: usize,
    /// `crate::name!`: a macro, which lives at the root wherever it is written.
    pub(super) is_macro: bool,
}

/// Every such path in the file of `module`, the ones in the groups of a `use` too.
pub(super) fn paths(tokens: &[Token], module: &[String]) -> Vec<Named> {
    let text = |at: usize| tokens.get(at).map_or("", |token: &Token| token.text);
    let mut found = Vec::new();
    let mut inside: Vec<(String, usize)> = Vec::new();
    let mut depth = 0;
    for at in 0..tokens.len() {
        match text(at) {
            "{" => {
                if at >= 2 && text(at - 2) == "mod" {
                    inside.push((text(at - 1).to_string(), depth));
                }
                depth += 1;
            }
            "}" => {
                depth = usize::saturating_sub(depth, 1);
                inside.retain(|(_, opened)| *opened < depth);
            }
            // In a macro, `$crate` is the door that its users come in by.
            "crate" | "self" | "super" if text(at + 1) == "::" && (at == 0 || !matches!(text(at - 1), "::" | "$")) => {
                let mut here = module.to_vec();
                here.extend(inside.iter().map(|(name, _)| name.clone()));
                Tree { tokens, here: &here, found: &mut found }.read(&mut { at }, Vec::new());
            }
            _ => {}
        }
    }
    found
}

struct Tree<'a> {
    tokens: &'a [Token<'a>],
    here: &'a [String],
    found: &'a mut Vec<Named>,
}

impl Tree<'_> {
    fn text(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |token| token.text)
    }

    /// Reads one path, or a group of them behind `prefix`.
    fn read(&mut self, at: &mut usize, mut prefix: Vec<String>) {
        loop {
            if self.text(*at) == "{" {
                return self.read_group(at, &prefix);
            }
            prefix.push(self.text(*at).to_string());
            *at += 1;
            let next = self.text(*at + 1);
            let goes_on = next.starts_with(|c| is_word(c) || c == '{' || c == '*');
            if self.text(*at) != "::" || !goes_on {
                break;
            }
            *at += 1;
        }
        let is_macro = self.text(*at) == "!" && self.text(*at + 1) != "=";
        let line = self.tokens[*at - 1].line;
        self.found.push(Named { path: self.resolve(&prefix), line, is_macro });
    }

    fn read_group(&mut self, at: &mut usize, prefix: &[String]) {
        *at += 1;
        while !matches!(self.text(*at), "}" | "") {
            self.read(at, prefix.to_vec());
            // Past an `as name`.
            while !matches!(self.text(*at), "," | "}" | "") {
                *at += 1;
            }
            *at += usize::from(self.text(*at) == ",");
        }
        *at += 1;
    }

    fn resolve(&self, path: &[String]) -> Vec<String> {
        let from_root = path.first().is_some_and(|first| first == "crate");
        let mut resolved = if from_root { Vec::new() } else { self.here.to_vec() };
        for part in path {
            match part.as_str() {
                "crate" | "self" => {}
                "super" => drop(resolved.pop()),
                name => resolved.push(name.to_string()),
            }
        }
        resolved
    }
}
