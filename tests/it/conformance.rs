//! What the suites of other subprocess libraries check, and what was measured to go wrong in them: each behaviour in our
//! own words against this API.
//!
//! Every module begins with a table: the behaviour, and the test that shows it here or why there is none. Where
//! this library answers differently, the test holds *its* answer and says so.

mod defects;
mod duct;
mod duct_handles;
mod duct_kin;
mod subprocess_feeding;
mod subprocess_pipelines;
mod subprocess_process;
mod subprocess_redirect;
mod subprocess_spawn;
mod untested;
