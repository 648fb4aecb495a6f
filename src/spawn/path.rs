//! Which files a program's name may mean: the search of `execvp`, as a list.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The directories to search when the child has no `PATH`.
const DEFAULT_PATH: &str = "/bin:/usr/bin";

/// One file that a program's name may mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) path: PathBuf,
    /// The element of PATH that it comes from, if that is empty or relative: which file such an element means depends on the current
    /// directory, so it is refused unless allowed.
    pub(crate) relative: Option<OsString>,
}

/// The files that `program` may mean under the child's `path`, in the order to try them.
///
/// A name with a slash means itself alone. A bare one is looked for in each element of `path`, or of `/bin:/usr/bin`
/// when the child has none. An empty name means no file.
pub(crate) fn candidates(program: &OsStr, path: Option<&OsStr>) -> Vec<Candidate> {
    if program.is_empty() {
        return Vec::new();
    }
    if program.as_bytes().contains(&b'/') {
        return vec![Candidate { path: program.into(), relative: None }];
    }
    let elements = path.unwrap_or(OsStr::new(DEFAULT_PATH)).as_bytes().split(|&byte| byte == b':');
    let candidate = |element: &[u8]| {
        // The result has a slash: execve does not look for it again.
        let directory = if element.is_empty() { b"." } else { element };
        Candidate {
            path: Path::new(OsStr::from_bytes(directory)).join(program),
            relative: (!element.starts_with(b"/")).then(|| OsStr::from_bytes(element).to_owned()),
        }
    };
    elements.map(candidate).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The candidates as text, a relative one marked by a leading `?`. As text, because `Path` takes `a/./b` and `a/b` for equal.
    fn found(program: &str, path: Option<&str>) -> Vec<String> {
        let mark = |one: &Candidate| if one.relative.is_some() { "?" } else { "" };
        candidates(OsStr::new(program), path.map(OsStr::new))
            .iter()
            .map(|one| format!("{}{}", mark(one), one.path.to_str().unwrap()))
            .collect()
    }

    #[test]
    fn elements_in_order() {
        assert_eq!(found("ls", Some("/usr/bin:/bin")), ["/usr/bin/ls", "/bin/ls"]);
        assert_eq!(found("ls", Some("/bin/:/")), ["/bin/ls", "/ls"]);
        assert_eq!(found("ls", Some("/a/../b")), ["/a/../b/ls"]);
        assert_eq!(found("..", Some("/bin")), ["/bin/.."]);
        assert_eq!(found("ls", None), ["/bin/ls", "/usr/bin/ls"]);
        assert!(found("", Some("/bin")).is_empty());
    }

    #[test]
    fn a_slash_means_itself() {
        for program in ["/bin/ls", "./ls", "a/b", "ls/"] {
            assert_eq!(found(program, Some("/bin")), [program]);
            assert_eq!(found(program, Some("")), [program]);
        }
    }

    #[test]
    fn what_depends_on_the_current_directory_is_marked() {
        assert_eq!(found("ls", Some("")), ["?./ls"]);
        assert_eq!(found("ls", Some("/bin::/sbin")), ["/bin/ls", "?./ls", "/sbin/ls"]);
        assert_eq!(found("ls", Some("/bin:")), ["/bin/ls", "?./ls"]);
        assert_eq!(found("ls", Some(".:..:./:~/bin")), ["?./ls", "?../ls", "?./ls", "?~/bin/ls"]);
        assert_eq!(found("ls", Some("node_modules/.bin:/bin")), ["?node_modules/.bin/ls", "/bin/ls"]);
    }

    #[test]
    fn bytes_that_are_not_text_are_kept() {
        let found = candidates(OsStr::from_bytes(b"p\xff"), Some(OsStr::from_bytes(b"/d\xfe")));
        assert_eq!(found[0].path.as_os_str().as_bytes(), b"/d\xfe/p\xff");
    }
}
