//! What a child gets, how it is found, and what becomes of one that cannot start.

mod attributes;
mod closed;
mod credentials;
pub(crate) mod descriptors;
mod failure;
mod image;
mod jobserver;
mod low;
mod path;
mod replace;
mod signals;
mod storm;
mod to_std;
mod wiring;
