//! The test-suite of pipewright: one binary, a module a subject.
