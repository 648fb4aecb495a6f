//! Where a stream comes from or goes to.

mod from;

use std::fmt;
use std::io::{Read, Write};
use std::marker::PhantomData;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Arc, Mutex};

use crate::fd::GivenFd;
use crate::io::callback::BoxError;
use crate::once::TakeOnce;
use crate::spec::{Common, Input, Target};

/// Where a child's stream comes from or goes to.
///
/// `Redirect<In>` is for stdin, `Redirect<Out>` for stdout and stderr. The direction follows from the use, and a pair that makes no sense
/// (a `bytes` stdout) does not compile.
///
/// *One-shot* redirects ([`fd`](Redirect::fd), [`from_reader`](Redirect::from_reader), [`to_writer`](Redirect::to_writer)) hold something
/// that can be used once. All clones share it, and the first start takes it: a later start is
/// [`AlreadyUsed`](crate::ErrorKind::AlreadyUsed), and a builder that lives on holds nothing open. All others can be used any number of
/// times.
///
/// Making one does not block, opens nothing and cannot fail: errors come at the start.
///
/// ```
/// use pipewright::{cmd, Redirect};
/// let shout = cmd!("tr", "a-z", "A-Z").stdin(Redirect::bytes("quiet"));
/// assert_eq!(shout.read()?, "QUIET");
/// # Ok::<(), pipewright::Error>(())
/// ```
///
/// ```compile_fail
/// use pipewright::{cmd, Redirect};
/// let nonsense = cmd!("true").stdout(Redirect::bytes("text"));
/// ```
#[doc(alias = "Stdio")]
#[doc(alias = "Redirection")]
pub struct Redirect<D: Direction = Out> {
    kind: D::Kind,
    direction: PhantomData<D>,
}

/// The direction of a [`Redirect`]: [`In`] or [`Out`]. Sealed.
///
/// ```
/// use pipewright::{Direction, Redirect, cmd};
/// fn quiet<D: Direction>() -> Redirect<D> {
///     Redirect::null()
/// }
/// cmd!("cat").stdin(quiet()).stdout(quiet()).run()?;
/// # Ok::<(), pipewright::Error>(())
/// ```
pub trait Direction: sealed::Sealed {}

/// Into the child: stdin.
///
/// ```
/// use pipewright::{In, Redirect, cmd};
/// let from: Redirect<In> = Redirect::bytes("text");
/// assert_eq!(cmd!("cat").stdin(from).read()?, "text");
/// # Ok::<(), pipewright::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub enum In {}

/// Out of the child: stdout and stderr.
///
/// ```
/// use pipewright::{Out, Redirect, cmd};
/// let to: Redirect<Out> = Redirect::capture();
/// assert_eq!(cmd!("echo", "text").stdout(to).run()?.stdout, "text\n");
/// # Ok::<(), pipewright::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub enum Out {}

impl Direction for In {}
impl Direction for Out {}

mod sealed {
    pub trait Sealed {
        type Kind: Clone + std::fmt::Debug;
        fn common(common: crate::spec::Common) -> Self::Kind;
    }

    pub trait LineResult {
        /// The result as the library keeps it.
        fn into_result(self) -> Result<(), crate::io::callback::BoxError>;
    }
}

impl sealed::Sealed for In {
    type Kind = Input;
    fn common(common: Common) -> Input {
        Input::Common(common)
    }
}

impl sealed::Sealed for Out {
    type Kind = Target;
    fn common(common: Common) -> Target {
        Target::Common(common)
    }
}

/// # For both directions
impl<D: Direction> Redirect<D> {
    fn of(kind: D::Kind) -> Self {
        Redirect { kind, direction: PhantomData }
    }

    pub(crate) fn into_kind(self) -> D::Kind {
        self.kind
    }

    /// This process's own stream. If that is closed, the child gets `/dev/null`.
    ///
    /// ```
    /// use pipewright::{Cmd, Redirect};
    /// let echo = Cmd::sh("echo captured").stderr(Redirect::inherit());
    /// assert!(!echo.output()?.stderr.is_captured());
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn inherit() -> Self {
        Redirect::of(D::common(Common::Inherit))
    }

    /// `/dev/null`: an input that is empty, or an output that is thrown away.
    ///
    /// ```
    /// use pipewright::{cmd, Redirect};
    /// assert_eq!(cmd!("cat").stdin(Redirect::null()).read()?, "");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    #[doc(alias = "/dev/null")]
    #[doc(alias = "DEVNULL")]
    #[doc(alias = "quiet")]
    #[doc(alias = "silent")]
    pub fn null() -> Self {
        Redirect::of(D::common(Common::Null))
    }

    /// A pipe whose other end you take from the [`Job`](crate::Job) by `take_stdin`, `take_stdout` or `take_stderr`. An end that is not
    /// taken does no harm: before a wait, stdin is closed, and an output is read and thrown away. Verbs that capture a stream also capture
    /// it when it is `piped`.
    ///
    /// ```
    /// use pipewright::{cmd, Redirect};
    /// let job = cmd!("echo", "hi").stdout(Redirect::piped()).spawn()?;
    /// let text = std::io::read_to_string(job.take_stdout().unwrap())?;
    /// assert_eq!((text.as_str(), job.wait()?.success()), ("hi\n", true));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "PIPE")]
    pub fn piped() -> Self {
        Redirect::of(D::common(Common::Piped))
    }

    /// A file, by path. As stdin it is opened for reading. As an output it is created, or emptied if it exists. Each start opens it before
    /// any process runs, relative to *this* process's working directory.
    ///
    /// It is created with mode 0666 less this process's umask (`open(2)`). A file that cannot be opened fails the start with
    /// [`ErrorKind::Redirect`](crate::ErrorKind::Redirect). Opening a FIFO blocks until it has another end, and no deadline interrupts
    /// that.
    ///
    /// ```
    /// use pipewright::{cmd, ErrorKind, Redirect};
    /// let path = std::env::temp_dir().join("pipewright-file");
    /// # let path = path.with_extension(std::process::id().to_string());
    /// cmd!("echo", "kept").stdout(Redirect::file(&path)).run()?;
    /// assert_eq!(cmd!("cat").stdin(Redirect::file(&path)).read()?, "kept");
    /// # std::fs::remove_file(&path).unwrap();
    /// let missing = cmd!("cat").stdin(Redirect::file("/no/such/file"));
    /// assert_eq!(missing.run().unwrap_err().kind(), ErrorKind::Redirect);
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    #[doc(alias = ">")]
    #[doc(alias = "<")]
    pub fn file(path: impl AsRef<Path>) -> Self {
        Redirect::of(D::common(Common::File(path.as_ref().to_owned())))
    }

    /// An open descriptor: a [`File`](std::fs::File), an end of a [`pipe::kernel`](crate::pipe::kernel), a socket. One-shot: the first
    /// start takes it and closes this process's copy before it returns.
    ///
    /// The child shares its offset, like after `dup(2)`. If no start takes it, it is closed with the last clone.
    ///
    /// ```
    /// use pipewright::{cmd, ErrorKind, Redirect};
    /// let null = std::fs::File::open("/dev/null").unwrap();
    /// let cat = cmd!("cat").stdin(Redirect::fd(null));
    /// assert_eq!(cat.read()?, "");
    /// assert_eq!(cat.read().unwrap_err().kind(), ErrorKind::AlreadyUsed);
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn fd(fd: impl Into<OwnedFd>) -> Self {
        Redirect::of(D::common(Common::Fd(GivenFd::Once(TakeOnce::new(fd.into())))))
    }

    /// An open descriptor for any number of starts, which share its offset. It stays open as long as the builder, a clone of it, a
    /// [`Job`](crate::Job) it started, or the `Arc` lives: a reader at the other end of a pipe sees no end until then.
    ///
    /// ```
    /// use pipewright::{cmd, Redirect};
    /// use std::{fs::File, sync::Arc};
    /// let null = Arc::new(File::open("/dev/null").unwrap().into());
    /// let cat = cmd!("cat").stdin(Redirect::shared_fd(null));
    /// assert_eq!((cat.read()?, cat.read()?), (String::new(), String::new()));
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    #[doc(alias = "try_clone")]
    pub fn shared_fd(fd: Arc<OwnedFd>) -> Self {
        Redirect::of(D::common(Common::Fd(GivenFd::Shared(fd))))
    }
}

/// # For inputs
impl Redirect<In> {
    /// These bytes, then the end. They are fed while the outputs are read, so the pipes cannot block each other. A child that stops reading
    /// early is not an error; [`Output::stdin_taken`](crate::Output::stdin_taken) says how much went into the pipe.
    ///
    /// Clones share the bytes.
    ///
    /// ```
    /// use pipewright::{cmd, Redirect};
    /// let first = cmd!("head", "-n", "1").stdin(Redirect::bytes("a\nb\n"));
    /// assert_eq!(first.read()?, "a");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    #[doc(alias = "input")]
    #[doc(alias = "<<<")]
    pub fn bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Redirect::of(Input::Bytes(Arc::new(bytes.into())))
    }

    /// These bytes as a file in memory, like a shell's here-document, for children that need to seek or to map it. All of it exists before
    /// the child starts. Nothing is fed, so [`Output::stdin_taken`](crate::Output::stdin_taken) is not set.
    ///
    /// Each start makes a new file with `memfd_create(2)`, or without that system call a temporary file without a name. If neither works,
    /// the start fails with [`ErrorKind::Redirect`](crate::ErrorKind::Redirect).
    ///
    /// ```
    /// use pipewright::{cmd, Redirect};
    /// let last = cmd!("tail", "-c", "2").stdin(Redirect::here_document("abc"));
    /// assert_eq!(last.read()?, "bc");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    #[doc(alias = "memfd_create")]
    #[doc(alias = "<<")]
    #[doc(alias = "heredoc")]
    pub fn here_document(bytes: impl Into<Vec<u8>>) -> Self {
        Redirect::of(Input::Document(Arc::new(bytes.into())))
    }

    /// Everything that a reader gives, then the end. One-shot. A helper thread reads, so that a slow reader delays neither a deadline nor
    /// the outputs. A `read` in progress cannot be interrupted; the thread ends after it when the child has ended.
    ///
    /// An error of the reader is the run's, with kind [`Io`](crate::ErrorKind::Io); a panic is [`Panic`](crate::ErrorKind::Panic).
    ///
    /// ```
    /// use pipewright::{cmd, Redirect};
    /// use std::io::Read;
    /// let reader = std::io::repeat(b'x').take(3);
    /// let cat = cmd!("cat").stdin(Redirect::from_reader(reader));
    /// assert_eq!(cat.read()?, "xxx");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn from_reader(reader: impl Read + Send + 'static) -> Self {
        Redirect::of(Input::Reader(TakeOnce::new(Box::new(reader))))
    }

    /// A reader like in [`from_reader`](Self::from_reader) that is not one-shot: each start calls `make` for a new one.
    ///
    /// ```
    /// use pipewright::{cmd, Redirect};
    /// let again = Redirect::reader_with(|| &b"again"[..]);
    /// let cat = cmd!("cat").stdin(again);
    /// assert_eq!((cat.read()?, cat.read()?), ("again".into(), "again".into()));
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn reader_with<R: Read + Send + 'static>(make: impl Fn() -> R + Send + Sync + 'static) -> Self {
        Redirect::of(Input::ReaderWith(Arc::new(move || Box::new(make()))))
    }
}

/// # For outputs
impl Redirect<Out> {
    /// A capture in the [`Output`](crate::Output), within the limit that the builder's `stdout_limit` or `stderr_limit` sets.
    ///
    /// ```
    /// use pipewright::{cmd, Redirect};
    /// let out = cmd!("echo", "hi").stdout(Redirect::capture()).run()?;
    /// assert_eq!(out.stdout, "hi\n");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn capture() -> Self {
        Redirect::of(Target::Capture)
    }

    /// A file that is written at its end (`O_APPEND`), and created if it does not exist; otherwise like [`file`](Self::file).
    ///
    /// ```
    /// use pipewright::{cmd, Redirect};
    /// let path = std::env::temp_dir().join("pipewright-append");
    /// # let path = path.with_extension(std::process::id().to_string());
    /// let log = cmd!("echo", "line").stdout(Redirect::append(&path));
    /// log.run()?;
    /// log.run()?;
    /// assert_eq!(std::fs::read(&path).unwrap(), b"line\nline\n");
    /// # std::fs::remove_file(&path).unwrap();
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    #[doc(alias = ">>")]
    #[doc(alias = "O_APPEND")]
    pub fn append(path: impl AsRef<Path>) -> Self {
        Redirect::of(Target::Append(path.as_ref().to_owned()))
    }

    /// A writer. One-shot. A helper thread writes and flushes at the end; the run is over when it has written everything. With
    /// `io::stdout()` it waits for [a lock](std::io::stdout) that another thread may hold, like a [capture](crate#tests) of a test does;
    /// [`inherit`](Redirect::inherit) does not.
    ///
    /// An error of the writer is the run's, with kind [`Io`](crate::ErrorKind::Io); a panic is [`Panic`](crate::ErrorKind::Panic).
    ///
    /// ```
    /// use pipewright::{cmd, Redirect};
    /// let path = std::env::temp_dir().join("pipewright-writer");
    /// # let path = path.with_extension(std::process::id().to_string());
    /// let file = std::fs::File::create(&path).unwrap();
    /// let to = Redirect::to_writer(std::io::BufWriter::new(file));
    /// cmd!("echo", "hi").stdout(to).run()?;
    /// assert_eq!(std::fs::read(&path).unwrap(), b"hi\n");
    /// # std::fs::remove_file(&path).unwrap();
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn to_writer(writer: impl Write + Send + 'static) -> Self {
        Redirect::of(Target::Writer(TakeOnce::new(Box::new(writer))))
    }

    /// A callback for each line, without its newline; a last line without a newline comes at the end. The callback returns nothing, or a
    /// `Result`. Its error closes the stream and becomes the run's source, with kind [`Callback`](crate::ErrorKind::Callback). A panic is
    /// [`Panic`](crate::ErrorKind::Panic).
    ///
    /// The thread that drives the run calls it. In the blocking verbs that is the caller's thread, and a deadline has to wait until the
    /// callback returns. After [`spawn`](crate::Cmd::spawn) it is a thread of its own.
    ///
    /// ```
    /// use pipewright::{cmd, Redirect};
    /// use std::sync::mpsc;
    /// let (sender, lengths) = mpsc::channel();
    /// let each = move |line: &[u8]| sender.send(line.len());
    /// let print = cmd!("printf", r"a\nbcd\n");
    /// print.stdout(Redirect::each_line(each)).run()?;
    /// assert_eq!(lengths.iter().collect::<Vec<_>>(), [1, 3]);
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    #[doc(alias = "callback")]
    pub fn each_line<R: LineResult>(mut callback: impl FnMut(&[u8]) -> R + Send + 'static) -> Self {
        Redirect::of(Target::EachLine(Arc::new(Mutex::new(move |line: &[u8]| callback(line).into_result()))))
    }

    /// All of these at the same time, for example the terminal and a capture, or a file and a callback. All get the same bytes in the same
    /// order; the slowest sets the pace. A stage's stdout in a pipeline may be a `tee`: the next stage gets it too. When the next stage
    /// stops reading, the others still get the rest, like with `tee -p`, so an endless program goes on until a timeout.
    ///
    /// A tee of nothing throws the output away.
    ///
    /// ```
    /// use pipewright::{cmd, Redirect};
    /// let log = std::env::temp_dir().join("pipewright-tee");
    /// # let log = log.with_extension(std::process::id().to_string());
    /// let both = Redirect::tee([Redirect::capture(), Redirect::file(&log)]);
    /// let out = cmd!("echo", "twice").stdout(both).run()?;
    /// assert_eq!(out.stdout, std::fs::read(&log).unwrap());
    /// # std::fs::remove_file(&log).unwrap();
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn tee(targets: impl IntoIterator<Item = Redirect<Out>>) -> Self {
        Redirect::of(Target::Tee(targets.into_iter().map(Redirect::into_kind).collect()))
    }
}

impl<D: Direction> Clone for Redirect<D> {
    /// A clone of a one-shot redirect shares what it holds.
    fn clone(&self) -> Self {
        Redirect::of(self.kind.clone())
    }
}

impl<D: Direction> fmt::Debug for Redirect<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Redirect").field(&self.kind).finish()
    }
}

/// What a line callback may return: nothing, or a `Result` with any error. Sealed.
///
/// ```
/// use pipewright::{ErrorKind, Redirect, cmd};
/// let refuse = |_: &[u8]| Err::<(), _>("no lines wanted");
/// let echo = cmd!("echo", "line").stdout(Redirect::each_line(refuse));
/// assert_eq!(echo.run().unwrap_err().kind(), ErrorKind::Callback);
/// ```
pub trait LineResult: sealed::LineResult {}

impl LineResult for () {}

impl<E: Into<BoxError>> LineResult for Result<(), E> {}

impl sealed::LineResult for () {
    fn into_result(self) -> Result<(), BoxError> {
        Ok(())
    }
}

impl<E: Into<BoxError>> sealed::LineResult for Result<(), E> {
    fn into_result(self) -> Result<(), BoxError> {
        self.map_err(Into::into)
    }
}
