//! Ctrl-C, or `kill` with this process's number: what runs may clean up, then nothing of it is left, and this program has died of the
//! signal as its shell expects. `cargo run --example ctrl_c [COMMAND…]`, then interrupt it

use std::env;
use std::error::Error;
use std::time::Duration;

use pipewright::{Cmd, Containment, Redirect, forward};

/// A build, say: it cleans up when it is interrupted, and has started something that does not listen.
const WORK: &str = r#"
trap 'echo "cleaning up" >&2; exit 130' INT TERM
sleep 600 &
echo "working as $$, with $! in the background"
wait
"#;

fn main() -> Result<(), Box<dyn Error>> {
    // As long as this lives. A second Ctrl-C would kill at once.
    let _forwarding = forward::signals()?;

    let mut args = env::args_os().skip(1);
    let work = match args.next() {
        Some(program) => Cmd::new(program).args(args),
        None => Cmd::sh(WORK),
    };
    let run = work
        .stdin(Redirect::null())
        .contain(Containment::Group) // A terminal's Ctrl-C would not reach it by itself.
        .forward_signals(true)
        .shutdown_plan([(15, Duration::from_millis(500))]) // The signal that came, then half a second, then SIGKILL.
        .run()?;
    println!("it was not interrupted: {}", run.status);
    Ok(())
}
