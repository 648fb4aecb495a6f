//! Lines and chunks, from programs and from stdin.

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use super::{assert_gone, cook, output};
use crate::prelude::*;

#[test]
fn first_lines_takes_four_of_an_endless_program() {
    isolated(|| cook("first_lines", |example| assert_eq!(output(&example).stdout, "on and on\n".repeat(4))));
}

#[test]
fn first_lines_leaves_no_program_behind() {
    isolated(|| {
        cook("first_lines", |example| {
            // The program would outlive a pipe that is closed.
            let text = r#"echo $$; echo a; echo b; echo c; exec "$0" hang"#;
            let out = output(&example.args(["/bin/sh", "-c", text, fixture()]));
            let lines: Vec<_> = out.stdout_str().expect("text").lines().collect();
            assert_eq!(lines[1..], ["a", "b", "c"]);
            assert_gone(lines[0]);
        });
    });
}

#[test]
fn read_stdin_counts_what_it_is_given() {
    isolated(|| {
        cook("read_stdin", |example| {
            let say = |stdin| output(&example.clone().stdin(stdin)).stdout;
            assert_eq!(say(Redirect::bytes("one write")), "9 bytes in 1 chunks from a pipe or a file\n");
            assert_eq!(say(Redirect::null()), "0 bytes in 0 chunks from a pipe or a file\n");
            let path = tempfile::NamedTempFile::new().expect("a file");
            path.as_file().set_len(150_000).expect("a longer file");
            assert_eq!(say(Redirect::file(path.path())), "150000 bytes in 3 chunks from a pipe or a file\n");
            let said = output(&example.args([fixture(), "echo", "hi"])).stdout;
            assert_eq!(said, "3 bytes in 1 chunks from a program\n");
        });
    });
}

#[test]
fn read_stdin_takes_lines_from_a_terminal() {
    isolated(|| {
        cook("read_stdin", |example| {
            let Some(said) = typed(example, b"three\nlines\nhere\n\x04") else { return };
            assert_eq!(said, ("17 bytes in 3 chunks from a terminal\n".into(), "".into()));
        });
    });
}

#[test]
fn stdin_kind_prompts_at_a_terminal() {
    isolated(|| {
        cook("stdin_kind", |example| {
            let Some(said) = typed(example, b"to be or not to be\n") else { return };
            assert_eq!(said, ("be\nnot\nor\nto\n".into(), "Words to sort? ".into()));
        });
    });
}

#[test]
fn stdin_kind_prompts_nowhere_else() {
    isolated(|| {
        cook("stdin_kind", |example| {
            let out = output(&example.clone().stdin(Redirect::bytes("b  c\na b\n")));
            assert_eq!(out.stdout, "a\nb\nc\n");
            assert_eq!(output(&example.stdin(Redirect::null())).stdout, "");
        });
    });
}

#[test]
fn log_aggregation_tells_the_lines_of_each_source_and_its_failure() {
    isolated(|| {
        cook("log_aggregation", |example| {
            let out = output(&example);
            let of = |tag| -> Vec<_> {
                out.stdout_str().expect("text").lines().filter_map(|l| l.strip_prefix(tag)).collect()
            };
            assert_eq!(of("[0] "), ["request 1", "request 2", "request 3"]);
            assert_eq!(of("[1] "), ["started", "disk is full", "(failed: `/bin/sh` exited with code 1)"]);
            assert_eq!(out.stdout_lossy().lines().count(), 6);
        });
    });
}

#[test]
fn log_aggregation_passes_each_line_on_while_its_source_lives() {
    isolated(|| {
        let dir = tempfile::tempdir().expect("a directory");
        let fifos = ["a", "b"].map(|name| dir.path().join(name));
        for fifo in &fifos {
            mkfifo(fifo, Mode::S_IRWXU).expect("a FIFO");
        }
        cook("log_aggregation", |example| {
            let commands = fifos.each_ref().map(|fifo| format!("exec {} cat < '{}'", fixture(), fifo.display()));
            let job = example.args(commands).stdout(Redirect::piped()).spawn().expect("it starts");
            let mut said = job.take_stdout().expect("piped");
            let mut sources = fifos.each_ref().map(|fifo| File::create(fifo).expect("its other end is opened"));
            for (number, text) in [(0, "first"), (1, "other"), (0, "second")] {
                writeln!(sources[number], "{text}").expect("the source reads");
                assert_eq!(read_line(&mut said), format!("[{number}] {text}"));
            }
            drop(sources);
            assert!(job.wait().expect("it ends").success());
        });
    });
}

/// What a program writes to stdout and stderr when this is typed at the terminal that is its stdin. `None`, said by name, where
/// there are no terminals.
fn typed(example: Cmd, keys: &[u8]) -> Option<(String, String)> {
    let Ok(terminal) = openpty(None, None) else {
        skip("no terminal can be made here");
        return None;
    };
    let mut keyboard = File::from(terminal.master);
    keyboard.write_all(keys).expect("the terminal takes it");
    let out = example.stdin(Redirect::fd(terminal.slave)).output().unwrap_or_else(|error| panic!("{error:#}"));
    Some((out.stdout_lossy().into(), out.stderr_lossy().into()))
}

#[test]
fn first_lines_says_how_a_short_program_failed() {
    isolated(|| {
        cook("first_lines", |example| {
            let error = example.args([fixture(), "exit", "3"]).output().unwrap_err();
            assert_eq!(error.status().and_then(|status| status.code()), Some(1));
            assert!(error.stderr_tail().is_some_and(|text| text.contains("exited with code 3")), "{error:#}");
        });
    });
}
