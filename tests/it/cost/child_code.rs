//! What the child's code calls between clone and exec, read off the release build's assembly: system calls by their thin
//! wrappers, and nothing that could panic, allocate or lock. On memory shared with the parent, any of these would be the
//! parent's ruin.

use std::env;

use crate::prelude::*;

/// The functions of libc that the child may call. Each is a system call and its errno, no more.
const ALLOWED: &[&str] = &[
    "__errno_location",
    "_exit",
    "chdir",
    "close",
    "dup2",
    "execve",
    "fcntl",
    "geteuid",
    "getpgrp",
    "getpid",
    "getppid",
    "getrlimit",
    "ioctl",
    "memcpy",
    "memset",
    "open",
    "prctl",
    "setpgid",
    "setpriority",
    "setrlimit",
    "setsid",
    "syscall",
    "umask",
    "write",
];

#[test]
fn the_childs_code_calls_nothing_but_system_calls() {
    if !cfg!(any(target_arch = "x86_64", target_arch = "aarch64")) || !cfg!(target_os = "linux") {
        return skip("knows the assembly of x86_64 and aarch64 Linux only");
    }
    let calls = calls_of(&assembly());
    let outside = reachable_outside(&calls, "child_main");
    let forbidden: Vec<&String> = outside.iter().filter(|name| !ALLOWED.contains(&name.as_str())).collect();
    assert!(forbidden.is_empty(), "the child's code reaches {forbidden:?}");
    // It was the right function that was followed.
    assert!(outside.contains("execve") && outside.contains("dup2"), "{outside:?}");
}

#[test]
fn a_call_that_panics_is_found_behind_other_calls() {
    let text = "one_child_main_x:\n\tcallq\ttwo\n\tjmp\t.LBB0_1\ntwo:\n\tcallq\t*write@GOTPCREL(%rip)\n\tleaq\tthree(%rip), %rcx\n\
                three:\n\tmovq\tpanic_fmt@GOTPCREL(%rip), %rbx\n\tcallq\t*%rbx\nfour:\n\tcallq\tmalloc@PLT\n";
    let outside = reachable_outside(&calls_of(text), "child_main");
    assert_eq!(outside.into_iter().collect::<Vec<_>>(), ["panic_fmt", "write"]);
    let arm = "child_main:\n\tbl\ttwo\n\tadrp\tx8, :got:execve\n\tb\t.LBB0_1\ntwo:\n\tbl\tabort\n";
    assert_eq!(reachable_outside(&calls_of(arm), "child_main").into_iter().collect::<Vec<_>>(), ["abort", "execve"]);
}

/// The library's release build as assembly, in a target folder of its own beside the present one.
fn assembly() -> String {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let built = env::current_exe().unwrap();
    let target = built.ancestors().nth(3).unwrap().join("child-code");
    let output = Command::new(env!("CARGO"))
        .current_dir(manifest)
        .args(["rustc", "--release", "--lib", "--target-dir"])
        .arg(&target)
        .args(["--", "--emit=asm", "-Ccodegen-units=1", "-Cdebuginfo=0"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let files = fs::read_dir(target.join("release/deps")).unwrap().map(|entry| entry.unwrap().path());
    let newest = files
        .filter(|path| path.extension().is_some_and(|extension| extension == "s"))
        .max_by_key(|path| fs::metadata(path).unwrap().modified().unwrap());
    fs::read_to_string(newest.expect("the build leaves its assembly")).unwrap()
}

/// By function, every name that its code mentions as a place to go to or to take the address of.
fn calls_of(assembly: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut calls: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut inside = None;
    for line in assembly.lines() {
        match line.strip_suffix(':') {
            Some(label) if !label.starts_with([' ', '\t', '.']) => {
                inside = Some(label.to_owned());
                calls.entry(label.to_owned()).or_default();
            }
            Some(_) => {}
            None => {
                let mut words = line.split_whitespace();
                let (Some(function), Some(operation)) = (&inside, words.next()) else { continue };
                if operation.starts_with('.') || operation.starts_with('#') {
                    continue;
                }
                let jumps = ["call", "jmp", "b", "bl"].iter().any(|jump| operation.trim_end_matches('q') == *jump);
                for operand in words {
                    if let Some(name) = name_in(operand, jumps) {
                        calls.entry(function.clone()).or_default().insert(name.to_owned());
                    }
                }
            }
        }
    }
    calls
}

/// The symbol in an operand: of a jump, or of what loads an address.
fn name_in(operand: &str, jumps: bool) -> Option<&str> {
    let operand = operand.trim_start_matches('*').trim_end_matches(',');
    let loaded = operand.strip_prefix(":got:").or_else(|| operand.strip_prefix(":got_lo12:"));
    if let Some(name) = loaded {
        return Some(name);
    }
    let marks = ["@PLT", "@GOTPCREL", "(%rip)"];
    let marked = marks.iter().find_map(|mark| operand.find(mark));
    let name = match marked {
        Some(end) => &operand[..end],
        None if jumps => operand,
        None => return None,
    };
    let symbol = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '$' || c == '.';
    (!name.is_empty() && !name.starts_with('.') && name.chars().all(symbol)).then_some(name)
}

/// The names outside the assembly that the function whose name holds `start` can get to.
fn reachable_outside(calls: &BTreeMap<String, BTreeSet<String>>, start: &str) -> BTreeSet<String> {
    let mut todo: Vec<&String> = calls.keys().filter(|name| name.contains(start)).collect();
    assert!(!todo.is_empty(), "no function named {start}");
    let mut seen = BTreeSet::new();
    let mut outside = BTreeSet::new();
    while let Some(name) = todo.pop() {
        if !seen.insert(name.clone()) {
            continue;
        }
        match calls.get(name) {
            Some(next) => todo.extend(next),
            None => drop(outside.insert(name.clone())),
        }
    }
    outside
}
