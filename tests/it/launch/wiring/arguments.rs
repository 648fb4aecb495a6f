//! Arguments that name a descriptor: what the program finds behind them.

use super::*;
use crate::prelude::*;

fn echo(text: &str) -> Cmd {
    role("echo").arg(text)
}

/// What a program with these arguments finds them to be.
fn args_of(cmd: Cmd) -> Vec<String> {
    let bytes = cmd.read_bytes().expect("it runs");
    let text = String::from_utf8(bytes).expect("text");
    text.split_terminator('\0').map(String::from).collect()
}

#[test]
fn the_numbers_are_free_of_the_explicit_ones_and_in_the_order_of_the_arguments() {
    isolated(|| {
        let none = || role("exit").arg("0");
        let cmd = role("args").arg("a").arg_reader(none()).arg("b").arg_fd(null()).arg_writer(role("cat"));
        assert_eq!(args_of(cmd), ["a", "/dev/fd/63", "b", "/dev/fd/62", "/dev/fd/61"]);
        let cmd = role("args").arg_reader(none()).arg_fd(null()).arg_fd(null());
        let cmd = cmd.map_fd(null(), 63).fd_out(61, Redirect::piped()).fd_in(3, Redirect::null());
        assert_eq!(args_of(cmd), ["/dev/fd/62", "/dev/fd/60", "/dev/fd/59"]);
        // Each stage counts by itself.
        let line = role("args").arg_fd(null()) | paths().arg("/dev/fd/0").arg_fd(null());
        assert_eq!(line.read().expect("it runs"), "/dev/fd/63\0");
        // With all of the usual ones in use there are others.
        let cmd = (3..64).fold(role("args"), |cmd, number| cmd.map_fd(null(), number));
        assert_eq!(args_of(cmd.arg_fd(null()).arg_fd(null())), ["/dev/fd/64", "/dev/fd/65"]);
    });
}

#[test]
fn an_argument_is_what_it_says_and_nothing_more() {
    isolated(|| {
        let file = marked(11);
        let copy = pipewright::fd::dup_above(&file, 3).expect("a copy");
        let seen = told(&reporting().arg_fd(copy).run().expect("it runs"));
        assert_eq!((seen.len(), &seen[&63]), (4, &State::of(&file)));
        let inner = || echo("x");
        let seen = told(
            &reporting().arg_reader(inner()).arg_writer(role("cat")).stdin(Redirect::null()).run().expect("it runs"),
        );
        assert_eq!(seen.keys().copied().collect::<Vec<_>>(), [0, 1, 2, 62, 63]);
        assert_eq!((seen[&63].flags & 3, seen[&62].flags & 3), (nix::libc::O_RDONLY, nix::libc::O_WRONLY));
        // Those in arguments have no more than their own ends, and /dev/null as stdin.
        let output = paths().arg_reader(reporting()).run().expect("it runs");
        let seen = told(&output);
        assert_eq!(seen.keys().copied().collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(seen[&0].file, State::of(null()).file);
    });
}

#[test]
fn several_readers_and_writers_each_get_their_own() {
    isolated(|| {
        let sorted = |text: &str| Pipeline::from(echo(text)) | role("upper") | role("cat");
        let cat = paths().arg_reader(sorted("one")).arg_reader(echo("two")).arg_reader(sorted("three"));
        assert_eq!(cat.read().expect("it runs"), "ONE\ntwo\nTHREE");
        let tee = role("tee-paths").arg_writer(role("upper")).arg_writer(role("count") | role("cat"));
        let output = tee.stdin(Redirect::bytes("abc")).stdout(Redirect::null()).output().expect("it runs");
        let mut said = output.stdout.to_string_lossy().into_owned();
        assert!(said.contains("ABC"));
        said = said.replace("ABC", "");
        assert_eq!(said, "3\n");
        let labels = output.stages.len();
        assert_eq!(labels, 4);
    });
}

#[test]
fn they_nest_and_stand_anywhere_in_a_pipeline() {
    isolated(|| {
        let inner = paths().arg_reader(echo("deep")).arg_reader(echo("deeper") | role("upper"));
        let nested = paths().arg_reader(inner | role("cat")).arg_reader(echo("flat"));
        let line = echo("first") | paths().arg("/dev/fd/0").arg_reader(nested) | role("upper");
        let output = line.output().expect("it runs");
        assert_eq!(output.stdout, "FIRST\nDEEP\nDEEPER\nFLAT\n");
        // The run's own stages come first.
        let own = |at: usize| output.stages[at].status.success();
        assert!(output.stages.len() == 10 && (0..10).all(own), "{:?}", output.stages.len());
        let first = role("tee-paths").arg_writer(role("upper")).stdin(Redirect::bytes("x")) | role("cat");
        let mut both = first.read_bytes().expect("it runs");
        both.sort_unstable();
        assert_eq!(both, b"Xx");
    });
}

#[test]
fn closures_may_be_their_stages() {
    isolated(|| {
        let count = |input: &mut pipewright::StageReader, output: &mut pipewright::StageWriter| {
            for (number, line) in input.lines().enumerate() {
                writeln!(output, "{number} {}", line?)?;
            }
            Ok(())
        };
        let numbered = echo("a\nb") | Stage::from_fn(count);
        assert_eq!(paths().arg_reader(numbered).read().expect("it runs"), "0 a\n1 b");
        let alone = Stage::from_fn(|_, output| Ok(output.write_all(b"made here")?));
        assert_eq!(paths().arg_reader(alone).read().expect("it runs"), "made here");
        let tee = role("tee-paths").arg_writer(Stage::from_fn(count)).stdin(Redirect::bytes("x\ny\n"));
        assert_eq!(tee.stdout(Redirect::null()).read().expect("it runs"), "0 x\n1 y");
        let fails = Stage::from_fn(|_, _| Err("no idea")?);
        let error = paths().arg_reader(fails).output().expect_err("it fails");
        assert_eq!((error.kind(), error.stage()), (ErrorKind::Closure, Some(1)));
    });
}

#[test]
fn an_empty_pipeline_is_an_empty_input() {
    isolated(|| {
        let empty = || Pipeline::from_iter(Vec::<Cmd>::new());
        assert_eq!(within(SLACK * 5, || paths().arg_reader(empty()).read()).expect("it runs"), "");
    });
}

#[test]
fn every_verb_runs_them_and_a_builder_runs_them_again() {
    isolated(|| {
        let cmd = paths().arg_reader(echo("x") | role("cat")).stdout(Redirect::capture());
        for _ in 0..2 {
            assert_eq!(cmd.run().expect("run").stdout, "x\n");
            assert_eq!(cmd.read().expect("read"), "x");
            assert!(cmd.status().expect("status").success());
            assert_eq!(cmd.lines().expect("lines").next().expect("a line").expect("text"), "x");
            assert_eq!(std::io::read_to_string(cmd.reader().expect("reader")).expect("its end"), "x\n");
            let job = cmd.spawn().expect("spawn");
            assert_eq!(job.pids().len(), 3);
            assert_eq!(job.output().expect("output").stdout, "x\n");
        }
        let error = cmd.exec();
        assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
        assert_no_child();
    });
}

#[test]
fn what_a_writer_says_goes_where_an_unset_stdout_of_the_run_does() {
    isolated(|| {
        let tee =
            || role("tee-paths").arg_writer(role("upper")).stdin(Redirect::bytes("abc\n")).stdout(Redirect::null());
        assert_eq!(tee().read().expect("it runs"), "ABC");
        assert_eq!(tee().output().expect("it runs").stdout, "ABC\n");
        // With the verbs that hand stdout out, too.
        let both = role("tee-paths").arg_writer(role("upper")).stdin(Redirect::bytes("abc\n"));
        let mut lines: Vec<String> = both.lines().expect("it starts").map(|line| line.expect("text")).collect();
        lines.sort_unstable();
        assert_eq!(lines, ["ABC", "abc"]);
        let mut lines = Vec::new();
        both.for_each_line(|line: &[u8]| lines.push(line.to_vec())).expect("it runs");
        assert_eq!(lines.len(), 2);
        // One that has its own place keeps it, whatever the verb.
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("copy");
        let kept = role("tee-paths").arg_writer(role("upper").stdout(Redirect::file(&path)));
        let kept = kept.stdin(Redirect::bytes("abc\n"));
        assert_eq!(kept.lines().expect("it starts").next().expect("a line").expect("text"), "abc");
        assert_eq!(kept.read().expect("it runs"), "abc");
        assert_eq!(std::fs::read_to_string(&path).expect("written"), "ABC\n");
    });
}

#[test]
fn inherit_fds_does_not_hold_their_pipes_open() {
    isolated(|| {
        let hostile = hostile_fd();
        let inner = || echo("x").inherit_fds(true) | role("cat").inherit_fds(true);
        let cat = paths().inherit_fds(true).arg_reader(inner()).arg_reader(inner());
        assert_eq!(within(SLACK * 5, || cat.read()).expect("it runs"), "x\nx");
        let seen = told(&reporting().inherit_fds(true).arg_reader(inner()).run().expect("it runs"));
        assert_eq!(seen.into_keys().collect::<Vec<_>>(), [0, 1, 2, 7, 63]);
        drop(hostile);
    });
}

#[test]
fn std_has_no_place_for_any_of_it() {
    isolated(|| {
        let refused: [Cmd; 6] = [
            role("cat").arg_reader(echo("x")),
            role("cat").arg_writer(role("cat")),
            role("cat").arg_fd(null()),
            role("cat").map_fd(null(), 3),
            role("cat").fd_out(3, Redirect::piped()),
            role("cat").stdin(Redirect::here_document("x")),
        ];
        for cmd in refused {
            let shown = cmd.to_string();
            let error = Command::try_from(cmd).expect_err("it cannot hold it");
            assert_eq!(error.kind(), ErrorKind::Conflict, "{shown}");
        }
    });
}
