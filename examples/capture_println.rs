//! What code prints, as bytes: its `println!`, its system calls and its children, in order. `cargo run --example capture_println`

use pipewright::cmd;
use pipewright::testing::{Capture, Stderr, capture_stdout};

/// Code that was not written to be tested: it prints instead of taking a writer.
fn report(names: &[&str]) -> usize {
    println!("{} names", names.len());
    for name in names {
        cmd!("echo", "-", name).run().expect("echo is everywhere");
    }
    eprintln!("done");
    names.len()
}

fn main() {
    let names = ["ada", "grace"];
    // In a test, this works under plain `cargo test`, beside other tests that print.
    let said = capture_stdout(|| report(&names));
    assert_eq!(said.stdout, "2 names\n- ada\n- grace\n");
    assert_eq!(said.value, 2);

    // Both streams in one, in the order of the writes; at most 1000 bytes of them.
    let said = Capture::new().stderr(Stderr::Merge).limit(1000).run(|| report(&names[..1]));
    println!("captured: {:?}", said.text());
}
