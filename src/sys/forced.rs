//! The environment variable that forces an engine.

use std::sync::OnceLock;

/// Read once: `clone`, `fork`, or `portable` (fork, and no pidfd even where the system has them). It is for the test-suite, and for a
/// look at what a fallback does.
const FORCE: &str = "PIPEWRIGHT_ENGINE";

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Forced {
    Nothing,
    Clone,
    Fork,
    Portable,
}

pub(super) fn forced() -> Forced {
    static FORCED: OnceLock<Forced> = OnceLock::new();
    *FORCED.get_or_init(|| match std::env::var_os(FORCE) {
        Some(name) if name == "clone" => Forced::Clone,
        Some(name) if name == "fork" => Forced::Fork,
        Some(name) if name == "portable" => Forced::Portable,
        _ => Forced::Nothing,
    })
}
