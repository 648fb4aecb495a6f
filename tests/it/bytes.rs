//! Bytes get where they should, whoever is slow, full, gone or broken.

mod broken_pipe;
mod failing;
mod flow;
mod memory;
mod order;
mod stuck;
