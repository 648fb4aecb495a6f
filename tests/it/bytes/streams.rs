//! Where streams may come from and go to, and what readers of them see.

mod buffer;
mod inherit;
mod into;
mod last_output;
mod limits;
mod lines;
mod one_shot;
mod piped;
mod redirects;
mod tee;
