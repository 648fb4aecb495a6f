use std::io::{Seek, Write, read_to_string};
use std::sync::Arc;

use crate::io::capture::{Capture, Limit};
use crate::io::drain::*;
use crate::io::fd_writer::FdWriter;
use crate::io::lines::LineSplitter;
use crate::io::pipe_growth::BUSY;
use crate::pipe;

/// A reader that goes away ends zero-copy; the stream is given up before anything else happens.
#[test]
fn a_file_has_what_a_pipe_was_shown_before_the_stream_was_given_up() {
    if !cfg!(target_os = "linux") {
        return;
    }
    let (source, mut input) = pipe::kernel().unwrap();
    let (shown, first) = pipe::kernel().unwrap();
    let (gone, second) = pipe::kernel().unwrap();
    drop(gone);
    let mut file = crate::sys::fds::memory_file(0).unwrap();
    let sinks = vec![
        Sink::fd(FdWriter::own_pipe(first.into()).unwrap()),
        Sink::fd(FdWriter::own_pipe(second.into()).unwrap()),
        Sink::fd(FdWriter::shared(Arc::new(file.try_clone().unwrap().into()))),
    ];
    let mut drain = Drain::new(source.into(), Stream::Stdout, sinks, false).unwrap();
    drain.policy.growth.full_chunks = BUSY;
    input.write_all(b"some bytes").unwrap();
    drain.step(&mut None, Interrupt::NEVER).unwrap();
    assert!(drain.close(Time::IsUp, &mut None).result.is_ok());
    drop(drain);
    assert_eq!(read_to_string(shown).unwrap(), "some bytes");
    file.rewind().unwrap();
    assert_eq!(read_to_string(file).unwrap(), "some bytes");
}

fn captured() -> (Drain, pipe::PipeWriter) {
    let (source, input) = pipe::kernel().unwrap();
    let sinks = vec![Sink::Capture(Capture::new(Limit::None))];
    (Drain::new(source.into(), Stream::Stdout, sinks, false).unwrap(), input)
}

/// The drain's interest after each of many tiny pieces.
fn wants_after_tiny_pieces(drain: &mut Drain, input: &mut pipe::PipeWriter) -> Vec<Interest> {
    let mut wanted = Vec::new();
    for _ in 0..200 {
        input.write_all(&[b'x'; 300]).unwrap();
        drain.step(&mut None, Interrupt::NEVER).unwrap();
        drain.interests(|_, interest, _| wanted.push(interest));
    }
    wanted
}

#[test]
fn a_writer_of_tiny_pieces_is_left_alone_until_a_process_ends() {
    if !cfg!(target_os = "linux") {
        return;
    }
    let (mut drain, mut input) = captured();
    let wanted = wants_after_tiny_pieces(&mut drain, &mut input);
    // Not the last one for certain: a busy machine may be away for longer than a pause.
    assert!(wanted.iter().any(|interest| matches!(interest, Interest::ReadableAfter(_))));
    drain.end_backoff();
    drain.interests(|_, interest, _| assert_eq!(interest, Interest::Readable));
}

#[test]
fn a_capture_whose_lines_are_observed_as_they_come_is_never_left_alone() {
    let (mut drain, mut input) = captured();
    drain.observe_lines(|_| {}).unwrap();
    let wanted = wants_after_tiny_pieces(&mut drain, &mut input);
    assert!(wanted.iter().all(|interest| *interest == Interest::Readable));
}

/// The bytes that one step reads from a pipe that has more.
fn one_step(sink: Sink) -> usize {
    let (source, mut input) = pipe::kernel().unwrap();
    fds::set_capacity(input.as_fd(), 8 * CHUNK).unwrap();
    input.write_all(&[b'x'; 8 * CHUNK]).unwrap();
    let mut drain = Drain::new(source.into(), Stream::Stdout, vec![sink], false).unwrap();
    drain.step(&mut None, Interrupt::NEVER).unwrap();
    8 * CHUNK - fds::bytes_queued(input.as_fd()).unwrap()
}

#[test]
fn of_what_is_captured_a_few_chunks_are_read_at_once_and_of_what_is_seen_one() {
    if !cfg!(target_os = "linux") {
        return;
    }
    assert_eq!(one_step(Sink::Capture(Capture::new(Limit::None))), READS * CHUNK);
    assert_eq!(one_step(Sink::Capture(Capture::new(Limit::Tail(1)))), READS * CHUNK);
    assert_eq!(one_step(Sink::BorrowedLines(LineSplitter::default())), CHUNK);
}
