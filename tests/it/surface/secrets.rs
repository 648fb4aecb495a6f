//! No text that the library makes shows a secret; pasting one into a shell fails loudly; pasting anything else does the same.

mod cuts;
mod sources;

use std::error::Error as _;

use crate::prelude::*;

/// A secret, and the middle of it that every rendering would leave as it is: letters and digits that occur nowhere else.
struct Secret {
    text: Vec<u8>,
    core: String,
}

impl Secret {
    fn new(random: &mut Random) -> Secret {
        let letters = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
        let core: Vec<u8> = (0..24).map(|_| *random.pick(letters)).collect();
        let text = [junk(random, 4), core.clone(), junk(random, 4)].concat();
        Secret { text, core: String::from_utf8(core).expect("letters") }
    }

    fn os(&self) -> &OsStr {
        OsStr::from_bytes(&self.text)
    }
}

/// Bytes that mean something to a shell or a terminal, and bytes that mean nothing.
fn junk(random: &mut Random, most: usize) -> Vec<u8> {
    let pieces: [&[u8]; 16] = [
        b"'",
        b"\"",
        b"$HOME",
        b"`id`",
        b"\\",
        b"\n",
        b" ",
        b"*",
        b"\xff",
        "é".as_bytes(),
        b"\x1b[2J",
        b";",
        b"&",
        b"=",
        b"~",
        b"x",
    ];
    (0..random.below(most + 1)).flat_map(|_| random.pick(&pieces).iter().copied()).collect()
}

/// A command with arguments and variables, some of them secret.
fn command(random: &mut Random, program: &str, first: &[&str], secrets: &mut Vec<Secret>) -> Cmd {
    let mut cmd = Cmd::new(program).args(first);
    for _ in 0..random.below(4) {
        let secret = Secret::new(random);
        cmd = match random.below(4) {
            0 => cmd.env(format!("K{}", random.below(9)), secret.os()),
            1 => cmd.secret_env("odd name", secret.os()),
            _ => cmd.secret_arg(secret.os()),
        };
        secrets.push(secret);
        if random.one_in(2) {
            cmd = cmd.arg(OsStr::from_bytes(&junk(random, 6)));
        }
        match random.below(8) {
            0 => cmd = cmd.env_remove("K1"),
            1 => cmd = cmd.env_only(["K1", "K2", "PATH"]),
            2 => cmd = cmd.label("a label"),
            _ => {}
        }
    }
    cmd
}

#[track_caller]
fn shows_none(secrets: &[Secret], what: &str, text: &str) {
    for secret in secrets {
        assert!(!text.contains(&secret.core), "{what} shows {:?}:\n{text}", secret.core);
    }
}

#[track_caller]
fn error_shows_none(secrets: &[Secret], error: &Error) {
    let what = format!("an error of kind {:?}", error.kind());
    let texts = [error.to_string(), format!("{error:#}"), format!("{error:?}"), error.full().to_string()];
    texts.iter().for_each(|text| shows_none(secrets, &what, text));
    let io = std::io::Error::from(error.clone());
    shows_none(secrets, &what, &format!("{io} {io:?}"));
    let mut source = error.source();
    while let Some(cause) = source {
        shows_none(secrets, &what, &format!("{cause} {cause:?}"));
        source = cause.source();
    }
}

#[test]
fn no_text_made_from_a_builder_shows_a_secret() {
    isolated(|| {
        let mut random = Random::new(27);
        for _ in 0..count(300, 10_000) {
            let mut secrets = Vec::new();
            let stages: Pipeline = (0..=random.below(3))
                .map(|_| command(&mut random, "/nonexistent/program", &["a"], &mut secrets))
                .collect();
            let stages = if random.one_in(2) {
                let secret = Secret::new(&mut random);
                let stages = stages.env("OUTER", secret.os()).stdin(Redirect::bytes(secret.text.clone()));
                secrets.push(secret);
                stages
            } else {
                stages
            };
            let plan = stages.dry_run().expect("no conflict");
            for text in [format!("{stages}"), format!("{stages:?}"), format!("{plan}"), format!("{plan:?} {plan:#?}")] {
                shows_none(&secrets, "a builder or its plan", &text);
            }
            let error = stages.output().expect_err("there is no such program");
            assert_eq!(error.kind(), ErrorKind::ProgramNotFound);
            error_shows_none(&secrets, &error);
            let misplaced = (stages | role("cat").timeout(Duration::ZERO)).run().expect_err("misplaced");
            assert_eq!(misplaced.kind(), ErrorKind::Conflict);
            error_shows_none(&secrets, &misplaced);
            progress();
        }
    });
}

#[test]
fn no_error_of_a_run_shows_a_secret_and_the_raw_output_is_the_childs() {
    isolated(|| {
        let mut random = Random::new(270);
        for _ in 0..count(40, 10_000) {
            let mut secrets = vec![Secret::new(&mut random)];
            // It says its secret on stderr, in the middle of much or little, and again at the very end.
            let noise = "n".repeat(random.below(3000)) + &"\n".repeat(random.below(30));
            let mut talks = role("say").args(["2", &noise, "2"]).secret_arg(secrets[0].os());
            talks = talks.args(["2", &noise, "2"]).secret_arg(secrets[0].os()).label("talks");
            let mut last = command(&mut random, fixture(), &["env"], &mut secrets).stdout_to_stderr();
            if random.one_in(2) {
                last = command(&mut random, fixture(), &["fail-with", "3"], &mut secrets);
            }
            let run = (talks.unchecked() | last | role("signal").arg("9")).stdout(Redirect::capture());
            let error = run.output().expect_err("the last one is killed");
            error_shows_none(&secrets, &error);
            let stderr = &error.output().expect("there is one").stderr;
            let raw = stderr.windows(secrets[0].text.len()).filter(|window| *window == secrets[0].text).count();
            assert!(raw >= 2, "the raw output is the child's own: {raw}");
            assert!(error.full().to_string().contains("stderr"), "there is a tail: {error:?}");
            progress();
        }
    });
}

#[test]
fn no_error_of_a_start_shows_a_secret() {
    isolated(|| {
        let mut random = Random::new(2700);
        for _ in 0..count(30, 1000) {
            let secret = Secret::new(&mut random);
            let secrets = [Secret { text: secret.text.clone(), core: secret.core.clone() }];
            let with_nul = [&secret.text[..], b"\0"].concat();
            let huge = secret.text.repeat(200_000 / secret.text.len());
            let cat = || role("cat").stdin(Redirect::null());
            let secret_cat = || cat().secret_arg(secret.os()).env("KEY", secret.os());
            let cases = [
                (cat().secret_arg(OsStr::from_bytes(&with_nul)), ErrorKind::InvalidInput),
                (cat().env("KEY", OsStr::from_bytes(&with_nul)), ErrorKind::InvalidInput),
                (cat().secret_arg(OsStr::from_bytes(&huge)), ErrorKind::TooLong),
                (cat().env("KEY", OsStr::from_bytes(&huge)), ErrorKind::TooLong),
                (secret_cat().env("A=B", "x"), ErrorKind::InvalidInput),
                (secret_cat().current_dir("/nonexistent"), ErrorKind::CurrentDir),
                (secret_cat().stdin(Redirect::file("/nonexistent")), ErrorKind::Redirect),
                (secret_cat().timeout(Duration::ZERO), ErrorKind::Timeout),
                (Cmd::new("/").secret_arg(secret.os()), ErrorKind::NotExecutable),
                (
                    Cmd::new("no-such-program").env("PATH", "relative").secret_arg(secret.os()),
                    ErrorKind::ProgramNotFound,
                ),
            ];
            for (case, kind) in cases {
                let error = case.output().expect_err("it cannot start");
                assert_eq!(error.kind(), kind, "{error:?}");
                error_shows_none(&secrets, &error);
                let error = (role("cat").stdin(Redirect::null()) | case.stdin(Redirect::inherit())).output();
                error_shows_none(&secrets, &error.expect_err("its stdin is the pipe"));
            }
            let job = role("hang").secret_arg(secret.os()).stdin(Redirect::null()).stdout(Redirect::null()).spawn();
            let job = job.expect("it starts");
            shows_none(&secrets, "a job", &format!("{job:?} {:?} {:?}", job.processes(), job.kill()));
            progress();
        }
    });
}

/// What a shell makes of the text, in an empty environment.
fn pasted(text: &str) -> pipewright::Output {
    let sh = Cmd::sh(text).env_clear().env("PATH", "/usr/bin:/bin");
    sh.unchecked().output().expect("unchecked")
}

#[test]
fn a_pasted_secret_fails_loudly() {
    isolated(|| {
        let mut random = Random::new(5);
        for _ in 0..count(10, 1000) {
            let secret = Secret::new(&mut random);
            let echo = role("echo").arg("it ran");
            let cases = [
                (echo.clone().secret_arg(secret.os()), "SECRET"),
                (echo.clone().env("TOKEN", secret.os()), "TOKEN"),
                (echo.clone().env("TOKEN", secret.os()).env_remove("OTHER"), "TOKEN"),
                (echo.clone().env_clear().env("TOKEN", secret.os()), "TOKEN"),
                (echo.clone().env("odd name", secret.os()), "SECRET"),
                (echo.clone().current_dir("/").secret_arg(secret.os()), "SECRET"),
            ];
            for (cmd, name) in cases {
                let out = pasted(&cmd.to_string());
                assert!(!out.status.success() && out.stdout.is_empty(), "{cmd}\n{out:?}");
                assert!(out.stderr_lossy().contains(name), "{cmd}\n{out:?}");
                let out = pasted(&(cmd.clone() | role("cat")).to_string());
                assert!(out.stdout.is_empty() && out.stderr_lossy().contains(name), "{cmd}\n{out:?}");
            }
            // With the variable there, it is the command again.
            let cmd = echo.env("TOKEN", "x").to_string();
            assert_eq!(pasted(&format!("TOKEN=x; {cmd}")).stdout, "it ran\n", "{cmd}");
            progress();
        }
    });
}

#[test]
fn anything_else_pasted_is_the_same_command() {
    isolated(|| {
        let mut random = Random::new(6);
        for _ in 0..count(30, 5000) {
            let words: Vec<Vec<u8>> = (0..random.below(5)).map(|_| junk(&mut random, 8)).collect();
            let args = role("args").args(words.iter().map(|word| OsStr::from_bytes(word)));
            let expected: Vec<u8> = words.iter().flat_map(|word| [word, &b"\0"[..]].concat()).collect();
            assert_eq!(args.output().expect("it ends well").stdout, expected);
            let variants: [Pipeline; 6] = [
                args.clone().into(),
                args.clone().current_dir("/").into(),
                args.clone().env("PATH", OsStr::from_bytes(&words.concat())).env_remove("OTHER").into(),
                args.clone().current_dir("/tmp") | role("cat").current_dir("/"),
                args.clone().stdout_to_stderr().pipe_stderr(role("cat")),
                args.clone().stdout_to_stderr().pipe_both(role("cat")),
            ];
            for variant in variants {
                let out = pasted(&variant.to_string());
                assert_eq!(out.stdout, expected, "{variant}\n{out:?}");
            }
            progress();
        }
    });
}

#[test]
fn a_pasted_environment_is_the_same_environment() {
    isolated(|| {
        let mut random = Random::new(7);
        for _ in 0..count(20, 1000) {
            let path = [b"/bin:", &junk(&mut random, 8)[..]].concat();
            let env = role("env").env_clear().env("PATH", OsStr::from_bytes(&path)).env("PWD", "/x y");
            let expected = env.output().expect("it ends well").stdout;
            let out = pasted(&env.to_string());
            let sorted = |text: &[u8]| {
                let mut entries: Vec<Vec<u8>> = text.split(|&byte| byte == 0).map(<[u8]>::to_vec).collect();
                entries.sort();
                entries
            };
            assert_eq!(sorted(&out.stdout), sorted(&expected), "{env}\n{out:?}");
        }
    });
}
