//! What a process says between the first signal and its end: it reaches everything that its stream leads to.

use nix::sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr};

use crate::prelude::*;

/// One more target beside a capture, and what it has got when the run is over.
type Collect = Box<dyn FnOnce() -> Vec<u8>>;

fn to_the_end(reader: impl Read + Send + 'static) -> std::thread::JoinHandle<Vec<u8>> {
    let mut reader = reader;
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // A terminal without another side says EIO.
        let _ = reader.read_to_end(&mut bytes);
        bytes
    })
}

fn pipe_target() -> (Redirect, Collect) {
    let (reader, writer) = pipe::kernel().expect("a pipe");
    let read = to_the_end(reader);
    (Redirect::fd(writer), Box::new(move || read.join().expect("no panic")))
}

fn shared_target() -> (Redirect, Collect) {
    let (reader, writer) = pipe::kernel().expect("a pipe");
    let writer: Arc<OwnedFd> = Arc::new(writer.into());
    let read = to_the_end(reader);
    let own = Arc::clone(&writer);
    (
        Redirect::shared_fd(writer),
        Box::new(move || {
            drop(own);
            read.join().expect("no panic")
        }),
    )
}

fn socket_target() -> (Redirect, Collect) {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().expect("a pair");
    let read = to_the_end(ours);
    (Redirect::fd(OwnedFd::from(theirs)), Box::new(move || read.join().expect("no panic")))
}

fn terminal_target() -> (Redirect, Collect) {
    let pty = openpty(None, None).expect("a terminal");
    let mut raw = tcgetattr(&pty.slave).expect("its settings");
    cfmakeraw(&mut raw);
    tcsetattr(&pty.slave, SetArg::TCSANOW, &raw).expect("they can be set");
    let read = to_the_end(File::from(pty.master));
    (Redirect::fd(pty.slave), Box::new(move || read.join().expect("no panic")))
}

fn writer_target() -> (Redirect, Collect) {
    let sheet = Sheet::default();
    (Redirect::to_writer(sheet.clone()), Box::new(move || sheet.bytes()))
}

fn callback_target() -> (Redirect, Collect) {
    let sheet = Sheet::default();
    let mut heard = sheet.clone();
    let line = move |line: &[u8]| heard.write_all(&[line, b"\n"].concat());
    (Redirect::each_line(line), Box::new(move || sheet.bytes()))
}

/// Makes a target.
type Make = fn() -> (Redirect, Collect);

const TARGETS: [(&str, Make); 6] = [
    ("pipe", pipe_target),
    ("shared", shared_target),
    ("socket", socket_target),
    ("terminal", terminal_target),
    ("writer", writer_target),
    ("callback", callback_target),
];

/// Ends the run once it has said that it is ready; what its capture has.
type End = fn(Cmd) -> Vec<u8>;

const ENDS: [(&str, End); 3] = [
    ("timeout", |cmd| captured(cmd.timeout(Duration::from_millis(150)).run().expect_err("it is ended"))),
    ("cancel", |cmd| {
        let handle = cmd.cancel_handle();
        captured(cmd.on_event(on_ready(move || handle.cancel())).run().expect_err("it is ended"))
    }),
    ("shutdown", |cmd| {
        let job = cmd.spawn().expect("it starts");
        assert!(job.events().any(|event| matches!(event.kind, EventKind::Line { .. })));
        job.shutdown(Duration::from_secs(20)).expect("a report");
        job.output().expect("it ends well").stdout.into_vec()
    }),
];

fn on_ready(act: impl Fn() + Send + Sync) -> impl Fn(&pipewright::Event) + Send + Sync {
    move |event| {
        if matches!(&event.kind, EventKind::Line { line, .. } if line == b"ready") {
            act();
        }
    }
}

fn captured(error: Error) -> Vec<u8> {
    assert!(!error.to_string().contains("not all of"), "{error}");
    error.output().expect("it has the output").stdout.clone().into_vec()
}

/// Until a signal comes.
const WAIT: &str = "while :; do sleep 0.02; done";

/// A command that is ready at once, and says `last` when it is asked to end.
fn polite(last: &str) -> Cmd {
    let script = format!("trap '{last}; exit 0' TERM; echo ready; {WAIT}");
    Cmd::sh(script).grace(Duration::from_secs(20))
}

#[test]
fn the_last_output_reaches_every_target_of_a_tee() {
    isolated(|| {
        for (target_name, make) in TARGETS {
            for (end_name, end) in ENDS {
                for _ in 0..count(5, 200) {
                    progress();
                    let (target, got) = make();
                    let tee = Redirect::tee([target, Redirect::capture()]);
                    let capture = end(role("term-exit").arg("0").grace(Duration::from_secs(20)).stdout(tee));
                    let got = got();
                    assert_eq!(got, capture, "{target_name} by {end_name}");
                    // A busy machine may not even have let it begin before a timeout.
                    if end_name != "timeout" || !capture.is_empty() {
                        assert_eq!(capture, b"ready\nbye\n", "{target_name} by {end_name}");
                    }
                }
            }
        }
    });
}

#[test]
fn a_long_last_output_reaches_every_target_whole() {
    isolated(|| {
        // More than all the pipes on the way hold; by the shell alone, before it is ready.
        let long = "s=bye; while [ ${#s} -lt 400000 ]; do s=$s$s; done";
        let script = format!("{long}; trap 'echo $s; exit 0' TERM; echo ready; {WAIT}");
        let length = "ready\n".len() + (3 << 18) + 1;
        for (target_name, make) in TARGETS {
            for (end_name, end) in ENDS {
                for _ in 0..count(1, 20) {
                    progress();
                    let (target, got) = make();
                    let wordy = Cmd::sh(&script).grace(Duration::from_secs(20));
                    let capture = end(wordy.stdout(Redirect::tee([target, Redirect::capture()])));
                    assert!(got() == capture, "{target_name} by {end_name}");
                    // A busy machine may not even have let it begin before a timeout.
                    if end_name != "timeout" || !capture.is_empty() {
                        assert_eq!(capture.len(), length, "{target_name} by {end_name}");
                    }
                }
            }
        }
    });
}

#[test]
fn the_last_output_reaches_a_single_target() {
    isolated(|| {
        let last = "printf \"bye\\nno newline\"";
        for _ in 0..count(5, 100) {
            progress();
            let written = Sheet::default();
            let lines = Sheet::default();
            let mut heard = lines.clone();
            let each = move |line: &[u8]| heard.write_all(&[line, b"\n"].concat());
            for to in [Redirect::to_writer(written.clone()), Redirect::each_line(each.clone())] {
                // A line of another stream tells when it is ready.
                let cmd = Cmd::sh(format!("trap '{last}; exit 0' TERM; echo ready; echo ready >&2; {WAIT}"));
                let cmd = cmd.grace(Duration::from_secs(20)).stdout(to).stderr(Redirect::capture());
                let handle = cmd.cancel_handle();
                let ready = cmd.on_event(on_ready(move || handle.cancel()));
                assert_eq!(ready.run().expect_err("it is ended").kind(), ErrorKind::Cancelled);
            }
            assert_eq!(written.bytes(), b"ready\nbye\nno newline");
            assert_eq!(lines.bytes(), b"ready\nbye\nno newline\n");
            let cmd = polite(last);
            let (handle, mut lent) = (cmd.cancel_handle(), Vec::new());
            let result = cmd.for_each_line(|line| {
                if line == b"ready" {
                    handle.cancel();
                }
                lent.extend([line, b"\n"].concat());
            });
            assert_eq!(result.expect_err("it is ended").kind(), ErrorKind::Cancelled);
            assert_eq!(lent, b"ready\nbye\nno newline\n");
        }
    });
}

/// A full pipe that is not read.
fn full_pipe() -> (pipe::PipeReader, pipe::PipeWriter) {
    let (reader, mut writer) = pipe::kernel().expect("a pipe");
    let room = fcntl(&writer, FcntlArg::F_GETPIPE_SZ).expect("its capacity");
    writer.write_all(&vec![b'x'; usize::try_from(room).expect("it has some")]).expect("it has that much room");
    (reader, writer)
}

#[test]
fn a_target_that_takes_nothing_is_named_and_the_others_lose_nothing() {
    isolated(|| {
        let grace = Duration::from_millis(300);
        let stuck_writer = || {
            let (sender, wait) = std::sync::mpsc::channel::<()>();
            let stuck = Writing(move |bytes: &[u8]| {
                let _ = wait.recv();
                Ok(bytes.len())
            });
            (Redirect::to_writer(stuck), sender)
        };
        for is_pipe in [true, false] {
            let (reader, writer) = full_pipe();
            let (stuck, sender) = stuck_writer();
            let (stuck, name) = if is_pipe { (Redirect::fd(writer), "a pipe") } else { (stuck, "a writer") };
            let (healthy, got) = pipe_target();
            let cmd = role("term-exit").arg("0").stdout(Redirect::tee([stuck, healthy, Redirect::capture()]));
            let handle = cmd.cancel_handle();
            let cmd = cmd.on_event(on_ready(move || handle.cancel())).grace(grace);
            let error = within(grace + SLACK, || cmd.run()).expect_err("it is ended");
            assert_eq!(error.kind(), ErrorKind::Cancelled, "{error}");
            assert!(error.to_string().contains(&format!("not all of its stdout was taken by {name}")), "{error}");
            drop(cmd);
            assert_eq!(error.output().expect("a capture").stdout, "ready\nbye\n");
            assert_eq!(got(), b"ready\nbye\n");
            drop((reader, sender));
        }
    });
}

#[test]
fn a_process_that_keeps_the_stream_open_does_not_hold_back_the_last_output() {
    isolated(|| {
        // It ignores the signal, so it is there until the end of the grace; what it holds is delivered all the same.
        let grace = Duration::from_millis(300);
        for _ in 0..count(2, 50) {
            progress();
            let (target, got) = pipe_target();
            let holder = format!("{} ignore-term 3>&1 >/dev/null & trap 'echo bye; exit 0' TERM", fixture());
            let cmd = Cmd::sh(format!("{holder}; echo ready; {WAIT}"));
            let cmd = cmd.stdout(Redirect::tee([target, Redirect::capture()])).grace(grace);
            let handle = cmd.cancel_handle();
            let cmd = cmd.on_event(on_ready(move || handle.cancel()));
            let error = within(grace + SLACK, || cmd.run()).expect_err("it is ended");
            drop(cmd);
            assert_eq!(captured(error), b"ready\nbye\n");
            assert_eq!(got(), b"ready\nbye\n");
        }
    });
}
