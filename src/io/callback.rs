//! The caller's code, as what moves bytes calls it.

use std::error::Error as StdError;

/// Any error of the caller's.
pub(crate) type BoxError = Box<dyn StdError + Send + Sync>;

/// A callback that is borrowed while a run is driven.
pub(crate) type Lent<'a> = Option<&'a mut dyn FnMut(&[u8]) -> Result<(), BoxError>>;

/// The text of a panic, which is a string unless somebody panicked with a value.
pub(crate) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("(a panic without text)").to_owned()
}
