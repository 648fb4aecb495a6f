//! A jobserver from both sides: `cargo run --example jobserver_make` starts a real make under two tokens of its own, and make starts
//! this program again, which takes what is free.

use std::error::Error;
use std::process::ExitCode;
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

fn main() -> ExitCode {
    let done = if std::env::args().nth(1).as_deref() == Some("take") { take() } else { serve() };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("jobserver_make: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve() -> Result<(), Box<dyn Error>> {
    let server = Jobserver::new(2)?;
    let flags = server.make_flags().ok_or("a jobserver of one's own has flags")?;
    let own = std::env::current_exe()?;
    cmd!("make", "-f", "-", "shared")
        .env("MAKEFLAGS", flags)
        .env("SELF", own)
        .stdin(Redirect::bytes(MAKEFILE))
        .timeout(Duration::from_secs(60))
        .run()?;
    println!("make is done, and {} tokens are back", server.available()?);
    Ok(())
}

fn take() -> Result<(), Box<dyn Error>> {
    let server = match Jobserver::from_env() {
        Ok(Some(server)) => server,
        Ok(None) => {
            println!("no jobserver is named: one job at a time");
            return Ok(());
        }
        Err(JobserverError::NotOpen { .. }) => {
            println!("make keeps its jobserver to itself: one job at a time");
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    };
    let mut tokens = Vec::new();
    while let Some(token) = server.acquire_timeout(Duration::from_millis(10))? {
        tokens.push(token);
    }
    // One job needs no token.
    println!("{} tokens taken: {} jobs at a time", tokens.len(), tokens.len() + 1);
    Ok(())
}
