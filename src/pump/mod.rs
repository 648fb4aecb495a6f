//! The state machine that moves bytes.

#[allow(dead_code, reason = "driven by the pump, which is still to come")]
pub(crate) mod capture;
#[allow(dead_code, reason = "filled by the pump, which is still to come")]
pub(crate) mod captured;
#[allow(dead_code, reason = "driven by the pump, which is still to come")]
pub(crate) mod lines;
