//! Calling the caller's code.

use std::error::Error as StdError;

/// An error of any type that the caller's code returned.
pub(crate) type BoxError = Box<dyn StdError + Send + Sync>;

/// A callback for lines that is borrowed while a run is driven.
pub(crate) type BorrowedCallback<'a> = Option<&'a mut dyn FnMut(&[u8]) -> Result<(), BoxError>>;

/// The text of a panic: its payload is a string, except after `panic_any`.
pub(crate) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("(a panic without text)").to_owned()
}
