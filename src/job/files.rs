//! What a plan opens before its first child: files, `/dev/null`, and the one-shot redirects it takes.

use std::fs::{File, OpenOptions};
use std::io::{Seek, Write};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::check;
use crate::error::{ErrorKind, Fault};
use crate::failure::Step;
use crate::fd::diverted::{self, Streams};
use crate::fd::table::{ChildTable, Refused};
use crate::one_shot::OneShot;
use crate::plan::{Mode, PipePlan, Place, Plan, SinkPlan};
use crate::pump::outlet::Fd;
use crate::stdio::Stream;
use crate::sys::fds::{self, Stdio};

/// Everything open that children share with this process for a moment.
///
/// One path opened for output in the same way twice is opened once: two streams into one file then share an offset and
/// do not overwrite each other.
#[derive(Default)]
pub(super) struct Files {
    /// This process's own streams, each looked at once a run.
    own: [Option<Stdio>; 3],
    null: Option<OwnedFd>,
    files: Vec<(PathBuf, Mode, Arc<OwnedFd>)>,
    documents: Vec<(usize, Arc<OwnedFd>)>,
    fds: Vec<(OneShot<OwnedFd>, Arc<OwnedFd>)>,
}

impl Files {
    pub(super) fn open(plan: &Plan) -> Result<Files, Fault> {
        let mut files = Files::default();
        for (index, stage) in plan.stages.iter().enumerate() {
            for wire in &stage.wires {
                // Where a closure leads to /dev/null, nothing has to be opened.
                if matches!((stage.stage.command(), &wire.place), (None, Place::Null | Place::Inherit(_))) {
                    continue;
                }
                files.open_place(&wire.place, wire.stream).map_err(|error| error.at(plan.stage_name(index)))?;
            }
        }
        for (number, pipe) in plan.pipes.iter().enumerate() {
            let PipePlan::Drain(stream, sinks) = pipe else { continue };
            let writer = plan.users(number, false).next();
            for sink in sinks {
                let SinkPlan::Place(place) = sink else { continue };
                files.open_place(place, *stream).map_err(|error| match writer {
                    Some((stage, _)) => error.at(plan.stage_name(stage)),
                    None => error,
                })?;
            }
        }
        Ok(files)
    }

    /// Enters a place in a child's table, under the child's number. It is right as long as `streams` lives.
    pub(super) fn enter(
        &self,
        place: &Place,
        number: RawFd,
        streams: &Streams,
        table: &mut ChildTable,
    ) -> Result<(), Refused> {
        if let Place::Inherit(own) = place {
            if let Some(real) = streams.real(*own) {
                return table.insert(real.as_raw_fd(), number);
            }
        }
        let own = match place {
            Place::Inherit(own) => Some((*own, self.own(*own))),
            _ => None,
        };
        let source = match own {
            Some((own, Stdio::Open)) if own == number => return table.insert_open(number),
            Some((own, Stdio::Open | Stdio::CloseOnExec)) => Some(own),
            Some((_, Stdio::Closed)) => self.null.as_ref().map(AsRawFd::as_raw_fd),
            None if matches!(place, Place::Null) => self.null.as_ref().map(AsRawFd::as_raw_fd),
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
    pub(super) fn shared(&self, place: &Place) -> Option<Arc<OwnedFd>> {
        match place {
            Place::File(path, mode) => {
                let same = |file: &&(PathBuf, Mode, Arc<OwnedFd>)| file.0 == *path && file.1 == *mode;
                self.files.iter().find(same).map(|file| Arc::clone(&file.2))
            }
            Place::Document(_, number) => {
                self.documents.iter().find(|(other, _)| other == number).map(|(_, fd)| Arc::clone(fd))
            }
            Place::Fd(slot) => self.fds.iter().find(|(other, _)| other.same(slot)).map(|(_, fd)| Arc::clone(fd)),
            Place::SharedFd(fd) => Some(Arc::clone(fd)),
            Place::Inherit(_) | Place::Null | Place::Pipe(_) => None,
        }
    }

    fn open_place(&mut self, place: &Place, stream: Stream) -> Result<(), Fault> {
        match place {
            Place::Null => self.need_null(stream),
            // A closed standard stream would hand its number to the next file that the child opens.
            Place::Inherit(number) if self.look_at_own(*number) == Stdio::Closed => self.need_null(stream),
            Place::File(path, mode) if self.shared(place).is_none() => {
                let file = open(path, *mode).and_then(|file| fds::clear_of_stdio(file.into()));
                let file = file.map_err(|error| cannot_open(path, *mode, stream, error))?;
                self.files.push((path.clone(), *mode, Arc::new(file)));
                Ok(())
            }
            Place::Document(bytes, number) if self.shared(place).is_none() => {
                let fd = document(bytes).and_then(fds::clear_of_stdio).map_err(|error| {
                    let what = format!("cannot make the document for its {stream}");
                    Fault::new(ErrorKind::Redirect, what).step_failed(Step::Open).because(error)
                })?;
                self.documents.push((*number, Arc::new(fd)));
                Ok(())
            }
            Place::Fd(slot) if self.shared(place).is_none() => {
                let fd = slot.take().ok_or_else(|| check::used(stream))?;
                self.fds.push((slot.clone(), Arc::new(fd)));
                Ok(())
            }
            Place::Inherit(_)
            | Place::File(..)
            | Place::Document(..)
            | Place::Fd(_)
            | Place::SharedFd(_)
            | Place::Pipe(_) => Ok(()),
        }
    }

    fn need_null(&mut self, stream: Stream) -> Result<(), Fault> {
        if self.null.is_none() {
            let path = Path::new("/dev/null");
            let file = OpenOptions::new().read(true).write(true).open(path);
            let file = file.and_then(|file| fds::clear_of_stdio(file.into()));
            self.null = Some(file.map_err(|error| cannot_open(path, Mode::Read, stream, error))?);
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

fn open(path: &Path, mode: Mode) -> std::io::Result<File> {
    match mode {
        Mode::Read => File::open(path),
        Mode::Create => File::create(path),
        Mode::Append => OpenOptions::new().append(true).create(true).open(path),
    }
}

fn cannot_open(path: &Path, mode: Mode, stream: Stream, error: std::io::Error) -> Fault {
    let purpose = match mode {
        _ if path == Path::new("/dev/null") => "open",
        Mode::Read => "read",
        Mode::Create => "create",
        Mode::Append => "append to",
    };
    let what = format!("cannot {purpose} {} as its {stream}", path.display());
    Fault::new(ErrorKind::Redirect, what).step_failed(Step::Open).because(error)
}

/// This process's own stream, for the calling thread.
pub(super) fn own_stream(number: i32) -> Option<Fd> {
    if let Some(real) = diverted::streams().real(number) {
        return Some(Fd::Shared(Arc::clone(real)));
    }
    (fds::stdio_state(number) != Stdio::Closed).then(|| Fd::Stdio(fds::stdio(number)))
}
