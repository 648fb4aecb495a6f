//! The helper program starts at its own `_start`: no C runtime, no dynamic linker. And the compiler's version, for the table.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    for arg in ["-nostartfiles", "-nostdlib", "-static", "-no-pie"] {
        println!("cargo::rustc-link-arg-bin=bench-child={arg}");
    }
    let rustc = std::env::var_os("RUSTC").expect("cargo says which compiler");
    let said = Command::new(rustc).arg("--version").output().expect("it runs, as it is about to");
    println!("cargo::rustc-env=BENCH_RUSTC={}", String::from_utf8_lossy(&said.stdout).trim());
}
