//! What a start and a stream may cost: system calls, copies, and what the child's code may call. Tied to the inside of the library.

mod calls;
mod child_code;
mod engine;
mod prefault;
mod read_backoff;
mod short_table;
