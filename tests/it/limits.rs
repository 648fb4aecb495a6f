//! Where something has an end: descriptors, memory, lengths, a program that is still written to.

mod busy;
mod exhausted;
mod memory;
mod names;
mod refused;
