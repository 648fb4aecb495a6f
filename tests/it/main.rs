//! The test-suite of pipewright: one binary, a module a subject.
#![expect(unsafe_code, reason = "tests make the hostile surroundings that the library has to stand")]

mod bytes;
mod child_code;
mod children;
mod conformance;
mod docs;
mod error_texts;
mod examples;
mod fixture;
mod harness;
mod harness_self;
mod job;
mod layers;
mod names;
mod plan;
mod random;
mod readme;
mod secrets;
mod status;
mod stolen;
mod streams;
mod support;
mod time;
mod verbs;
mod words;
