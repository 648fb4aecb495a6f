//! What do two lists have in common, and what has only one of them? `comm <(sort -u a) <(sort -u b)`, without a shell.
//! `cargo run --example process_substitution [FILE FILE]`; an argument that is a pipeline is part of the run: what fails in it is told.

use std::env;
use std::ffi::OsString;
use std::time::Duration;

use pipewright::{Cmd, Error, In, Pipeline, Redirect, cmd};

const LAST_WEEK: &str = "make\ngit\nperl\nm4\n";
const TODAY: &str = "git\nmake\nrustc\ngit\n";

/// The words of a file, or of a text, one a line, in order, each once.
fn sorted(list: Redirect<In>) -> Pipeline {
    cmd!("tr", "-s", "[:space:]", "\n").stdin(list) | cmd!("sort", "-u")
}

fn compare(left: Pipeline, right: Pipeline) -> Cmd {
    cmd!("comm").arg_reader(left).arg_reader(right).env("LC_ALL", "C")
}

fn main() -> Result<(), Error> {
    let files: Vec<OsString> = env::args_os().skip(1).collect();
    let (left, right) = match files.as_slice() {
        [left, right] => (Redirect::file(left), Redirect::file(right)),
        _ => (Redirect::bytes(LAST_WEEK), Redirect::bytes(TODAY)),
    };
    let (left, right) = (sorted(left).env("LC_ALL", "C"), sorted(right).env("LC_ALL", "C"));

    // Three columns: only in the first, only in the second, in both.
    let columns = compare(left, right).timeout(Duration::from_secs(60)).read()?;
    // And `tee >(grep …) >(grep …)`: as many readers of one text as there are questions, in one pass.
    let count = |name: &str, option: &str| {
        cmd!("grep", option, "^\t\t").allow_codes([1]) | cmd!("sed", format!("s/^/{name}: /"))
    };
    let tee = cmd!("tee").arg_writer(count("in both", "-c")).arg_writer(count("in one", "-vc"));
    let counts = tee.stdin(Redirect::bytes(columns.clone() + "\n")).stdout(Redirect::null()).read()?;
    println!("{columns}\n{counts}");
    Ok(())
}
