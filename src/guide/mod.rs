//! Pages to read: recipes, pitfalls, comparisons, and what to write instead of what you know.
//!
//! The [front page](crate) is a tour of the library. These pages go on from there.
//!
//! | page | what it answers |
//! |---|---|
//! | [`cookbook`] | How do I …? Short recipes, and programs to copy |
//! | [`pitfalls`] | What goes wrong with pipes and processes, and what happens then? |
//! | [`comparison`] | What do std, duct, subprocess and tokio do in the same place? |
//! | [`performance`] | What does it cost, and why? |
//! | [`from_std`] | I know `std::process::Command`. What do I write here? |
//! | [`from_duct`] | The same for duct |
//! | [`from_subprocess`] | The same for subprocess |
//! | [`from_bash`] | The same for a bash script, line by line |

#[doc = include_str!("comparison.md")]
pub mod comparison {}

#[doc = include_str!("cookbook.md")]
pub mod cookbook {}

#[doc = include_str!("from_bash.md")]
pub mod from_bash {}

#[doc = include_str!("from_duct.md")]
pub mod from_duct {}

#[doc = include_str!("from_std.md")]
pub mod from_std {}

#[doc = include_str!("from_subprocess.md")]
pub mod from_subprocess {}

#[doc = include_str!("performance.md")]
pub mod performance {}

#[doc = include_str!("pitfalls.md")]
pub mod pitfalls {}
