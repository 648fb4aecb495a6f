//! Runs whose closures borrow: the verb joins their threads before it returns.

use std::io::{self, Write};
use std::sync::Arc;
use std::{fmt, mem, thread};

use super::verbs;
use crate::cmd::Cmd;
use crate::io::callback::BoxError;
use crate::options::methods;
use crate::outcome::{Error, Output};
use crate::pipeline::Pipeline;
use crate::plan::{Plan, Verb};
use crate::redirect::{In, LineResult, Out, Redirect};
use crate::run::closure_thread::ClosureThread;
use crate::run::closures::THREAD;
use crate::run::options::Wants;
use crate::spec::closure::{BorrowedBody, StageReader, StageWriter, UNNAMED};
use crate::spec::{ClosureBody, Settings};
use crate::stage::{Stage, lines};
use crate::status::Status;

/// A pipeline whose closures may borrow, from [`Pipeline::scoped`].
///
/// A verb returns only when the run is over and every closure has returned, because what a closure borrows must not be dropped before. A
/// [`timeout`](Pipeline::timeout) or a cancel ends the processes in time, and the reads and writes of the closures then fail; a closure that
/// does something else keeps the verb blocked until it returns.
///
/// Settings of the whole run (`timeout`, `grace`, …) are those of the pipeline that `scoped` was called on. Dropping it does nothing.
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
    /// Not in the pipeline, which loses its settings when a stage is added.
    settings: Settings,
    lent: Vec<Option<Box<BorrowedBody<'env>>>>,
}

macro_rules! scoped_methods {
    ($builder:ident) => {
        methods! {
            $builder;
            /// # Closures that borrow
            impl {
                /// Lends a [`Scoped`] to `build`, which adds stages, whose closures may borrow, and calls a verb.
                ///
                /// ```
                /// use pipewright::cmd;
                /// let mut bytes = 0;
                /// let text = cmd!("echo", "abc").scoped(|scope| {
                ///     scope.tap(|chunk| bytes += chunk.len()).read()
                /// })?;
                /// assert_eq!((text.as_str(), bytes), ("abc", 4));
                /// # Ok::<(), pipewright::Error>(())
                /// ```
                pub fn scoped<'env, R>(self, build: impl FnOnce(Scoped<'env>) -> R) -> R {
                    build(Scoped::new(self.into()))
                }
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

    /// Like [`Pipeline::pipe`].
    ///
    /// ```
    /// let upper = pipewright::cmd!("echo", "a").scoped(|s| s.pipe(pipewright::cmd!("tr", "a", "A")).read())?;
    /// assert_eq!(upper, "A");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn pipe(self, next: impl Into<Pipeline>) -> Self {
        Scoped { pipeline: self.pipeline.pipe(next), ..self }
    }

    /// Like [`Pipeline::pipe_fn`], with a closure that may borrow and is called once. In an empty pipeline it is the first stage.
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

    /// Like [`Pipeline::tap`], with a callback that may borrow.
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

    /// Like [`Pipeline::map_lines`], with a callback that may borrow.
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

    /// Like [`Pipeline::filter_lines`], with a callback that may borrow.
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

    /// Like [`Pipeline::tee_to`], with a writer that may borrow.
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

    /// Like [`Pipeline::label`].
    ///
    /// ```
    /// use pipewright::cmd;
    /// let error = cmd!("true").scoped(|s| s.pipe_fn(|_, _| Err("no")?).label("refuse").run()).unwrap_err();
    /// assert_eq!(error.label(), Some("refuse"));
    /// ```
    pub fn label(self, name: impl Into<String>) -> Self {
        Scoped { pipeline: self.pipeline.label(name), ..self }
    }

    /// Like [`Pipeline::stdin`].
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

    /// Like [`Pipeline::stdout`].
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

    fn lend(mut self, body: Box<BorrowedBody<'env>>, label: &str) -> Self {
        let slot = self.lent.len();
        self.lent.push(Some(body));
        self.pipe(Stage::of(ClosureBody::Borrowed(slot), label))
    }

    /// Runs a verb, and joins the threads of the closures.
    fn execute<R>(self, verb: Verb, run: impl FnOnce(&Arc<Plan>, Wants<'_>) -> Result<R, Error>) -> Result<R, Error> {
        let Scoped { mut pipeline, settings, mut lent } = self;
        pipeline.spec.settings = settings;
        let plan = verbs::plan(&pipeline, verb)?;
        thread::scope(|scope| {
            let mut start = |slot: usize, thread: ClosureThread| {
                start_lent(scope, lent.get_mut(slot).and_then(Option::take), thread)
            };
            run(&plan, Wants { scope: Some(&mut start), ..Wants::default() })
        })
    }

    /// Like [`Pipeline::run`], and joins the closures.
    ///
    /// # Errors
    /// Those of [`Pipeline::run`].
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

    /// Like [`Pipeline::status`], and joins the closures.
    ///
    /// # Errors
    /// Those of [`Pipeline::status`].
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

    /// Like [`Pipeline::output`], and joins the closures.
    ///
    /// # Errors
    /// Those of [`Pipeline::output`].
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

    /// Like [`Pipeline::output_into`], and joins the closures.
    ///
    /// # Errors
    /// Those of [`Pipeline::output_into`].
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

    /// Like [`Pipeline::read`], and joins the closures.
    ///
    /// # Errors
    /// Those of [`Pipeline::read`].
    ///
    /// ```
    /// let mut bytes = 0;
    /// assert_eq!(pipewright::cmd!("echo", "abc").scoped(|s| s.tap(|chunk| bytes += chunk.len()).read())?, "abc");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn read(self) -> Result<String, Error> {
        self.execute(Verb::Read, verbs::read)
    }

    /// Like [`Pipeline::read_bytes`], and joins the closures.
    ///
    /// # Errors
    /// Those of [`Pipeline::read_bytes`].
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

    /// Like [`Pipeline::for_each_line`], and joins the closures. The callback runs on this thread.
    ///
    /// # Errors
    /// Those of [`Pipeline::for_each_line`].
    ///
    /// # Panics
    /// Resumes a panic of the callback, after the run was ended and the closures have returned.
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

/// Not a part of `execute`, which is compiled once for each verb.
fn start_lent<'scope, 'env: 'scope>(
    scope: &'scope thread::Scope<'scope, '_>,
    body: Option<Box<BorrowedBody<'env>>>,
    thread: ClosureThread,
) -> io::Result<()> {
    let body = body.ok_or_else(|| io::Error::other("a closure of another scope"))?;
    let builder = thread::Builder::new().name(THREAD.into());
    builder.spawn_scoped(scope, move || thread.run(body)).map(drop)
}

impl fmt::Debug for Scoped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scoped({})", self.pipeline)
    }
}
