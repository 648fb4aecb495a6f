//! Putting a pipe in a standard stream's place, and the stream back.

use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd, RawFd};
use std::sync::Arc;

use super::complaint;
use crate::fd::real_stdio::{self, Real};
use crate::sys::fds::{self, Stdio};
use crate::sys::{cstdio, stdio};

/// The number of a stream, and the end of a pipe that takes its place.
pub(super) type Writer = (RawFd, Arc<OwnedFd>);

/// The streams that are replaced.
pub(super) struct Swapped(Vec<Saved>);

struct Saved {
    number: RawFd,
    /// `None`: the number was free.
    real: Option<Arc<OwnedFd>>,
    /// Whether this is what other threads' children get meanwhile.
    announced: bool,
    /// Whether this is what complaints get meanwhile.
    for_complaints: bool,
}

impl Swapped {
    /// What was printed so far goes out, then the writers take the streams' places. When `exclusive`, what other threads start
    /// keeps the real ones.
    pub(super) fn begin(writers: &[Writer], exclusive: bool) -> io::Result<Swapped> {
        flush()?;
        let mut swapped = Swapped(Vec::new());
        let begun = real_stdio::exchange(|real| {
            writers.iter().try_for_each(|writer| {
                swapped.0.push(replace(writer, exclusive, real)?);
                Ok(())
            })
        });
        match begun {
            Ok(()) => Ok(swapped),
            Err(error) => swapped.put_back().and(Err(error)),
        }
    }

    /// What was printed meanwhile goes into the pipes, then the streams are what they were.
    pub(super) fn end(self) -> io::Result<()> {
        let flushed = flush();
        self.put_back()?;
        flushed
    }

    /// All of them, also when one fails.
    fn put_back(self) -> io::Result<()> {
        real_stdio::exchange(|real| {
            let results: Vec<_> = self.0.into_iter().map(|saved| saved.put_back(real)).collect();
            results.into_iter().collect()
        })
    }
}

impl Saved {
    fn put_back(self, real: &mut Real) -> io::Result<()> {
        if self.announced {
            *slot(real, self.number) = None;
        }
        let result = match self.real {
            Some(saved) => stdio::replace(self.number, saved.as_fd()),
            None => stdio::close(self.number),
        };
        if self.for_complaints {
            complaint::forget_stderr();
        }
        result
    }
}

fn replace((number, writer): &Writer, exclusive: bool, real: &mut Real) -> io::Result<Saved> {
    let number = *number;
    let is_open = fds::stdio_state(number) != Stdio::Closed;
    let saved = is_open.then(|| fds::dup_above(fds::stdio(number), 3)).transpose()?.map(Arc::new);
    stdio::replace(number, writer.as_fd())?;
    let for_complaints = number == 2 && complaint::keep_stderr(saved.as_ref());
    let slot = slot(real, number);
    // Inside of another capture, the real one is that one's.
    let announced = exclusive && slot.is_none();
    if announced {
        slot.clone_from(&saved);
    }
    Ok(Saved { number, real: saved, announced, for_complaints })
}

fn slot(real: &mut Real, number: RawFd) -> &mut Option<Arc<OwnedFd>> {
    let [stdout, stderr] = real;
    if number == 1 { stdout } else { stderr }
}

fn flush() -> io::Result<()> {
    io::stdout().flush()?;
    cstdio::flush_stdout()
}
