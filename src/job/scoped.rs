//! Runs whose closures borrow: their threads are joined before the verb returns.

use std::io::{self, Write};
use std::sync::Arc;
use std::{fmt, mem, thread};

use super::verbs;
use crate::cmd::Cmd;
use crate::io::callback::BoxError;
use crate::outcome::{Error, Output};
use crate::pipeline::Pipeline;
use crate::plan::{Plan, Verb};
use crate::redirect::{In, LineResult, Out, Redirect};
use crate::run::closure_thread::Task;
use crate::run::closures::THREAD;
use crate::run::launch::Wants;
use crate::spec::closure::{BorrowedBody, StageReader, StageWriter, UNNAMED};
use crate::spec::{ClosureBody, Settings};
use crate::stage::{Stage, lines};
use crate::status::Status;

/// A pipeline whose closures may borrow, from [`Pipeline::scoped`].
///
/// Its verbs are those that end with the run, and each returns only when every closure has: they cannot be left behind, as what they borrow
/// may be gone then. So a [`timeout`](Pipeline::timeout) ends the processes and has every read and write of the closures
/// fail, in time; but a closure that does something else meanwhile keeps the verb until it returns. The same holds for a cancel.
///
/// Settings of the whole run (`timeout`, `grace`, …) are those of the pipeline that `scoped` was called on. Dropped without a verb, it
/// does nothing.
///
/// ```
/// use pipewright::cmd;
/// use std::io::{BufRead, Write};
/// let mut longest = 0;
/// let sorted = cmd!("printf", r"bb\na\n").scoped(|s| {
///     s.pipe_fn(|input, output| {
///         for line in input.lines() {
///             let line = line?;
///             longest = longest.max(line.len());
///             writeln!(output, "{line}")?;
///         }
///         Ok(())
///     })
///     .pipe(cmd!("sort"))
///     .read()
/// })?;
/// assert_eq!((sorted.as_str(), longest), ("a\nbb", 2));
/// # Ok::<(), pipewright::Error>(())
/// ```
#[must_use = "a pipeline does nothing until it is run"]
pub struct Scoped<'env> {
    pipeline: Pipeline,
    /// Kept apart, since a pipeline that grows loses them.
    settings: Settings,
    lent: Vec<Option<Box<BorrowedBody<'env>>>>,
}

macro_rules! scoped_methods {
    ($builder:ident) => {
        impl $builder {
            /// Goes on with closures that borrow: lends a [`Scoped`] to `build`, which adds stages and calls a verb.
            ///
            /// ```
            /// use pipewright::cmd;
            /// let mut bytes = 0;
            /// let text = cmd!("echo", "abc").scoped(|s| s.tap(|chunk| bytes += chunk.len()).read())?;
            /// assert_eq!((text.as_str(), bytes), ("abc", 4));
            /// # Ok::<(), pipewright::Error>(())
            /// ```
            pub fn scoped<'env, R>(self, build: impl FnOnce(Scoped<'env>) -> R) -> R {
                build(Scoped::new(self.into()))
            }
        }
    };
}
scoped_methods!(Cmd);
scoped_methods!(Pipeline);

impl<'env> Scoped<'env> {
    fn new(mut pipeline: Pipeline) -> Self {
        let settings = mem::take(&mut pipeline.spec.settings);
        Scoped { pipeline, settings, lent: Vec::new() }
    }

    /// As [`Pipeline::pipe`].
    ///
    /// ```
    /// let upper = pipewright::cmd!("echo", "a").scoped(|s| s.pipe(pipewright::cmd!("tr", "a", "A")).read())?;
    /// assert_eq!(upper, "A");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn pipe(self, next: impl Into<Pipeline>) -> Self {
        Scoped { pipeline: self.pipeline.pipe(next), ..self }
    }

    /// As [`Pipeline::pipe_fn`], of a closure that may borrow and is called once. It may stand first, in an empty pipeline.
    ///
    /// ```
    /// use pipewright::{Pipeline, cmd};
    /// use std::io::Write;
    /// let words = ["b", "a"];
    /// let sorted = Pipeline::default().scoped(|s| {
    ///     s.pipe_fn(|_, output| Ok(write!(output, "{}", words.join("\n"))?)).pipe(cmd!("sort")).read()
    /// })?;
    /// assert_eq!(sorted, "a\nb");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn pipe_fn(
        self,
        work: impl FnOnce(&mut StageReader, &mut StageWriter) -> Result<(), BoxError> + Send + 'env,
    ) -> Self {
        self.lend(Box::new(work), UNNAMED)
    }

    /// As [`Pipeline::tap`], of a callback that may borrow.
    ///
    /// ```
    /// let mut bytes = 0;
    /// pipewright::cmd!("echo", "abc").scoped(|s| s.tap(|chunk| bytes += chunk.len()).output())?;
    /// assert_eq!(bytes, 4);
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn tap<R: LineResult>(self, callback: impl FnMut(&[u8]) -> R + Send + 'env) -> Self {
        self.lend(Box::new(|input, output| lines::tap(input, output, callback)), "tap")
    }

    /// As [`Pipeline::map_lines`], of a callback that may borrow.
    ///
    /// ```
    /// let mut count = 0;
    /// let numbered = pipewright::cmd!("printf", r"a\nb\n").scoped(|s| {
    ///     s.map_lines(|line| { count += 1; format!("{count} {line}") }).read()
    /// })?;
    /// assert_eq!(numbered, "1 a\n2 b");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn map_lines<L: AsRef<[u8]>>(self, callback: impl FnMut(&str) -> L + Send + 'env) -> Self {
        self.lend(Box::new(|input, output| lines::map(input, output, callback)), "map_lines")
    }

    /// As [`Pipeline::filter_lines`], of a callback that may borrow.
    ///
    /// ```
    /// let wanted = String::from("b");
    /// let found = pipewright::cmd!("printf", r"a\nb\n").scoped(|s| s.filter_lines(|line| line == wanted).read())?;
    /// assert_eq!(found, "b");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn filter_lines(self, callback: impl FnMut(&str) -> bool + Send + 'env) -> Self {
        self.lend(Box::new(|input, output| lines::filter(input, output, callback)), "filter_lines")
    }

    /// As [`Pipeline::tee_to`], of a writer that may borrow.
    ///
    /// ```
    /// let mut copy = Vec::new();
    /// let text = pipewright::cmd!("echo", "abc").scoped(|s| s.tee_to(&mut copy).read())?;
    /// assert_eq!((text.as_str(), copy.as_slice()), ("abc", &b"abc\n"[..]));
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn tee_to(self, writer: impl Write + Send + 'env) -> Self {
        self.lend(Box::new(|input, output| lines::tee(input, output, writer)), "tee_to")
    }

    /// A name for the stage that was added last, in errors and results.
    ///
    /// ```
    /// use pipewright::cmd;
    /// let error = cmd!("true").scoped(|s| s.pipe_fn(|_, _| Err("no")?).label("refuse").run()).unwrap_err();
    /// assert_eq!(error.label(), Some("refuse"));
    /// ```
    pub fn label(self, name: impl Into<String>) -> Self {
        Scoped { pipeline: self.pipeline.label(name), ..self }
    }

    /// As [`Pipeline::stdin`].
    ///
    /// ```
    /// use pipewright::{Pipeline, Redirect};
    /// let mut copy = Vec::new();
    /// Pipeline::default().scoped(|s| s.tee_to(&mut copy).stdin(Redirect::bytes("abc")).output())?;
    /// assert_eq!(copy, b"abc");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn stdin(self, from: impl Into<Redirect<In>>) -> Self {
        Scoped { pipeline: self.pipeline.stdin(from), ..self }
    }

    /// As [`Pipeline::stdout`].
    ///
    /// ```
    /// use pipewright::{cmd, Redirect};
    /// let mut bytes = 0;
    /// cmd!("echo", "abc").scoped(|s| s.tap(|chunk| bytes += chunk.len()).stdout(Redirect::null()).run())?;
    /// assert_eq!(bytes, 4);
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn stdout(self, to: impl Into<Redirect<Out>>) -> Self {
        Scoped { pipeline: self.pipeline.stdout(to), ..self }
    }

    fn lend(mut self, work: Box<BorrowedBody<'env>>, label: &str) -> Self {
        let slot = self.lent.len();
        self.lent.push(Some(work));
        self.pipe(Stage::of(ClosureBody::Borrowed(slot), label))
    }

    /// Runs a verb with threads that are joined behind it.
    fn execute<R>(self, verb: Verb, run: impl FnOnce(&Arc<Plan>, Wants<'_>) -> Result<R, Error>) -> Result<R, Error> {
        let Scoped { mut pipeline, settings, mut lent } = self;
        pipeline.spec.settings = settings;
        let plan = verbs::plan(&pipeline, verb)?;
        thread::scope(|scope| {
            let mut start =
                |slot: usize, task: Task| start_lent(scope, lent.get_mut(slot).and_then(Option::take), task);
            run(&plan, Wants { scope: Some(&mut start), ..Wants::default() })
        })
    }

    /// As [`Pipeline::run`], and joins the closures.
    ///
    /// # Errors
    /// As [`Pipeline::run`].
    ///
    /// ```
    /// let mut bytes = 0;
    /// pipewright::cmd!("true").scoped(|s| s.tap(|chunk| bytes += chunk.len()).run())?;
    /// assert_eq!(bytes, 0);
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn run(self) -> Result<Output, Error> {
        self.execute(Verb::Run, |plan, wants| verbs::checked(plan, wants, None))
    }

    /// As [`Pipeline::status`], and joins the closures.
    ///
    /// # Errors
    /// As [`Pipeline::status`].
    ///
    /// ```
    /// let mut bytes = 0;
    /// let status = pipewright::cmd!("false").scoped(|s| s.tap(|chunk| bytes += chunk.len()).status())?;
    /// assert_eq!(status.code(), Some(1));
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn status(self) -> Result<Status, Error> {
        self.execute(Verb::Run, verbs::status)
    }

    /// As [`Pipeline::output`], and joins the closures.
    ///
    /// # Errors
    /// As [`Pipeline::output`].
    ///
    /// ```
    /// let mut bytes = 0;
    /// let out = pipewright::cmd!("echo", "abc").scoped(|s| s.tap(|chunk| bytes += chunk.len()).output())?;
    /// assert_eq!(out.stdout.len(), bytes);
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn output(self) -> Result<Output, Error> {
        self.execute(Verb::Output, |plan, wants| verbs::checked(plan, wants, None))
    }

    /// As [`Pipeline::output_into`], and joins the closures.
    ///
    /// # Errors
    /// As [`Pipeline::output_into`].
    ///
    /// ```
    /// let (mut bytes, mut buffer) = (0, Vec::new());
    /// pipewright::cmd!("echo", "abc").scoped(|s| s.tap(|chunk| bytes += chunk.len()).output_into(&mut buffer))?;
    /// assert_eq!(buffer.len(), bytes);
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn output_into(self, buffer: &mut Vec<u8>) -> Result<Output, Error> {
        self.execute(Verb::Output, |plan, wants| verbs::output_into(plan, buffer, wants.scope))
    }

    /// As [`Pipeline::read`], and joins the closures.
    ///
    /// # Errors
    /// As [`Pipeline::read`].
    ///
    /// ```
    /// let mut bytes = 0;
    /// assert_eq!(pipewright::cmd!("echo", "abc").scoped(|s| s.tap(|chunk| bytes += chunk.len()).read())?, "abc");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn read(self) -> Result<String, Error> {
        self.execute(Verb::Read, verbs::read)
    }

    /// As [`Pipeline::read_bytes`], and joins the closures.
    ///
    /// # Errors
    /// As [`Pipeline::read_bytes`].
    ///
    /// ```
    /// let mut bytes = 0;
    /// let text = pipewright::cmd!("echo", "abc").scoped(|s| s.tap(|chunk| bytes += chunk.len()).read_bytes())?;
    /// assert_eq!(text, b"abc\n");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn read_bytes(self) -> Result<Vec<u8>, Error> {
        self.execute(Verb::Read, |plan, wants| verbs::checked(plan, wants, None)).map(|output| output.stdout.into_vec())
    }

    /// As [`Pipeline::for_each_line`], and joins the closures. The callback runs on this thread.
    ///
    /// # Errors
    /// As [`Pipeline::for_each_line`].
    ///
    /// # Panics
    /// As the callback does, after the run was ended and the closures have returned.
    ///
    /// ```
    /// let (mut bytes, mut lines) = (0, 0);
    /// pipewright::cmd!("echo", "abc").scoped(|s| s.tap(|chunk| bytes += chunk.len()).for_each_line(|_| lines += 1))?;
    /// assert_eq!((bytes, lines), (4, 1));
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn for_each_line<R: LineResult>(self, callback: impl FnMut(&[u8]) -> R) -> Result<Output, Error> {
        self.execute(Verb::Stream, |plan, wants| verbs::for_each_line(plan, wants, callback))
    }
}

/// Not in `execute`, which is compiled once for each verb.
fn start_lent<'scope, 'env: 'scope>(
    scope: &'scope thread::Scope<'scope, '_>,
    work: Option<Box<BorrowedBody<'env>>>,
    task: Task,
) -> io::Result<()> {
    let work = work.ok_or_else(|| io::Error::other("a closure of another scope"))?;
    let thread = thread::Builder::new().name(THREAD.into());
    thread.spawn_scoped(scope, move || task.run(work)).map(drop)
}

impl fmt::Debug for Scoped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scoped({})", self.pipeline)
    }
}
