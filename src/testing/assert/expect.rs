//! What an assertion takes: a value, a closure, a predicate.

use std::borrow::Cow;

use predicates_core::Predicate;

use super::diff::diff;
use crate::pump::Captured;

/// What can be expected of a `T`: of a stream's bytes (`T` is `[u8]`) or of an exit code (`i32`).
///
/// - Of bytes: text or bytes, or what was [captured](Captured), to be equal; a closure `Fn(&[u8]) -> bool`; a predicate of the crate `predicates`, on `str` or `[u8]`.
/// - Of a code: a code; several, in an array, a slice or a `Vec`, of which it has to be one; a closure `Fn(i32) -> bool`; a predicate on `i32`.
///
/// `Kind` tells which of these it is and need not be named.
///
/// ```
/// use pipewright::cmd;
/// cmd!("echo", "text").assert().code(0).code([0, 2]).stdout("text\n").stdout(b"text\n").stdout(|out: &[u8]| out.len() == 5);
/// ```
pub trait Expect<T: ?Sized, Kind> {
    /// Why `found` is not as expected; `None` when it is.
    fn refuse(&self, found: &T) -> Option<String>;
}

/// Says that a value is compared.
#[doc(hidden)]
#[derive(Debug)]
pub enum ByValue {}

/// Says that a closure is asked.
#[doc(hidden)]
#[derive(Debug)]
pub enum ByClosure {}

/// Says that a predicate is asked.
#[doc(hidden)]
#[derive(Debug)]
pub enum ByPredicate {}

/// Says that a predicate on text is asked.
#[doc(hidden)]
#[derive(Debug)]
pub enum ByTextPredicate {}

macro_rules! bytes {
    ($($(#[$generic:tt])? $type:ty),* $(,)?) => {$(
        impl $(<const $generic: usize>)? Expect<[u8], ByValue> for $type {
            fn refuse(&self, found: &[u8]) -> Option<String> {
                let expected: &[u8] = self.as_ref();
                (expected != found).then(|| format!("(- expected, + found)\n{}", diff(expected, found)))
            }
        }
    )*};
}
bytes!(
    &str,
    String,
    &String,
    &[u8],
    Vec<u8>,
    &Vec<u8>,
    #[N]
    [u8; N],
    #[N]
    &[u8; N],
);

impl Expect<[u8], ByValue> for Cow<'_, str> {
    fn refuse(&self, found: &[u8]) -> Option<String> {
        (&**self).refuse(found)
    }
}

/// What was not captured equals nothing.
impl Expect<[u8], ByValue> for Captured {
    fn refuse(&self, found: &[u8]) -> Option<String> {
        if self.is_captured() {
            (&**self).refuse(found)
        } else {
            Some("(what is expected was not captured)".to_owned())
        }
    }
}

impl Expect<[u8], ByValue> for &Captured {
    fn refuse(&self, found: &[u8]) -> Option<String> {
        (**self).refuse(found)
    }
}

impl<F: Fn(&[u8]) -> bool> Expect<[u8], ByClosure> for F {
    fn refuse(&self, found: &[u8]) -> Option<String> {
        (!self(found)).then(|| "(the closure says no)".to_owned())
    }
}

impl<P: Predicate<[u8]>> Expect<[u8], ByPredicate> for P {
    fn refuse(&self, found: &[u8]) -> Option<String> {
        (!self.eval(found)).then(|| format!("(expected: {self})"))
    }
}

impl<P: Predicate<str>> Expect<[u8], ByTextPredicate> for P {
    fn refuse(&self, found: &[u8]) -> Option<String> {
        match std::str::from_utf8(found) {
            Ok(text) => (!self.eval(text)).then(|| format!("(expected: {self})")),
            Err(error) => Some(format!("(expected: {self}; it is no text: {error})")),
        }
    }
}

impl Expect<i32, ByValue> for i32 {
    fn refuse(&self, found: &i32) -> Option<String> {
        (self != found).then(|| format!("(expected: {self})"))
    }
}

macro_rules! codes {
    ($($(#[$generic:tt])? $type:ty),* $(,)?) => {$(
        impl $(<const $generic: usize>)? Expect<i32, ByValue> for $type {
            fn refuse(&self, found: &i32) -> Option<String> {
                (!self.contains(found)).then(|| format!("(expected: one of {self:?})"))
            }
        }
    )*};
}
codes!(
    &[i32],
    Vec<i32>,
    #[N]
    [i32; N],
    #[N]
    &[i32; N],
);

impl<F: Fn(i32) -> bool> Expect<i32, ByClosure> for F {
    fn refuse(&self, found: &i32) -> Option<String> {
        (!self(*found)).then(|| "(the closure says no)".to_owned())
    }
}

impl<P: Predicate<i32>> Expect<i32, ByPredicate> for P {
    fn refuse(&self, found: &i32) -> Option<String> {
        (!self.eval(found)).then(|| format!("(expected: {self})"))
    }
}
