//! What a person reads when something goes wrong: each text is kept under `fixtures/errors` and reviewed there.
//!
//! A kept file holds the fields that a program sees, then `{}`, then `{:#}`. `PIPEWRIGHT_BLESS=1` rewrites them.

mod closures;
mod running;
mod starting;
mod texts;
mod wiring;

use crate::prelude::*;
use crate::support;

/// The helper program in a role, under the role's name.
fn helper(role: &str) -> Cmd {
    support::role(role).label(role)
}

/// A kept text that no test looks at any more would grow old unseen.
#[test]
fn every_kept_text_is_looked_at() {
    let tests = [
        include_str!("error_texts/closures.rs"),
        include_str!("error_texts/starting.rs"),
        include_str!("error_texts/running.rs"),
        include_str!("error_texts/wiring.rs"),
    ];
    let idle = texts::kept().into_iter().filter(|file| {
        let name = file.strip_suffix(".txt").unwrap_or(file);
        !tests.iter().any(|test| test.contains(&format!("\"{name}\"")))
    });
    assert_eq!(idle.collect::<Vec<_>>(), [""; 0]);
}
