//! Tests with the library's help, the examples, and what the README claims.

mod cookbook;
mod examples;
mod readme;
mod testing;
