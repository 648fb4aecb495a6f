//! The jobserver that a GNU make above us runs: its pipe is named in MAKEFLAGS, and a child that was not told to close it may use it.

use std::os::fd::RawFd;
use std::os::unix::ffi::OsStrExt;

use super::image::Image;

/// The descriptors that the child's MAKEFLAGS names, if both are open pipes. The fifo style (`fifo:PATH`, make 4.4) needs none.
pub(super) fn descriptors(image: &Image) -> Vec<RawFd> {
    let flags = image.envp().strings().iter().find_map(|entry| entry.as_bytes().strip_prefix(b"MAKEFLAGS="));
    match flags.and_then(named) {
        Some((reader, writer)) if reader > 2 && writer > 2 => {
            let both = [reader, writer];
            if both.iter().all(|&fd| crate::sys::fds::number_is_pipe(fd)) { both.to_vec() } else { Vec::new() }
        }
        _ => Vec::new(),
    }
}

/// `--jobserver-auth=R,W`, or `--jobserver-fds=R,W` before make 4.2; the last one counts, as make has it.
fn named(flags: &[u8]) -> Option<(RawFd, RawFd)> {
    let flags = std::str::from_utf8(flags).ok()?;
    let value = flags
        .split_ascii_whitespace()
        .rev()
        .find_map(|word| word.strip_prefix("--jobserver-auth=").or_else(|| word.strip_prefix("--jobserver-fds=")))?;
    let (reader, writer) = value.split_once(',')?;
    Some((reader.parse().ok()?, writer.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::named;

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
