//! What a start and a stream may cost: system calls, copies, and what the child's code may call. Tied to the inside of the library.

mod ahead;
mod calls;
mod child_code;
mod engine;
mod nap;
mod short_table;
