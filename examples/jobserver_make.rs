//! A jobserver from both sides: `cargo run --example jobserver_make` starts a real make under two tokens of its own, and make starts
//! this program again, which takes what is free.

use std::error::Error;
use std::time::Duration;

use pipewright::fd::{Jobserver, JobserverError};
use pipewright::{Redirect, cmd};

/// Make passes its jobserver to a line with a `+`, and to no other.
const MAKEFILE: &str = "
alone:
\t@\"$(SELF)\" take
shared: alone
\t+@\"$(SELF)\" take
";

fn main() -> Result<(), Box<dyn Error>> {
    if std::env::args().nth(1).as_deref() == Some("take") { take() } else { serve() }
}

fn serve() -> Result<(), Box<dyn Error>> {
    let server = Jobserver::new(2)?;
    let make = cmd!("make", "-f", "-", "shared").stdin(Redirect::bytes(MAKEFILE)).timeout(Duration::from_secs(60));
    make.jobserver(&server).env("SELF", std::env::current_exe()?).run()?;
    println!("make is done, and {} tokens are back", server.available()?);
    Ok(())
}

fn take() -> Result<(), Box<dyn Error>> {
    let server = match Jobserver::from_env() {
        Ok(Some(server)) => server,
        Ok(None) => return say("no jobserver is named: one job at a time"),
        Err(JobserverError::NotOpen { .. }) => return say("make keeps its jobserver to itself: one job at a time"),
        Err(error) => return Err(error.into()),
    };
    let mut tokens = Vec::new();
    while let Some(token) = server.acquire_timeout(Duration::from_millis(10))? {
        tokens.push(token);
    }
    // One job needs no token.
    say(&format!("{} tokens taken: {} jobs at a time", tokens.len(), tokens.len() + 1))
}

fn say(what: &str) -> Result<(), Box<dyn Error>> {
    println!("{what}");
    Ok(())
}
