//! A test's body in a process of its own: the test program, started once more for this one test.

use std::cell::Cell;
use std::ffi::OsStr;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use crate::cmd::Cmd;
use crate::io::callback::panic_text;
use crate::outcome::{Error, ErrorKind};
use crate::redirect::Redirect;
use crate::sys::{cstdio, fds, signals, stream};

/// The test that the process was started for, and the program that was meant: a test may start another program that has a test of
/// the same name.
const TEST: &str = "PIPEWRIGHT_ISOLATED_TEST";
const PROGRAM: &str = "PIPEWRIGHT_ISOLATED_PROGRAM";
/// Which of the test's calls the process was started for: a test may call more than once, in a loop for one.
const NUMBER: &str = "PIPEWRIGHT_ISOLATED_NUMBER";

/// Begins the lines by which the process of a body tells of it, between what the body prints.
const MARK: &[u8] = b"\x1b_pipewright isolated test: ";
const BEGINS: &[u8] = b"begins";
const RETURNED: &[u8] = b"returned";
const PANICKED: &[u8] = b"panicked ";

/// How long a process that the body left running may keep its output open.
const GRACE: Duration = Duration::from_millis(500);

/// Whether this process runs the body of an [`isolate`].
static ISOLATED: AtomicBool = AtomicBool::new(false);
/// Whether this process was started for one test.
static ONE_TEST: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// How many calls this thread has made. A test's thread is its own.
    static CALLS: Cell<u32> = const { Cell::new(0) };
}

/// Why a test cannot be [run again](rerun) alone.
///
/// ```
/// let error = pipewright::testing::rerun().unwrap_err(); // An example is no test.
/// assert!(error.to_string().contains("`main`"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotATest {
    /// The calling thread has no name, or that of the main thread: the standard test harness gives a test's thread its name.
    #[error(
        "the thread {} is not that of a test: call it from the test's own thread, under the standard test harness or \
         cargo-nextest (not in an example of the documentation, nor with `harness = false`)",
        .0.as_ref().map_or("without name".to_owned(), |name| format!("`{name}`"))
    )]
    Thread(Option<String>),
    /// The process was started for another test, which means that the harness does not understand how it was asked for one.
    #[error("this process was started for the test `{wanted}` alone, and its harness runs `{found}`")]
    Harness {
        /// What was asked for.
        wanted: String,
        /// What runs.
        found: String,
    },
    /// The path of this program cannot be found out.
    #[error("the path of the test program is not known")]
    Program,
}

/// A command that runs the calling test, and nothing else, in a process of its own; `None` in that process.
///
/// What [`isolate`] is made of, for those who want a limit, a watchdog or other surroundings. Whether the test ran is to be seen in the
/// output, which says `1 passed` at its end: a name that fits no test is a success of none.
///
/// The calls of a test are counted, and the process is started for one of them: what stands before that runs in it, too, and a
/// call there gives its command again. Inside of that call's body every further one gives `None`.
///
/// # Errors
/// When the calling thread is not a test's.
///
/// ```no_run
/// #[test]
/// fn it_ends() {
///     match pipewright::testing::rerun().unwrap() {
///         Some(test) => assert!(test.timeout(std::time::Duration::from_secs(9)).read().unwrap().contains("1 passed")),
///         None => { /* the body */ }
///     }
/// }
/// ```
pub fn rerun() -> Result<Option<Cmd>, NotATest> {
    Ok(match call()? {
        Call::Start(test) | Call::Before(test) => Some(test),
        Call::This | Call::Within => None,
    })
}

/// What a call of [`rerun`] or [`isolate`] is.
enum Call {
    /// One in the process of the test, which this command is to follow.
    Start(Cmd),
    /// One that stands before that for which this process was started; the command is for it.
    Before(Cmd),
    /// The one for which this process was started.
    This,
    /// One behind that: in its body, or in what follows it.
    Within,
}

fn call() -> Result<Call, NotATest> {
    let thread = thread::current();
    let name = match thread.name() {
        Some(name) if name != "main" => name,
        other => return Err(NotATest::Thread(other.map(String::from))),
    };
    let program = std::env::current_exe().map_err(|_| NotATest::Program)?;
    let here = std::env::var_os(PROGRAM).is_some_and(|isolated| isolated == program.as_os_str());
    let wanted = std::env::var_os(TEST).unwrap_or_default();
    if here && wanted != name {
        return Err(NotATest::Harness { wanted: wanted.to_string_lossy().into_owned(), found: name.to_owned() });
    }
    let number = CALLS.get() + 1;
    CALLS.set(number);
    let wanted = std::env::var(NUMBER).ok().and_then(|number| number.parse().ok()).unwrap_or(1);
    if here && number >= wanted {
        ONE_TEST.store(true, Relaxed);
        return Ok(if number == wanted { Call::This } else { Call::Within });
    }
    let arguments = ["--exact", "--include-ignored", "--nocapture", "--test-threads=1", "--quiet"];
    let test = Cmd::new(&program).arg(name).args(arguments).env(TEST, name).env(PROGRAM, program);
    let test = test.env(NUMBER, number.to_string()).label(name);
    Ok(if here { Call::Before(test) } else { Call::Start(test) })
}

/// Runs a test's body in a process of its own.
///
/// To be called on the test's thread, as its first statement: what stands before it runs twice, what stands behind it after the
/// process has ended. The body is alone with its descriptors, children, threads, signal dispositions, environment, working
/// directory. Works under `cargo test` and cargo-nextest. The process is this test program, started once more for this one test;
/// it costs a few milliseconds. Its stdin is `/dev/null`. It dies with the test, on Linux.
///
/// A test may call it several times, in a loop for one: each body has its own process, in which the calls before are skipped. So
/// the test has to come to the same calls in the same order each time. A call in a body runs its own body there.
///
/// What the body prints, this thread prints, line by line, so that the harness shows it when the test fails. A panic of the body is this
/// call's, with its text. A body that ends the process is a failed one, whatever the status. Blocks until the process has ended;
/// one that the body leaves behind is not waited for.
///
/// # Panics
/// With the text of the body's panic; when the body ended its process; under a harness where it cannot work, as in examples of the
/// documentation: see [`NotATest`].
///
/// ```no_run
/// use pipewright::testing::isolate;
/// #[test]
/// fn the_working_directory_is_this_tests_own() {
///     isolate(|| std::env::set_current_dir("/").unwrap());
/// }
/// ```
#[track_caller]
pub fn isolate(body: impl FnOnce()) {
    if ISOLATED.load(Relaxed) {
        return body();
    }
    match call() {
        Ok(Call::This) => run_body(body),
        Ok(Call::Within) => body(),
        Ok(Call::Before(_)) => {}
        Ok(Call::Start(test)) => match supervise(&test) {
            Ok(()) => {}
            Err(Failed::Panicked(text)) => resume_unwind(Box::new(text)),
            Err(Failed::Otherwise(what)) => panic!("{what}"),
        },
        Err(error) => panic!("cannot isolate a test: {error}"),
    }
}

/// Whether this process runs one test: then nobody else prints here.
pub(super) fn one_test_per_process() -> bool {
    let nextest = || std::env::var_os("NEXTEST_EXECUTION_MODE").is_some_and(|mode| mode == "process-per-test");
    // A variable is inherited by what a test starts; the arguments are not.
    ONE_TEST.load(Relaxed) || (nextest() && std::env::args_os().any(|arg| arg == OsStr::new("--exact")))
}

/// In the process of the body.
fn run_body(body: impl FnOnce()) {
    ISOLATED.store(true, Relaxed);
    signals::die_with_parent();
    let marks = Marks::new().unwrap_or_else(|error| panic!("cannot isolate a test: {error}"));
    marks.say(&[BEGINS]);
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(()) => {
            marks.say(&[RETURNED]);
            // What stands behind the call is for the other process.
            std::process::exit(0);
        }
        Err(panic) => {
            let text = panic_text(&*panic).replace('\n', "\r");
            marks.say(&[PANICKED, text.as_bytes()]);
            resume_unwind(panic);
        }
    }
}

/// A copy of stdout, which the body may close or redirect.
struct Marks(OwnedFd);

impl Marks {
    fn new() -> io::Result<Marks> {
        fds::dup_above(fds::stdio(1), 3).map(Marks)
    }

    fn say(&self, parts: &[&[u8]]) {
        // What the body printed stands before what is said of it. A stdout that takes nothing more is seen by its reader.
        let _ = io::stdout().flush().and_then(|()| cstdio::flush_stdout());
        let line = [&[MARK], parts, &[b"\n"]].concat().concat();
        let _ = signals::without_sigpipe(|| stream::write_all(self.0.as_fd(), &line));
    }
}

/// How a body failed.
#[derive(Debug, PartialEq)]
enum Failed {
    Panicked(String),
    Otherwise(String),
}

/// Runs the process of the body, prints what that prints, and judges it.
fn supervise(test: &Cmd) -> Result<(), Failed> {
    let mut seen = Seen::Nothing;
    let run = test.clone().stdin(Redirect::null()).stderr_to_stdout().eof_grace(GRACE);
    let result = run.for_each_line(|line| {
        if let Some(text) = seen.line(line) {
            print!("{}", String::from_utf8_lossy(&text));
        }
    });
    seen.verdict(result.map(drop))
}

/// What was read of the process of a body.
#[derive(Debug, PartialEq)]
enum Seen {
    Nothing,
    Begun,
    Returned,
    Panicked(String),
}

impl Seen {
    /// What of the line is the body's.
    fn line(&mut self, line: &[u8]) -> Option<Vec<u8>> {
        let Some(at) = memchr::memmem::find(line, MARK) else {
            return (*self == Seen::Begun).then(|| [line, b"\n"].concat());
        };
        let (before, mark) = (&line[..at], &line[at + MARK.len()..]);
        let body = (*self == Seen::Begun).then(|| before.to_vec());
        *self = match mark.strip_prefix(PANICKED) {
            Some(text) => Seen::Panicked(String::from_utf8_lossy(text).replace('\r', "\n")),
            None if mark == RETURNED => Seen::Returned,
            None => Seen::Begun,
        };
        body
    }

    fn verdict(self, result: Result<(), Error>) -> Result<(), Failed> {
        let ended = || match &result {
            Ok(()) => "exited with code 0".to_owned(),
            Err(error) => match error.status() {
                Some(status) if error.kind() == ErrorKind::Status => status.to_string(),
                _ => error.to_string(),
            },
        };
        match (self, &result) {
            (Seen::Returned, Ok(())) => Ok(()),
            (Seen::Panicked(text), _) => Err(Failed::Panicked(text)),
            (Seen::Returned, Err(_)) => {
                Err(Failed::Otherwise(format!("the body returned, but its process did not end well: {}", ended())))
            }
            (Seen::Begun, _) => Err(Failed::Otherwise(format!("the body ended its process: {}", ended()))),
            (Seen::Nothing, _) => Err(Failed::Otherwise(format!(
                "cannot isolate a test: the process that was started for it did not come to its body: {}. The test \
                 harness may not take the arguments of the standard one",
                ended()
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(text: &str) -> (Seen, String) {
        let mut seen = Seen::Nothing;
        let text = text.replace("MARK", std::str::from_utf8(MARK).unwrap());
        let lines: Vec<Vec<u8>> = text.lines().filter_map(|line| seen.line(line.as_bytes())).collect();
        (seen, String::from_utf8(lines.concat()).unwrap())
    }

    #[test]
    fn what_the_harness_prints_is_not_the_bodys() {
        let (end, text) = seen("\nrunning 1 test\nMARKbegins\na\nb, no newlineMARKreturned\n.\ntest result: ok.\n");
        assert_eq!((end, &*text), (Seen::Returned, "a\nb, no newline"));
        let (end, text) = seen("running 1 test\nMARKbegins\na\nMARKpanicked one\rtwo\nF\n");
        assert_eq!((end, &*text), (Seen::Panicked("one\ntwo".into()), "a\n"));
        assert_eq!(seen("running 0 tests\n"), (Seen::Nothing, String::new()));
    }

    #[test]
    fn only_a_body_that_returned_in_a_process_that_succeeded_has_passed() {
        let failed = || Err(crate::outcome::Fault::new(ErrorKind::Io, "broke").into_bare_error());
        assert_eq!(Seen::Returned.verdict(Ok(())), Ok(()));
        for (seen, result) in [
            (Seen::Returned, failed()),
            (Seen::Begun, Ok(())),
            (Seen::Nothing, Ok(())),
            (Seen::Nothing, failed()),
            (Seen::Panicked(String::new()), Ok(())),
        ] {
            assert!(seen.verdict(result).is_err());
        }
    }
}
