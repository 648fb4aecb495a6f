//! Commands, their words and their environment; pipes.

use crate::prelude::*;

#[test]
fn a_shell_gets_its_text_as_it_is() {
    isolated(|| {
        assert_eq!(Cmd::sh("a=4; echo \"$((a + 1))\" \"$0\"").arg("name").read().unwrap(), "5 name");
        assert_eq!(Cmd::sh(r#"printf '%s|' "a  b" 'c"d' e\ f"#).read().unwrap(), "a  b|c\"d|e f|");
        assert_eq!(Cmd::sh("exit 7").status().unwrap().code(), Some(7));
    });
}

/// A program that is not there is an error of starting, by every verb, and no status 127.
#[test]
fn a_missing_program_is_an_error_of_every_verb_and_one_of_std() {
    isolated(|| {
        for program in ["no-such-program-here", "/no/such/program"] {
            let missing = Pipeline::from(cmd!(program).env("PATH", "/no/such/directory"));
            for (name, verb) in &crate::surface::verbs::VERBS {
                let error = verb(&missing).result.expect_err(name);
                assert_eq!((error.kind(), error.raw_os_error()), (ErrorKind::ProgramNotFound, Some(libc::ENOENT)));
                assert!(error.to_string().contains(program) && error.status().is_none(), "{name}: {error}");
                assert_eq!(std::io::Error::from(error).kind(), std::io::ErrorKind::NotFound, "{name}");
            }
            assert_childless();
        }
        let late = std::io::Error::from(role("cat").timeout(std::time::Duration::ZERO).run().unwrap_err());
        assert_eq!(late.kind(), std::io::ErrorKind::TimedOut);
    });
}

/// The entries of the environment that a child of this builder has.
fn environment(cmd: Cmd) -> Vec<String> {
    let text = String::from_utf8(cmd.read_bytes().unwrap()).unwrap();
    text.split_terminator('\0').map(String::from).collect()
}

/// Variables are inherited, set, removed and cleared. Of two calls the last one counts. (With duct, the first.)
#[test]
fn the_environment_is_inherited_at_the_start_and_then_changed() {
    const KEY: &str = "PIPEWRIGHT_ISOLATED_TEST";
    isolated(|| {
        let own = std::env::var(KEY).unwrap();
        let value = |cmd: Cmd| -> Option<String> {
            environment(cmd).iter().find_map(|entry| entry.strip_prefix(KEY)?.strip_prefix('=').map(String::from))
        };
        assert_eq!(value(role("env")), Some(own.clone()));
        assert_eq!(value(role("env").env(KEY, "other")).as_deref(), Some("other"));
        assert_eq!(value(role("env").env_remove(KEY)), None);
        assert_eq!(value(role("env").env_remove(KEY).env(KEY, "back")).as_deref(), Some("back"));
        assert_eq!(std::env::var(KEY).unwrap(), own);

        let clear = || role("env").env_clear();
        assert_eq!(environment(clear()), [""; 0]);
        assert_eq!(environment(role("env").env("A", "1").env_clear()), [""; 0]);
        assert_eq!(environment(clear().env("ONE", "")), ["ONE="]);
        assert_eq!(environment(clear().env("A", "1").env("A", "2").env("a", "3")), ["A=2", "a=3"]);
        assert_eq!(environment(clear().envs([("A", "1"), ("B", "2"), ("A", "3")])), ["A=3", "B=2"]);

        // A stage that clears its environment hides this process's variables and the pipeline's.
        let piped = |cmd: Cmd| (cmd | role("cat")).env("OUTER", "2").read().unwrap();
        assert_eq!(piped(clear().env("OWN", "1")), "OWN=1\0");
        assert_eq!(piped(role("env").env_only(["OUTER"])), "OUTER=2\0");

        // What this process has when the run starts, not when the builder was made.
        let late = Cmd::sh("echo $LATE $OWN").env("OWN", "own");
        // SAFETY: no other thread of this process reads the environment meanwhile.
        unsafe { std::env::set_var("LATE", "late") };
        assert_eq!(late.read().unwrap(), "late own");
    });
}

/// A pipeline's working directory is the one of every stage that has none, also of a collected pipeline.
#[test]
fn a_directory_on_a_pipeline_is_every_stages() {
    isolated(|| {
        let stage = || Cmd::sh("pwd >&2; pwd");
        let collected: Pipeline = [stage(), stage()].into_iter().collect();
        for both in [stage() | stage(), collected] {
            let out = both.current_dir("/").output().unwrap();
            assert_eq!((&out.stdout[..], &out.stderr[..]), (&b"/\n"[..], &b"/\n/\n"[..]));
        }
        let own = (stage().current_dir("/dev") | role("cat")).current_dir("/").output().unwrap();
        assert_eq!((&own.stdout[..], &own.stderr[..]), (&b"/dev\n"[..], &b"/dev\n"[..]));
    });
}

/// Words are quoted, stages joined with a bar; of variables the names are shown, not the values.
#[test]
fn display_and_debug_are_the_command_line_without_values() {
    isolated(|| {
        let cmd = cmd!("prog", "a b").env("SET", "value").env_remove("GONE");
        assert_eq!(cmd.to_string(), r#"env -u GONE SET="${SET:?}" prog 'a b'"#);
        assert_eq!(cmd!("prog").env_clear().to_string(), "env -i prog");
        assert_eq!((cmd!("a") | cmd!("b", "c") | cmd!("d")).to_string(), "a | b c | d");
        let left = cmd!("a", "b c").env("KEY", "value").stderr_to_stdout();
        assert_eq!(format!("{left:?}"), r#"Cmd(KEY="${KEY:?}" a 'b c' 2>&1)"#);
        let both = left | cmd!("d").current_dir("/e").stdout(Redirect::file("f"));
        assert_eq!(format!("{both:?}"), r#"Pipeline(KEY="${KEY:?}" a 'b c' 2>&1 | (cd /e && d > f))"#);
    });
}

/// Both merges at once exchange the two outputs.
#[test]
fn both_merges_at_once_change_places() {
    isolated(|| {
        let swapped = cmd!(fixture(), "out-err", "1").stderr_to_stdout().stdout_to_stderr().output().unwrap();
        assert_eq!((&swapped.stdout[..], &swapped.stderr[..]), (&b"err 0\n"[..], &b"out 0\n"[..]));
    });
}

#[test]
fn every_kind_of_bytes_is_an_input() {
    isolated(|| {
        for input in [
            Redirect::bytes("abc"),
            Redirect::bytes(String::from("abc")),
            Redirect::bytes(b"abc"),
            Redirect::bytes(*b"abc"),
            Redirect::bytes(&b"abc"[..]),
            Redirect::bytes(b"abc".to_vec()),
            Redirect::bytes(b"abc".to_vec().into_boxed_slice()),
        ] {
            assert_eq!(role("cat").stdin(input).read().unwrap(), "abc");
        }
    });
}

/// It carries nothing, little, and more than it holds; its ends work by reference, are cloned, and are close-on-exec.
#[test]
fn a_kernel_pipe_carries_all_and_its_ends_stay_out_of_children() {
    isolated(|| {
        for size in [0, 3, 1_000_000] {
            let (mut reader, mut writer) = pipe::kernel().unwrap();
            let sent: Vec<u8> = (0..size).map(|n| n as u8).collect();
            let copy = sent.clone();
            let sender = thread::spawn(move || writer.write_all(&copy).unwrap());
            let mut received = Vec::new();
            reader.read_to_end(&mut received).unwrap();
            sender.join().unwrap();
            assert!(received == sent, "{size} bytes");
        }
        let (reader, writer) = pipe::kernel().unwrap();
        let (second, other) = (writer.try_clone().unwrap(), reader.try_clone().unwrap());
        // Even std's `Command`, which closes nothing, does not pass them on.
        let out = std::process::Command::new(fixture()).arg("count-fds").output().unwrap();
        assert_eq!(out.stdout, b"0\n1\n2\n");
        (&writer).write_all(b"one ").unwrap();
        drop(writer);
        (&second).write_all(b"two").unwrap();
        drop(second);
        let mut text = [0; 4];
        (&reader).read_exact(&mut text).unwrap();
        drop(reader);
        assert_eq!((&text, std::io::read_to_string(&other).unwrap().as_str()), (b"one ", "two"));
    });
}
