//! This process's ends of a run's pipes.

use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use crate::io::drain::Drain;
use crate::io::flow::Flow;
use crate::io::io_thread::ReaderGuard;
use crate::io::sink::Sink;
use crate::stream::Stream;

/// The ends of the plan's pipes that are open here while the run is started, by the pipe's number.
pub(crate) struct PipeEnds(Vec<PipeEnd>);

#[derive(Default)]
struct PipeEnd {
    made: bool,
    reader: Option<OwnedFd>,
    writer: Option<OwnedFd>,
}

impl PipeEnds {
    pub(crate) fn new(pipes: usize) -> PipeEnds {
        PipeEnds((0..pipes).map(|_| PipeEnd::default()).collect())
    }

    pub(crate) fn is_made(&self, pipe: usize) -> bool {
        self.0[pipe].made
    }

    pub(crate) fn put(&mut self, pipe: usize, reader: OwnedFd, writer: OwnedFd) {
        self.0[pipe] = PipeEnd { made: true, reader: Some(reader), writer: Some(writer) };
    }

    pub(crate) fn end(&self, pipe: usize, reading: bool) -> Option<&OwnedFd> {
        let end = &self.0[pipe];
        if reading { end.reader.as_ref() } else { end.writer.as_ref() }
    }

    pub(crate) fn take(&mut self, pipe: usize, reading: bool) -> Option<OwnedFd> {
        let end = &mut self.0[pipe];
        if reading { end.reader.take() } else { end.writer.take() }
    }

    /// The numbers of all that is open.
    pub(crate) fn numbers(&self) -> Vec<RawFd> {
        self.0.iter().flat_map(|end| [&end.reader, &end.writer]).flatten().map(AsRawFd::as_raw_fd).collect()
    }
}

/// This process's ends of `piped` streams, until the caller takes them or a wait discards them.
#[derive(Default)]
pub(crate) struct PipedEnds {
    pub(crate) ends: Vec<(Stream, OwnedFd)>,
    /// Whether the builder set a capacity, which must then stay as it is.
    pub(crate) fixed: bool,
    /// Ties a reader of stdout to the thread that drives the run.
    pub(crate) guard: Option<ReaderGuard>,
}

impl PipedEnds {
    /// The first end of this stream that was not taken yet.
    pub(crate) fn take(&mut self, stream: Stream) -> Option<OwnedFd> {
        let at = self.ends.iter().position(|(other, _)| *other == stream)?;
        Some(self.ends.remove(at).1)
    }

    /// Closes the inputs that were not taken, and makes flows of the outputs, which read them and throw the bytes away.
    ///
    /// An output that cannot be made non-blocking is closed instead: its writer then gets EPIPE.
    pub(crate) fn discard(&mut self) -> Vec<Flow> {
        let outputs = std::mem::take(&mut self.ends).into_iter().filter(|(stream, _)| !stream.is_input());
        let drains = outputs.filter_map(|(stream, end)| {
            let drain = Drain::new(end, stream, vec![Sink::Discard], false).ok();
            drain.map(|drain| Flow::Drain(drain.with_fixed_capacity(self.fixed)))
        });
        drains.collect()
    }
}
