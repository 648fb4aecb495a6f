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
/// `Redirect<In>` is for stdin, `Redirect<Out>` for stdout and stderr; the direction follows from where the value is
/// used, and a pairing that makes no sense (a `bytes` stdout) does not compile.
///
/// *One-shot* redirects ([`fd`](Redirect::fd), [`from_reader`](Redirect::from_reader), [`to_writer`](Redirect::to_writer))
/// hold something that can be used once. All clones share it, and the first start takes it: a later start is
/// [`AlreadyUsed`](crate::ErrorKind::AlreadyUsed), and a builder that lives on holds nothing open. All others can be used any
/// number of times.
///
/// Making one neither blocks nor opens anything, and cannot fail: errors come at the start.
///
/// ```
/// use pipewright::{cmd, Redirect};
/// let shout = cmd!("tr", "a-z", "A-Z").stdin(Redirect::bytes("quiet")).read()?;
/// assert_eq!(shout, "QUIET");
/// # Ok::<(), pipewright::Error>(())
/// ```
///
/// ```compile_fail
/// use pipewright::{cmd, Redirect};
/// let nonsense = cmd!("true").stdout(Redirect::bytes("text"));
/// ```
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

impl<D: Direction> Redirect<D> {
    fn of(kind: D::Kind) -> Self {
        Redirect { kind, direction: PhantomData }
    }

    pub(crate) fn into_kind(self) -> D::Kind {
        self.kind
    }

    /// This process's own stream. One that is closed here is `/dev/null` for the child.
    ///
    /// ```
    /// use pipewright::{Cmd, Redirect};
    /// let out = Cmd::sh("echo captured").stderr(Redirect::inherit()).output()?;
    /// assert!(!out.stderr.is_captured());
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn inherit() -> Self {
        Redirect::of(D::common(Common::Inherit))
    }

    /// `/dev/null`: nothing to read, and what is written is lost.
    ///
    /// ```
    /// use pipewright::{cmd, Redirect};
    /// assert_eq!(cmd!("cat").stdin(Redirect::null()).read()?, "");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    #[doc(alias = "/dev/null")]
    pub fn null() -> Self {
        Redirect::of(D::common(Common::Null))
    }

    /// A pipe whose other end is taken from the [`Job`](crate::Job): `take_stdin`, `take_stdout`, `take_stderr`. An end that nobody
    /// takes does no harm: before waiting, an untaken stdin is closed and an untaken output read and thrown away. Verbs that
    /// capture a stream capture it also when it is `piped`.
    ///
    /// ```
    /// use pipewright::{cmd, Redirect};
    /// use std::io::Read;
    /// let job = cmd!("echo", "hi").stdout(Redirect::piped()).spawn()?;
    /// let mut text = String::new();
    /// job.take_stdout().unwrap().read_to_string(&mut text).unwrap();
    /// assert_eq!((text.as_str(), job.wait()?.success()), ("hi\n", true));
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn piped() -> Self {
        Redirect::of(D::common(Common::Piped))
    }

    /// A file, by path. For stdin it is opened for reading; for an output it is created, or emptied when it exists. It is
    /// opened at each start, before any process runs, relative to *this* process's working directory.
    ///
    /// It is created with mode 0666 less this process's umask (`open(2)`). No error comes from this call; one that
    /// cannot be opened fails the start with [`ErrorKind::Redirect`](crate::ErrorKind::Redirect). Opening a FIFO blocks
    /// until it has another end, and no deadline interrupts it.
    ///
    /// ```
    /// use pipewright::{cmd, ErrorKind, Redirect};
    /// let path = std::env::temp_dir().join(format!("pipewright-file-{}", std::process::id()));
    /// cmd!("echo", "kept").stdout(Redirect::file(&path)).run()?;
    /// assert_eq!(cmd!("cat").stdin(Redirect::file(&path)).read()?, "kept");
    /// # std::fs::remove_file(&path).unwrap();
    /// let error = cmd!("cat").stdin(Redirect::file("/no/such/file")).run().unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Redirect);
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn file(path: impl AsRef<Path>) -> Self {
        Redirect::of(D::common(Common::File(path.as_ref().to_owned())))
    }

    /// Any open descriptor: a [`File`](std::fs::File), an end of a [`pipe::kernel`](crate::pipe::kernel), a socket. One-shot: the
    /// first start takes it, and this process's copy is closed before that start returns.
    ///
    /// The child shares its offset, as after `dup(2)`. Dropped unused, it is closed
    /// with the last clone.
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

    /// An open descriptor for any number of starts. It stays open as long as the builder, a clone of it, a
    /// [`Job`](crate::Job) it started, or the `Arc` lives: a reader at the other end of a pipe sees no end until then.
    ///
    /// All starts share its offset.
    ///
    /// ```
    /// use pipewright::{cmd, Redirect};
    /// use std::{fs::File, sync::Arc};
    /// let null = Arc::new(File::open("/dev/null").unwrap().into());
    /// let cat = cmd!("cat").stdin(Redirect::shared_fd(null));
    /// assert_eq!((cat.read()?, cat.read()?), (String::new(), String::new()));
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn shared_fd(fd: Arc<OwnedFd>) -> Self {
        Redirect::of(D::common(Common::Fd(GivenFd::Shared(fd))))
    }
}

impl Redirect<In> {
    /// These bytes, then the end. They are fed while the outputs are read, so no pipe fills up. A child that stops reading
    /// early is no error; [`Output::stdin_taken`](crate::Output::stdin_taken) tells how much it took.
    ///
    /// Clones share the bytes.
    ///
    /// ```
    /// use pipewright::{cmd, Redirect};
    /// let first = cmd!("head", "-n", "1").stdin(Redirect::bytes("a\nb\n"));
    /// assert_eq!(first.read()?, "a");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Redirect::of(Input::Bytes(Arc::new(bytes.into())))
    }

    /// These bytes as a file in memory, for children that need to seek or to map it: a shell's here-document. All of it is there before
    /// the child starts; nothing is fed, and [`Output::stdin_taken`](crate::Output::stdin_taken) is not set.
    ///
    /// Each start makes one anew, by `memfd_create(2)`; where that is not to be had, as a file without a name among the temporary ones. An
    /// error of that is one of the start, of kind [`Redirect`](crate::ErrorKind::Redirect).
    ///
    /// ```
    /// use pipewright::{cmd, Redirect};
    /// let last = cmd!("tail", "-c", "2").stdin(Redirect::here_document("abc"));
    /// assert_eq!(last.read()?, "bc");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    #[doc(alias = "memfd_create")]
    #[doc(alias = "<<")]
    pub fn here_document(bytes: impl Into<Vec<u8>>) -> Self {
        Redirect::of(Input::Document(Arc::new(bytes.into())))
    }

    /// What a reader gives, then the end. One-shot. A helper thread does the reading, so that a slow reader delays neither a
    /// deadline nor the outputs; it cannot be interrupted in its `read`, and ends with the next one after the child.
    ///
    /// An error of the reader is the run's, with kind [`Io`](crate::ErrorKind::Io); a panic is
    /// [`Panic`](crate::ErrorKind::Panic).
    ///
    /// ```
    /// use pipewright::{cmd, Redirect};
    /// use std::io::Read;
    /// let reader = std::io::repeat(b'x').take(3);
    /// assert_eq!(cmd!("cat").stdin(Redirect::from_reader(reader)).read()?, "xxx");
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn from_reader(reader: impl Read + Send + 'static) -> Self {
        Redirect::of(Input::Reader(TakeOnce::new(Box::new(reader))))
    }

    /// As [`from_reader`](Self::from_reader), with a new reader for each start.
    ///
    /// Not one-shot: `make` is called at each start.
    ///
    /// ```
    /// use pipewright::{cmd, Redirect};
    /// let cat = cmd!("cat").stdin(Redirect::reader_with(|| &b"again"[..]));
    /// assert_eq!((cat.read()?, cat.read()?), ("again".into(), "again".into()));
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn reader_with<R: Read + Send + 'static>(make: impl Fn() -> R + Send + Sync + 'static) -> Self {
        Redirect::of(Input::ReaderWith(Arc::new(move || Box::new(make()))))
    }
}

impl Redirect<Out> {
    /// Captured in the [`Output`](crate::Output), within the limit that the builder's `stdout_limit` or `stderr_limit` sets.
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

    /// A file, written at its end (`O_APPEND`); created when missing. Opened as [`file`](Self::file).
    ///
    /// Mode and errors are those of `file` too: 0666 less the umask, and
    /// [`ErrorKind::Redirect`](crate::ErrorKind::Redirect) at the start.
    ///
    /// ```
    /// use pipewright::{cmd, Redirect};
    /// let path = std::env::temp_dir().join(format!("pipewright-append-{}", std::process::id()));
    /// let log = cmd!("echo", "line").stdout(Redirect::append(&path));
    /// log.run()?;
    /// log.run()?;
    /// assert_eq!(std::fs::read(&path).unwrap(), b"line\nline\n");
    /// # std::fs::remove_file(&path).unwrap();
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn append(path: impl AsRef<Path>) -> Self {
        Redirect::of(Target::Append(path.as_ref().to_owned()))
    }

    /// Into a writer. One-shot. A helper thread does the writing and flushes at the end; the run is over when it has written
    /// everything. Where another thread holds the lock of [`std::io::stdout`], as in a [capture](crate::testing#what-it-cannot-do) of a
    /// test, that of `io::stdout()` waits for it: [`inherit`](Redirect::inherit) does not.
    ///
    /// An error of the writer is the run's, with kind [`Io`](crate::ErrorKind::Io); a panic is
    /// [`Panic`](crate::ErrorKind::Panic).
    ///
    /// ```
    /// use pipewright::{cmd, Redirect};
    /// let path = std::env::temp_dir().join(format!("pipewright-writer-{}", std::process::id()));
    /// let writer = std::io::BufWriter::new(std::fs::File::create(&path).unwrap());
    /// cmd!("echo", "hi").stdout(Redirect::to_writer(writer)).run()?;
    /// assert_eq!(std::fs::read(&path).unwrap(), b"hi\n");
    /// # std::fs::remove_file(&path).unwrap();
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn to_writer(writer: impl Write + Send + 'static) -> Self {
        Redirect::of(Target::Writer(TakeOnce::new(Box::new(writer))))
    }

    /// Each line to a callback, without its newline; a last line without one comes at the end. It returns nothing, or a
    /// `Result` whose error closes the stream and becomes the run's, with its source kept.
    ///
    /// It runs on the thread that drives the run: the caller's in the blocking verbs, where a deadline has to wait for it to
    /// return; a thread of its own behind [`spawn`](crate::Cmd::spawn).
    ///
    /// A panic of the callback becomes [`ErrorKind::Panic`](crate::ErrorKind::Panic), an error it returns
    /// [`ErrorKind::Callback`](crate::ErrorKind::Callback).
    ///
    /// ```
    /// use pipewright::{cmd, Redirect};
    /// use std::sync::{Arc, Mutex};
    /// let seen = Arc::new(Mutex::new(Vec::new()));
    /// let lines = Arc::clone(&seen);
    /// let each = move |line: &[u8]| lines.lock().unwrap().push(line.len());
    /// cmd!("printf", "a\nbcd\n").stdout(Redirect::each_line(each)).run()?;
    /// assert_eq!(*seen.lock().unwrap(), [1, 3]);
    /// # Ok::<(), pipewright::Error>(())
    /// ```
    pub fn each_line<R: LineResult>(mut callback: impl FnMut(&[u8]) -> R + Send + 'static) -> Self {
        Redirect::of(Target::EachLine(Arc::new(Mutex::new(move |line: &[u8]| callback(line).into_result()))))
    }

    /// To all of these at once: to the terminal and a capture, to a file and a callback. Order and bytes are the same for
    /// all; the slowest sets the pace. In a pipeline, a stage's stdout may be a `tee`: the next stage gets it too.
    /// When that has enough, the others still get the rest, as with `tee -p`: an endless program then goes on until a timeout.
    ///
    /// A tee of nothing throws the output away.
    ///
    /// ```
    /// use pipewright::{cmd, Redirect};
    /// let log = std::env::temp_dir().join(format!("pipewright-tee-{}", std::process::id()));
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
/// let error = cmd!("echo", "line").stdout(Redirect::each_line(refuse)).run().unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Callback);
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
