//! The pipe of a GNU make's jobserver, as MAKEFLAGS names it. A child that inherits its descriptors may use it.
//!
//! A make that keeps its jobserver from this process names it all the same, and closes it (make 4.3 and older). The numbers are
//! then free, and the next pipe made here gets them. So the environment is read once, before this library makes its first
//! pipe, and a later pipe under these numbers counts only if it is the same one.

use std::ffi::OsString;
use std::os::fd::RawFd;
use std::os::unix::ffi::OsStrExt;
use std::sync::OnceLock;

use crate::sys::fds::{self, Identity};

/// The host's MAKEFLAGS at the first look, and the pipe that they named then.
pub(crate) struct Host {
    pub(crate) flags: Option<OsString>,
    pub(crate) ends: Option<[(RawFd, Identity); 2]>,
}

static HOST: OnceLock<Host> = OnceLock::new();

/// Looks, the first time; to be called before the library makes a descriptor.
pub(crate) fn look_once() {
    host();
}

pub(crate) fn host() -> &'static Host {
    HOST.get_or_init(|| {
        let flags = std::env::var_os("MAKEFLAGS");
        let ends = flags.as_ref().and_then(|flags| named(flags.as_bytes())).and_then(|(reader, writer)| {
            Some([(reader, fds::pipe_identity(reader)?), (writer, fds::pipe_identity(writer)?)])
        });
        Host { flags, ends }
    })
}

/// The descriptors to pass on to a child with these MAKEFLAGS, if both are open pipes: the host's own, or one that the caller made and
/// named. Never one of `own`, the pipe ends that the run itself has open here.
pub(crate) fn descriptors(flags: &[u8], own: &[RawFd]) -> Vec<RawFd> {
    let Some((reader, writer)) = named(flags) else { return Vec::new() };
    let both = [reader, writer];
    let inherited = host().flags.as_ref().is_some_and(|own| own.as_bytes() == flags);
    let passed = |fd: &RawFd| match (fds::pipe_identity(*fd), inherited) {
        (None, _) => false,
        (Some(identity), true) => host().ends.iter().flatten().any(|end| *end == (*fd, identity)),
        (Some(_), false) => !own.contains(fd),
    };
    if both.iter().all(|fd| *fd > 2 && passed(fd)) { both.to_vec() } else { Vec::new() }
}

/// What `--jobserver-auth=` says, or `--jobserver-fds=` before make 4.2; the last one counts, like in make.
pub(crate) fn auth(flags: &[u8]) -> Option<&[u8]> {
    let words = flags.rsplit(u8::is_ascii_whitespace);
    words.filter_map(|word| word.strip_prefix(b"--jobserver-auth=").or(word.strip_prefix(b"--jobserver-fds="))).next()
}

/// The two numbers of the pipe style, `R,W`.
pub(crate) fn numbers(auth: &[u8]) -> Option<(RawFd, RawFd)> {
    let (reader, writer) = std::str::from_utf8(auth).ok()?.split_once(',')?;
    Some((reader.parse().ok()?, writer.parse().ok()?))
}

fn named(flags: &[u8]) -> Option<(RawFd, RawFd)> {
    numbers(auth(flags)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_and_the_last_one_counts() {
        assert_eq!(named(b" -j --jobserver-auth=3,4"), Some((3, 4)));
        assert_eq!(named(b"--jobserver-fds=5,6 -j"), Some((5, 6)));
        assert_eq!(named(b"-j --jobserver-auth=3,4 --jobserver-auth=7,8"), Some((7, 8)));
    }

    #[test]
    fn what_names_no_descriptors() {
        for flags in [
            &b""[..],
            b"-j4",
            b"-j --jobserver-auth=fifo:/tmp/x",
            b"--jobserver-auth=3",
            b"--jobserver-auth=a,b",
            b"\xff",
        ] {
            assert_eq!(named(flags), None);
        }
    }
}
