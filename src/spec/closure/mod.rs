//! Rust code as a stage, and what it reads and writes.

mod reader;
mod writer;

use std::sync::Arc;

use super::redirect::{Input, Target};
use crate::io::callback::BoxError;
use crate::once::TakeOnce;

pub(crate) use reader::Source;
pub use reader::StageReader;
pub use writer::StageWriter;
pub(crate) use writer::Target as WriterTarget;

/// What concerns one closure.
#[derive(Clone)]
pub(crate) struct Closure {
    pub(crate) body: ClosureBody,
    pub(crate) label: String,
    pub(crate) stdin: Option<Input>,
    pub(crate) stdout: Option<Target>,
    pub(crate) unchecked: bool,
}

/// The closure itself.
#[derive(Clone)]
pub(crate) enum ClosureBody {
    Reusable(Arc<ReusableBody>),
    Once(TakeOnce<Box<OnceBody>>),
    /// One that borrows, by its number among those that the scope holds.
    Borrowed(usize),
}

pub(crate) type ReusableBody = dyn Fn(&mut StageReader, &mut StageWriter) -> Result<(), BoxError> + Send + Sync;
pub(crate) type OnceBody = dyn FnOnce(&mut StageReader, &mut StageWriter) -> Result<(), BoxError> + Send;
pub(crate) type BorrowedBody<'env> =
    dyn FnOnce(&mut StageReader, &mut StageWriter) -> Result<(), BoxError> + Send + 'env;

/// The name of a closure without a label.
pub(crate) const UNNAMED: &str = "closure";

impl Closure {
    pub(crate) fn new(body: ClosureBody, label: &str) -> Closure {
        Closure { body, label: label.into(), stdin: None, stdout: None, unchecked: false }
    }
}
