//! The guide's table, the example files and the tests are about the same examples.

use crate::prelude::*;

/// The most lines of an example.
const LINES: usize = 60;

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect(path)
}

/// The files of a folder, without `.rs`.
fn files(folder: &str) -> BTreeSet<String> {
    let entries = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder).read_dir().expect(folder);
    let names = entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("text"));
    names.map(|name| name.strip_suffix(".rs").expect("only Rust is there").to_owned()).collect()
}

/// What stands in a text between each `before` and the next `after`.
fn between<'t>(text: &'t str, before: &str, after: &str) -> Vec<&'t str> {
    text.split(before).skip(1).filter_map(|rest| Some(rest.split_once(after)?.0)).collect()
}

fn set(names: Vec<&str>) -> BTreeSet<String> {
    names.into_iter().map(String::from).collect()
}

#[test]
fn every_example_has_a_test_and_a_row() {
    isolated(|| {
        let examples = files("examples");
        let guide = read("src/guide/cookbook.md");
        let (_, section) = guide.split_once("\n# Programs\n").expect("it has a heading");
        let rows = between(section, "\n| `", "` | ");
        assert_eq!(rows.len(), set(rows.clone()).len(), "twice in the table");
        assert_eq!(set(rows), examples, "the table and the files");

        let mut tested = set(between(&read("tests/it/tools/examples.rs"), "example(\"", "\")"));
        for file in files("tests/it/tools/cookbook") {
            if file != "table" {
                tested.extend(set(between(&read(&format!("tests/it/tools/cookbook/{file}.rs")), "cook(\"", "\", ")));
            }
        }
        assert_eq!(tested, examples, "the tests and the files");
    });
}

#[test]
fn every_example_is_short_and_says_how_to_run_it() {
    isolated(|| {
        for name in files("examples") {
            let text = read(&format!("examples/{name}.rs"));
            // The one that the README begins with is a tour.
            let limit = if name == "pipeline" { 80 } else { LINES };
            assert!(text.lines().count() < limit, "{name} has {} lines", text.lines().count());
            let header: String = text.lines().take_while(|line| line.starts_with("//! ")).collect();
            assert!(header.contains(&format!("`cargo run --example {name}")), "{name} says {header:?}");
        }
    });
}
