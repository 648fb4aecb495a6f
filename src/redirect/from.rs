//! What `stdin`, `stdout` and `stderr` take besides a [`Redirect`].

use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{ChildStderr, ChildStdin, ChildStdout};
use std::sync::Arc;

use super::{Direction, In, Out, Redirect};
use crate::pipe::{PipeReader, PipeWriter};

/// Of text and bytes: [`Redirect::bytes`].
macro_rules! from_bytes {
    ($($bytes:ty),*) => {
        $(impl From<$bytes> for Redirect<In> {
            fn from(bytes: $bytes) -> Self {
                Redirect::bytes(bytes)
            }
        })*
    };
}
from_bytes!(&str, String, &[u8], Vec<u8>, Box<[u8]>);

impl From<&String> for Redirect<In> {
    fn from(text: &String) -> Self {
        Redirect::bytes(text.as_str())
    }
}

impl<const N: usize> From<&[u8; N]> for Redirect<In> {
    fn from(bytes: &[u8; N]) -> Self {
        Redirect::bytes(bytes)
    }
}

/// Of what owns a descriptor: [`Redirect::fd`].
macro_rules! from_fd {
    ($($fd:ty => $direction:ty),*) => {
        $(impl From<$fd> for Redirect<$direction> {
            fn from(fd: $fd) -> Self {
                Redirect::fd(fd)
            }
        })*
    };
}
from_fd!(
    PipeReader => In,
    ChildStdout => In,
    ChildStderr => In,
    PipeWriter => Out,
    ChildStdin => Out
);

macro_rules! from_fd_both_ways {
    ($($fd:ty),*) => {
        $(impl<D: Direction> From<$fd> for Redirect<D> {
            fn from(fd: $fd) -> Self {
                Redirect::fd(fd)
            }
        })*
    };
}
from_fd_both_ways!(OwnedFd, File, TcpStream, UnixStream);

impl<D: Direction> From<Arc<OwnedFd>> for Redirect<D> {
    fn from(fd: Arc<OwnedFd>) -> Self {
        Redirect::shared_fd(fd)
    }
}

impl From<Box<dyn Read + Send>> for Redirect<In> {
    fn from(reader: Box<dyn Read + Send>) -> Self {
        Redirect::from_reader(reader)
    }
}

impl From<Box<dyn Write + Send>> for Redirect<Out> {
    fn from(writer: Box<dyn Write + Send>) -> Self {
        Redirect::to_writer(writer)
    }
}
