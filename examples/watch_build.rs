//! A build as it happens: what starts, what it says, how it ends, each with the time since the start.
//! `cargo run --example watch_build [MAKE-ARGUMENT..]` runs make with these; without any, on a small makefile of its own.

use std::time::Instant;

use pipewright::{EventKind, Redirect, cmd};

const MAKEFILE: &str = "
all: a.o b.o c.o ; @echo linking $^
%.o: ; @echo compiling $*.c; test $@ != b.o || echo 'b.c:7: warning: unused' >&2
";

fn main() -> Result<(), pipewright::Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let make = if arguments.is_empty() {
        cmd!("make", "-j2", "-f", "-").stdin(Redirect::bytes(MAKEFILE))
    } else {
        cmd!("make", arguments..)
    };
    let began = Instant::now();
    let job = make.stdout(Redirect::capture()).stderr(Redirect::capture()).spawn()?;
    for event in job.events() {
        let at = event.at.saturating_duration_since(began).as_millis();
        match event.kind {
            EventKind::Started { label, pid: Some(pid), .. } => println!("{at:>6} ms  {label} started as {pid}"),
            EventKind::Line { stream, line, .. } => {
                println!("{at:>6} ms  {stream}: {}", String::from_utf8_lossy(&line));
            }
            EventKind::Exited { status, .. } => println!("{at:>6} ms  make ended: {status}"),
            EventKind::Leaked { processes, .. } => println!("{at:>6} ms  left behind: {processes:?}"),
            _ => {}
        }
    }
    let output = job.output()?;
    println!("{} bytes on stdout, {} on stderr", output.stdout.len(), output.stderr.len());
    Ok(())
}
