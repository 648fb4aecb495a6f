//! The rules of the house, as ARCHITECTURE.md has them. Each rule is a function of the sources that lists what breaks it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Every top-level module of the library, lowest first. A module uses only modules in earlier rows; those of the last row are the
/// conveniences, which do not see each other.
const RANKS: &[&[&str]] = &[
    &["text"],
    &["clock"],
    &["lock"],
    &["status"],
    &["stream"],
    &["once"],
    &["setup_step"],
    &["sys"],
    &["procfs"],
    &["pipe"],
    &["fd"],
    &["spawn"],
    &["process"],
    &["tree"],
    &["contain"],
    &["io"],
    &["engine"],
    &["outcome"],
    &["spec"],
    &["plan"],
    &["run"],
    &["redirect"],
    &["cmd"],
    &["options"],
    &["stage"],
    &["pipeline"],
    &["job"],
    &["forward", "testing", "assert", "guide"],
];

/// The most lines of a file, of a function and of its signature's parameters, and the most fields of a type outside `sys`.
const FILE_LINES: usize = 500;
const FUNCTION_LINES: usize = 60;
const PARAMETERS: usize = 5;
const FIELDS: usize = 8;

/// Ordered lists of steps that carry their proof, and so may be longer than a function should be.
const LONG_FUNCTIONS: &[&str] = &[];

/// Words that made comments hard to read: people for things, inversions, fragments. A native speaker would write another sentence.
const WORDS: &[&str] = &[
    "whoever",
    "nobody",
    "somebody",
    "so many",
    "of ours",
    "of yours",
    "to be had",
    "for want of",
    "is there for that",
    "but for",
];

/// A source file without its comments and unit tests.
struct Source {
    /// Below `src`, such as `fd/map.rs`.
    path: String,
    /// The module that it is, such as `["fd", "map"]`.
    module: Vec<String>,
    /// Each line that is code, with its number.
    lines: Vec<(usize, String)>,
    text: String,
}

impl Source {
    fn code(&self) -> String {
        self.lines.iter().map(|(_, line)| format!("{line}\n")).collect()
    }
}

fn rust_files(dir: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(dir).into_iter().flatten() {
        let path = entry.expect("the directory can be read").path();
        if path.is_dir() && !path.ends_with("target") {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
    found.sort();
}

/// The Rust files below a directory of the repository: their paths and texts.
fn texts(dir: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    rust_files(&root.join(dir), &mut files);
    let below = |path: &Path| path.strip_prefix(root).expect("below the root").display().to_string();
    files.iter().map(|path| (below(path), std::fs::read_to_string(path).expect("the file can be read"))).collect()
}

/// The library, without what is compiled for its unit tests alone.
fn library() -> Vec<Source> {
    let all = texts("src");
    assert!(all.len() > 100, "the library was not found");
    let of_tests: BTreeSet<Vec<String>> = all.iter().flat_map(|(path, text)| test_modules(path, text)).collect();
    let sources = all.into_iter().map(|(path, text)| {
        let path = path.trim_start_matches("src/").to_string();
        Source { module: module_of(&path), lines: code_lines(&text), path, text }
    });
    sources.filter(|source| !of_tests.iter().any(|tests| source.module.starts_with(tests))).collect()
}

fn module_of(path: &str) -> Vec<String> {
    let path = path.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
    if path == "lib" { Vec::new() } else { path.split('/').map(String::from).collect() }
}

/// The modules that a file declares for tests alone.
fn test_modules(path: &str, text: &str) -> Vec<Vec<String>> {
    let lines: Vec<&str> = text.lines().collect();
    let declared = lines.windows(3).filter(|lines| lines[0].starts_with("#[cfg(") && lines[0].contains("test"));
    let names = declared.flat_map(|lines| lines[1..].iter().find(|line| !line.starts_with("#[")));
    let named = names.filter_map(|line| line.trim_start_matches("pub(crate) ").strip_prefix("mod ")?.strip_suffix(';'));
    let own = lines.iter().filter_map(|line| line.strip_prefix("#[path = \"")?.strip_suffix(".rs\"]"));
    let inside = named.map(|name| [module_of(path), vec![name.to_string()]].concat());
    let beside = own.map(|name| {
        let mut module = module_of(path);
        if !path.ends_with("/mod.rs") {
            module.pop();
        }
        [module, vec![name.to_string()]].concat()
    });
    inside.chain(beside).collect()
}

/// The lines that are code: no comment, no attribute, nothing of an inline `mod tests`.
fn code_lines(text: &str) -> Vec<(usize, String)> {
    let inline_tests = text.find("\nmod tests {").unwrap_or(text.len());
    let numbered = (1..).zip(text[..inline_tests].lines());
    let is_code = |line: &str| !line.is_empty() && !line.starts_with("//") && !line.starts_with("#[");
    numbered.filter(|(_, line)| is_code(line.trim())).map(|(number, line)| (number, line.to_string())).collect()
}

/// The paths that a use tree such as `a::{b, c::d}` names.
fn expand(tree: &str) -> Vec<String> {
    let tree = tree.trim();
    let Some((head, rest)) = tree.split_once('{') else {
        return vec![tree.split(" as ").next().unwrap_or(tree).trim().to_string()];
    };
    let inner = rest.strip_suffix('}').unwrap_or(rest);
    let (mut parts, mut depth, mut part) = (Vec::new(), 0, String::new());
    for c in inner.chars() {
        match c {
            ',' if depth == 0 => parts.push(std::mem::take(&mut part)),
            _ => {
                depth += i32::from(c == '{') - i32::from(c == '}');
                part.push(c);
            }
        }
    }
    parts.push(part);
    let filled = parts.iter().filter(|part| !part.trim().is_empty());
    filled.flat_map(|part| expand(part)).map(|path| format!("{head}{path}")).collect()
}

/// Every path of a file that begins with `crate::` or `super::`, from the crate's root on.
fn paths(source: &Source) -> BTreeSet<Vec<String>> {
    let code = source.code();
    let mut found: Vec<String> = Vec::new();
    for statement in code.split(';').filter_map(|statement| statement.split("use ").last()) {
        if statement.starts_with("crate::") || statement.starts_with("super::") {
            found.extend(expand(&statement.replace('\n', " ")));
        }
    }
    for head in ["crate::", "super::"] {
        for (at, _) in code.match_indices(head) {
            let before = code[..at].chars().next_back();
            if before.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != ':' && c != '$') {
                let end = code[at..].find(|c: char| !c.is_alphanumeric() && c != '_' && c != ':');
                found.push(code[at..].chars().take(end.unwrap_or(0)).collect());
            }
        }
    }
    found.iter().filter_map(|path| absolute(&source.module, path)).collect()
}

fn absolute(module: &[String], path: &str) -> Option<Vec<String>> {
    let mut parts = path.split("::").filter(|part| !part.is_empty()).peekable();
    let mut full = match parts.next()? {
        "crate" => Vec::new(),
        _ => module[..module.len().checked_sub(1)?].to_vec(),
    };
    while parts.next_if_eq(&"super").is_some() {
        full.pop()?;
    }
    full.extend(parts.map(String::from));
    Some(full)
}

fn rank(module: &str) -> Option<usize> {
    RANKS.iter().position(|row| row.contains(&module))
}

/// Each use of a module that is not below.
fn upward(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources.iter().filter(|source| !source.module.is_empty()) {
        let own = &source.module[0];
        for path in paths(source) {
            let Some(other) = path.first().filter(|other| *other != own && *other != "__private") else { continue };
            match (rank(own), rank(other)) {
                (Some(own_rank), Some(other_rank)) if other_rank < own_rank => {}
                // A macro is called by its path from the root.
                (_, None) if other == "cmd" => {}
                _ => found.push(format!("{}: {own} uses {}", source.path, path.join("::"))),
            }
        }
    }
    found
}

/// Each pair of files of one module that use each other, directly or through others.
fn circles(sources: &[Source]) -> Vec<String> {
    let files: BTreeMap<&[String], &Source> = sources.iter().map(|source| (source.module.as_slice(), source)).collect();
    let file_of = |path: &[String]| (1..=path.len()).rev().find_map(|end| files.get(&path[..end]).copied());
    let mut uses: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for source in sources.iter().filter(|source| !source.module.is_empty()) {
        let mut targets = paths(source);
        targets.extend(child_paths(source, &files));
        for target in targets.iter().filter(|path| path.first() == source.module.first()) {
            let Some(mut file) = file_of(target) else { continue };
            // What a `mod.rs` only passes on is in the file where it stands.
            if let Some(passed_on) = passed_on(file, target).and_then(|path| file_of(&path)) {
                file = passed_on;
            }
            if file.path != source.path {
                uses.entry(&source.path).or_default().insert(&file.path);
            }
        }
    }
    let reaches = |from: &str, to: &str| {
        let (mut seen, mut open) = (BTreeSet::new(), vec![from]);
        while let Some(next) = open.pop() {
            for &target in uses.get(next).into_iter().flatten() {
                if seen.insert(target) {
                    open.push(target);
                }
            }
        }
        seen.contains(to)
    };
    let pairs = uses.iter().flat_map(|(from, targets)| targets.iter().map(move |to| (*from, *to)));
    pairs.filter(|(from, to)| from < to && reaches(to, from)).map(|(from, to)| format!("{from} <-> {to}")).collect()
}

/// The paths of a `mod.rs` into its own files, except those that it only passes on.
fn child_paths(source: &Source, files: &BTreeMap<&[String], &Source>) -> BTreeSet<Vec<String>> {
    let mut found = BTreeSet::new();
    let is_child = |module: &[String]| module.len() == source.module.len() + 1 && module.starts_with(&source.module);
    for module in files.keys().filter(|module| is_child(module)) {
        let name = &module[module.len() - 1];
        let is_used = |line: &str| {
            let at = line.find(&format!("{name}::"));
            at.is_some_and(|at| !line[..at].ends_with([':', '_']) && !line[..at].ends_with(char::is_alphanumeric))
        };
        if source.lines.iter().any(|(_, line)| !line.starts_with("pub") && is_used(line)) {
            found.insert(module.to_vec());
        }
    }
    found
}

/// Where a name of a `mod.rs` comes from, if the file passes it on from one of its own.
fn passed_on(file: &Source, path: &[String]) -> Option<Vec<String>> {
    let name = path.get(file.module.len())?;
    let code = file.code();
    let uses = code.split(';').filter_map(|statement| statement.trim().strip_prefix("pub")?.split_once("use "));
    let mut all = uses.flat_map(|(_, tree)| expand(&tree.replace('\n', " ")));
    let found = all.find(|path| path.rsplit("::").next() == Some(name))?;
    Some([file.module.clone(), found.split("::").map(String::from).collect()].concat())
}

/// The text between the bracket at the beginning and the one that closes it.
fn bracketed(text: &str, open: char, close: char) -> &str {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        depth += i32::from(c == open) - i32::from(c == close);
        if depth == 0 {
            return &text[..at];
        }
    }
    text
}

/// The pieces of a list at its own commas.
fn items(list: &str) -> usize {
    let (mut depth, mut count, mut is_empty) = (0, 0, true);
    let list = list.replace("->", "").replace("=>", "");
    for c in list.chars() {
        match c {
            ',' if depth == 0 => {
                count += usize::from(!is_empty);
                is_empty = true;
                continue;
            }
            '(' | '[' | '{' | '<' => depth += 1,
            ')' | ']' | '}' | '>' => depth -= 1,
            _ => {}
        }
        is_empty &= c.is_whitespace();
    }
    count + usize::from(!is_empty)
}

/// Each function that is too long or takes too much, and each type with too many fields.
fn oversized(source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    let lines = &source.lines;
    for (index, (number, line)) in lines.iter().enumerate() {
        let rest: String = lines[index..].iter().map(|(_, line)| format!("{line}\n")).collect();
        let word = line.trim_start().trim_start_matches(|c| c != ' ').trim_start();
        let is_function = [line.trim_start(), word].iter().any(|text| text.starts_with("fn "));
        if is_function {
            let name = rest.split("fn ").nth(1).unwrap_or("").split(['(', '<']).next().unwrap_or("").to_string();
            let Some(list) = rest.find(&format!("{name}<")).or(rest.find('(')) else { continue };
            let list = rest[list..].find('(').map_or(list, |at| list + at);
            let parameters = items(&bracketed(&rest[list..], '(', ')')[1..]);
            if parameters > PARAMETERS {
                found.push(format!("{}:{number}: `{name}` has {parameters} parameters", source.path));
            }
            let indent = line.len() - line.trim_start().len();
            let end = lines[index..].iter().position(|(_, line)| line == &format!("{}}}", " ".repeat(indent)));
            let length = end.map_or(1, |end| end + 1);
            if length > FUNCTION_LINES && !LONG_FUNCTIONS.contains(&name.as_str()) {
                found.push(format!("{}:{number}: `{name}` has {length} lines", source.path));
            }
        }
        let is_struct = [line.trim_start(), word].iter().any(|text| text.starts_with("struct "));
        if let (true, Some(open)) = (is_struct && line.ends_with('{'), rest.find('{')) {
            let fields = items(&bracketed(&rest[open..], '{', '}')[1..]);
            if fields > FIELDS && source.module[0] != "sys" {
                found.push(format!("{}:{number}: a type with {fields} fields: {}", source.path, line.trim()));
            }
        }
    }
    found
}

/// Each comment with a word that made comments hard to read.
fn hard_words(path: &str, text: &str) -> Vec<String> {
    let comments = (1..).zip(text.lines()).filter_map(|(number, line)| Some((number, line.split_once("//")?.1)));
    let padded = comments.map(|(number, comment)| (number, format!(" {} ", comment.to_lowercase())));
    let has = |comment: &str, word: &str| {
        let mut at = comment.match_indices(word).map(|(at, _)| at);
        let is_edge = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
        at.any(|at| is_edge(comment[..at].chars().next_back()) && is_edge(comment[at + word.len()..].chars().next()))
    };
    let hits = padded.flat_map(|(number, comment)| {
        let words: Vec<&str> = WORDS.iter().copied().filter(|word| has(&comment, word)).collect();
        words.into_iter().map(move |word| format!("{path}:{number}: \"{word}\"")).collect::<Vec<_>>()
    });
    hits.collect()
}

#[track_caller]
fn assert_none(found: Vec<String>) {
    assert!(found.is_empty(), "{} places\n{}\n", found.len(), found.join("\n"));
}

#[test]
fn a_module_uses_only_modules_below_it() {
    let sources = library();
    let unknown = sources.iter().filter(|source| source.module.first().is_some_and(|top| rank(top).is_none()));
    assert_none(unknown.map(|source| format!("{}: has no rank", source.path)).collect());
    assert_none(upward(&sources));
}

#[test]
fn the_files_of_a_module_make_no_circle() {
    assert_none(circles(&library()));
}

#[test]
fn unsafe_stays_in_sys() {
    let outside = |source: &&Source| source.module.first().is_none_or(|top| top != "sys");
    let allowed = |source: &&Source| source.text.contains("allow(unsafe_code") || source.code().contains("unsafe {");
    assert_none(library().iter().filter(outside).filter(allowed).map(|source| source.path.clone()).collect());
}

#[test]
fn files_functions_and_types_stay_small() {
    let mut found: Vec<String> = library().iter().flat_map(oversized).collect();
    for (path, text) in ["src", "tests", "fixtures", "examples", "benches"].into_iter().flat_map(texts) {
        let lines = text.lines().count();
        found.extend((lines > FILE_LINES).then(|| format!("{path}: {lines} lines")));
    }
    assert_none(found);
}

#[test]
fn comments_are_plain() {
    let all = ["src", "tests", "fixtures", "examples", "benches"].into_iter().flat_map(texts);
    let other = all.filter(|(path, _)| !path.ends_with("house.rs"));
    assert_none(other.flat_map(|(path, text)| hard_words(&path, &text)).collect());
}

#[test]
fn every_role_of_the_helper_program_is_used() {
    let fixtures = texts("fixtures");
    let helper = &fixtures.iter().find(|(path, _)| path == "fixtures/helper/main.rs").expect("it is there").1;
    let table = helper.split_once("const ROLES").and_then(|(_, rest)| rest.split_once("];")).expect("a table").0;
    let roles: Vec<&str> = table.lines().filter_map(|row| row.trim().strip_prefix("(\"")?.split('"').next()).collect();
    assert!(roles.len() > 30, "the table was not understood: {roles:?}");
    let users: String =
        ["src", "tests", "examples", "benches"].into_iter().flat_map(texts).map(|(_, text)| text).collect();
    let idle = roles.iter().filter(|role| !users.contains(&format!("\"{role}\"")));
    assert_none(idle.map(ToString::to_string).collect());
}

fn source(path: &str, text: &str) -> Source {
    Source { path: path.into(), module: module_of(path), lines: code_lines(text), text: text.into() }
}

#[test]
fn what_breaks_a_rule_is_reported() {
    let up = |path, text| upward(&[source(path, text)]);
    assert_eq!(up("fd/map.rs", "use crate::{sys, job::Job};"), ["fd/map.rs: fd uses job::Job"]);
    assert_eq!(up("fd/map.rs", "fn f() {\n    super::super::job::go()\n}"), ["fd/map.rs: fd uses job::go"]);
    assert_eq!(up("fd/map.rs", "use crate::Cmd;"), ["fd/map.rs: fd uses Cmd"]);
    assert_eq!(up("testing/mod.rs", "use crate::forward::signals;").len(), 1);
    assert!(up("fd/map.rs", "// use crate::job;\nuse crate::sys::fds;\nuse super::flags::F;").is_empty());

    let circle = |a: &str, b: &str| circles(&[source("fd/mod.rs", a), source("fd/map.rs", b)]);
    assert_eq!(circle("mod map;\nfn f() { map::g() }", "use super::F;"), ["fd/map.rs <-> fd/mod.rs"]);
    assert!(circle("mod map;\npub(crate) use map::Map;", "use super::F;").is_empty());

    let long = format!("fn f(a: (u8, u8), b: u8) {{\n{}}}\n", "    g();\n".repeat(59));
    assert_eq!(oversized(&source("fd/map.rs", &long)), ["fd/map.rs:1: `f` has 61 lines"]);
    let wide = "pub(crate) fn f<A, B>(\n    a: A,\n    b: Fn(A, B) -> B,\n    c: C<A, B>,\n    d: D,\n    e: E,\n    g: G,\n) {}";
    assert_eq!(oversized(&source("fd/map.rs", wide)), ["fd/map.rs:1: `f` has 6 parameters"]);
    let big = "struct S {\n    a: A, b: B, c: C, d: D, e: E, f: F, g: G, h: H,\n    i: I<A, B>,\n}";
    assert_eq!(oversized(&source("fd/map.rs", big)).len(), 1);
    assert!(oversized(&source("sys/map.rs", big)).is_empty());

    assert_eq!(hard_words("f.rs", "let a; // Whoever it is.\n/// Somebodyish."), ["f.rs:1: \"whoever\""]);
}
