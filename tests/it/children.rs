//! What a child gets, how it is found, and what becomes of one that cannot start.

mod attributes;
mod busy;
mod closed;
mod cost;
mod credentials;
mod descriptors;
mod engine;
mod exhausted;
mod failure;
mod image;
mod jobserver;
mod low;
mod path;
mod replace;
mod short_table;
mod signals;
mod storm;
mod to_std;
