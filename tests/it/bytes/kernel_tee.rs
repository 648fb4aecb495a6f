//! A busy stream that goes to descriptors alone: each gets the same bytes, and none pass through this process.

use super::PATIENT;
use crate::prelude::*;

const MIB: usize = 1024 * 1024;

fn blocks(size: usize) -> Cmd {
    role("blocks").arg(size.to_string())
}

fn check_blocks() -> Cmd {
    role("check-blocks")
}

/// The file holds what `blocks` wrote.
#[track_caller]
fn assert_blocks(path: &Path, size: usize) {
    let checked = check_blocks().stdin(Redirect::file(path)).read().expect("what was written");
    assert_eq!(checked, size.to_string());
}

#[test]
fn a_tee_to_a_file_and_a_child_gives_both_everything() {
    isolated_with(PATIENT, || {
        let directory = tempfile::tempdir().expect("a directory");
        let size = count(8, 1024) * MIB + 12_344;
        for name in ["file", "append"] {
            let path = directory.path().join(name);
            let to = if name == "file" { Redirect::file(&path) } else { Redirect::append(&path) };
            let both = blocks(size).stdout(Redirect::tee([to])) | check_blocks();
            assert_eq!(both.read().expect("it ends"), size.to_string(), "{name}");
            assert_blocks(&path, size);
            progress();
        }
    });
}

#[test]
fn a_tee_to_several_pipes_and_a_file_gives_all_everything_however_slow_one_is() {
    isolated_with(PATIENT, || {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("file");
        let size = count(4, 64) * MIB;
        let (fast, to_fast) = pipe::kernel().expect("a pipe");
        let (slow, to_slow) = pipe::kernel().expect("a pipe");
        let fast = check_blocks().stdin(Redirect::fd(fast)).stdout(Redirect::piped()).spawn().expect("it starts");
        let slow = (role("cat-slow").arg("1000").stdin(Redirect::fd(slow)) | check_blocks())
            .stdout(Redirect::piped())
            .spawn()
            .expect("it starts");
        let tee = Redirect::tee([Redirect::fd(to_fast), Redirect::file(&path), Redirect::fd(to_slow)]);
        (blocks(size).stdout(tee) | check_blocks()).run().expect("it ends");
        for job in [fast, slow] {
            let mut said = String::new();
            job.take_stdout().expect("it was piped").read_to_string(&mut said).expect("what it says");
            assert_eq!(said.trim_end(), size.to_string());
            assert!(job.wait().expect("it ends").success());
        }
        assert_blocks(&path, size);
    });
}

#[test]
fn one_that_has_enough_does_not_end_the_others() {
    isolated_with(PATIENT, || {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("file");
        let size = 8 * MIB;
        // It takes so much that the stream is moved by the kernel when it leaves.
        let taken = 5 * MIB + 17;
        let some = blocks(size).stdout(Redirect::tee([Redirect::file(&path)])) | role("take").arg(taken.to_string());
        let output = some.output().expect("no stage failed");
        assert_eq!(output.stdout.len(), taken);
        assert_blocks(&path, size);
    });
}

#[test]
fn a_target_that_is_full_is_an_error_and_its_child_gets_what_was_shown() {
    isolated_with(PATIENT, || {
        let Ok(full) = File::options().write(true).open("/dev/full") else {
            return skip("there is no /dev/full");
        };
        let some = blocks(16 * MIB).stdout(Redirect::tee([Redirect::fd(full)])) | role("cat").stdout(Redirect::null());
        let error = some.run().unwrap_err();
        assert_eq!((error.kind(), error.raw_os_error()), (ErrorKind::Io, Some(libc::ENOSPC)), "{error:#}");
        assert_eq!(error.stage(), Some(0));
    });
}

#[test]
fn a_deadline_holds_in_the_middle_of_it() {
    isolated(|| {
        let null = || Redirect::file("/dev/null");
        let endless = [
            // As fast as it goes; then with a reader that stops taking.
            role("yes").stdout(Redirect::tee([null()])) | role("cat").stdout(null()),
            role("yes").stdout(Redirect::tee([null()])) | role("take").arg((4 * MIB).to_string()).stdout(null()),
            role("yes").stdout(Redirect::tee([null()])) | (role("take").arg((4 * MIB).to_string()) | role("hang")),
        ];
        for pipeline in endless {
            let timeout = Duration::from_millis(200);
            let pipeline = pipeline.stderr(Redirect::null()).timeout(timeout).grace(Duration::ZERO);
            let error = within(timeout + SLACK, || pipeline.run()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Timeout, "{error:#}");
            progress();
        }
    });
}

/// A stranger that holds the stream is given up after the grace, and what it had written by then has arrived.
#[test]
fn what_was_there_when_it_was_given_up_arrives() {
    isolated(|| {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("file");
        let (mut copy, to) = pipe::kernel().expect("a pipe");
        let copied = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            copy.read_to_end(&mut bytes).expect("a copy");
            bytes
        });
        let (reader, mut writer) = pipe::kernel().expect("a pipe");
        // A process of the run that lets its stdout live on in here: this test is the stranger.
        let stranger: OwnedFd = {
            let job = cmd!(fixture(), "cat")
                .stdin(Redirect::fd(reader))
                .stdout(Redirect::tee([Redirect::file(&path), Redirect::fd(to)]))
                .eof_grace(Duration::from_millis(50))
                .spawn()
                .expect("it starts");
            let stdout = fs::File::options()
                .write(true)
                .open(format!("/proc/{}/fd/1", job.pids()[0]))
                .expect("its stdout can be opened");
            let bytes: Vec<u8> = (0..=255).cycle().take(6 * MIB).collect();
            writer.write_all(&bytes).expect("it is read");
            drop(writer);
            job.wait().expect("it ends");
            stdout.into()
        };
        let expected: Vec<u8> = (0..=255).cycle().take(6 * MIB).collect();
        assert!(fs::read(&path).expect("a file") == expected);
        assert!(copied.join().expect("no panic") == expected);
        drop(stranger);
    });
}

#[test]
fn no_byte_of_a_busy_tee_passes_through_this_process() {
    isolated_with(PATIENT, || {
        let size = 12 * MIB;
        if let Some(part) = std::env::var_os(PART) {
            let directory = tempfile::tempdir().expect("a directory");
            let path = directory.path().join("file");
            let both = blocks(size).stdout(Redirect::tee([Redirect::file(&path)])) | check_blocks();
            if part == "alone" {
                // Nothing else to see to, so that the stream is read without asking whether there is something.
                both.stdout(Redirect::null()).run().expect("it ends");
            } else {
                assert_eq!(both.read().expect("it ends"), size.to_string());
            }
            return;
        }
        if !can_trace() {
            return skip("no strace here, or it may not trace");
        }
        for part in ["tee", "alone"] {
            assert_moved(&traced(part, &["trace=read,splice,tee"]), size);
            progress();
        }
    });
}

#[test]
fn a_pipe_of_the_caller_s_is_grown_by_a_busy_tee() {
    isolated_with(PATIENT, || {
        if !cfg!(target_os = "linux") {
            return skip("a pipe's capacity can only be asked for on Linux");
        }
        let directory = tempfile::tempdir().expect("a directory");
        for (asked, wanted) in [(None, 256 << 10), (Some(128 << 10), 128 << 10)] {
            let (mut reader, writer) = pipe::kernel().expect("a pipe");
            asked.map(|asked| pipewright::fd::set_capacity(&writer, asked).expect("less than a MiB is allowed"));
            let tee = Redirect::tee([Redirect::fd(writer), Redirect::file(directory.path().join("file"))]);
            let job = blocks(16 * MIB).stdout(tee).spawn().expect("it starts");
            let mut half = vec![0; 8 * MIB];
            reader.read_exact(&mut half).expect("half of it");
            // The rest is more than the pipe holds: the tee is not over.
            assert_eq!(pipewright::fd::capacity(&reader).expect("a pipe"), wanted);
            reader.read_to_end(&mut half).expect("the rest");
            assert_eq!(half.len(), 16 * MIB);
            assert!(job.wait().expect("it ends").success());
        }
    });
}

/// The trace is of a run in which the kernel moved `size` bytes, except a few.
fn assert_moved(log: &str, size: usize) {
    // The first bytes are read, until the pipe has proved busy.
    let moved = |call: &str| -> usize {
        let (begun, resumed) = (format!("{call}("), format!("{call} resumed>"));
        let calls = log.lines().filter(|line| line.contains(&begun) || line.contains(&resumed));
        calls.filter_map(|line| line.rsplit_once("= ")?.1.trim().parse::<usize>().ok()).sum()
    };
    assert!(moved("tee") > size - 2 * MIB, "{} bytes were shown", moved("tee"));
    assert!(moved("splice") > size - 2 * MIB, "{} bytes were moved", moved("splice"));
    assert_eq!(moved("tee"), moved("splice"));
}
