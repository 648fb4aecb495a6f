//! Which program a name means.

use pipewright::which;

use crate::prelude::*;

/// Two directories with a program `prog` in each, which says its path.
struct Two {
    made: tempfile::TempDir,
}

impl Two {
    fn new() -> Two {
        let made = tempfile::tempdir().expect("a directory");
        let two = Two { made };
        for name in ["a", "b"] {
            std::fs::create_dir(two.dir(name)).expect("it can be made");
            teller(&two.dir(name), "prog");
        }
        two
    }

    fn dir(&self, name: &str) -> PathBuf {
        self.made.path().join(name)
    }

    fn path(&self, elements: &[&str]) -> String {
        elements.join(":").replace('@', &self.made.path().display().to_string())
    }

    /// What `prog` says under this PATH, below this directory; `@` stands for the place of both.
    fn told(&self, path: &[&str], cwd: &str) -> Result<String, pipewright::Error> {
        let cmd = Cmd::new("prog").env("PATH", self.path(path)).current_dir(self.dir(cwd));
        cmd.read().map(|told| told.replace(&self.made.path().display().to_string(), "@"))
    }
}

#[track_caller]
fn assert_relative(result: Result<String, pipewright::Error>, element: &str) {
    let error = result.expect_err("it is refused");
    assert_eq!((error.kind(), error.step()), (ErrorKind::RelativePath, Some(Step::Exec)), "{error:?}");
    let text = error.to_string();
    assert!(text.contains(&format!("{element:?}")) && text.contains("allow_relative_path(true)"), "{text}");
}

#[test]
fn the_childs_path_counts_and_not_this_processs() {
    isolated(|| {
        let two = Two::new();
        // SAFETY: no other thread of this process uses the environment now.
        unsafe { std::env::set_var("PATH", two.dir("a")) };
        assert_eq!(two.told(&["@/b"], "").expect("it runs"), "@/b/prog");
        assert_eq!(Cmd::new("prog").read().expect("it runs"), two.dir("a").join("prog").display().to_string());
        let gone = Cmd::new("prog").env("PATH", "/no/such/directory").run().expect_err("not there");
        assert_eq!(gone.kind(), ErrorKind::ProgramNotFound, "{gone:?}");
        let line = role("cat").env("PATH", "/nowhere") | Cmd::new("prog");
        assert!(line.read().expect("each stage has its own").ends_with("a/prog"));
    });
}

#[test]
fn without_a_path_the_systems_directories_are_searched() {
    isolated(|| {
        let two = Two::new();
        // SAFETY: no other thread of this process uses the environment now.
        unsafe { std::env::set_var("PATH", two.dir("a")) };
        let sh = |name: &str| Cmd::new(name).args(["-c", "exit 7"]);
        assert_eq!(sh("sh").env_remove("PATH").status().expect("it is found").code(), Some(7));
        assert_eq!(sh("sh").env_clear().status().expect("it is found").code(), Some(7));
        assert_eq!(sh("sh").run().expect_err("this PATH has none").kind(), ErrorKind::ProgramNotFound);
        for cmd in [Cmd::new("prog").env_remove("PATH"), Cmd::new("prog").env_clear()] {
            assert_eq!(cmd.run().expect_err("not there").kind(), ErrorKind::ProgramNotFound);
        }
    });
}

#[test]
fn the_first_that_runs_is_taken() {
    isolated(|| {
        let two = Two::new();
        assert_eq!(two.told(&["@/a", "@/b"], "").expect("it runs"), "@/a/prog");
        assert_eq!(two.told(&["/no/such", "@/b/prog", "@/b", "@/a"], "").expect("it runs"), "@/b/prog");
        // A file that may not be executed is passed over, but told if nothing else is there.
        std::fs::write(two.dir("plain"), "").expect("it can be written");
        std::fs::create_dir(two.dir("c")).expect("it can be made");
        std::fs::write(two.dir("c").join("prog"), "").expect("it can be written");
        assert_eq!(two.told(&["@/c", "@/a"], "").expect("it runs"), "@/a/prog");
        let error = two.told(&["/no/such", "@/c", "/nowhere"], "").expect_err("it may not run");
        assert_eq!((error.kind(), error.raw_os_error()), (ErrorKind::NotExecutable, Some(libc::EACCES)), "{error:?}");
        assert!(error.to_string().contains("/c/prog is not executable"), "{error}");
    });
}

#[test]
fn a_path_with_a_slash_starts_in_the_childs_directory() {
    isolated(|| {
        let two = Two::new();
        let run = |program: &str, cwd: &str| Cmd::new(program).current_dir(two.dir(cwd)).read();
        assert_eq!(run("./prog", "a").expect("it runs"), "./prog");
        assert_eq!(run("b/prog", "").expect("it runs"), "b/prog");
        assert_eq!(run("../b/prog", "a").expect("it runs"), "../b/prog");
        let error = run("./prog", "").expect_err("it is not there");
        assert_eq!(error.kind(), ErrorKind::ProgramNotFound);
        // Where this process stands does not matter, and PATH neither.
        std::env::set_current_dir(two.dir("a")).expect("it is there");
        assert_eq!(run("./prog", "").expect_err("it is not there").kind(), ErrorKind::ProgramNotFound);
        assert_eq!(Cmd::new("./prog").env("PATH", "").read().expect("it runs"), "./prog");
        // A single component is a name for PATH, also where it is given as a path. (duct runs the file beside it.)
        let named = Cmd::new(Path::new("prog")).env("PATH", "/no/such").run().expect_err("it is not in PATH");
        assert_eq!(named.kind(), ErrorKind::ProgramNotFound);
        // A relative directory is one of this process's.
        assert_eq!(Cmd::new("./prog").current_dir("../b").read().expect("it runs"), "./prog");
        let told = role("env").env_only(["PWD"]).env("PWD", "as it was").current_dir("/").read_bytes();
        assert_eq!(told.expect("it runs"), b"PWD=as it was\0");
        std::env::set_current_dir("/").expect("it is there");
    });
}

#[test]
fn a_relative_element_of_path_is_refused_only_if_the_program_is_found_there() {
    isolated(|| {
        let two = Two::new();
        for element in ["", ".", "./", "../a"] {
            assert_relative(two.told(&[element, "@/b"], "a"), element);
            assert_relative(two.told(&["/no/such", element, "@/b"], "a"), element);
            // Found before it, or not found in it: what runs does not depend on where one stands.
            assert_eq!(two.told(&["@/b", element], "a").expect("it runs"), "@/b/prog");
            assert_eq!(two.told(&[element, "@/b"], "/").expect("it runs"), "@/b/prog");
            let error = two.told(&[element], "/").expect_err("it is nowhere");
            assert_eq!(error.kind(), ErrorKind::ProgramNotFound, "{error:?}");
        }
        assert_relative(two.told(&["b"], ""), "b");
        assert_relative(two.told(&[""], "a"), "");
        // The directory is the child's, not this process's.
        std::env::set_current_dir(two.dir("a")).expect("it is there");
        assert_eq!(two.told(&[".", "@/b"], "/").expect("it runs"), "@/b/prog");
        let error = Cmd::new("prog").env("PATH", ".").run().expect_err("it is refused");
        assert_eq!(error.kind(), ErrorKind::RelativePath, "{error:?}");
        std::env::set_current_dir("/").expect("it is there");
    });
}

#[test]
fn a_relative_element_of_path_is_searched_when_it_is_allowed() {
    isolated(|| {
        let two = Two::new();
        let told = |path: &str, cwd: &str| {
            let cmd = Cmd::new("prog").env("PATH", path).current_dir(two.dir(cwd)).allow_relative_path(true);
            cmd.read().expect("it runs")
        };
        assert_eq!(told("", "a"), "./prog");
        assert_eq!(told(".:/bin", "b"), "./prog");
        assert_eq!(told("nowhere:b", ""), "b/prog");
        let cmd = Cmd::new("prog").env("PATH", ".").current_dir(two.dir("a"));
        let error = cmd.allow_relative_path(true).allow_relative_path(false).run().expect_err("it is refused");
        assert_eq!(error.kind(), ErrorKind::RelativePath);
    });
}

fn in_path(path: &str, program: &str) -> Result<PathBuf, ErrorKind> {
    // SAFETY: no other thread of this process uses the environment now.
    unsafe { std::env::set_var("PATH", path) };
    which(program).map_err(|error| error.kind())
}

#[test]
fn which_finds_what_a_command_would_run() {
    isolated(|| {
        let two = Two::new();
        std::env::set_current_dir(two.dir("a")).expect("it is there");
        let path = |elements: &[&str]| two.path(elements);
        assert_eq!(in_path(&path(&["/no/such", "@/b", "@/a"]), "prog"), Ok(two.dir("b").join("prog")));
        assert_eq!(in_path("/no/such", "prog"), Err(ErrorKind::ProgramNotFound));
        assert_eq!(in_path(&path(&[".", "@/b"]), "prog"), Err(ErrorKind::RelativePath));
        assert_eq!(in_path(&path(&["nowhere", "@/b", "."]), "prog"), Ok(two.dir("b").join("prog")));
        assert_eq!(in_path("/no/such", "./prog"), Ok(PathBuf::from("./prog")));
        assert_eq!(in_path("/no/such", "../b/prog"), Ok(PathBuf::from("../b/prog")));
        assert_eq!(in_path("/bin", "./missing"), Err(ErrorKind::ProgramNotFound));
        assert_eq!(in_path("/bin", ""), Err(ErrorKind::ProgramNotFound));
        // Neither a directory nor a file without an execute bit.
        std::fs::create_dir(two.dir("a").join("sub")).expect("it can be made");
        std::fs::write(two.dir("a").join("plain"), "").expect("it can be written");
        for name in ["sub", "plain"] {
            assert_eq!(in_path(&path(&["@/a"]), name), Err(ErrorKind::ProgramNotFound), "{name}");
            assert_eq!(in_path("/bin", &format!("./{name}")), Err(ErrorKind::ProgramNotFound), "{name}");
        }
        // SAFETY: no other thread of this process uses the environment now.
        unsafe { std::env::remove_var("PATH") };
        let found = which("sh").expect("it is there");
        assert!(found == Path::new("/bin/sh") || found == Path::new("/usr/bin/sh"));
        std::env::set_current_dir("/").expect("it is there");
    });
}

/// An element that cannot be looked in says nothing about the next one.
#[test]
fn an_element_that_is_too_long_or_a_loop_is_passed_over_and_named_if_nothing_is_found() {
    isolated(|| {
        let two = Two::new();
        let looped = two.dir("loop");
        std::os::unix::fs::symlink(&looped, &looped).expect("it can be made");
        let long = "x".repeat(5000);
        let name = "y".repeat(300);
        for (element, errno) in [
            ("@/loop", libc::ELOOP),
            (&*format!("/{long}"), libc::ENAMETOOLONG),
            (&*format!("/{name}"), libc::ENAMETOOLONG),
        ] {
            assert_eq!(two.told(&[element, "@/b"], "").expect("it runs"), "@/b/prog");
            let error = two.told(&["/nowhere", element, "/nowhere"], "").expect_err("not there");
            let seen = (error.kind(), error.step(), error.raw_os_error());
            assert_eq!(seen, (ErrorKind::ProgramNotFound, Some(Step::Exec), Some(errno)), "{error:?}");
            let text = format!("{}/prog cannot be looked for", two.path(&[element]));
            assert!(error.to_string().contains(&text), "{error}");
        }
        // A file that is there, and may not be run, is what the caller meant.
        std::fs::write(two.dir("a").join("plain"), "").expect("it can be written");
        let path = two.path(&["@/loop", "@/a"]);
        let error = Cmd::new("plain").env("PATH", path).run().expect_err("no program");
        assert_eq!(error.kind(), ErrorKind::NotExecutable, "{error:?}");
    });
}
