//! The README's examples, word for word, so that they need no `main` there and run all the same.

use pipewright::{Cmd, EventKind, Redirect, cmd, testing};
use std::io::{BufRead, Write};
use std::time::Duration;

type Tried = Result<(), Box<dyn std::error::Error>>;

pub(super) fn what_sells() -> Tried {
    use pipewright::{Cmd, ErrorKind, cmd};
    use std::time::Duration;

    // A deadline that holds: the shell is gone, but `sleep` keeps its stdout open.
    let hung = Cmd::sh("echo started; sleep 60 &");
    let late = hung.timeout(Duration::from_secs(1)).output();
    let error = late.unwrap_err(); // After 1 s. `sleep` has been ended.
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_eq!(error.output().unwrap().stdout, "started\n");

    // An error that names the stage and shows its stderr.
    let check = Cmd::sh("cat; echo no comma >&2; exit 2").label("check");
    let report = cmd!("printf", r"b\na\n") | cmd!("sort") | check;
    println!("{:#}", report.output().unwrap_err());
    Ok(())
}

pub(super) fn run_and_read() -> Tried {
    let flags = ["-l", "-a"];
    cmd!("ls", flags.., "/").run()?;
    let words = cmd!("echo", "b a c") | cmd!("tr", " ", "\n") | cmd!("sort");
    assert_eq!(words.read()?, "a\nb\nc");
    Ok(())
}

pub(super) fn streams() -> Tried {
    let to = Redirect::tee([Redirect::capture(), Redirect::file("sort.log")]);
    let out = cmd!("sort").stdin("b\na\n").stderr_to_stdout().stdout(to).run()?;
    assert_eq!(out.stdout, "a\nb\n");
    Ok(())
}

pub(super) fn closures() -> Tried {
    let numbered = cmd!("printf", r"b\na\n").pipe_fn(|input, output| {
        for (n, line) in input.lines().enumerate() {
            writeln!(output, "{} {n}", line?)?;
        }
        Ok(())
    });
    assert_eq!((numbered | cmd!("sort")).read()?, "a 1\nb 0");
    Ok(())
}

pub(super) fn a_live_job() -> Tried {
    let server = Cmd::sh("echo ready; sleep 60 & wait").stdout(Redirect::capture());
    let job = server.spawn()?;
    assert!(job.events().any(|event| matches!(event.kind, EventKind::Line { .. })));
    let report = job.shutdown(Duration::from_secs(5))?; // SIGTERM, at last SIGKILL.
    assert!(report.survivors.is_empty());
    Ok(())
}

pub(super) fn in_tests() -> Tried {
    let printed = testing::capture_stdout(|| {
        println!("from Rust");
        Cmd::sh("echo from a child").run().is_ok()
    });
    assert_eq!(printed.text(), "from Rust\nfrom a child\n");
    Cmd::sh("echo no >&2; exit 3").assert().code(3).stderr("no\n");
    Ok(())
}
