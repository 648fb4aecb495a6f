//! The programs of the package under test.

use std::env::consts::EXE_SUFFIX;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::cmd::Cmd;

/// Why [`Cmd::cargo_bin`] found no program: what it looked for.
///
/// ```
/// use pipewright::Cmd;
/// let error = Cmd::cargo_bin("no-such-program").unwrap_err();
/// assert_eq!(error.name(), "no-such-program");
/// assert!(error.looked_for().iter().all(|path| path.ends_with("no-such-program")));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct NoCargoBin {
    name: String,
    looked_for: Vec<PathBuf>,
}

impl NoCargoBin {
    /// The name that was asked for.
    ///
    /// ```
    /// assert_eq!(pipewright::Cmd::cargo_bin("no-such-program").unwrap_err().name(), "no-such-program");
    /// ```
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The files that would have done, in the order in which they were looked for.
    ///
    /// ```
    /// assert!(!pipewright::Cmd::cargo_bin("no-such-program").unwrap_err().looked_for().is_empty());
    /// ```
    #[must_use]
    pub fn looked_for(&self) -> &[PathBuf] {
        &self.looked_for
    }
}

impl fmt::Display for NoCargoBin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let paths: Vec<String> = self.looked_for.iter().map(|path| path.display().to_string()).collect();
        write!(
            f,
            "no program `{}` was built for this test; looked for {}. Cargo builds the programs of a package for the integration tests \
             of that package, unless only some targets are asked for",
            self.name,
            paths.join(", ")
        )
    }
}

impl Cmd {
    /// A program of the package that is being tested, by the name of its `[[bin]]` target, as cargo built it for this test program.
    ///
    /// It is where cargo or cargo-nextest say in the environment (`CARGO_BIN_EXE_…`, `NEXTEST_BIN_EXE_…`), or else beside this
    /// program, one directory up from `deps`. Where the name is known when the test is compiled, `env!("CARGO_BIN_EXE_name")`
    /// does without a search, and fails to compile.
    ///
    /// # Errors
    /// When there is no such file: [`NoCargoBin`] lists what was looked for.
    ///
    /// ```no_run
    /// use pipewright::Cmd;
    /// #[test]
    /// fn it_says_its_version() -> Result<(), Box<dyn std::error::Error>> {
    ///     Cmd::cargo_bin("my-program")?.arg("--version").assert().success().stdout("my-program 1.0\n");
    ///     Ok(())
    /// }
    /// ```
    pub fn cargo_bin(name: impl AsRef<str>) -> Result<Cmd, NoCargoBin> {
        let name = name.as_ref();
        // Without its own path there is no place to look in.
        let program = std::env::current_exe().unwrap_or_default();
        let looked_for = candidates(name, |key| std::env::var_os(key), &program);
        match looked_for.iter().find(|path| path.is_file()) {
            Some(path) => Ok(Cmd::new(path)),
            None => Err(NoCargoBin { name: name.to_owned(), looked_for }),
        }
    }
}

/// Where the program may be, best first.
fn candidates(name: &str, variable: impl Fn(&str) -> Option<OsString>, test_program: &Path) -> Vec<PathBuf> {
    let named = format!("{name}{EXE_SUFFIX}");
    let keys = [
        format!("CARGO_BIN_EXE_{name}"),
        format!("NEXTEST_BIN_EXE_{name}"),
        format!("NEXTEST_BIN_EXE_{}", name.replace('-', "_")),
    ];
    let mut found: Vec<PathBuf> = keys.iter().filter_map(|key| variable(key)).map(PathBuf::from).collect();
    if let Some(directory) = test_program.parent() {
        let is_below = directory.ends_with("deps") || directory.ends_with("examples");
        let directory = if is_below { directory.parent().unwrap_or(directory) } else { directory };
        found.push(directory.join(named));
    }
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(name: &str, variables: &[(&str, &str)], program: &str) -> Vec<String> {
        let variable = |key: &str| variables.iter().find(|(name, _)| *name == key).map(|(_, value)| value.into());
        candidates(name, variable, Path::new(program)).iter().map(|path| path.display().to_string()).collect()
    }

    #[test]
    fn what_the_environment_says_comes_first() {
        let variables = [("CARGO_BIN_EXE_a-b", "/1"), ("NEXTEST_BIN_EXE_a_b", "/2"), ("CARGO_BIN_EXE_a_b", "/3")];
        assert_eq!(found("a-b", &variables, "/t/debug/deps/it-1"), ["/1", "/2", "/t/debug/a-b"]);
    }

    #[test]
    fn a_test_program_is_one_below_the_programs_an_example_too() {
        assert_eq!(found("x", &[], "/t/debug/deps/it-1"), ["/t/debug/x"]);
        assert_eq!(found("x", &[], "/t/debug/examples/e"), ["/t/debug/x"]);
        assert_eq!(found("x", &[], "/t/other/it"), ["/t/other/x"]);
        assert_eq!(found("x", &[], ""), [""; 0]);
    }
}
