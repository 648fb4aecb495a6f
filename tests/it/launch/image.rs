//! Files that are no program, and the words for each.

use crate::prelude::*;

fn refused(cmd: &Cmd) -> Error {
    let error = cmd.run().expect_err("it is no program");
    assert_eq!(error.step(), Some(Step::Exec), "{error:?}");
    error
}

#[test]
fn a_file_without_a_first_line_that_names_its_interpreter_is_never_given_to_a_shell() {
    isolated(|| {
        let made = tempfile::tempdir().expect("a directory");
        let trace = made.path().join("trace");
        let script = made.path().join("script");
        executable(&script, format!("echo run > {}\n", trace.display()));
        executable(&made.path().join("empty"), "");
        for name in ["script", "empty"] {
            for cmd in [Cmd::new(made.path().join(name)), Cmd::new(name).env("PATH", made.path())] {
                let error = refused(&cmd);
                assert_eq!(
                    (error.kind(), error.raw_os_error()),
                    (ErrorKind::NoShebang, Some(libc::ENOEXEC)),
                    "{error:?}"
                );
                assert!(error.to_string().contains("`#!`"), "{error}");
            }
        }
        assert!(!trace.exists(), "a shell ran it");
        // One that is asked for is another matter.
        Cmd::new("/bin/sh").arg(&script).run().expect("it runs");
        assert_eq!(std::fs::read(&trace).expect("it ran"), b"run\n");
    });
}

#[test]
fn a_missing_interpreter_is_not_a_missing_program() {
    isolated(|| {
        let made = tempfile::tempdir().expect("a directory");
        // The directory of the child is where its relative path starts.
        executable(&made.path().join("script"), "#!/no/such/interpreter\n");
        let error = refused(&Cmd::new("./script").current_dir(made.path()));
        assert_eq!(error.kind(), ErrorKind::InterpreterNotFound, "{error:?}");
    });
}

#[test]
fn a_directory_is_no_program() {
    isolated(|| {
        let made = tempfile::tempdir().expect("a directory");
        let path = made.path().join("sub");
        std::fs::create_dir(&path).expect("it can be made");
        for cmd in [Cmd::new(&path), Cmd::new("./sub").current_dir(made.path()), Cmd::new(".").env("PATH", made.path())]
        {
            let error = refused(&cmd);
            assert_eq!(
                (error.kind(), error.raw_os_error()),
                (ErrorKind::NotExecutable, Some(libc::EACCES)),
                "{error:?}"
            );
            assert!(error.to_string().contains("is a directory"), "{error}");
        }
        // A directory of that name in PATH is passed over, and the program behind it found.
        let second = tempfile::tempdir().expect("a directory");
        let found = teller(second.path(), "sub");
        let path = std::env::join_paths([made.path(), second.path()]).expect("a PATH");
        assert_eq!(Cmd::new("sub").env("PATH", path).read().expect("it runs"), found.display().to_string());
    });
}

#[test]
fn a_path_that_leads_nowhere_names_the_file() {
    isolated(|| {
        let made = tempfile::tempdir().expect("a directory");
        let link = made.path().join("link");
        std::os::unix::fs::symlink("nowhere", &link).expect("it can be made");
        let error = refused(&Cmd::new(&link));
        assert_eq!((error.kind(), error.raw_os_error()), (ErrorKind::ProgramNotFound, Some(libc::ENOENT)), "{error:?}");
        let looped = made.path().join("loop");
        std::os::unix::fs::symlink(&looped, &looped).expect("it can be made");
        let error = refused(&Cmd::new(&looped));
        assert_eq!(error.raw_os_error(), Some(libc::ELOOP), "{error:?}");
    });
}

#[test]
fn names_and_arguments_are_bytes() {
    isolated(|| {
        let made = tempfile::tempdir().expect("a directory");
        let odd = made.path().join(std::ffi::OsStr::from_bytes(b"p\xff\n r"));
        std::os::unix::fs::symlink(fixture(), &odd).expect("it can be made");
        let argument = std::ffi::OsStr::from_bytes(b"\xff \n'");
        let cmd = Cmd::new(&odd).arg("args").arg(argument).arg("");
        assert_eq!(cmd.read_bytes().expect("it runs"), b"\xff \n'\0\0");
        let each: Vec<[u8; 1]> = (1..=255).map(|byte| [byte]).collect();
        let all = role("args").args(each.iter().map(|byte| std::ffi::OsStr::from_bytes(byte)));
        assert_eq!(all.read_bytes().expect("it runs"), each.iter().flat_map(|byte| [byte[0], 0]).collect::<Vec<_>>());
        let bare = Cmd::new(odd.file_name().expect("a name")).args(["args", "x"]).env("PATH", made.path());
        assert_eq!(bare.read_bytes().expect("it runs"), b"x\0");
        let error = Cmd::new(odd.join("below")).run().expect_err("a file is above it");
        assert!(!error.to_string().contains('\n'), "{error}");
    });
}
