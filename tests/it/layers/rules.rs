//! The rules, each a function from a text to what breaks it.

use super::source::{code, paths, tokens, without_tests};

/// The top-level modules, lowest first: the leaves, then L0 to L5.
const LAYERS: &[&[&str]] = &[
    &["status", "failure", "clock", "stdio", "one_shot", "text", "redact"],
    &["sys", "procfs"],
    &["fd", "pipe"],
    &["spawn", "process"],
    &["pump"],
    &["outcome", "spec", "cmd", "redirect", "stage", "pipeline", "plan", "job", "output", "error"],
    &["forward", "testing", "guide"],
];

/// The most lines of a file.
pub(super) const LINES: usize = 500;

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

/// The module that a file below `src` holds; empty for `lib.rs`.
pub(super) fn module_of(file: &str) -> Vec<String> {
    let path = file.strip_suffix(".rs").unwrap_or(file);
    let path = path.strip_suffix("/mod").unwrap_or(path);
    if path == "lib" { Vec::new() } else { path.split('/').map(String::from).collect() }
}

/// The modules that are files and only there for tests, as full paths.
pub(super) fn test_modules(file: &str, text: &str) -> Vec<Vec<String>> {
    let code = code(text);
    let (_, names) = without_tests(tokens(&code));
    let full = |name: &str| [module_of(file), vec![name.to_string()]].concat();
    names.into_iter().map(full).collect()
}

/// Each path that leads to a higher layer, or to the root for what only users take from there.
pub(super) fn arrows(file: &str, text: &str) -> Vec<String> {
    let module = module_of(file);
    let Some(top) = module.first() else {
        return Vec::new();
    };
    let Some(own) = layer(top) else {
        return vec![format!("{file}: {top} has no layer")];
    };
    let code = code(text);
    let (tokens, _) = without_tests(tokens(&code));
    let mut found = Vec::new();
    for named in paths(&tokens, &module) {
        let line = named.line;
        let is_free = named.is_macro && named.path.len() == 1;
        match named.path.first().map_or("*", String::as_str) {
            "__private" => {}
            _ if is_free => {}
            target if target == top => {}
            target => match layer(target) {
                None => found.push(format!("{file}:{line}: crate::{target} is no module with a layer")),
                Some(other) if other > own => {
                    found.push(format!("{file}:{line}: {top} uses {target}, which is above it"));
                }
                Some(_) => {}
            },
        }
    }
    found
}

/// Each `unsafe` of a file below `src` that is not of `sys`.
pub(super) fn stray_unsafe(file: &str, text: &str) -> Vec<String> {
    if module_of(file).first().is_some_and(|top| top == "sys") {
        return Vec::new();
    }
    let code = code(text);
    let all = tokens(&code).into_iter().filter(|token| token.text == "unsafe");
    all.map(|token| format!("{file}:{}: unsafe outside sys", token.line)).collect()
}

/// Each `unsafe` block without its reason: on the same line, or above it with at most three lines
/// between that are no comment.
pub(super) fn unexplained_unsafe(file: &str, text: &str) -> Vec<String> {
    let code = code(text);
    let tokens = tokens(&code);
    let lines: Vec<&str> = text.lines().collect();
    let blocks = tokens.windows(2).filter(|pair| pair[0].text == "unsafe" && pair[1].text == "{");
    let is_explained = |line: usize| {
        let mut budget = 3;
        for above in lines[..line].iter().rev() {
            if above.contains("// SAFETY:") {
                return true;
            }
            if !above.trim_start().starts_with("//") {
                if budget == 0 {
                    return false;
                }
                budget -= 1;
            }
        }
        false
    };
    let bare = blocks.map(|pair| pair[0].line).filter(|&line| !is_explained(line));
    bare.map(|line| format!("{file}:{line}: an unsafe block without // SAFETY:")).collect()
}

pub(super) fn too_long(file: &str, text: &str) -> Option<String> {
    let lines = text.lines().count();
    (lines > LINES).then(|| format!("{file}: {lines} lines, more than {LINES}"))
}

/// The roles in the table of the helper program.
pub(super) fn roles(text: &str) -> Vec<&str> {
    let table = text.split_once("const ROLES").and_then(|(_, rest)| rest.split_once("];"));
    let rows = table.map_or("", |(table, _)| table).lines();
    rows.filter_map(|row| row.trim().strip_prefix("(\"")?.split('"').next()).collect()
}

/// The roles that no text mentions as a string.
pub(super) fn idle_roles<'r>(roles: &[&'r str], users: &[&str]) -> Vec<&'r str> {
    let is_used = |role: &&str| users.iter().any(|text| text.contains(&format!("\"{role}\"")));
    roles.iter().copied().filter(|role| !is_used(role)).collect()
}
