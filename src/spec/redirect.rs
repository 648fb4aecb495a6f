//! Where a stream comes from or goes to.

use std::fmt;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::sync::Arc;

use crate::fd::GivenFd;
use crate::io::sink::LineCallback;
use crate::once::TakeOnce;

/// What both directions have.
#[derive(Clone)]
pub enum Common {
    Inherit,
    Null,
    Piped,
    File(PathBuf),
    Fd(GivenFd),
}

/// Where stdin comes from.
#[derive(Clone)]
pub enum Input {
    Common(Common),
    Bytes(Arc<Vec<u8>>),
    Document(Arc<Vec<u8>>),
    Reader(TakeOnce<Box<dyn Read + Send>>),
    ReaderWith(Arc<dyn Fn() -> Box<dyn Read + Send> + Send + Sync>),
}

/// Where stdout or stderr goes.
#[derive(Clone)]
pub enum Target {
    Common(Common),
    Capture,
    Append(PathBuf),
    Writer(TakeOnce<Box<dyn Write + Send>>),
    EachLine(LineCallback),
    Tee(Vec<Target>),
}

impl fmt::Debug for Common {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Common::Inherit => f.write_str("inherited"),
            Common::Null => f.write_str("/dev/null"),
            Common::Piped => f.write_str("piped"),
            Common::File(path) => write!(f, "file {path:?}"),
            Common::Fd(fd) => fd.fmt(f),
        }
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Input::Common(common) => common.fmt(f),
            Input::Bytes(bytes) if bytes.len() == 1 => f.write_str("1 byte"),
            Input::Bytes(bytes) => write!(f, "{} bytes", bytes.len()),
            Input::Document(bytes) => write!(f, "a document of {} bytes", bytes.len()),
            Input::Reader(slot) => write!(f, "{slot:?} reader"),
            Input::ReaderWith(_) => f.write_str("a reader for each start"),
        }
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Common(common) => common.fmt(f),
            Target::Capture => f.write_str("captured"),
            Target::Append(path) => write!(f, "end of file {path:?}"),
            Target::Writer(slot) => write!(f, "{slot:?} writer"),
            Target::EachLine(_) => f.write_str("line callback"),
            Target::Tee(targets) => write!(f, "tee of {targets:?}"),
        }
    }
}
