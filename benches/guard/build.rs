//! The compiler's version, for the baseline.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let rustc = std::env::var_os("RUSTC").expect("cargo says which compiler");
    let said = Command::new(rustc).arg("--version").output().expect("it runs, as it is about to");
    println!("cargo::rustc-env=GUARD_RUSTC={}", String::from_utf8_lossy(&said.stdout).trim());
    println!("cargo::rustc-env=GUARD_TARGET={}", std::env::var("TARGET").expect("cargo says for what"));
}
