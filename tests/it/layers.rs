//! The shape of the source tree: arrows point down, `unsafe` stays in its place, files stay short,
//! no role of the helper program is idle. The rules are functions of a text, so that each is seen
//! to fail here before it is trusted with the tree.

mod rules;
mod source;

use rules::*;

use crate::prelude::*;

struct File {
    /// Below the root of the repository, with `/` between.
    path: String,
    text: String,
}

/// The Rust files below `dir`; none where there is no such directory yet.
fn files(dir: &str) -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut open = vec![root.join(dir)];
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(dir).into_iter().flatten() {
            let path = entry.expect("the directory can be read").path();
            if path.is_dir() && !path.ends_with("target") {
                open.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = std::fs::read_to_string(&path).expect("the file can be read");
                let path = path.strip_prefix(root).expect("below the root").display().to_string();
                found.push(File { path, text });
            }
        }
    }
    found
}

fn all_files() -> Vec<File> {
    ["src", "tests", "fixtures", "examples", "benches"].into_iter().flat_map(files).collect()
}

/// The library's files by their path below `src`.
fn library() -> Vec<File> {
    let mut found = files("src");
    for file in &mut found {
        file.path.drain(..4);
    }
    assert!(found.iter().any(|file| file.path == "lib.rs"), "the library was not found");
    found
}

#[track_caller]
fn assert_none(found: Vec<String>) {
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn arrows_point_down() {
    let library = library();
    let for_tests: Vec<_> = library.iter().flat_map(|file| test_modules(&file.path, &file.text)).collect();
    let is_for_tests = |file: &File| for_tests.iter().any(|module| module_of(&file.path).starts_with(module));
    let real = library.iter().filter(|file| !is_for_tests(file));
    assert_none(real.flat_map(|file| arrows(&file.path, &file.text)).collect());
}

#[test]
fn unsafe_stays_in_sys() {
    let library = library();
    assert_none(library.iter().flat_map(|file| stray_unsafe(&file.path, &file.text)).collect());
}

#[test]
fn unsafe_blocks_say_why() {
    let all = all_files();
    assert_none(all.iter().flat_map(|file| unexplained_unsafe(&file.path, &file.text)).collect());
}

#[test]
fn files_are_short() {
    assert_none(all_files().iter().filter_map(|file| too_long(&file.path, &file.text)).collect());
}

#[test]
fn no_role_is_idle() {
    let helper = files("fixtures").into_iter().find(|file| file.path == "fixtures/helper/main.rs");
    let helper = helper.expect("the helper program is there").text;
    let roles = roles(&helper);
    assert!(roles.len() > 30, "the table was not understood: {roles:?}");
    let users: Vec<File> = ["src", "tests", "examples", "benches"].into_iter().flat_map(files).collect();
    let users: Vec<&str> = users.iter().map(|file| file.text.as_str()).collect();
    assert_eq!(idle_roles(&roles, &users), [""; 0]);
}

#[test]
fn an_upward_arrow_is_reported() {
    let up = |text| arrows("fd/map.rs", text);
    assert_eq!(up("use crate::cmd::Cmd;"), ["fd/map.rs:1: fd uses cmd, which is above it"]);
    assert_eq!(up("fn f() {\n    crate::pump::go()\n}"), ["fd/map.rs:2: fd uses pump, which is above it"]);
    assert_eq!(up("use super::super::job::Job;").len(), 1);
    assert_eq!(up("use super::{a, super::job::Job};").len(), 1);
    assert_eq!(up("use self::super::super::job;").len(), 1);
    assert_eq!(up("pub(in crate::job) fn f() {}").len(), 1);
}

#[test]
fn an_upward_arrow_in_a_group_is_reported() {
    let text = "use crate::{sys::{self, pipe as p}, job,\n    clock::*, plan::{Plan, Step}};";
    let expected = [(1, "job"), (2, "plan"), (2, "plan")];
    let expected = expected.map(|(line, up)| format!("fd.rs:{line}: fd uses {up}, which is above it"));
    assert_eq!(arrows("fd.rs", text), expected);
}

#[test]
fn arrows_down_and_sideways_pass() {
    let text = "
        use crate::{clock::Clock, fd::FdMap, sys};
        use super::args::Args;
        use crate::pipeline::Pipeline;
        pub(crate) fn f() { crate::cmd!(\"x\"); crate::__private::g(); self::h() }
        macro_rules! m { () => { $crate::Cmd::new() } }
        mod inner { use super::super::env::Env; mod deep { use super::super::io; } }
    ";
    assert_eq!(arrows("cmd/io.rs", text), [""; 0]);
}

#[test]
fn leaves_use_leaves_alone() {
    assert_eq!(arrows("clock.rs", "use crate::status::Status;"), [""; 0]);
    assert_eq!(arrows("clock.rs", "use crate::sys::time;").len(), 1);
}

#[test]
fn the_root_is_nobodys_shortcut() {
    let found = arrows("pump/mod.rs", "use crate::Cmd;");
    assert_eq!(found, ["pump/mod.rs:1: crate::Cmd is no module with a layer"]);
    assert_eq!(arrows("pump.rs", "use super::Status;").len(), 1);
    assert_eq!(arrows("pump.rs", "use super::*;").len(), 1);
    assert_eq!(arrows("lib.rs", "pub use crate::cmd::Cmd;"), [""; 0]);
    assert_eq!(arrows("nowhere.rs", ""), ["nowhere.rs: nowhere has no layer"]);
}

#[test]
fn comments_literals_and_tests_draw_no_arrows() {
    let text = r##"
        // use crate::cmd::A;
        /* use crate::cmd::B; /* and */ crate::cmd::C */
        const A: &str = "crate::cmd::D \" crate::cmd::E";
        const B: &[u8] = br#"crate::cmd::F" crate::cmd::G"#;
        const C: (char, char) = ('"', '\'');
        fn f<'a>(x: &'a str) -> &'a str { x }
        #[cfg(test)]
        mod tests { use crate::cmd::H; fn f() { {} } }
        #[cfg(all(test, unix))]
        #[path = "x.rs"]
        mod more { use crate::cmd::I; }
        #[cfg(test)]
        use crate::cmd::J;
        use crate::cmd::K;
        #[cfg(not(test))]
        use crate::cmd::L;
    "##;
    let found = arrows("fd.rs", text);
    assert_eq!(found, [15, 17].map(|line| format!("fd.rs:{line}: fd uses cmd, which is above it")));
}

#[test]
fn modules_for_tests_are_known() {
    let text = "mod a;\n#[cfg(test)]\nmod tests;\n#[cfg(test)]\nmod inline {}";
    assert_eq!(test_modules("fd/mod.rs", text), [["fd", "tests"]]);
}

#[test]
fn stray_unsafe_is_reported() {
    let text = "// unsafe\nfn f() { unsafe { g() } }\n#![expect(unsafe_code)]";
    assert_eq!(stray_unsafe("fd/map.rs", text), ["fd/map.rs:2: unsafe outside sys"]);
    assert_eq!(stray_unsafe("sys/clone.rs", text), [""; 0]);
    assert_eq!(stray_unsafe("sys.rs", text), [""; 0]);
}

#[test]
fn unexplained_unsafe_is_reported() {
    let bare = |text| unexplained_unsafe("f.rs", text).len();
    assert_eq!(bare("\nunsafe { f() }"), 1);
    assert_eq!(bare("// SAFETY: why\nunsafe { f() }"), 0);
    assert_eq!(bare("// SAFETY: why\n// so\n// long\n// a\n// story\nunsafe { f() }"), 0);
    assert_eq!(bare("// SAFETY: why\na\nb\nlet x =\n    unsafe { f() }"), 1);
    assert_eq!(bare("// SAFETY: why\nlet x =\n    unsafe { f() }"), 0);
    assert_eq!(bare("unsafe fn f() {}\n// unsafe { g() }"), 0);
}

#[test]
fn a_long_file_is_reported() {
    assert_eq!(too_long("f.rs", &"\n".repeat(LINES)), None);
    assert_eq!(too_long("f.rs", &"\n".repeat(LINES + 1)).as_deref(), Some("f.rs: 501 lines, more than 500"));
}

#[test]
fn an_idle_role_is_reported() {
    let table = "const ROLES: X = &[\n    (\"one-role\", f), // x\n    (\"other-role\", g),\n];\n(\"no\", h)";
    let roles = roles(table);
    assert_eq!(roles, ["one-role", "other-role"]);
    assert_eq!(idle_roles(&roles, &["x(\"one-role\")", "other-role"]), ["other-role"]);
}
