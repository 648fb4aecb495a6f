//! Putting a pipe in a standard stream's place, and the stream back.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd, RawFd};
use std::sync::Arc;

use super::run::Writer;
use crate::fd::diverted::{self, Real};
use crate::sys::{cstdio, fds, stdio};

/// The streams that are replaced.
pub(super) struct Swapped(Vec<Saved>);

struct Saved {
    number: RawFd,
    real: Arc<OwnedFd>,
    /// Whether this is what other threads' children get meanwhile.
    announced: bool,
}

impl Swapped {
    /// What was printed so far goes out, then the writers take the streams' places. When `exclusive`, what other threads start
    /// keeps the real ones.
    pub(super) fn begin(writers: &[Writer], exclusive: bool) -> io::Result<Swapped> {
        flush()?;
        let mut swapped = Swapped(Vec::new());
        let begun = diverted::exchange(|real| {
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

    fn put_back(self) -> io::Result<()> {
        diverted::exchange(|real| {
            self.0.into_iter().try_for_each(|Saved { number, real: saved, announced }| {
                if announced {
                    *slot(real, number) = None;
                }
                stdio::replace(number, saved.as_fd())
            })
        })
    }
}

fn replace((number, writer): &Writer, exclusive: bool, real: &mut Real) -> io::Result<Saved> {
    let saved = Arc::new(save(*number)?);
    stdio::replace(*number, writer.as_fd())?;
    let slot = slot(real, *number);
    // Inside of another capture, the real one is that one's.
    let announced = exclusive && slot.is_none();
    if announced {
        *slot = Some(Arc::clone(&saved));
    }
    Ok(Saved { number: *number, real: saved, announced })
}

fn slot(real: &mut Real, number: RawFd) -> &mut Option<Arc<OwnedFd>> {
    let [stdout, stderr] = real;
    if number == 1 { stdout } else { stderr }
}

/// A copy to put back; of a stream that is closed, `/dev/null`.
fn save(number: RawFd) -> io::Result<OwnedFd> {
    if fds::stdio_state(number) != Stdio::Closed {
        return fds::dup_above(fds::stdio(number), 3);
    }
    fds::clear_of_stdio(OpenOptions::new().read(true).write(true).open("/dev/null")?.into())
}

fn flush() -> io::Result<()> {
    io::stdout().flush()?;
    cstdio::flush_stdout()
}
