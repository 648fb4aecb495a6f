//! What a plan opens before its first child: files, `/dev/null`, and the one-shot redirects it takes.

use std::fs::{File, OpenOptions};
use std::io::{Seek, Write};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::check;
use crate::fd::GivenFd;
use crate::fd::child_table::{ChildTable, Refused};
use crate::fd::real_stdio::{self, Streams};
use crate::io::fd_writer::Fd;
use crate::once::TakeOnce;
use crate::outcome::{ErrorKind, Fault};
use crate::plan::{Endpoint, OpenMode, PipePlan, Plan, SinkPlan};
use crate::setup_step::Step;
use crate::stream::Stream;
use crate::sys::fds::{self, Stdio};

/// Everything open that children share with this process for a moment.
///
/// One path opened for output in the same way twice is opened once: two streams into one file then share an offset and
/// do not overwrite each other.
#[derive(Default)]
pub(crate) struct Files {
    /// This process's own streams, each looked at once a run.
    own: [Option<Stdio>; 3],
    null: Option<OwnedFd>,
    files: Vec<(PathBuf, OpenMode, Arc<OwnedFd>)>,
    documents: Vec<(usize, Arc<OwnedFd>)>,
    fds: Vec<(TakeOnce<OwnedFd>, Arc<OwnedFd>)>,
}

impl Files {
    pub(crate) fn open(plan: &Plan) -> Result<Files, Fault> {
        let mut files = Files::default();
        for (index, stage) in plan.stages.iter().enumerate() {
            for binding in &stage.bindings {
                // Where a closure leads to /dev/null, nothing has to be opened.
                if matches!((stage.stage.command(), &binding.place), (None, Endpoint::Null | Endpoint::Inherit(_))) {
                    continue;
                }
                files.open_place(&binding.place, binding.stream).map_err(|error| error.at(plan.stage_name(index)))?;
            }
        }
        for (number, pipe) in plan.pipes.iter().enumerate() {
            let PipePlan::Drain(stream, sinks) = pipe else { continue };
            let writer = plan.users(number, false).next();
            for sink in sinks {
                let SinkPlan::Endpoint(place) = sink else { continue };
                files.open_place(place, *stream).map_err(|error| match writer {
                    Some((stage, _)) => error.at(plan.stage_name(stage)),
                    None => error,
                })?;
            }
        }
        Ok(files)
    }

    /// Enters a place in a child's table, under the child's number. It is right as long as `streams` lives.
    pub(crate) fn enter(
        &self,
        place: &Endpoint,
        number: RawFd,
        streams: &Streams,
        table: &mut ChildTable,
    ) -> Result<(), Refused> {
        if let Endpoint::Inherit(own) = place {
            if let Some(real) = streams.real(*own) {
                return table.insert(real.as_raw_fd(), number);
            }
        }
        let own = match place {
            Endpoint::Inherit(own) => Some((*own, self.own(*own))),
            _ => None,
        };
        let source = match own {
            Some((own, Stdio::Open)) if own == number => return table.insert_open(number),
            Some((own, Stdio::Open | Stdio::CloseOnExec)) => Some(own),
            Some((_, Stdio::Closed)) => self.null.as_ref().map(AsRawFd::as_raw_fd),
            None if matches!(place, Endpoint::Null) => self.null.as_ref().map(AsRawFd::as_raw_fd),
            None => self.shared(place).map(|fd| fd.as_raw_fd()),
        };
        table.insert(source.ok_or(Refused)?, number)
    }

    /// As it was when the places were opened.
    fn own(&self, number: RawFd) -> Stdio {
        let known = usize::try_from(number).ok().and_then(|number| *self.own.get(number)?);
        known.unwrap_or_else(|| fds::stdio_state(number))
    }

    fn look_at_own(&mut self, number: RawFd) -> Stdio {
        let state = self.own(number);
        if let Some(slot) = usize::try_from(number).ok().and_then(|number| self.own.get_mut(number)) {
            *slot = Some(state);
        }
        state
    }

    /// An open file, for a sink of this process to share.
    pub(crate) fn shared(&self, place: &Endpoint) -> Option<Arc<OwnedFd>> {
        match place {
            Endpoint::File(path, mode) => {
                let same = |file: &&(PathBuf, OpenMode, Arc<OwnedFd>)| file.0 == *path && file.1 == *mode;
                self.files.iter().find(same).map(|file| Arc::clone(&file.2))
            }
            Endpoint::Document(_, number) => {
                self.documents.iter().find(|(other, _)| other == number).map(|(_, fd)| Arc::clone(fd))
            }
            Endpoint::Fd(GivenFd::Once(slot)) => {
                self.fds.iter().find(|(other, _)| other.same(slot)).map(|(_, fd)| Arc::clone(fd))
            }
            Endpoint::Fd(GivenFd::Shared(fd)) => Some(Arc::clone(fd)),
            Endpoint::Inherit(_) | Endpoint::Null | Endpoint::Pipe(_) => None,
        }
    }

    fn open_place(&mut self, place: &Endpoint, stream: Stream) -> Result<(), Fault> {
        match place {
            Endpoint::Null => self.need_null(stream),
            // A closed standard stream would hand its number to the next file that the child opens.
            Endpoint::Inherit(number) if self.look_at_own(*number) == Stdio::Closed => self.need_null(stream),
            Endpoint::File(path, mode) if self.shared(place).is_none() => {
                let file = open(path, *mode).and_then(|file| fds::clear_of_stdio(file.into()));
                let file = file.map_err(|error| cannot_open(path, *mode, stream, error))?;
                self.files.push((path.clone(), *mode, Arc::new(file)));
                Ok(())
            }
            Endpoint::Document(bytes, number) if self.shared(place).is_none() => {
                let fd = document(bytes).and_then(fds::clear_of_stdio).map_err(|error| {
                    let what = format!("cannot make the document for its {stream}");
                    Fault::new(ErrorKind::Redirect, what).step_failed(Step::Open).because(error)
                })?;
                self.documents.push((*number, Arc::new(fd)));
                Ok(())
            }
            Endpoint::Fd(GivenFd::Once(slot)) if self.shared(place).is_none() => {
                let fd = slot.take().ok_or_else(|| check::used(stream))?;
                self.fds.push((slot.clone(), Arc::new(fd)));
                Ok(())
            }
            Endpoint::Inherit(_)
            | Endpoint::File(..)
            | Endpoint::Document(..)
            | Endpoint::Fd(_)
            | Endpoint::Pipe(_) => Ok(()),
        }
    }

    fn need_null(&mut self, stream: Stream) -> Result<(), Fault> {
        if self.null.is_none() {
            let path = Path::new("/dev/null");
            let file = OpenOptions::new().read(true).write(true).open(path);
            let file = file.and_then(|file| fds::clear_of_stdio(file.into()));
            self.null = Some(file.map_err(|error| cannot_open(path, OpenMode::Read, stream, error))?);
        }
        Ok(())
    }
}

/// A file without a name that holds the bytes, at its start.
fn document(bytes: &[u8]) -> std::io::Result<OwnedFd> {
    let mut file = fds::memory_file(bytes.len())?;
    file.write_all(bytes)?;
    file.rewind()?;
    Ok(file.into())
}

fn open(path: &Path, mode: OpenMode) -> std::io::Result<File> {
    match mode {
        OpenMode::Read => File::open(path),
        OpenMode::Create => File::create(path),
        OpenMode::Append => OpenOptions::new().append(true).create(true).open(path),
    }
}

fn cannot_open(path: &Path, mode: OpenMode, stream: Stream, error: std::io::Error) -> Fault {
    let purpose = match mode {
        _ if path == Path::new("/dev/null") => "open",
        OpenMode::Read => "read",
        OpenMode::Create => "create",
        OpenMode::Append => "append to",
    };
    let what = format!("cannot {purpose} {} as its {stream}", path.display());
    Fault::new(ErrorKind::Redirect, what).step_failed(Step::Open).because(error)
}

/// This process's own stream, for the calling thread.
pub(crate) fn own_stream(number: i32) -> Option<Fd> {
    if let Some(real) = real_stdio::streams().real(number) {
        return Some(Fd::Shared(Arc::clone(real)));
    }
    (fds::stdio_state(number) != Stdio::Closed).then(|| Fd::Stdio(fds::stdio(number)))
}
