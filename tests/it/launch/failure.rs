//! A stage that cannot start: the stages before it are gone, those behind it never were, and the error names stage, program,
//! step and errno.

use crate::prelude::*;

struct Failing {
    cmd: Cmd,
    kind: ErrorKind,
    step: Step,
    errno: i32,
    /// What the error's text must name.
    names: String,
}

fn failing(directory: &Path) -> Vec<Failing> {
    let at = |name: &str| directory.join(name).display().to_string();
    std::fs::write(at("plain"), "no program\n").expect("it can be written");
    executable(Path::new(&at("no-shebang")), "exit 0\n");
    let long = "x".repeat(1 << 20);
    let exec = |cmd, kind, errno, names: String| Failing { cmd, kind, step: Step::Exec, errno, names };
    vec![
        exec(Cmd::new(at("missing")), ErrorKind::ProgramNotFound, libc::ENOENT, at("missing")),
        exec(Cmd::new("no-such-name-in-path"), ErrorKind::ProgramNotFound, libc::ENOENT, "no-such-name-in-path".into()),
        exec(Cmd::new(at("plain")), ErrorKind::NotExecutable, libc::EACCES, at("plain")),
        exec(Cmd::new(at("no-shebang")), ErrorKind::NoShebang, libc::ENOEXEC, at("no-shebang")),
        exec(role("args").args(["short", &long]), ErrorKind::TooLong, libc::E2BIG, "argument 3".into()),
        exec(role("env").env("LONG", &long), ErrorKind::TooLong, libc::E2BIG, "LONG".into()),
        Failing {
            cmd: role("cat").current_dir(at("nowhere")),
            kind: ErrorKind::CurrentDir,
            step: Step::Chdir,
            errno: libc::ENOENT,
            names: at("nowhere"),
        },
    ]
}

/// Five stages: those before the failing one hold the pipe whose writer this returns, and take more than a TERM to end; those
/// behind it would write to that pipe.
fn pipeline(at: usize, failing: &Cmd, trace: &Arc<OwnedFd>) -> Pipeline {
    let stage = |index| match index {
        _ if index < at => role("stubborn-yes"),
        _ if index == at => failing.clone(),
        _ => role("fail-with").args(["1", "started"]),
    };
    (0..5).map(|index| stage(index).stderr(Redirect::shared_fd(Arc::clone(trace)))).collect()
}

#[test]
fn a_stage_that_cannot_start_ends_those_before_and_never_starts_those_behind() {
    isolated(|| {
        let directory = tempfile::tempdir().expect("a directory");
        let limit = Duration::from_millis(100) * count(10, 1) as u32;
        for Failing { cmd, kind, step, errno, names } in failing(directory.path()) {
            let program = cmd.clone();
            for at in 0..5 {
                for _ in 0..count(1, 500) {
                    let (mut reader, writer) = os_pipe::pipe().expect("a pipe");
                    let trace = Arc::new(OwnedFd::from(writer));
                    let line = pipeline(at, &program.clone().label("it"), &trace);
                    drop(trace);
                    let error = within(limit, || line.run()).expect_err("it cannot start");
                    assert_no_child();
                    assert_eq!((error.kind(), error.step()), (kind, Some(step)), "{error:?}");
                    assert_eq!((error.stage(), error.label()), (Some(at), Some("it")), "{error:?}");
                    assert_eq!(error.raw_os_error(), Some(errno), "{error:?}");
                    assert!(error.output().is_none(), "{error:?}");
                    let text = error.to_string();
                    assert!(text.contains(&names) && text.contains(&format!("stage {at} of 5")), "{text}");
                    assert!(text.len() < 600 && !text.contains('\n'), "{text}");
                    // The end shows that no earlier stage is left; that nothing was written shows that no later one was started.
                    drop(line);
                    let mut traced = String::new();
                    reader.read_to_string(&mut traced).expect("its end");
                    assert_eq!(traced, "", "stage {at}, {kind:?}");
                    progress();
                }
            }
        }
    });
}

#[test]
fn the_error_names_the_program_as_it_was_given() {
    isolated(|| {
        let directory = tempfile::tempdir().expect("a directory");
        for Failing { cmd, .. } in failing(directory.path()) {
            let shown = cmd.to_string();
            let error = (role("yes") | cmd).run().expect_err("it cannot start");
            let program = error.program().expect("it is known").to_str().expect("it is text");
            assert!(shown.contains(program), "{program:?} of {}", &shown[..shown.len().min(300)]);
            assert_eq!(error.label(), Some(program));
            assert!(error.status().is_none());
        }
    });
}
