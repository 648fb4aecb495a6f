//! The documentation of what users can reach: each item has an example that is compiled, and each function that gives a `Result`
//! says when it fails. The rule is a function of a text, so that it is seen to fail here before it is trusted with the tree.

use crate::prelude::*;

/// What is `pub` in `spec` and `once` because a sealed trait names it, and out of reach all the same.
const INTERNAL: &[&str] = &["Common", "Input", "Target", "TakeOnce"];

/// A public item: its first line, its name, and what stands above it.
struct Item<'t> {
    line: usize,
    name: &'t str,
    docs: Vec<&'t str>,
    is_hidden: bool,
    is_fallible: bool,
}

/// The public functions, structs, enums and traits of a file that users can reach. The text is as rustfmt leaves it: a module's end
/// stands as far in as its beginning.
fn items(text: &str) -> Vec<Item<'_>> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    let (mut docs, mut attributes) = (Vec::new(), String::new());
    let mut at = 0;
    while at < lines.len() {
        let line = lines[at].trim_start();
        if let Some(doc) = line.strip_prefix("///") {
            docs.push(doc.trim());
        } else if line.starts_with("#[") {
            let end = (at..lines.len()).find(|&end| lines[end].ends_with(']')).unwrap_or(at);
            attributes.extend(lines[at..=end].iter().copied());
            at = end;
        } else {
            let is_out_of_reach = line.starts_with("mod sealed ") || attributes.contains("#[cfg(test)]");
            if is_out_of_reach && line.ends_with('{') {
                let end = format!("{}}}", &lines[at][..lines[at].len() - line.len()]);
                at += lines[at..].iter().position(|line| *line == end).unwrap_or(0);
            } else if let Some((kind, name)) = public(line) {
                found.push(Item {
                    line: at + 1,
                    name,
                    docs: std::mem::take(&mut docs),
                    is_hidden: attributes.contains("#[doc(hidden)]"),
                    is_fallible: kind == "fn" && gives_result(&lines[at..]),
                });
            }
            docs.clear();
            attributes.clear();
        }
        at += 1;
    }
    found
}

/// The kind and the name, if a public item begins with this line.
fn public(line: &str) -> Option<(&str, &str)> {
    let mut rest = line.strip_prefix("pub ")?;
    for word in ["const ", "async ", "unsafe "] {
        rest = rest.strip_prefix(word).unwrap_or(rest);
    }
    let (kind, rest) = rest.split_once(' ')?;
    let name = rest.split(|c: char| !c.is_alphanumeric() && c != '_').next()?;
    matches!(kind, "fn" | "struct" | "enum" | "trait").then_some((kind, name))
}

/// Whether the function that begins with these lines gives a `Result`, by whatever path.
fn gives_result(lines: &[&str]) -> bool {
    let last = lines.iter().position(|line| line.ends_with(['{', ';'])).unwrap_or(0);
    let signature = lines[..=last].join(" ");
    // The last arrow: those before it are of callbacks.
    let given = signature.rsplit_once("->").map_or("", |(_, given)| given.trim());
    given.split(['<', ' ']).next().is_some_and(|name| name.rsplit("::").next() == Some("Result"))
}

/// What each public item of a file lacks.
fn undocumented(file: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for item in items(text) {
        if item.is_hidden || ((file.starts_with("src/spec/") || file == "src/once.rs") && INTERNAL.contains(&item.name))
        {
            continue;
        }
        let at = format!("{file}:{}: `{}`", item.line, item.name);
        let fence = item.docs.iter().find_map(|doc| doc.strip_prefix("```"));
        if fence.is_none_or(|language| matches!(language, "text" | "ignore" | "console")) {
            found.push(format!("{at} has no example"));
        }
        if item.is_fallible && !item.docs.contains(&"# Errors") {
            found.push(format!("{at} gives a Result and has no `# Errors`"));
        }
    }
    found
}

/// The library's files, with their paths below the root of the repository.
fn library() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut open = vec![root.join("src")];
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(dir).expect("the directory can be read") {
            let path = entry.expect("the directory can be read").path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = std::fs::read_to_string(&path).expect("the file can be read");
                found.push((path.strip_prefix(root).expect("below the root").display().to_string(), text));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn what_users_reach_has_an_example_and_says_when_it_fails() {
    let library = library();
    let seen: usize = library.iter().map(|(_, text)| items(text).len()).sum();
    assert!(seen > 150, "the library was not understood: {seen} items");
    // Of `sys`, users reach what a process used, and nothing else.
    let reached = library.iter().filter(|(file, _)| !file.starts_with("src/sys/") || file == "src/sys/wait.rs");
    let found: Vec<String> = reached.flat_map(|(file, text)| undocumented(file, text)).collect();
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn an_item_without_an_example_is_reported() {
    let found = |text| undocumented("src/f.rs", text);
    assert_eq!(found("/// Words.\npub struct S;"), ["src/f.rs:2: `S` has no example"]);
    assert_eq!(found("/// ```text\n/// x\n/// ```\npub enum E {"), ["src/f.rs:4: `E` has no example"]);
    assert_eq!(found("/// ```\n/// x\n/// ```\n#[must_use]\npub fn f() {"), [""; 0]);
    // An example above is not the next item's.
    assert_eq!(found("/// ```\npub enum E {\n}\n\npub trait T: U {}"), ["src/f.rs:5: `T` has no example"]);
    assert_eq!(
        found("    #[must_use = \"so\n        long\"]\n    pub const fn f() {}"),
        ["src/f.rs:3: `f` has no example"]
    );
}

#[test]
fn a_result_without_its_errors_is_reported() {
    let example = |item: &str| undocumented("src/f.rs", &format!("/// ```\n/// x\n/// ```\n{item}"));
    let missing = ["src/f.rs:4: `f` gives a Result and has no `# Errors`"];
    assert_eq!(example("pub fn f() -> io::Result<()> {"), missing);
    assert_eq!(example("pub fn f<R: X>(\n    g: impl FnMut() -> R,\n) -> Result<(), E> {"), missing);
    assert_eq!(example("/// # Errors\n/// Never.\npub fn f() -> Result<(), E> {"), [""; 0]);
    assert_eq!(example("pub fn f(g: impl Fn() -> Result<(), E>) -> Option<Result<(), E>> {"), [""; 0]);
    assert_eq!(example("pub struct Result2<T>(T);"), [""; 0]);
}

#[test]
fn what_no_user_reaches_is_passed_over() {
    let text = "
pub(crate) fn a() {}
pub(super) struct B;
#[doc(hidden)]
pub fn c() {}
mod sealed {
    pub trait D {}
}
#[cfg(test)]
mod tests {
    pub fn e() {}
}
impl F for G {
    fn f() -> Result<(), E> {}
}
pub use h::H;
pub fn seen() {}
";
    assert_eq!(undocumented("src/redirect/mod.rs", text), ["src/redirect/mod.rs:17: `seen` has no example"]);
    assert_eq!(undocumented("src/spec/redirect.rs", "pub enum Common {"), [""; 0]);
    assert_eq!(undocumented("src/other.rs", "pub enum Common {").len(), 1);
}
