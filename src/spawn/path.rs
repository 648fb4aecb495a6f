//! Which files a program's name may mean: the search of `execvp`, as a list.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// What is searched when the child has no `PATH`.
pub(crate) const DEFAULT_PATH: &str = "/bin:/usr/bin";

/// The files a program's name may mean, to be tried in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Candidates {
    pub(crate) paths: Vec<PathBuf>,
    /// The first element of `PATH` that depends on the current directory, where the search ends because those are refused.
    /// When no candidate was found, this is the reason to give. Empty for an empty element.
    pub(crate) relative_from: Option<OsString>,
}

/// The files that `program` may mean under the child's `path`.
///
/// A name with a slash means itself alone. A bare one is looked for in each element of `path`, or of [`DEFAULT_PATH`]
/// when the child has none. An element that does not start with `/`, the empty one included, means a place
/// below the current directory: it ends the search unless `allow_relative`. An empty name means no file.
pub(crate) fn candidates(
    program: &OsStr,
    path: Option<&OsStr>,
    allow_relative: bool,
) -> Candidates {
    let mut found = Candidates {
        paths: Vec::new(),
        relative_from: None,
    };
    if program.is_empty() {
        return found;
    }
    if program.as_bytes().contains(&b'/') {
        found.paths.push(program.into());
        return found;
    }
    let path = path.unwrap_or(OsStr::new(DEFAULT_PATH));
    for element in path.as_bytes().split(|&byte| byte == b':') {
        if !element.starts_with(b"/") && !allow_relative {
            found.relative_from = Some(OsStr::from_bytes(element).to_owned());
            break;
        }
        // A bare name must not come out of it: that one would be searched for again.
        let directory = if element.is_empty() { b"." } else { element };
        found
            .paths
            .push(Path::new(OsStr::from_bytes(directory)).join(program));
    }
    found
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    use super::candidates;

    type Row<'a> = (&'a str, Option<&'a str>, &'a [&'a str], Option<&'a str>);

    fn check(rows: &[Row<'_>], allow_relative: bool) {
        for &(program, path, paths, relative_from) in rows {
            let found = candidates(OsStr::new(program), path.map(OsStr::new), allow_relative);
            // As text: `Path` takes `a/./b` and `a/b` for equal.
            let found_paths: Vec<&str> = found
                .paths
                .iter()
                .map(|path| path.to_str().unwrap())
                .collect();
            assert_eq!(found_paths, paths, "{program:?} in {path:?}");
            assert_eq!(
                found.relative_from.as_deref(),
                relative_from.map(OsStr::new),
                "{program:?} in {path:?}"
            );
        }
    }

    #[test]
    fn relative_elements_end_the_search() {
        check(
            &[
                (
                    "ls",
                    Some("/usr/bin:/bin"),
                    &["/usr/bin/ls", "/bin/ls"],
                    None,
                ),
                ("ls", Some("/bin/:/"), &["/bin/ls", "/ls"], None),
                ("ls", Some("/bin:/bin"), &["/bin/ls", "/bin/ls"], None),
                ("ls", Some("/a/../b"), &["/a/../b/ls"], None),
                ("..", Some("/bin"), &["/bin/.."], None),
                ("ls", None, &["/bin/ls", "/usr/bin/ls"], None),
                ("", Some("/bin"), &[], None),
                ("", None, &[], None),
                // with a slash: itself, whatever PATH says
                ("/bin/ls", Some(""), &["/bin/ls"], None),
                ("./ls", Some("/bin"), &["./ls"], None),
                ("a/b", None, &["a/b"], None),
                ("ls/", Some("/bin"), &["ls/"], None),
                // empty elements
                ("ls", Some(""), &[], Some("")),
                ("ls", Some(":/bin"), &[], Some("")),
                ("ls", Some("/bin:"), &["/bin/ls"], Some("")),
                ("ls", Some("/bin::/usr/bin"), &["/bin/ls"], Some("")),
                // others
                ("ls", Some(".:/bin"), &[], Some(".")),
                ("ls", Some("/bin:./:/sbin"), &["/bin/ls"], Some("./")),
                ("ls", Some("/bin:..:."), &["/bin/ls"], Some("..")),
                (
                    "ls",
                    Some("/bin:node_modules/.bin"),
                    &["/bin/ls"],
                    Some("node_modules/.bin"),
                ),
                ("ls", Some("~/bin:/bin"), &[], Some("~/bin")),
            ],
            false,
        );
    }

    #[test]
    fn relative_elements_are_candidates_when_allowed() {
        check(
            &[
                ("ls", Some(""), &["./ls"], None),
                (
                    "ls",
                    Some("/bin::bin:.:./:../x"),
                    &["/bin/ls", "./ls", "bin/ls", "./ls", "./ls", "../x/ls"],
                    None,
                ),
                ("", Some(""), &[], None),
                ("a/b", Some("."), &["a/b"], None),
            ],
            true,
        );
    }

    #[test]
    fn bytes_that_are_not_text_are_kept() {
        let found = candidates(
            OsStr::from_bytes(b"p\xff"),
            Some(OsStr::from_bytes(b"/d\xfe")),
            false,
        );
        assert_eq!(found.paths[0].as_os_str().as_bytes(), b"/d\xfe/p\xff");
    }
}
